/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing to a stream whose errors are looked at once
 *
 * A stream remembers that a write failed, and print_flush() tells; so these return nothing.
 *
 * Threads: one.
 */
#pragma once

#include <stdio.h>

#include "util/macros.h"
#include "util/slice.h"

void put(FILE *out, const char *fmt, ...) PRINTF_LIKE(2, 3);
void put_slice(FILE *out, struct slice text);
