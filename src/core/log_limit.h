/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Repeats in the log
 *
 * A flood of refused requests shall not fill the disk that the events need. The first
 * LOG_LIMIT_LINES lines of the same message, endpoint and handler in LOG_LIMIT_WINDOW_MS are
 * logged; the others are counted, and one line tells how many there were.
 *
 * Threads: pure; one at a time for each limiter.   Times: milliseconds of the monotonic clock.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "util/slice.h"

#define LOG_LIMIT_LINES     20
#define LOG_LIMIT_WINDOW_MS 10000
#define LOG_LIMIT_SLOTS     64 /* messages at one time; what is more is not limited */
#define LOG_LIMIT_NAME_MAX  32 /* bytes of an endpoint's or a handler's name */
#define LOG_LIMIT_TEXT_MAX  120

/* what makes two lines the same, and what the summary repeats */
struct log_line {
	int level;
	char message[LOG_LIMIT_TEXT_MAX + 1];
	char endpoint[LOG_LIMIT_NAME_MAX + 1], handler[LOG_LIMIT_NAME_MAX + 1];
};

struct log_limiter {
	struct log_slot {
		struct log_line line;
		int64_t began_ms;
		int64_t n_said; /* 0: the slot is free */
		int64_t n_held; /* counted, not logged */
	} slots[LOG_LIMIT_SLOTS];
};

struct log_line log_line_of(int level, const char *message, struct slice endpoint,
			    struct slice handler);

/* may this line be logged? Otherwise it is counted. */
bool log_limit_allows(struct log_limiter *limiter, const struct log_line *line, int64_t now_ms);

/**
 * log_limit_next() - a message whose window is over and of which lines were held back
 * @now_ms:  INT64_MAX: whether its window is over or not
 * @ret_n:   how many were held back
 *
 * The message starts anew. Call it until it returns false.
 */
bool log_limit_next(struct log_limiter *limiter, int64_t now_ms, struct log_line *ret_line,
		    int64_t *ret_n);

/* when log_limit_next() will have something to say; INT64_MAX: never */
int64_t log_limit_next_ms(const struct log_limiter *limiter);
