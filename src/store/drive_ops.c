/* SPDX-License-Identifier: Apache-2.0 */
#include "store/drive_ops.h"

#include <errno.h>
#include <stdlib.h>

#include "core/config.h"

enum statement {
	HANDLER_INSERT,
	HANDLER_FIND,
	HANDLER_PAUSE,
	HISTORY_INSERT,
	REPLAY_INSERT,
	REPLAY_MOVE,
	DELIVERY_FIND,
	DELIVERY_RETRY,
	DELIVERY_HURRY,
	DELIVERY_MOVE,
	DELIVERY_DISMISS,
	DELIVERY_PASS_TURN,
	DELIVERIES_FROM_FUTURE,
	STATEMENTS
};

/* clang-format off */
static const char *const sql[STATEMENTS] = {
	[HANDLER_INSERT] = "INSERT INTO handlers (handler, first_seen) VALUES (?1, ?2)"
			   " ON CONFLICT (handler) DO NOTHING",
	[HANDLER_FIND] = "SELECT 1 FROM handlers WHERE handler = ?1",
	[HANDLER_PAUSE] = "UPDATE handlers SET paused_at = ?2"
			  " WHERE handler = ?1 AND (paused_at > 0) <> (?2 > 0)",
	/* last_seq is no bound here: it ends when it has caught up with the router */
	[HISTORY_INSERT] =
		"INSERT INTO replays (handler, history, at_seq, last_seq, created_at)"
		" SELECT ?1, 1, 0, 9223372036854775807, ?2 WHERE EXISTS (SELECT 1 FROM events)",
	/* what the router has not passed goes to the handler in any case */
	[REPLAY_INSERT] =
		"INSERT INTO replays (handler, history, at_seq, last_seq, since, until,"
		" event_type, eval_id, created_at)"
		" SELECT ?1, 0, max(?2, 1) - 1, iif(?3 > 0, min(?3, routed_seq), routed_seq), ?4,"
		" ?5, ?6, ?7, ?8 FROM router",
	[REPLAY_MOVE] = "UPDATE replays SET at_seq = ?2, deliveries = deliveries + ?3,"
			" ended_at = ?4 WHERE replay = ?1",
	[DELIVERY_FIND] = "SELECT state FROM deliveries WHERE delivery = ?1",
	/* it has the turn unless another one has: then it comes next, because its number is lower */
	[DELIVERY_RETRY] =
		"UPDATE deliveries AS d SET state = 'pending', due_at = ?2, retry_since = ?2,"
		" changed_at = ?2, ready = d.evaluation = 0 OR NOT EXISTS ("
		"  SELECT 1 FROM deliveries AS live WHERE live.handler = d.handler"
		"     AND live.evaluation = d.evaluation AND live.evaluation <> 0"
		"     AND live.state IN ('pending', 'running', 'held'))"
		" WHERE delivery = ?1 AND NOT EXISTS (" /* nothing is left to be delivered */
		"  SELECT 1 FROM events AS e WHERE e.seq = d.seq AND e.erased_at > 0)",
	[DELIVERY_HURRY] = "UPDATE deliveries SET due_at = min(due_at, ?2), retry_since = ?2,"
			   " changed_at = ?2 WHERE delivery = ?1",
	[DELIVERY_MOVE] = "UPDATE deliveries SET state = ?2, changed_at = ?3 WHERE delivery = ?1",
	/* of one that was dead the reason stays; retention has emptied it, perhaps */
	[DELIVERY_DISMISS] =
		"UPDATE deliveries SET outcome = '" OUTCOME_DISMISSED "', changed_at = ?2,"
		" reason = iif(state = 'dead', reason, 'dismissed by an operator'), state = 'dead'"
		" WHERE delivery = ?1",
	[DELIVERY_PASS_TURN] = SQL_PASS_TURN,
	/* the clock was set back since they were told to wait; both values of ready, for the index */
	[DELIVERIES_FROM_FUTURE] =
		"UPDATE deliveries SET due_at = ?2, changed_at = ?2 WHERE handler = ?1"
		" AND state = 'pending' AND ready IN (0, 1) AND due_at > ?2 AND changed_at > ?2",
};
/* clang-format on */

struct drive_writer {
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENTS];
};

int drive_writer_new(sqlite3 *db, struct drive_writer **ret_writer, struct error *e)
{
	struct drive_writer *w = calloc(1, sizeof(*w));

	if (!w)
		return error_set(e, -ENOMEM, "out of memory");
	w->db = db;
	for (int i = 0; i < STATEMENTS; i++) {
		int rc = sqlite3_prepare_v3(db, sql[i], -1, SQLITE_PREPARE_PERSISTENT,
					    &w->statements[i], NULL);

		if (rc != SQLITE_OK) {
			drive_writer_free(w);
			return error_set(e, db_errno(rc), "cannot prepare drive statement %d: %s",
					 i, db_message(db));
		}
	}
	*ret_writer = w;
	return 0;
}

