/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One attempt on its way: made by the dispatcher, carried by a handler, handed back with its result
 *
 * The result has its room from the start, so that no result is ever lost for want of memory.
 *
 * Threads: whoever holds it; it is handed over, never shared.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "store/model.h"
#include "util/buf.h"
#include "util/list.h"
#include "util/macros.h"

#define ATTEMPT_REASON_SIZE 256

struct attempt_result {
	enum attempt_outcome outcome;
	int code;                         /* exit code; -1: none */
	int signal;                       /* that ended the program; 0: none */
	int64_t after_ms;                 /* the handler's wish, or RETRY_AFTER_NONE */
	bool is_reason_foreign;           /* the consumer's own words: not for the log */
	char reason[ATTEMPT_REASON_SIZE]; /* one line for people; "": none */
	struct buf output;                /* beginning and end, see attempt_result_add_output() */
	int64_t n_output;                 /* bytes that the program wrote */
	bool output_cut;                  /* not all of them are in `output` */
};

struct attempt {
	struct list link;    /* in a list of whoever holds it */
	struct job *job;     /* borrowed from the dispatcher */
	int64_t deadline_ms; /* for the handler; clock_monotonic_ms() */
	char *transformed;   /* what the job's payload points at after a transform, or NULL */
	struct attempt_result result;
};

void attempt_result_init(struct attempt_result *result);
void attempt_result_deinit(struct attempt_result *result);

/* set outcome and reason; a reason that is too long is cut */
void attempt_result_set(struct attempt_result *result, enum attempt_outcome outcome,
			const char *fmt, ...) PRINTF_LIKE(3, 4);

/* ATTEMPT_TIMEOUT, "no result within 30 s" */
void attempt_result_set_timeout(struct attempt_result *result, int64_t timeout_ms);

/**
 * attempt_result_add_output() - keep what is worth keeping of a piece of output
 *
 * All of it up to ATTEMPT_OUTPUT_MAX bytes; of more the first half of that and the last half, since
 * a program says at its beginning what it does and at its end why it failed.
 */
void attempt_result_add_output(struct attempt_result *result, const char *p, size_t n);

/* no more output comes: bring it in order, with a line that says how much is left out between */
void attempt_result_end_output(struct attempt_result *result);
