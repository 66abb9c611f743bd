/* SPDX-License-Identifier: Apache-2.0 */
#include "dispatch/slot.h"

#include <errno.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/metrics.h"
#include "store/store.h"
#include "util/thread.h"

int slot_new(struct config *snapshot, const struct handler_config *config,
	     const struct slot_callbacks *callbacks, struct slot **ret_slot, struct error *e)
{
	_cleanup_(slot_freep)
	struct slot *slot = calloc(1, sizeof(*slot));
	struct handler_callbacks for_handler;
	int r;

	if (!slot)
		return error_set(e, -ENOMEM, "out of memory");
	list_init(&slot->member);
	list_init(&slot->link);
	slot->owner = callbacks->owner;
	slot->on_begun = callbacks->on_begun;
	slot->on_room = callbacks->on_room;
	slot->snapshot = config_ref(snapshot);
	slot->config = config;
	for_handler = (struct handler_callbacks){
		.on_done = callbacks->on_done, .on_room = callbacks->on_room, .arg = slot};
	r = handler_new(config, &for_handler, &slot->handler, e);
	if (r < 0)
		return r;
	*ret_slot = steal_ptr(&slot);
	return 0;
}

static void *end_handler(void *arg)
{
	struct slot *slot = arg;

	handler_stop(slot->handler);
	atomic_store(&slot->has_ended, true);
	slot->on_room(slot);
	return NULL;
}

bool slot_end(struct slot *slot)
{
	if (!slot->is_ending) {
		slot->is_ending = thread_start(&slot->ender, "ender", end_handler, slot) == 0;
		if (!slot->is_ending) /* then others have to wait */
			slot_stop(slot);
	}
	return !slot->is_ending || atomic_load(&slot->has_ended);
}

void slot_stop(struct slot *slot)
{
	if (slot->is_ending)
		thread_join(slot->ender);
	slot->is_ending = false;
	handler_stop(slot->handler);
}

void slot_abort(struct slot *slot)
{
	if (!slot->is_ending) /* the handler is the ender's, and has nothing */
		handler_abort(slot->handler);
}

void slot_free(struct slot *slot)
{
	if (!slot)
		return;
	if (slot->handler) {
		slot_stop(slot);
		handler_free(slot->handler);
	}
	config_free(slot->snapshot);
	free(slot);
}

static void on_committed(struct store_op *op)
{
	struct begin_op *begin = container_of(op, struct begin_op, op);
	struct slot *slot = container_of(begin, struct slot, begin);

	slot->on_begun(slot);
}

static void drop_batch(struct slot *slot)
{
	for (size_t i = 0; i < slot->begin.n_items; i++)
		running_free(slot->batch[i]); /* NULL once it is handed over */
	slot->begin.n_items = 0;
	slot->is_beginning = false;
}

/* Return: 0 and the batch is the store's, or a negative errno */
static int submit(struct slot *slot, struct store *store, size_t n, int64_t now)
{
	int r;

	slot->begin = (struct begin_op){
		.op = {.kind = STORE_OP_BEGIN, .done = on_committed},
		.items = slot->items,
		.n_items = n,
		.now = now,
	};
	for (size_t i = 0; i < n; i++) {
		const struct job *job = slot->batch[i]->attempt.job;

		slot->items[i] = (struct begin_item){job->delivery, job->attempt, false};
	}
	slot->is_beginning = true;
	slot->n_held += n;
	r = store_submit(store, &slot->begin.op);
	if (r < 0) {
		slot->n_held -= n;
		drop_batch(slot);
	}
	return r;
}

/* Return: how many are the store's now, or a negative errno */
static int begin_due(struct slot *slot, const struct slot_round *round, size_t room, int64_t now)
{
	struct job *jobs[SLOT_BATCH];
	size_t n;
	int r;

	r = queue_due(round->reader, slot->config->name, (enum handler_order)slot->config->order,
		      now, MIN_OF(room, SLOT_BATCH), jobs);
	if (r <= 0)
		return r;
	n = running_new_all(slot->config, jobs, (size_t)r, slot, slot->batch);
	if (n == 0)
		return -ENOMEM;
	handler_expect(slot->handler);
	r = submit(slot, round->store, n, now);
	return r < 0 ? r : (int)n;
}

/* @after: wall clock, us; Return: the first due time behind it, INT64_MAX when there is none */
static int64_t next_due(struct slot *slot, const struct slot_round *round, int64_t after)
{
	int64_t due_at;
	int r = queue_next_due(round->reader, slot->config->name,
			       (enum handler_order)slot->config->order, after, &due_at);

	if (r < 0) {
		pace_store_failed(round->pace, "read the queue", r);
		return INT64_MAX;
	}
	return due_at;
}

/* its consumer cannot be reached: say so only when there is something for it */
static void deliver_later(struct slot *slot, const struct slot_round *round, int64_t now)
{
	int64_t due_at = next_due(slot, round, -1);

	if (due_at <= now)
		handler_expect(slot->handler);
	else
		pace_wake_when_due(round->pace, due_at);
}

size_t slot_deliver(struct slot *slot, const struct slot_round *round)
{
	size_t capacity = handler_capacity(slot->handler);
	int64_t now = clock_now_us();
	int r;

	if (slot->is_paused || slot->is_beginning)
		return 0; /* the batch, when it comes back, will wake us */
	if (capacity == 0) {
		deliver_later(slot, round, now);
		return 0;
	}
	if (slot->n_held >= capacity)
		return 0; /* a result will wake us */
	r = begin_due(slot, round, capacity - slot->n_held, now);
	if (r > 0)
		slot->n_under_way += (size_t)r;
	if (r < 0)
		pace_store_failed(round->pace, "begin deliveries", r);
	if (r == 0)
		pace_wake_when_due(round->pace, next_due(slot, round, now));
	return r > 0 ? (size_t)r : 0;
}

size_t slot_hand_over(struct slot *slot, const struct slot_round *round)
{
	size_t n = slot->begin.n_items, n_begun = 0;
	int r = slot->begin.op.result;

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct running *running = slot->batch[i];

		if (!slot->items[i].began)
			continue; /* somebody was quicker: held or paused by an operator */
		n_begun++;
		slot->batch[i] = NULL;
		handler_submit(slot->handler, &running->attempt);
	}
	slot->n_held -= n - n_begun;
	slot->n_under_way -= n - n_begun;
	drop_batch(slot);
	metric_add(METRIC_ATTEMPTS, (int64_t)n_begun);
	if (r < 0)
		pace_store_failed(round->pace, "begin deliveries", r);
	else
		pace_store_worked(round->pace);
	if (n_begun == 0) /* so no result will wake us; and never in a tight loop */
		pace_wake_at(round->pace, clock_monotonic_ms() + PACE_STORE_RETRY_MS);
	return n - n_begun;
}