void drive_writer_free(struct drive_writer *w)
{
	if (!w)
		return;
	for (int i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(w->statements[i]);
	free(w);
}

/* Return: how many rows were changed, or a negative errno */
static int run(struct drive_writer *w, enum statement id, const char *types, ...)
{
	sqlite3_stmt *stmt = w->statements[id];
	va_list ap;
	int r;

	va_start(ap, types);
	r = db_vbind(stmt, types, ap);
	va_end(ap);
	if (r == 0)
		r = db_errno(sqlite3_step(stmt));
	sqlite3_reset(stmt); /* repeats the error that r holds */
	return r < 0 ? r : sqlite3_changes(w->db);
}

int drive_run_handlers(struct drive_writer *w, struct handlers_op *op)
{
	for (size_t i = 0; i < op->n_handlers; i++) {
		const struct handler_config *handler = &op->handlers[i];
		int r = run(w, HANDLER_INSERT, "si", handler->name, op->now);

		if (r > 0 && handler->start == START_ALL)
			r = run(w, HISTORY_INSERT, "si", handler->name, op->now);
		if (r >= 0)
			r = run(w, DELIVERIES_FROM_FUTURE, "si", handler->name, op->now);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Return: 1 or 0, or a negative errno */
static int is_known(struct drive_writer *w, const char *handler)
{
	sqlite3_stmt *stmt = w->statements[HANDLER_FIND];
	int rc, r = db_bind(stmt, "s", handler);

	if (r < 0)
		return r;
	rc = sqlite3_step(stmt);
	sqlite3_reset(stmt);
	return rc == SQLITE_ROW ? 1 : db_errno(rc);
}

int drive_run_pause(struct drive_writer *w, struct pause_op *op)
{
	int r = is_known(w, op->handler);

	op->is_known = r > 0;
	if (r <= 0)
		return r;
	r = run(w, HANDLER_PAUSE, "si", op->handler, op->paused ? op->now : (int64_t)0);
	op->is_changed = r > 0;
	return MIN_OF(r, 0);
}

/* Return: 1 and the state, 0 when there is no such delivery, or a negative errno */
static int find_state(struct drive_writer *w, int64_t delivery, enum delivery_state *ret_state)
{
	sqlite3_stmt *stmt = w->statements[DELIVERY_FIND];
	int rc, r = db_bind(stmt, "i", delivery);

	if (r < 0)
		return r;
	rc = sqlite3_step(stmt);
	r = db_errno(rc);
	if (rc == SQLITE_ROW)
		r = delivery_state_parse(db_column(stmt, 0), ret_state);
	sqlite3_reset(stmt);
	if (r < 0)
		return r;
	return rc == SQLITE_ROW;
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

static int apply(struct drive_writer *w, const struct transition *t, int64_t delivery, int64_t now)
{
	int r, passed = 0;

	if (t->statement == DELIVERY_MOVE)
		return run(w, DELIVERY_MOVE, "isi", delivery, delivery_state_name(t->to), now);
	r = run(w, t->statement, "ii", delivery, now);
	if (r > 0 && t->to == DELIVERY_DEAD && t->from != DELIVERY_DEAD)
		passed = run(w, DELIVERY_PASS_TURN, "i", delivery);
	return passed < 0 ? passed : r;
}

static int change_one(struct drive_writer *w, const struct change_op *op, struct change_item *item)
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

int drive_run_change(struct drive_writer *w, struct change_op *op)
{
	for (size_t i = 0; i < op->n_items; i++) {
		int r = change_one(w, op, &op->items[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

int drive_run_replay(struct drive_writer *w, struct replay_op *op)
{
	const struct replay_filter *f = &op->filter;
	int r = is_known(w, op->handler);

	op->replay = 0;
	if (r <= 0)
		return r;
	r = run(w, REPLAY_INSERT, "siiiissi", op->handler, f->first_seq, f->last_seq, f->since,
		f->until, f->event_type, f->eval_id, op->now);
	if (r < 0)
		return r;
	op->replay = sqlite3_last_insert_rowid(w->db);
	return 0;
}

int drive_move_replay(struct drive_writer *w, const struct route_op *op)
{
	int r = run(w, REPLAY_MOVE, "iiii", op->replay, op->routed_seq, (int64_t)op->n_written,
		    op->is_end ? op->now : (int64_t)0);

	return MIN_OF(r, 0);
}
