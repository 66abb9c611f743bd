/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What operators do to deliveries: pause a handler, retry, hold, release, dismiss, replay
 *
 * Each is one store op, so that it is durable when it is answered and survives a restart. A replay
 * is a row that the dispatcher works off batch by batch (dispatch/replay.h); so is the history of
 * a handler with `start = all`.
 *
 * Threads: reading as the reader; ops as every store op.
 */
#pragma once

#include "store/queue.h"

#define DRIVE_ITEMS_MAX 1000 /* deliveries in one change_op */

/* these handlers are configured; new ones are written down, with their history to work off when
 * they ask for it. What was told to wait at a time that is still to come, because the clock was set
 * back, becomes due. */
struct handlers_op {
	struct store_op op;
	const struct handler_config *handlers;
	size_t n_handlers;
	int64_t now; /* us */
};

struct pause_op {
	struct store_op op;
	const char *handler;
	bool paused;
	int64_t now; /* us */

	bool is_known;   /* result: there is such a handler */
	bool is_changed; /* result: and it was not paused, or was */
};

enum change {
	CHANGE_RETRY,   /* dead -> pending, and pending -> due now */
	CHANGE_HOLD,    /* pending -> held */
	CHANGE_RELEASE, /* held -> pending */
	CHANGE_DISMISS, /* pending, held -> dead; dead ones nobody needs to look at any more */
	CHANGES
};

/* the delivery's state as it was before */
struct change_item {
	int64_t delivery;
	bool is_known;
	bool is_changed;
	enum delivery_state was; /* when it is known */
};

struct change_op {
	struct store_op op;
	enum change change;
	struct change_item *items;
	size_t n_items;
	int64_t now; /* us */
};

/* 0 and "" mean any */
struct replay_filter {
	int64_t first_seq, last_seq;
	int64_t since, until; /* received_at, us */
	const char *event_type, *eval_id;
};

struct replay_op {
	struct store_op op;
	const char *handler;
	struct replay_filter filter;
	int64_t now; /* us */

	int64_t replay; /* result: its number; 0: there is no such handler */
};

/* how far a replay has come */
struct replay_state {
	int64_t replay;
	char handler[CONFIG_NAME_MAX + 1];
	bool is_history; /* of a handler with start = all */
	int64_t at_seq;
	int64_t last_seq; /* never above what the router has passed */
};

/* names of the paused handlers; @visit as for queue_unrouted(), the name dies with the call */
int drive_paused(struct reader *reader, int (*visit)(const char *handler, void *arg),
		 void *arg) MUST_USE;

/* replays that go on, oldest first */
int drive_open_replays(struct reader *reader,
		       int (*visit)(const struct replay_state *replay, void *arg),
		       void *arg) MUST_USE;

/**
 * drive_replay_events() - the next events of a replay, in order
 * @window: how many seqs to look through at most
 * @max:    most events
 *
 * Return: as queue_unrouted().
 */
int drive_replay_events(struct reader *reader, const struct replay_state *replay, int64_t window,
			size_t max, int (*visit)(const struct routable *event, void *arg),
			void *arg) MUST_USE;
