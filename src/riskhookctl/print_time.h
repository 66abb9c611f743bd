/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times for people: in the local zone, or in UTC with --utc
 *
 * Programs get UTC: JSON is not touched by any of this.
 *
 * Threads: one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "util/slice.h"

#define PRINT_TIME_SIZE 48

/* before anything is printed: in UTC, instead of the zone that TZ or the system says */
void print_time_use_utc(bool utc);

/* is a column of this name a time? */
bool print_time_is_column(struct slice name);

/**
 * print_time() - a time of the store as it is shown
 * @text:  RFC 3339, as the views print it
 * @brief: where room is short: without the fraction of a second, and in a zone other than UTC
 *         without its offset
 *
 * Return: @out, or NULL when @text is no time.
 */
const char *print_time(struct slice text, bool brief, char out[PRINT_TIME_SIZE]);

/* the same for microseconds since the epoch */
const char *print_time_us(int64_t us, bool brief, char out[PRINT_TIME_SIZE]);
