/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the end of an attempt to the delivery's next state
 *
 *	outcome                         next state
 *	ok                              done
 *	dead                            dead
 *	interrupted                     pending, due at once: the daemon's doing, not the handler's
 *	retry, timeout, lost, failed    pending, due later; dead once `retry_for` is over
 *
 * The delay before attempt n+1 is a random time between 0 and retry_initial * 2^(n-1), at most
 * retry_max ("full jitter": many deliveries that failed together do not come back together). A
 * handler that names a time itself gets that one.
 *
 * Threads: pure; the clock and the random number come from the caller.
 */
#pragma once

#include <stdint.h>

#include "core/config.h"
#include "store/model.h"

#define RETRY_AFTER_NONE (-1)
#define RETRY_AFTER_MAX_MS                                                                         \
	(30LL * 24 * 3600 * 1000) /* the longest time that a handler can ask for */

/**
 * retry_outcome_of_exit() - what a program's exit code says
 * @code: 0 to 255
 *
 * 0 is ok. Codes of sysexits.h that will be the same tomorrow are dead at once: 64 (EX_USAGE),
 * 65 (EX_DATAERR), 77 (EX_NOPERM), 78 (EX_CONFIG). 75 (EX_TEMPFAIL) and all others: retry.
 */
enum attempt_outcome retry_outcome_of_exit(int code);

/**
 * retry_delay_ms() - how long to wait after attempt @attempt
 * @attempt: number of the attempt that has ended, from 1
 * @random:  any number, evenly spread over the whole range
 */
int64_t retry_delay_ms(const struct handler_config *handler, int attempt, uint64_t random);

struct retry_question {
	enum attempt_outcome outcome;
	int attempt;       /* number of the attempt that has ended, from 1 */
	int64_t passed_us; /* of `retry_for` */
	int64_t after_ms;  /* what the handler asked for, or RETRY_AFTER_NONE */
	uint64_t random;   /* as for retry_delay_ms() */
};

struct retry_verdict {
	enum delivery_state state; /* done, pending or dead */
	int64_t delay_ms;          /* of pending */
	bool is_given_up;          /* dead because `retry_for` is over */
};

struct retry_verdict retry_decide(const struct handler_config *handler,
				  const struct retry_question *question);
