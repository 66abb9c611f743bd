/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What other threads bring to the dispatcher, and how they wake it
 *
 * Whoever brings something wakes it; the dispatcher takes all that has come at once, a batch a
 * round. Whatever is brought is borrowed until then.
 *
 * Threads: inbox_take(), inbox_plan_is_applied() and inbox_finish() from the dispatcher's; the rest
 * from any. Nothing blocks but inbox_take() and inbox_apply().
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/list.h"

struct reload_plan;

/* what comes in lists */
enum inbox_kind {
	INBOX_BEGUN, /* struct slot: its batch is committed, or failed */
	INBOX_ENDED, /* struct running: the handler is through with it */
	INBOX_SAVED, /* struct running: its finish op was done(), for good or bad */
	INBOX_KINDS
};

struct inbox_mail {
	struct list lists[INBOX_KINDS];
	bool is_outdated;         /* an operator has changed something */
	struct reload_plan *plan; /* of a reload that waits for it to be applied; or NULL */
	int64_t stop_at_ms;       /* begin nothing more; abort then. INT64_MAX: not stopping */
};

struct inbox {
	/* shared, under mx */
	pthread_mutex_t mx;
	pthread_cond_t changed;
	pthread_cond_t applied;
	struct inbox_mail mail; /* not yet taken; plan and stop_at_ms stay when it is */
	bool is_woken;
	bool has_finished; /* the dispatcher's thread */
	uint64_t rounds;
};

void inbox_init(struct inbox *inbox);
void inbox_deinit(struct inbox *inbox);

void inbox_wake(struct inbox *inbox);
void inbox_refresh(struct inbox *inbox);

/* in one critical section with the wake, because the last thing that is brought may be all that the
 * dispatcher waits for before it is stopped and freed */
void inbox_bring(struct inbox *inbox, enum inbox_kind kind, struct list *link);

/* wake it. Return: dispatcher_nudge()'s */
uint64_t inbox_nudge(struct inbox *inbox);

void inbox_stop(struct inbox *inbox, int64_t stop_at_ms);

/* have a plan applied, and wait until it is */
void inbox_apply(struct inbox *inbox, struct reload_plan *plan);

/**
 * inbox_take() - wait until something has come, and take all of it
 * @deadline_ms: clock_monotonic_ms() until which to wait
 */
void inbox_take(struct inbox *inbox, int64_t deadline_ms, struct inbox_mail *ret);
void inbox_plan_is_applied(struct inbox *inbox);

/* no round will follow, and that does not mean that it is stuck */
void inbox_finish(struct inbox *inbox);
