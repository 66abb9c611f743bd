/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is written when something was posted: the event under its dedup key, its payload, and what
 * it tells of its evaluation; or what is not an event
 *
 * A key that is taken: by a copy, or by another body? As long as the first body is there the two
 * are compared byte for byte; of an erased one its digest is left. So only who comes second waits
 * for the comparison, and only a conflict, or what comes after the erasure, for a digest.
 */
#include <errno.h>

#include "core/config.h"
#include "core/event_types.h"
#include "intake/event.h"
#include "store/id_index.h"
#include "store/payload.h"
#include "store/writer_private.h"

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

	return writer_do(w, id, "ittttttttiiiii", evaluation, op->event->eval_id, ev->customer_id,
			 ev->workflow, ev->environment, ev->decision, ev->status, ev->sub_status,
			 ev->eval_status, own_time(ev->decision, ev->decision_at, received_at),
			 own_time(ev->status, ev->state_at, received_at),
			 own_time(ev->eval_status, ev->state_at, received_at), received_at,
			 (int64_t)!op->event->test);
}

/* @key: of its eval_id */
static int insert_evaluation(struct writer *w, const struct event_op *op, int64_t key, int64_t *ret)
{
	int r = write_evaluation(w, EVALUATION_INSERT, op, 0);

	if (r < 0)
		return r;
	*ret = sqlite3_last_insert_rowid(w->db);
	return id_index_add(w, ID_EVALUATION, key, *ret);
}

