/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An attempt under way: its job, its result, and the op that will write its end
 *
 * Everything that it needs until the end is committed is allocated at the beginning.
 *
 * Threads: whoever holds it.
 */
#pragma once

#include "core/config.h"
#include "core/steady_clock.h"
#include "dispatch/attempt.h"
#include "dispatch/retry.h"
#include "store/queue.h"
#include "util/cleanup.h"

struct slot;

struct running {
	struct attempt attempt; /* its link is in the list of whoever holds it */
	struct finish_op finish;
	const struct handler_config *handler; /* borrowed */
	struct slot *slot;                    /* that it was begun for; borrowed */
	int64_t started_at;                   /* us */
	int64_t delay_ms;                     /* until the next attempt */
	char reason[ATTEMPT_REASON_SIZE + 64];
};

/**
 * running_new_all() - make the attempts that are about to begin
 * @jobs:      taken over, all of them
 * @slot:      that they begin for
 * @ret_batch: room for @n
 *
 * Return: how many there was memory for.
 */
size_t running_new_all(const struct handler_config *handler, struct job **jobs, size_t n,
		       struct slot *slot, struct running **ret_batch);
void running_free(struct running *running);
DEFINE_CLEANUP(struct running *, running_free)

struct running *running_of(struct list *link);

/**
 * running_conclude() - decide on the delivery's next state and fill in `finish`
 * @clock:  says what has passed of `retry_for`
 * @random: for the retry's delay
 *
 * Once for each result: a finish op that fails is submitted again as it is.
 */
void running_conclude(struct running *running, const struct steady_clock *clock,
		      struct clock_reading now, uint64_t random);

/* count it, and write the one line for the log; after the commit */
void running_report(const struct running *running);
