/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Something to lose: threads that post events, and one that routes and delivers them, on a real
 * store; and the ledger of what the store has promised
 *
 * Events have numbers; a body follows from its number, so that what comes back can be compared
 * byte by byte.
 *
 * Threads: workload_run() makes its own and ends them; the rest from one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "util/slice.h"

#define EVENTS_MAX 65536
#define BODY_MAX   12000

/* Notes in the disk's log, and bits of the ledger: an op was done with result 0 */
enum promise {
	PROMISE_STORED,
	PROMISE_CONFLICT,   /* the event's second body */
	PROMISE_QUARANTINE, /* the rubbish of that number */
	PROMISE_ROUTED,
	PROMISE_BEGUN,
	PROMISE_DONE,
	PROMISE_DEAD,
	PROMISES
};

struct ledger {
	unsigned char promised[EVENTS_MAX]; /* bits of enum promise */
	int64_t seq[EVENTS_MAX];            /* of stored events */
	int n;                              /* numbers that are used up */
};

void ledger_take(struct ledger *ledger, int promise, int64_t number);

enum body_kind { BODY_EVENT, BODY_CONFLICT, BODY_RUBBISH };

/* Return: the body, in @room */
struct slice workload_body(int number, enum body_kind kind, char room[BODY_MAX]);

struct workload {
	const char *path; /* of the store */
	int n_posts;      /* each of the threads */
	uint64_t seed;
	bool promise_early; /* the mistake: before the commit */
};

/**
 * workload_run() - open the store, work on it, close it
 *
 * Promises are noted with disk_note() at the moment when they are given.
 *
 * Return: 0, or a negative errno with a line on stderr.
 */
int workload_run(const struct workload *workload, struct ledger *ledger);

/**
 * workload_check() - open the store after a cut and hold it to the ledger
 *
 * Return: NULL when every promise is kept, otherwise which is not (static text).
 */
const char *workload_check(const char *path, const struct ledger *ledger);
