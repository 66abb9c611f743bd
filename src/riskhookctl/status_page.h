/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /v1/status as one screen
 *
 * Threads: one.
 */
#pragma once

#include <jansson.h>

#include "riskhookctl/print.h"

/* print what is known of it, and remove that from @status: what is left is for the caller. Return:
 * 0, or a negative errno. */
int status_page_print(const struct print_target *target, json_t *status, int64_t now);
