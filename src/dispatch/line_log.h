/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker writes to its standard error, line by line into the log, within bounds
 *
 * A line is cut at LINE_LOG_MAX bytes. LINE_LOG_BURST lines may come at once and LINE_LOG_RATE a
 * second in the long run; what is above is counted, and the count is said with the next line.
 *
 * Threads: one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "util/slice.h"

#define LINE_LOG_MAX   400
#define LINE_LOG_BURST 50
#define LINE_LOG_RATE  10

struct line_log {
	const char *handler; /* name; borrowed */
	char line[LINE_LOG_MAX + 1];
	size_t n;
	bool is_cut;        /* the rest of the line is skipped */
	int64_t credit;     /* thousandths of a line */
	int64_t counted_ms; /* credit is as of then */
	int64_t n_left_out;
};

void line_log_init(struct line_log *log, const char *handler, int64_t now_ms);
void line_log_add(struct line_log *log, struct slice text, int64_t now_ms);

/* no more comes: log what has no newline, and what was left out */
void line_log_end(struct line_log *log, int64_t now_ms);
