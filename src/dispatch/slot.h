/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One handler's place at the dispatcher: how much it holds, and how its deliveries begin
 *
 * Attempts begin in batches. A batch is one op, so that the attempts are in the store before the
 * handler sees anything; the dispatcher does not wait for it, so that the beginnings and ends of
 * all handlers share the store's commits. While a batch is being committed no other one of the same
 * handler is read from the queue.
 *
 * Threads: the dispatcher's; `on_begun` and the handler's callbacks come from others.
 */
#pragma once

#include "dispatch/handler.h"
#include "dispatch/pace.h"
#include "dispatch/running.h"
#include "store/queue.h"

#define SLOT_BATCH 64 /* attempts in one transaction */

struct reader;
struct slot;

struct slot {
	/* constant after slot_init() */
	struct dispatcher *owner;
	const struct handler_config *config;
	struct handler *handler;
	void (*on_begun)(struct slot *slot); /* in the store's thread; must not block */

	/* owned by the dispatcher's thread */
	bool is_paused;
	size_t n_held; /* the handler has them, or is about to get them */

	/* lent to the store while `is_beginning` */
	bool is_beginning;
	struct begin_op begin;
	struct begin_item items[SLOT_BATCH];
	struct running *batch[SLOT_BATCH];
	struct list link; /* in the dispatcher's list, once it is done */
};

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
