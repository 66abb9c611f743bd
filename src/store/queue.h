/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The delivery queue, as dispatch/ sees it
 *
 * Reading goes through a `struct reader` (store/reader.h), writing through store ops.
 *
 * Events are routed in order of seq; `routed_seq` in the store says how far the router has come, so
 * that crash recovery is the ordinary query. Every delivery of an event is written in the same
 * transaction that moves `routed_seq` past it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/config.h"
#include "store/model.h"
#include "store/store.h"

struct reader;

/* one delivery to make */
struct route {
	int64_t seq;
	const char *handler; /* name; borrowed */
	char failure[80];    /* why the filter failed: then the delivery is dead; "": pending */
};

/* write deliveries (pending and due at once, or dead with a failure) and move routed_seq, or the
 * replay's at_seq */
struct route_op {
	struct store_op op;
	const struct route *routes;
	size_t n_routes;
	int64_t routed_seq; /* every event up to this one is routed now */
	int64_t now;        /* us */
	int64_t replay;     /* 0: none; then routed_seq is how far the replay has come */
	bool is_history;    /* the replay is a new handler's history: its deliveries are unmarked */
	bool is_end;        /* the replay ends with this */

	size_t n_written; /* result: without those that were there already */
};

/* pending -> running, and one attempt row each; written before the handler sees anything. A
 * delivery that is not pending any more gets began == false and no attempt. */
struct begin_item {
	int64_t delivery;
	int attempt;
	bool began;
};

struct begin_op {
	struct store_op op;
	struct begin_item *items;
	size_t n_items;
	int64_t now; /* us */
};

/* the attempt's end, and the delivery's next state */
struct finish_op {
	struct store_op op;
	int64_t delivery;
	int attempt;
	enum attempt_outcome outcome;
	enum delivery_state state; /* done, pending or dead */
	int64_t now;               /* us */
	int64_t due_at;            /* us; for pending */
	int code;                  /* exit code; -1: none */
	int signal;                /* 0: none */
	struct slice reason;       /* one line for people, or empty */
	struct slice output;       /* more than ATTEMPT_OUTPUT_MAX and its marker is cut */
	bool output_cut;           /* there was more */
};

/**
 * queue_unrouted() - events behind routed_seq, in order
 * @passed:   and behind this one, when the caller has come farther (store_note_routed())
 * @max:      most rows
 * @visit:    called for each; the slices die with the call; non-zero stops and is returned
 *
 * Return: 0, what @visit returned, or a negative errno.
 */
int queue_unrouted(struct reader *reader, int64_t passed, size_t max,
		   int (*visit)(const struct routable *event, void *arg), void *arg) MUST_USE;

/**
 * queue_payload() - the raw body of an event
 * @ret_p: the caller frees it; only with BODY_THERE
 *
 * Return: a body_state, or a negative errno.
 */
int queue_payload(struct reader *reader, int64_t seq, char **ret_p, size_t *ret_n) MUST_USE;

/**
 * queue_due() - deliveries of one handler that may start now
 * @order: ORDER_EVALUATION leaves out a delivery while another one of the same evaluation and
 *         handler has the turn (sql/004_drive.sql); ORDER_NONE gives it when there is room left
 * @max:   most jobs
 * @ret_jobs: array of at least @max pointers; the caller frees each with job_free()
 *
 * In order of due time, then seq. The payload is read too. One that cannot be read is a fault of
 * its job alone (`body`), and in nobody's way.
 *
 * Return: number of jobs, or a negative errno.
 */
int queue_due(struct reader *reader, const char *handler, enum handler_order order, int64_t now,
	      size_t max, struct job **ret_jobs) MUST_USE;

/**
 * queue_next_due() - when does a delivery of this handler become due?
 * @order: as for queue_due()
 *
 * @ret_due_at: us; the earliest due time after @now, or INT64_MAX when there is none
 *
 * Return: 0, or a negative errno.
 */
int queue_next_due(struct reader *reader, const char *handler, enum handler_order order,
		   int64_t now, int64_t *ret_due_at) MUST_USE;
