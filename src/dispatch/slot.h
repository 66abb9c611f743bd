/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One handler's place at the dispatcher: how much it holds, and how its deliveries begin
 *
 * Attempts begin in batches. A batch is one op, so that the attempts are in the store before the
 * handler sees anything; the dispatcher does not wait for it, so that the beginnings and ends of
 * all handlers share the store's commits. While a batch is being committed no other one of the same
 * handler is read from the queue.
 *
 * Threads: slot_new() and slot_free() from any, the rest is the dispatcher's; the callbacks come
 * from others.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/config.h"
#include "dispatch/handler.h"
#include "dispatch/pace.h"
#include "dispatch/running.h"
#include "store/queue.h"
#include "util/list.h"

#define SLOT_BATCH 64 /* attempts in one transaction */

struct dispatcher;
struct reader;
struct slot;

struct slot {
	struct list member; /* of the dispatcher's slots */

	/* constant after slot_new() */
	struct dispatcher *owner;
	struct config *snapshot; /* that holds `config`; one owner */
	const struct handler_config *config;
	struct handler *handler;
	void (*on_begun)(struct slot *slot); /* in the store's thread; must not block */
	void (*on_room)(void *arg);          /* also when it has ended; `arg` is the slot */

	/* owned by the dispatcher's thread */
	bool is_paused;
	bool is_retired;    /* by a reload (reload.h) */
	size_t n_held;      /* the handler has them, or is about to get them */
	size_t n_under_way; /* those, and the ones whose end is not yet committed */

	pthread_t ender; /* while is_ending: stops the handler */
	bool is_ending;
	atomic_bool has_ended;

	/* lent to the store while `is_beginning` */
	bool is_beginning;
	struct begin_op begin;
	struct begin_item items[SLOT_BATCH];
	struct running *batch[SLOT_BATCH];
	struct list link; /* in the dispatcher's list, once it is done */
};

/* what a slot and its handler report to; `arg` is the slot */
struct slot_callbacks {
	void (*on_done)(struct attempt *attempt, void *arg);
	void (*on_room)(void *arg);
	void (*on_begun)(struct slot *slot);
	struct dispatcher *owner;
};

/* Return: 0, or a negative errno; the handler is not started */
int slot_new(struct config *snapshot, const struct handler_config *config,
	     const struct slot_callbacks *callbacks, struct slot **ret_slot,
	     struct error *e) MUST_USE;
/* stops the handler, if need be; nothing may be under way */
void slot_free(struct slot *slot);

/**
 * slot_end() - stop the handler in a thread of its own; again and again until it returns true
 *
 * Nothing may be under way. A program in mode worker has 10 s to end, which nobody else must wait
 * for. `on_room` tells of the end.
 *
 * Return: is it stopped?
 */
bool slot_end(struct slot *slot);
/* the same, and wait */
void slot_stop(struct slot *slot);

/* end what is under way at once */
void slot_abort(struct slot *slot);
DEFINE_CLEANUP(struct slot *, slot_free)

/* what a slot needs of the dispatcher for a round */
struct slot_round {
	struct reader *reader;
	struct store *store;
	struct pace *pace;
};

/**
 * slot_deliver() - begin what is due, as far as there is room
 *
 * Return: how many deliveries were lent to the store; they come back by `on_begun`.
 */
size_t slot_deliver(struct slot *slot, const struct slot_round *round);

/**
 * slot_hand_over() - the batch is committed: give it to the handler
 *
 * Return: how many of the batch did not begin and are gone.
 */
size_t slot_hand_over(struct slot *slot, const struct slot_round *round);
