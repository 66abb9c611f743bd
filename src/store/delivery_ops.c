/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is written while an event is delivered: who gets it, and each attempt's begin and end
 */
#include <errno.h>

#include "store/model.h"
#include "store/queue.h"
#include "store/writer.h"
#include "store/writer_private.h"

/* has another delivery of the evaluation the turn? Return: 0, or a negative errno */
static int must_wait(struct writer *w, const char *handler, int64_t evaluation, bool *ret)
{
	int r = writer_find(w, DELIVERY_FIND_LIVE, "si", handler, evaluation);

	sqlite3_reset(w->statements[DELIVERY_FIND_LIVE]); /* repeats the error that r holds */
	*ret = r == 0;
	return r == -ENODATA ? 0 : r;
}

/* Each step is a statement of its own: one that inserts what it selects from the same table makes a
 * temporary table for it first. */
static int insert_pending(struct writer *w, const struct route *route, int64_t evaluation,
			  int64_t now, int64_t replay)
{
	bool waits = false;
	int r = 0;

	if (evaluation != 0)
		r = must_wait(w, route->handler, evaluation, &waits);
	if (r < 0)
		return r;
	return writer_do(w, DELIVERY_INSERT, "isiiii", route->seq, route->handler, evaluation,
			 replay, (int64_t)!waits, now);
}

/* a filter failed on the event */
static int insert_dead(struct writer *w, const struct route *route, int64_t evaluation, int64_t now,
		       int64_t replay)
{
	int r = writer_do(w, DELIVERY_INSERT_DEAD, "isiiis", route->seq, route->handler, evaluation,
			  replay, now, route->failure);

	if (r < 0 || sqlite3_changes(w->db) == 0)
		return r;
	return writer_do(w, ATTEMPT_INSERT_FAILED, "iis", (int64_t)sqlite3_last_insert_rowid(w->db),
			 now, route->failure);
}

/* nothing for an event whose contents are gone, or that never was */
static int insert_delivery(struct writer *w, struct route_op *op, const struct route *route)
{
	int64_t evaluation, mark = op->is_history ? 0 : op->replay;
	int r = writer_find(w, EVENT_EVALUATION, "i", route->seq);

	if (r < 0)
		return r == -ENODATA ? 0 : r;
	evaluation = sqlite3_column_int64(w->statements[EVENT_EVALUATION], 0);
	sqlite3_reset(w->statements[EVENT_EVALUATION]);
	if (route->failure[0] != '\0')
		r = insert_dead(w, route, evaluation, op->now, mark);
	else
		r = insert_pending(w, route, evaluation, op->now, mark);
	op->n_written += r == 0 && sqlite3_changes(w->db) > 0;
	return r;
}

int route_run(struct writer *w, struct store_op *base)
{
	struct route_op *op = container_of(base, struct route_op, op);

	op->n_written = 0;
	for (size_t i = 0; i < op->n_routes; i++) {
		int r = insert_delivery(w, op, &op->routes[i]);

		if (r < 0)
			return r;
	}
	if (op->replay > 0)
		return drive_move_replay(w, op);
	return writer_move_router(w, op->routed_seq);
}

int begin_run(struct writer *w, struct store_op *base)
{
	struct begin_op *op = container_of(base, struct begin_op, op);

	for (size_t i = 0; i < op->n_items; i++) {
		int64_t delivery = op->items[i].delivery, attempt = op->items[i].attempt;
		int r = writer_do(w, DELIVERY_BEGIN, "iii", delivery, attempt, op->now);

		if (r < 0)
			return r;
		op->items[i].began = sqlite3_changes(w->db) > 0;
		if (!op->items[i].began)
			continue;
		r = writer_do(w, ATTEMPT_INSERT, "iii", delivery, attempt, op->now);
		if (r < 0)
			return r;
	}
	return 0;
}

int finish_run(struct writer *w, struct store_op *base)
{
	struct finish_op *op = container_of(base, struct finish_op, op);
	const char *outcome = attempt_outcome_name(op->outcome);
	struct slice output = op->output;
	int r;

	output.n = MIN_OF(output.n, ATTEMPT_OUTPUT_MAX + ATTEMPT_MARKER_MAX);
	r = writer_do(w, ATTEMPT_FINISH, "iiisootbi", op->delivery, (int64_t)op->attempt, op->now,
		      outcome, (int64_t)op->code, (int64_t)(op->signal ? op->signal : -1),
		      op->reason, output, (int64_t)(op->output_cut || output.n < op->output.n));
	if (r < 0)
		return r;
	r = writer_do(w, DELIVERY_FINISH, "iisiist", op->delivery, (int64_t)op->attempt,
		      delivery_state_name(op->state), op->due_at, op->now, outcome, op->reason);
	if (r < 0 || op->state == DELIVERY_PENDING || sqlite3_changes(w->db) == 0)
		return r;
	return writer_do(w, DELIVERY_PASS_TURN, "i", op->delivery);
}
