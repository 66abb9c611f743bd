/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the ops of store/drive.h write
 */
#include <errno.h>

#include "core/config.h"
#include "store/drive.h"
#include "store/writer_private.h"

int drive_run_handlers(struct writer *w, struct store_op *base)
{
	struct handlers_op *op = container_of(base, struct handlers_op, op);

	for (size_t i = 0; i < op->n_handlers; i++) {
		const struct handler_config *handler = &op->handlers[i];
		int r = writer_change(w, HANDLER_INSERT, "si", handler->name, op->now);

		if (r > 0 && handler->start == START_ALL)
			r = writer_change(w, HISTORY_INSERT, "si", handler->name, op->now);
		if (r >= 0)
			r = writer_change(w, DELIVERIES_FROM_FUTURE, "si", handler->name, op->now);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Return: 1 or 0, or a negative errno */
static int is_known(struct writer *w, const char *handler)
{
	int r = writer_find(w, HANDLER_FIND, "s", handler);

	if (r < 0)
		return r == -ENODATA ? 0 : r;
	sqlite3_reset(w->statements[HANDLER_FIND]);
	return 1;
}

int drive_run_pause(struct writer *w, struct store_op *base)
{
	struct pause_op *op = container_of(base, struct pause_op, op);
	int r = is_known(w, op->handler);

	op->is_known = r > 0;
	if (r <= 0)
		return r;
	r = writer_change(w, HANDLER_PAUSE, "si", op->handler, op->paused ? op->now : (int64_t)0);
	op->is_changed = r > 0;
	return MIN_OF(r, 0);
}

/* Return: 1 and the state, 0 when there is no such delivery, or a negative errno */
static int find_state(struct writer *w, int64_t delivery, enum delivery_state *ret_state)
{
	int r = writer_find(w, DELIVERY_STATE, "i", delivery);

	if (r < 0)
		return r == -ENODATA ? 0 : r;
	r = delivery_state_parse(db_column(w->statements[DELIVERY_STATE], 0), ret_state);
	sqlite3_reset(w->statements[DELIVERY_STATE]);
	return r < 0 ? r : 1;
}

/* the changes that are possible; what is not here is refused */
static const struct transition {
	enum change change;
	enum delivery_state from, to;
	enum statement statement;
} transitions[] = {
	{CHANGE_RETRY, DELIVERY_DEAD, DELIVERY_PENDING, DELIVERY_RETRY},
	{CHANGE_RETRY, DELIVERY_PENDING, DELIVERY_PENDING, DELIVERY_HURRY},
	{CHANGE_HOLD, DELIVERY_PENDING, DELIVERY_HELD, DELIVERY_MOVE},
	{CHANGE_RELEASE, DELIVERY_HELD, DELIVERY_PENDING, DELIVERY_MOVE},
	{CHANGE_DISMISS, DELIVERY_PENDING, DELIVERY_DEAD, DELIVERY_DISMISS},
	{CHANGE_DISMISS, DELIVERY_HELD, DELIVERY_DEAD, DELIVERY_DISMISS},
	{CHANGE_DISMISS, DELIVERY_DEAD, DELIVERY_DEAD, DELIVERY_DISMISS},
};

static int apply(struct writer *w, const struct transition *t, int64_t delivery, int64_t now)
{
	int r, passed = 0;

	if (t->statement == DELIVERY_MOVE)
		return writer_change(w, DELIVERY_MOVE, "isi", delivery, delivery_state_name(t->to),
				     now);
	r = writer_change(w, t->statement, "ii", delivery, now);
	if (r > 0 && t->to == DELIVERY_DEAD && t->from != DELIVERY_DEAD)
		passed = writer_change(w, DELIVERY_PASS_TURN, "i", delivery);
	return passed < 0 ? passed : r;
}

static int change_one(struct writer *w, const struct change_op *op, struct change_item *item)
{
	int r = find_state(w, item->delivery, &item->was);

	item->is_known = r > 0;
	item->is_changed = false;
	for (size_t i = 0; r > 0 && !item->is_changed && i < ARRAY_SIZE(transitions); i++) {
		const struct transition *t = &transitions[i];

		if (t->change != op->change || t->from != item->was)
			continue;
		r = apply(w, t, item->delivery, op->now);
		item->is_changed = r > 0;
	}
	return MIN_OF(r, 0);
}

int drive_run_change(struct writer *w, struct store_op *base)
{
	struct change_op *op = container_of(base, struct change_op, op);

	for (size_t i = 0; i < op->n_items; i++) {
		int r = change_one(w, op, &op->items[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

int drive_run_replay(struct writer *w, struct store_op *base)
{
	struct replay_op *op = container_of(base, struct replay_op, op);
	const struct replay_filter *f = &op->filter;
	int r = is_known(w, op->handler);

	op->replay = 0;
	if (r <= 0)
		return r;
	r = writer_change(w, REPLAY_INSERT, "siiiissi", op->handler, f->first_seq, f->last_seq,
			  f->since, f->until, f->event_type, f->eval_id, op->now);
	if (r < 0)
		return r;
	op->replay = sqlite3_last_insert_rowid(w->db);
	return 0;
}

int drive_move_replay(struct writer *w, const struct route_op *op)
{
	int r = writer_change(w, REPLAY_MOVE, "iiii", op->replay, op->routed_seq,
			      (int64_t)op->n_written, op->is_end ? op->now : (int64_t)0);

	return MIN_OF(r, 0);
}
