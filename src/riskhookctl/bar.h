/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers for people: bars, rates, sizes, ages
 *
 * Threads: pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define BAR_WIDTH 24                  /* columns of the longest bar */
#define BAR_SIZE  (3 * BAR_WIDTH + 1) /* a block takes three bytes */

/* a bar for @n of @max, at least one block long unless @n is 0; of '#' without @unicode */
const char *bar_text(int64_t n, int64_t max, bool unicode, char out[BAR_SIZE]);

#define NUMBER_SIZE 32

/* "1.5 GiB" */
const char *bytes_text(int64_t bytes, char out[NUMBER_SIZE]);

/* "3 d 4 h", "5 min", "12 s" */
const char *age_text(int64_t seconds, char out[NUMBER_SIZE]);

/* @n in @seconds as "4.2 /h"; over a minute's worth a second: "12.5 /s" */
const char *rate_text(int64_t n, double seconds, char out[NUMBER_SIZE]);