/* has a newer decision arrived before this one? */
static int is_late(struct writer *w, const struct event_op *op, int64_t evaluation, bool *ret_late)
{
	const struct event *ev = op->event;
	int r;

	*ret_late = false;
	if (slice_is_empty(ev->decision))
		return 0;
	r = writer_find(w, EVALUATION_IS_NEWER, "ii", evaluation,
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
	return writer_do(w, EVALUATION_RECOUNT, "i", evaluation);
}

static int insert_event(struct writer *w, const struct event_op *op, int64_t evaluation)
{
	const struct event *ev = op->event;
	const struct provenance *from = &op->from;

	return writer_do(w, EVENT_INSERT,
			 "itttittttttttt"
			 "iiiii"
			 "ttti",
			 evaluation, ev->event_type, dedup_id(op), ev->event_id,
			 (int64_t)ev->id_derived, ev->original_type,
			 slice_of(event_category_name(ev->category)), ev->customer_id, ev->decision,
			 ev->status, ev->sub_status, ev->eval_status, ev->workflow, ev->environment,
			 (int64_t)op->wrong_environment, (int64_t)ev->test, ev->event_at,
			 ev->decision_at, from->received_at, from->endpoint, from->credential,
			 from->address, (int64_t)op->body.n);
}

static int is_copy_of(const struct event_op *op, struct payload *stored)
{
	struct slice body;
	int r;

	/* says the same without decoding; but another version of zstd may write other bytes */
	if (op->payload && op->payload->encoding == stored->encoding &&
	    slice_eq(op->payload->bytes, stored->bytes))
		return true;
	r = payload_body(stored, &body);
	if (r == 0)
		r = slice_eq(body, op->body);
	payload_deinit(stored);
	return r;
}

/* Is the body of op->seq the one that was posted? One that is damaged counts as another: nobody
 * knows any more what it was, so the posted one is kept, as a conflict.
 *
 * When it is the file that is damaged, SQLite writes nothing more in this transaction. -EBADMSG
 * tells the store to write each op alone, and this one is not compared again.
 *
 * Return: 1 yes, 0 no, -ENODATA: it is erased, another negative errno. */
static int is_stored_body(struct writer *w, struct event_op *op)
{
	sqlite3_stmt *row = w->statements[PAYLOAD_FIND];
	struct payload stored = PAYLOAD_NULL;
	int r;

	if (op->is_first_unreadable)
		return false;
	r = writer_find(w, PAYLOAD_FIND, "i", op->seq);
	if (r == -EUCLEAN || r == -EIO) {
		op->is_first_unreadable = true;
		return -EBADMSG;
	}
	if (r < 0)
		return r;
	stored.bytes = db_column(row, 0);
	stored.encoding = (enum payload_encoding)sqlite3_column_int(row, 1);
	r = is_copy_of(op, &stored);
	sqlite3_reset(row);
	return r == -EBADMSG ? false : r;
}

/* Is the posted event the one that EVENT_FIND has found? Return: 1, 0, or a negative errno. */
static int is_copy(struct writer *w, struct event_op *op)
{
	sqlite3_stmt *row = w->statements[EVENT_FIND];
	struct sha256 digest;
	int r;

	if (sqlite3_column_int64(row, 1) != (int64_t)op->body.n)
		return false;
	r = is_stored_body(w, op);
	if (r != -ENODATA)
		return r;
	digest = sha256_of(op->body.p, op->body.n);
	return slice_eq(db_column(row, 2), digest_slice(&digest));
}

/* Is the key taken? Then op->seq and op->stored say by whom. Return: 0, -ENODATA: it is free. */
static int find_event(struct writer *w, struct event_op *op, int64_t evaluation)
{
	int r;

	r = writer_find(w, EVENT_FIND, "itt", evaluation, op->event->event_type, dedup_id(op));
	if (r < 0)
		return r;
	op->seq = sqlite3_column_int64(w->statements[EVENT_FIND], 0);
	r = is_copy(w, op);
	sqlite3_reset(w->statements[EVENT_FIND]);
	if (r < 0)
		return r;
	op->stored = r ? EVENT_DUPLICATE : EVENT_CONFLICT;
	return 0;
}

static int note_repetition(struct writer *w, const struct event_op *op)
{
	struct sha256 digest;

	if (op->stored == EVENT_DUPLICATE)
		return writer_do(w, EVENT_COUNT_DUPLICATE, "i", op->seq);
	digest = sha256_of(op->body.p, op->body.n);
	return writer_do(w, CONFLICT_INSERT, "itttibb", op->seq, op->from.endpoint,
			 op->from.credential, op->from.address, op->from.received_at,
			 digest_slice(&digest), op->body);
}

static int insert_payload(struct writer *w, const struct event_op *op)
{
	if (!op->payload)
		return writer_do(w, PAYLOAD_INSERT, "ibi", op->seq, op->body, (int64_t)PAYLOAD_RAW);
	return writer_do(w, PAYLOAD_INSERT, "ibi", op->seq, op->payload->bytes,
			 (int64_t)op->payload->encoding);
}

static int write_event(struct writer *w, struct event_op *op, int64_t evaluation)
{
	int r = insert_event(w, op, evaluation);

	if (r < 0)
		return r;
	op->stored = EVENT_STORED;
	op->seq = sqlite3_last_insert_rowid(w->db);
	r = insert_payload(w, op);
	if (r < 0)
		return r;
	return id_index_add(w, ID_EVENT, id_key(op->event->event_id), op->seq);
}

/* the first event of an evaluation, which can repeat none */
static int run_first_event(struct writer *w, struct event_op *op, int64_t key)
{
	int64_t evaluation;
	int r = insert_evaluation(w, op, key, &evaluation);

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

int event_run(struct writer *w, struct store_op *base)
{
	struct event_op *op = container_of(base, struct event_op, op);
	int64_t key, evaluation;
	int r;

	if (slice_is_empty(op->event->eval_id))
		return run_next_event(w, op, 0);
	key = id_key(op->event->eval_id);
	r = id_index_find_evaluation(w, key, op->event->eval_id, &evaluation);
	if (r < 0)
		return r;
	if (evaluation == 0)
		return run_first_event(w, op, key);
	return run_next_event(w, op, evaluation);
}

int quarantine_run(struct writer *w, struct store_op *base)
{
	struct quarantine_op *op = container_of(base, struct quarantine_op, op);
	int r;

	r = writer_do(w, QUARANTINE_AGAIN, "bi", digest_slice(&op->body_sha256),
		      op->from.received_at);
	if (r < 0 || sqlite3_changes(w->db) > 0)
		return r;
	r = writer_do(w, QUARANTINE_INSERT, "tttisbb", op->from.endpoint, op->from.credential,
		      op->from.address, op->from.received_at, op->reason,
		      digest_slice(&op->body_sha256), op->body);
	if (r < 0)
		return r;
	return writer_do(w, QUARANTINE_PRUNE, "i", w->quarantine_max);
}
