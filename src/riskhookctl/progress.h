/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line that tells how far a long command is: on stderr, when that is a terminal
 *
 * Threads: one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *what; /* "events posted" */
	bool is_shown;    /* stderr is a terminal */
	bool is_dirty;    /* the line stands there */
	int64_t next_ms;  /* do not write before */
};

void progress_begin(struct progress *progress, const char *what);

/* @total 0: nobody knows. Cheap; writes ten times a second at most. */
void progress_show(struct progress *progress, int64_t done, int64_t total);

/* wipe the line; what comes next begins in the first column */
void progress_end(struct progress *progress);

/* the line itself, without control characters: "45% of events posted (4500 of 10000)" */
void progress_text(const char *what, int64_t done, int64_t total, char out[128]);
