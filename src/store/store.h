/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store: the one writing connection, its thread and its inbox
 *
 * Everything that is written goes through here as a `struct store_op`. Any thread appends ops to
 * the inbox; the store thread swaps the whole inbox out and commits it as one transaction (group
 * commit), WAL with synchronous=FULL, so that a committed op survives kill -9 and a power cut. Then
 * it calls each op's done().
 *
 * Posts first: what no post's answer waits for (deliveries, erasing) goes with a transaction
 * of posts as far as it takes at most a sixth of their time, and has one of its own when no post
 * has come for 5 ms. So deliveries cannot slow posts down by more than that, nor wait for ever.
 *
 * Failure: when the disk is full or broken the transaction is rolled back and every op of it gets
 * the same negative errno; the store stays up and the next transaction tries again. When an op by
 * itself is at fault, the others of its batch are committed without it.
 *
 * Threads: store_new(), store_stop() and store_free() from one thread; the rest from any.
 * Ownership: an op belongs to the store from a successful store_submit() until its done() is
 * called, in the store thread, where it must not block; all that it points to must stay valid for
 * as long.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/crypto.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/list.h"
#include "util/slice.h"

struct config;
struct event;
struct payload;
struct store;
struct store_op;

typedef void (*store_done)(struct store_op *op);

enum store_op_kind {
	STORE_OP_EVENT,        /* struct event_op */
	STORE_OP_QUARANTINE,   /* struct quarantine_op */
	STORE_OP_ROUTE,        /* struct route_op, store/queue.h */
	STORE_OP_BEGIN,        /* struct begin_op, store/queue.h */
	STORE_OP_FINISH,       /* struct finish_op, store/queue.h */
	STORE_OP_TOKEN,        /* struct token_op, store/token_store.h */
	STORE_OP_TOKEN_REVOKE, /* struct token_revoke_op, store/token_store.h */
	STORE_OP_HANDLERS,     /* struct handlers_op, store/drive.h */
	STORE_OP_PAUSE,        /* struct pause_op, store/drive.h */
	STORE_OP_CHANGE,       /* struct change_op, store/drive.h */
	STORE_OP_REPLAY,       /* struct replay_op, store/drive.h */
	STORE_OP_USE,          /* struct use_op, store/uses.h */
	STORE_OP_PROBE,        /* struct store_op alone: writes a row that nobody reads */
	STORE_OP_ERASE,        /* struct erase_op, store/erase.h */
	STORE_OP_KINDS
};

struct store_op {
	struct list link;
	enum store_op_kind kind;
	store_done done;
	void *arg;  /* the submitter's, for done() */
	int result; /* at done(): 0 committed, or a negative errno and nothing was written */
};

/* Where a post came from and how it was let in: what an auditor asks for. */
struct provenance {
	struct slice endpoint;   /* name */
	struct slice credential; /* name */
	struct slice address;    /* the sender's, as text */
	int64_t received_at;     /* us */
};

enum event_stored {
	EVENT_STORED,    /* a new event */
	EVENT_DUPLICATE, /* its key is there with the same body */
	EVENT_CONFLICT,  /* its key is there with another body, which is kept in `conflicts` */
};

struct event_op {
	struct store_op op;
	const struct event *event;
	struct slice body;
	const struct payload *payload; /* the form in which the body is stored; NULL: raw */
	struct provenance from;
	int dedup; /* enum dedup_mode */
	bool wrong_environment;

	/* owned by the store thread: the first body of this key cannot be read */
	bool is_first_unreadable;

	/* results */
	enum event_stored stored;
	int64_t seq; /* the event's, or the first one's */
};

struct quarantine_op {
	struct store_op op;
	struct slice body;
	struct provenance from;
	const char *reason; /* static text */
	struct sha256 body_sha256;
};

/* called in the store thread after a commit that brought new events; must not block */
typedef void (*store_on_events)(void *arg);

/**
 * store_new() - open or create the database, migrate it, recover it, start the thread
 * @config:    read during the call only
 * @on_events: see above, or NULL
 * @e:         on failure: what is wrong with which file, and what to do
 *
 * A database from a newer version is refused. Deliveries that were running become pending, their
 * open attempts `interrupted`.
 *
 * Return: 0, or a negative errno.
 */
int store_new(const struct config *config, store_on_events on_events, void *arg,
	      struct store **ret_store, struct error *e) MUST_USE;

/**
 * store_submit() - append an op to the inbox
 *
 * Return: 0; -ESHUTDOWN after store_stop(). On failure done() is not called.
 */
int store_submit(struct store *store, struct store_op *op) MUST_USE;

/* store_submit() and wait for the commit. Return: the op's result. done and arg are overwritten. */
int store_submit_wait(struct store *store, struct store_op *op) MUST_USE;

/**
 * store_note_routed() - every event up to @seq is routed, and no delivery came of those that the
 * last route op did not tell of
 *
 * Not worth a transaction of its own at once, in which nobody's event would be: it goes with the
 * next one that is more than events, alone after ROUTED_LAG_MS. So what another op reads in the
 * store after this call is true; a reader may see it late; and after a crash these events are
 * looked at again.
 */
void store_note_routed(struct store *store, int64_t seq);

/* Is the store able to commit? False from a failed transaction until one succeeds. */
bool store_is_healthy(struct store *store);

/* Let the store thread go round once. Return: how often it had gone round; when the next call says
 * the same, the thread is stuck. A watchdog's view: a transaction that fails is a round, too. */
uint64_t store_nudge(struct store *store);

/* when did the last transaction succeed? clock_monotonic_ms(); before the first: when it opened */
int64_t store_committed_at_ms(struct store *store);

/* finish what is in the inbox, then refuse; waits for the thread */
void store_stop(struct store *store);
void store_free(struct store *store);
DEFINE_CLEANUP(struct store *, store_free)
