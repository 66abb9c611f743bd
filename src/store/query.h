/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions to the store, for people: what riskhookctl prints
 *
 * The answers are rows of the documented views (event_log, evaluation_log, delivery_log) and of
 * attempts, conflicts and quarantine; the columns' names are the JSON keys. Every query returns 0,
 * what its visitor returned, or a negative errno.
 *
 * Threads: as the reader.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "store/model.h"
#include "store/reader.h"
#include "util/slice.h"

enum value_type {
	VALUE_NULL,
	VALUE_INTEGER,
	VALUE_TEXT,
	VALUE_BOOL, /* the columns `test`, ...: 0 or 1 in SQL, true or false in JSON */
	VALUE_BYTES,
};

struct value {
	const char *name; /* column */
	enum value_type type;
	int64_t integer;
	struct slice text; /* of VALUE_TEXT and VALUE_BYTES */
};

/* called once a row; the values die with the call; non-zero stops and is returned. Another query
 * may be asked from within. */
typedef int (*query_visit)(const struct value *values, int n_values, void *arg);

/* NULL and 0 mean "any"; text compares without regard to case except ids */
struct event_filter {
	const char *event_type; /* canonical, or as the sender spelled it */
	const char *category;
	const char *eval_id;
	const char *customer_id;
	const char *decision;
	const char *status;
	const char *workflow;
	const char *environment;
	int64_t since, until; /* received_at, us */
	int test;             /* 0 any, 1 only test events, -1 none */
	int64_t after_seq;    /* only events behind this one */
	int64_t limit;        /* 0: all; otherwise the newest ones */
	bool oldest_first;    /* with after_seq: the first `limit` behind it; output is always in
			       * order of seq */
};

int query_events(struct reader *reader, const struct event_filter *filter, query_visit visit,
		 void *arg) MUST_USE;

/* by seq or, when @key is not a number or there is no such seq, by event_id (every type of it) */
int query_event(struct reader *reader, const char *key, query_visit visit, void *arg) MUST_USE;

/* one row, one value: the raw bytes */
int query_payload(struct reader *reader, int64_t seq, query_visit visit, void *arg) MUST_USE;

int query_evaluation(struct reader *reader, const char *eval_id, query_visit visit,
		     void *arg) MUST_USE;

struct delivery_filter {
	const char *state;
	const char *handler;
	int64_t seq;   /* 0: any */
	int64_t since; /* created_at, us */
	const char *eval_id;
	int64_t limit; /* 0: all; otherwise the newest ones, oldest first */
};

int query_deliveries(struct reader *reader, const struct delivery_filter *filter, query_visit visit,
		     void *arg) MUST_USE;
/* numbers of the deliveries of a handler that are pending, held, or dead and not dismissed: the
 * first
 * @limit behind @after */
int query_stuck(struct reader *reader, const char *handler, enum delivery_state state,
		int64_t after, int64_t limit, query_visit visit, void *arg) MUST_USE;
/* how far a replay has come; one row: replay, handler, at_seq, last_seq, deliveries, ended */
int query_replay(struct reader *reader, int64_t replay, query_visit visit, void *arg) MUST_USE;
/* paused handlers: handler, paused_at */
int query_paused(struct reader *reader, query_visit visit, void *arg) MUST_USE;

/* columns: attempt, delivery, started_at, ended_at, outcome, code, signal, reason, output,
 * output_cut */
int query_attempts(struct reader *reader, int64_t delivery, query_visit visit, void *arg) MUST_USE;

/*
 * What was kept besides events. @id 0: the newest @limit rows (0: all), oldest first; otherwise
 * that row alone.
 */

/* columns: conflict, seq, event_id, event_type, eval_id, endpoint, credential, address,
 * received_at, posts, bytes, body_sha256 */
int query_conflicts(struct reader *reader, int64_t id, int64_t limit, query_visit visit,
		    void *arg) MUST_USE;
/* columns: quarantine, endpoint, credential, address, received_at, posts, reason, bytes,
 * body_sha256 */
int query_quarantine(struct reader *reader, int64_t id, int64_t limit, query_visit visit,
		     void *arg) MUST_USE;
/* the raw bytes of one; one row, one value */
int query_conflict_body(struct reader *reader, int64_t conflict, query_visit visit,
			void *arg) MUST_USE;
int query_quarantine_body(struct reader *reader, int64_t quarantine, query_visit visit,
			  void *arg) MUST_USE;

/* access tokens that have not expired, oldest first; columns: token (its id), endpoint, credential,
 * client_id, address, issued_at, expires_at. @now: us */
int query_tokens(struct reader *reader, int64_t now, query_visit visit, void *arg) MUST_USE;

/* the highest seq, 0 when there are no events */
int query_last_seq(struct reader *reader, int64_t *ret_seq) MUST_USE;
