/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each op is a short function over the statements of store_sql.c.
 */
#include "store/store_ops.h"

#include <errno.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/config.h"
#include "core/event_types.h"
#include "intake/event.h"
#include "store/drive_ops.h"
#include "store/erase.h"
#include "store/model.h"
#include "store/payload.h"
#include "store/queue.h"
#include "store/store_sql.h"
#include "store/token_store.h"
#include "store/uses.h"

struct writer {
	sqlite3 *db;
	int64_t quarantine_max;
	sqlite3_stmt *statements[STATEMENTS];
	struct drive_writer *drive;
};

int writer_new(sqlite3 *db, int64_t quarantine_max, struct writer **ret_writer, struct error *e)
{
	_cleanup_(writer_freep)
	struct writer *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return error_set(e, -ENOMEM, "out of memory");
	w->db = db;
	w->quarantine_max = quarantine_max;
	for (int i = 0; i < STATEMENTS; i++) {
		int rc = sqlite3_prepare_v3(db, store_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
					    &w->statements[i], NULL);

		if (rc != SQLITE_OK)
			return error_set(e, db_errno(rc), "cannot prepare statement %d: %s", i,
					 db_message(db));
	}
	r = drive_writer_new(db, &w->drive, e);
	if (r < 0)
		return r;
	*ret_writer = steal_ptr(&w);
	return 0;
}

