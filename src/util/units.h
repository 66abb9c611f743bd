/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sizes, durations and times as text
 *
 * Threads: pure.   Times are microseconds since the epoch, UTC.
 */
#pragma once

#include <stdint.h>

#include "util/macros.h"
#include "util/slice.h"

#define US_PER_S  1000000LL
#define US_PER_MS 1000LL

/* "2MiB", "64KiB", "1GiB", "500" (bytes). Return: 0, or -EINVAL (also when it overflows). */
int size_parse(struct slice text, int64_t *ret_bytes) MUST_USE;

/* "15s", "250ms", "10m", "24h", "7d"; a unit is required. Return: 0, or -EINVAL. */
int duration_parse(struct slice text, int64_t *ret_ms) MUST_USE;

#define UNIT_TEXT_SIZE 24 /* a 64-bit number and its unit */

/* the other way round, with the largest unit that divides evenly: "2MiB", "90s"; return @out */
const char *size_format(int64_t bytes, char out[UNIT_TEXT_SIZE]);
const char *duration_format(int64_t ms, char out[UNIT_TEXT_SIZE]);

/**
 * time_parse() - RFC 3339, generously
 * @text:   "2026-09-12T08:30:00.123456789Z", an offset for the Z, 0 to 9 fraction digits, a space
 *          or lower-case 't' for the T, or a date alone (midnight UTC)
 * @ret_us: microseconds since the epoch; what is finer is cut off
 *
 * Source: RFC 3339 section 5.6; a leap second (:60) counts as the next second.
 *
 * Return: 0, or -EINVAL.
 */
int time_parse(struct slice text, int64_t *ret_us) MUST_USE;

#define NUMBER_TEXT_SIZE 21 /* "-9223372036854775808" and a NUL */

/* Return: where the digits begin, in @out */
const char *number_format(int64_t n, char out[NUMBER_TEXT_SIZE]);

#define TIME_TEXT_SIZE 28 /* "2026-09-12T08:30:00.123Z" and a NUL, with room for odd years */

/* RFC 3339 UTC with milliseconds, as the views print it; returns @out */
const char *time_format(int64_t us, char out[TIME_TEXT_SIZE]);
