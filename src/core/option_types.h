/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The types of options: what the option table's own files share
 *
 * Threads: constant data.
 */
#pragma once

#include "core/options.h"
#include "util/buf.h"

/* "size", "duration", ... */
const char *option_type_name(const struct option *o);

/* "1KiB to 64MiB" or the allowed words, separated by commas; nothing when there is no bound */
void option_append_bounds(const struct option *o, struct buf *out);