void writer_free(struct writer *w)
{
	if (!w)
		return;
	drive_writer_free(w->drive);
	for (int i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(w->statements[i]);
	free(w);
}

/* bind and step; on SQLITE_ROW the statement stays open for its columns */
static int step(struct writer *w, enum statement id, int *ret_rc, const char *types, va_list ap)
{
	sqlite3_stmt *stmt = w->statements[id];
	int r;

	r = db_vbind(stmt, types, ap);
	if (r < 0)
		return r;
	*ret_rc = sqlite3_step(stmt);
	return db_errno(*ret_rc);
}

/* a statement without rows */
static int run(struct writer *w, enum statement id, const char *types, ...)
{
	va_list ap;
	int rc, r;

	va_start(ap, types);
	r = step(w, id, &rc, types, ap);
	va_end(ap);
	sqlite3_reset(w->statements[id]); /* repeats the error that r holds */
	return r;
}

/* a statement with one row; the caller resets. Return: 0, -ENODATA without a row, other errno. */
static int find(struct writer *w, enum statement id, const char *types, ...)
{
	va_list ap;
	int rc, r;

	va_start(ap, types);
	r = step(w, id, &rc, types, ap);
	va_end(ap);
	if (r == 0 && rc != SQLITE_ROW)
		r = -ENODATA;
	if (r < 0)
		sqlite3_reset(w->statements[id]);
	return r;
}

int writer_begin(struct writer *w)
{
	int r = writer_rollback(w); /* the last one may have failed, for want of memory */

	return r < 0 ? r : run(w, BEGIN, "");
}

int writer_commit(struct writer *w)
{
	return run(w, COMMIT, "");
}

int writer_rollback(struct writer *w)
{
	if (sqlite3_get_autocommit(w->db)) /* some errors roll back by themselves */
		return 0;
	return run(w, ROLLBACK, "");
}

int writer_move_router(struct writer *w, int64_t seq)
{
	return run(w, ROUTER_MOVE, "i", seq);
}

int writer_recover(struct writer *w, int64_t now)
{
	int r;

	r = writer_begin(w);
	if (r == 0)
		r = run(w, ATTEMPTS_RECOVER, "i", now);
	if (r == 0)
		r = run(w, DELIVERIES_RECOVER, "i", now);
	if (r == 0)
		r = writer_commit(w);
	if (r < 0)
		(void)writer_rollback(w); /* the start fails anyway */
	return r;
}

static struct slice digest_slice(const struct sha256 *digest)
{
	return slice_make((const char *)digest->bytes, sizeof(digest->bytes));
}

/* with dedup = evaluation the identity does not count; without an eval_id there is nothing else */
static struct slice dedup_id(const struct event_op *op)
{
	if (op->dedup == DEDUP_EVALUATION && !slice_is_empty(op->event->eval_id))
		return SLICE_NULL;
	return op->event->event_id;
}

/* the own time of a state: 0 without a state; of an event without times, its arrival */
static int64_t own_time(struct slice state, int64_t at, int64_t received_at)
{
	if (slice_is_empty(state))
		return 0;
	return at ? at : received_at;
}

/* EVALUATION_INSERT or EVALUATION_UPDATE: they have the same parameters. @evaluation: 0 for a new
 * one. A test delivery says nothing of the evaluation, but its dedup key needs the number. */
static int write_evaluation(struct writer *w, enum statement id, const struct event_op *op,
			    int64_t evaluation)
{
	static const struct event nothing;
	const struct event *ev = op->event->test ? &nothing : op->event;
	int64_t received_at = op->from.received_at;

	return run(w, id, "ittttttttiiiii", evaluation, op->event->eval_id, ev->customer_id,
		   ev->workflow, ev->environment, ev->decision, ev->status, ev->sub_status,
		   ev->eval_status, own_time(ev->decision, ev->decision_at, received_at),
		   own_time(ev->status, ev->state_at, received_at),
		   own_time(ev->eval_status, ev->state_at, received_at), received_at,
		   (int64_t)!op->event->test);
}

/* Return: 0; *@ret is 0 when there is none, for want of an eval_id or because it is the first */
static int find_evaluation(struct writer *w, const struct event *ev, int64_t *ret)
{
	int r;

	*ret = 0;
	if (slice_is_empty(ev->eval_id))
		return 0;
	r = find(w, EVALUATION_FIND, "t", ev->eval_id);
	if (r == 0)
		*ret = sqlite3_column_int64(w->statements[EVALUATION_FIND], 0);
	sqlite3_reset(w->statements[EVALUATION_FIND]);
	return r == -ENODATA ? 0 : r;
}

static int insert_evaluation(struct writer *w, const struct event_op *op, int64_t *ret)
{
	int r = write_evaluation(w, EVALUATION_INSERT, op, 0);

	*ret = sqlite3_last_insert_rowid(w->db);
	return r;
}

/* has a newer decision arrived before this one? */
static int is_late(struct writer *w, const struct event_op *op, int64_t evaluation, bool *ret_late)
{
	const struct event *ev = op->event;
	int r;

	*ret_late = false;
	if (slice_is_empty(ev->decision))
		return 0;
	r = find(w, EVALUATION_IS_NEWER, "ii", evaluation,
		 own_time(ev->decision, ev->decision_at, op->from.received_at));
	if (r < 0)
		return r == -ENODATA ? 0 : r;
	sqlite3_reset(w->statements[EVALUATION_IS_NEWER]);
	*ret_late = true;
	return 0;
}

/* Two plain statements and not an upsert: SQLite keeps a journal of its own for each statement that
 * could fail half-way, and copies every page that it touches. */
static int update_evaluation(struct writer *w, const struct event_op *op, int64_t evaluation)
{
	bool late = false;
	int r;

	if (op->event->test)
		return 0;
	r = write_evaluation(w, EVALUATION_UPDATE, op, evaluation);
	if (r == 0)
		r = is_late(w, op, evaluation, &late);
	if (r < 0 || !late)
		return r;
	return run(w, EVALUATION_RECOUNT, "i", evaluation);
}

static int insert_event(struct writer *w, const struct event_op *op, int64_t evaluation)
{
	const struct event *ev = op->event;
	const struct provenance *from = &op->from;

	return run(w, EVENT_INSERT,
		   "itttittttttttt"
		   "iiiii"
		   "ttt"
		   "ib",
		   evaluation, ev->event_type, dedup_id(op), ev->event_id, (int64_t)ev->id_derived,
		   ev->original_type, slice_of(event_category_name(ev->category)), ev->customer_id,
		   ev->decision, ev->status, ev->sub_status, ev->eval_status, ev->workflow,
		   ev->environment, (int64_t)op->wrong_environment, (int64_t)ev->test, ev->event_at,
		   ev->decision_at, from->received_at, from->endpoint, from->credential,
		   from->address, (int64_t)op->body.n, digest_slice(&ev->body_sha256));
}

/* Is the key taken? Then op->seq and op->stored say by whom. Return: 0, -ENODATA: it is free. */
static int find_event(struct writer *w, struct event_op *op, int64_t evaluation)
{
	const struct event *ev = op->event;
	struct slice first;
	int r;

	r = find(w, EVENT_FIND, "itt", evaluation, ev->event_type, dedup_id(op));
	if (r < 0)
		return r;
	op->seq = sqlite3_column_int64(w->statements[EVENT_FIND], 0);
	first = db_column(w->statements[EVENT_FIND], 1);
	op->stored =
		slice_eq(first, digest_slice(&ev->body_sha256)) ? EVENT_DUPLICATE : EVENT_CONFLICT;
	sqlite3_reset(w->statements[EVENT_FIND]);
	return 0;
}

static int note_repetition(struct writer *w, const struct event_op *op)
{
	if (op->stored == EVENT_DUPLICATE)
		return run(w, EVENT_COUNT_DUPLICATE, "i", op->seq);
	return run(w, CONFLICT_INSERT, "itttibb", op->seq, op->from.endpoint, op->from.credential,
		   op->from.address, op->from.received_at, digest_slice(&op->event->body_sha256),
		   op->body);
}

static int insert_payload(struct writer *w, const struct event_op *op)
{
	if (!op->payload)
		return run(w, PAYLOAD_INSERT, "ibi", op->seq, op->body, (int64_t)PAYLOAD_RAW);
	return run(w, PAYLOAD_INSERT, "ibi", op->seq, op->payload->bytes,
		   (int64_t)op->payload->encoding);
}

static int write_event(struct writer *w, struct event_op *op, int64_t evaluation)
{
	int r = insert_event(w, op, evaluation);

	if (r < 0)
		return r;
	op->stored = EVENT_STORED;
	op->seq = sqlite3_last_insert_rowid(w->db);
	return insert_payload(w, op);
}

/* the first event of an evaluation, which can repeat none */
static int run_first_event(struct writer *w, struct event_op *op)
{
	int64_t evaluation;
	int r = insert_evaluation(w, op, &evaluation);

	return r < 0 ? r : write_event(w, op, evaluation);
}

/* @evaluation: 0: the event has no eval_id */
static int run_next_event(struct writer *w, struct event_op *op, int64_t evaluation)
{
	int r = find_event(w, op, evaluation); /* one thread writes: what is free stays free */

	if (r == 0)
		return note_repetition(w, op);
	if (r == -ENODATA)
		r = write_event(w, op, evaluation);
	if (r < 0 || evaluation == 0)
		return r;
	return update_evaluation(w, op, evaluation);
}

static int run_event(struct writer *w, struct store_op *base)
{
	struct event_op *op = container_of(base, struct event_op, op);
	int64_t evaluation;
	int r = find_evaluation(w, op->event, &evaluation);

	if (r < 0)
		return r;
	if (evaluation == 0 && !slice_is_empty(op->event->eval_id))
		return run_first_event(w, op);
	return run_next_event(w, op, evaluation);
}

static int run_quarantine(struct writer *w, struct store_op *base)
{
	struct quarantine_op *op = container_of(base, struct quarantine_op, op);
	int r;

	r = run(w, QUARANTINE_AGAIN, "bi", digest_slice(op->body_sha256), op->from.received_at);
	if (r < 0 || sqlite3_changes(w->db) > 0)
		return r;
	r = run(w, QUARANTINE_INSERT, "tttisbb", op->from.endpoint, op->from.credential,
		op->from.address, op->from.received_at, op->reason, digest_slice(op->body_sha256),
		op->body);
	if (r < 0)
		return r;
	return run(w, QUARANTINE_PRUNE, "i", w->quarantine_max);
}

/* is there a row? Return: 0, or a negative errno */
static int exists(struct writer *w, enum statement id, int r, bool *ret)
{
	sqlite3_reset(w->statements[id]); /* repeats the error that r holds */
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
		r = exists(w, DELIVERY_FIND_LIVE,
			   find(w, DELIVERY_FIND_LIVE, "si", route->handler, evaluation), &waits);
	if (r < 0)
		return r;
	return run(w, DELIVERY_INSERT, "isiiii", route->seq, route->handler, evaluation, replay,
		   (int64_t)!waits, now);
}

/* a filter failed on the event */
static int insert_dead(struct writer *w, const struct route *route, int64_t evaluation, int64_t now,
		       int64_t replay)
{
	int r = run(w, DELIVERY_INSERT_DEAD, "isiiis", route->seq, route->handler, evaluation,
		    replay, now, route->failure);

	if (r < 0 || sqlite3_changes(w->db) == 0)
		return r;
	return run(w, ATTEMPT_INSERT_FAILED, "iis", (int64_t)sqlite3_last_insert_rowid(w->db), now,
		   route->failure);
}

/* nothing for an event whose contents are gone, or that never was */
static int insert_delivery(struct writer *w, struct route_op *op, const struct route *route)
{
	int64_t evaluation, mark = op->is_history ? 0 : op->replay;
	int r = find(w, EVENT_TARGET, "i", route->seq);

	if (r < 0)
		return r == -ENODATA ? 0 : r;
	evaluation = sqlite3_column_int64(w->statements[EVENT_TARGET], 0);
	sqlite3_reset(w->statements[EVENT_TARGET]);
	if (route->failure[0] != '\0')
		r = insert_dead(w, route, evaluation, op->now, mark);
	else
		r = insert_pending(w, route, evaluation, op->now, mark);
	op->n_written += r == 0 && sqlite3_changes(w->db) > 0;
	return r;
}

static int run_route(struct writer *w, struct store_op *base)
{
	struct route_op *op = container_of(base, struct route_op, op);

	op->n_written = 0;
	for (size_t i = 0; i < op->n_routes; i++) {
		int r = insert_delivery(w, op, &op->routes[i]);

		if (r < 0)
			return r;
	}
	if (op->replay > 0)
		return drive_move_replay(w->drive, op);
	return writer_move_router(w, op->routed_seq);
}

static int run_begin(struct writer *w, struct store_op *base)
{
	struct begin_op *op = container_of(base, struct begin_op, op);

	for (size_t i = 0; i < op->n_items; i++) {
		int64_t delivery = op->items[i].delivery, attempt = op->items[i].attempt;
		int r = run(w, DELIVERY_BEGIN, "iii", delivery, attempt, op->now);

		if (r < 0)
			return r;
		op->items[i].began = sqlite3_changes(w->db) > 0;
		if (!op->items[i].began)
			continue;
		r = run(w, ATTEMPT_INSERT, "iii", delivery, attempt, op->now);
		if (r < 0)
			return r;
	}
	return 0;
}

static int run_finish(struct writer *w, struct store_op *base)
{
	struct finish_op *op = container_of(base, struct finish_op, op);
	const char *outcome = attempt_outcome_name(op->outcome);
	struct slice output = op->output;
	int r;

	output.n = MIN_OF(output.n, ATTEMPT_OUTPUT_MAX + ATTEMPT_MARKER_MAX);
	r = run(w, ATTEMPT_FINISH, "iiisootbi", op->delivery, (int64_t)op->attempt, op->now,
		outcome, (int64_t)op->code, (int64_t)(op->signal ? op->signal : -1), op->reason,
		output, (int64_t)(op->output_cut || output.n < op->output.n));
	if (r < 0)
		return r;
	r = run(w, DELIVERY_FINISH, "iisiist", op->delivery, (int64_t)op->attempt,
		delivery_state_name(op->state), op->due_at, op->now, outcome, op->reason);
	if (r < 0 || op->state == DELIVERY_PENDING || sqlite3_changes(w->db) == 0)
		return r;
	return run(w, DELIVERY_RELEASE, "i", op->delivery);
}

static int run_handlers(struct writer *w, struct store_op *op)
{
	return drive_run_handlers(w->drive, container_of(op, struct handlers_op, op));
}

static int run_pause(struct writer *w, struct store_op *op)
{
	return drive_run_pause(w->drive, container_of(op, struct pause_op, op));
}

static int run_change(struct writer *w, struct store_op *op)
{
	return drive_run_change(w->drive, container_of(op, struct change_op, op));
}

static int run_replay(struct writer *w, struct store_op *op)
{
	return drive_run_replay(w->drive, container_of(op, struct replay_op, op));
}

static int run_token(struct writer *w, struct store_op *base)
{
	struct token_op *op = container_of(base, struct token_op, op);
	const struct token *token = &op->token;
	const struct token_owner *owner = &token->owner;
	int r;

	r = run(w, TOKEN_INSERT, "btttiit", digest_slice(&token->digest), owner->endpoint,
		owner->credential, owner->client_id, token->issued_at, token->expires_at,
		op->address);
	if (r == 0)
		r = run(w, TOKEN_PRUNE_EXPIRED, "i", token->issued_at - TOKEN_MEMORY_US);
	if (r == 0)
		r = run(w, TOKEN_PRUNE_OLDEST, "tti", owner->endpoint, owner->credential,
			(int64_t)TOKENS_MAX);
	return r;
}

static int run_token_revoke(struct writer *w, struct store_op *base)
{
	struct token_revoke_op *op = container_of(base, struct token_revoke_op, op);
	const struct token_choice *choice = &op->choice;
	struct slice id = slice_make((const char *)choice->id, choice->has_id ? TOKEN_ID_BYTES : 0);
	int r;

	r = run(w, TOKEN_REVOKE, "iitb", op->now, choice->until, choice->credential, id);
	op->n_revoked = sqlite3_changes(w->db);
	return r;
}

static int run_use(struct writer *w, struct store_op *base)
{
	struct use_op *op = container_of(base, struct use_op, op);
	int r = 0;

	for (size_t i = 0; r == 0 && i < op->n_uses; i++)
		r = run(w, USE_UPSERT, "ssi", use_kind_name(op->uses[i].kind), op->uses[i].name,
			op->uses[i].used_at);
	return r;
}

static int run_probe(struct writer *w, struct store_op *base)
{
	(void)base;
	return run(w, PROBE, "i", clock_now_us());
}

static int run_erase(struct writer *w, struct store_op *base)
{
	return erase_write(w->db, container_of(base, struct erase_op, op));
}

int writer_run(struct writer *w, struct store_op *op)
{
	static int (*const functions[STORE_OP_KINDS])(struct writer *, struct store_op *) = {
		[STORE_OP_EVENT] = run_event,
		[STORE_OP_QUARANTINE] = run_quarantine,
		[STORE_OP_ROUTE] = run_route,
		[STORE_OP_BEGIN] = run_begin,
		[STORE_OP_FINISH] = run_finish,
		[STORE_OP_TOKEN] = run_token,
		[STORE_OP_TOKEN_REVOKE] = run_token_revoke,
		[STORE_OP_HANDLERS] = run_handlers,
		[STORE_OP_PAUSE] = run_pause,
		[STORE_OP_CHANGE] = run_change,
		[STORE_OP_REPLAY] = run_replay,
		[STORE_OP_USE] = run_use,
		[STORE_OP_PROBE] = run_probe,
		[STORE_OP_ERASE] = run_erase,
	};

	return functions[op->kind](w, op);
}
