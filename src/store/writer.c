/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writer: its statements, its transactions, and what each kind of op writes. Each op is a short
 * function over the statements of store_sql.c; posts are in event_ops.c, deliveries in
 * delivery_ops.c, what operators do to them in drive_ops.c.
 */
#include "store/writer.h"

#include <errno.h>
#include <stdlib.h>

#include "core/clock.h"
#include "store/erase.h"
#include "store/id_index.h"
#include "store/token_store.h"
#include "store/uses.h"
#include "store/writer_private.h"

static int load_ids(struct writer *w, struct error *e)
{
	int r = 0;

	for (enum id_kind kind = 0; r == 0 && kind < ID_KINDS; kind++)
		r = id_index_load(w, kind);
	if (r < 0)
		return error_set(e, r, "cannot read the index of the ids: %s%s", error_name(r),
				 db_advice(r));
	return 0;
}

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
	r = load_ids(w, e);
	if (r < 0)
		return r;
	*ret_writer = steal_ptr(&w);
	return 0;
}

void writer_free(struct writer *w)
{
	if (!w)
		return;
	for (int i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(w->statements[i]);
	for (enum id_kind kind = 0; kind < ID_KINDS; kind++)
		id_index_deinit(&w->ids[kind]);
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

static int step_and_reset(struct writer *w, enum statement id, const char *types, va_list ap)
{
	int rc, r = step(w, id, &rc, types, ap);

	sqlite3_reset(w->statements[id]); /* repeats the error that r holds */
	return r;
}

int writer_do(struct writer *w, enum statement id, const char *types, ...)
{
	va_list ap;
	int r;

	va_start(ap, types);
	r = step_and_reset(w, id, types, ap);
	va_end(ap);
	return r;
}

int writer_change(struct writer *w, enum statement id, const char *types, ...)
{
	va_list ap;
	int r;

	va_start(ap, types);
	r = step_and_reset(w, id, types, ap);
	va_end(ap);
	return r < 0 ? r : sqlite3_changes(w->db);
}

int writer_find(struct writer *w, enum statement id, const char *types, ...)
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

	return r < 0 ? r : writer_do(w, BEGIN, "");
}

int writer_commit(struct writer *w)
{
	int r = writer_do(w, COMMIT, "");

	for (enum id_kind kind = 0; r == 0 && kind < ID_KINDS; kind++)
		id_index_commit(&w->ids[kind]);
	return r;
}

int writer_rollback(struct writer *w)
{
	for (enum id_kind kind = 0; kind < ID_KINDS; kind++)
		id_index_roll_back(&w->ids[kind]); /* whoever has ended the transaction */
	if (sqlite3_get_autocommit(w->db))         /* some errors roll back by themselves */
		return 0;
	return writer_do(w, ROLLBACK, "");
}

int writer_move_router(struct writer *w, int64_t seq)
{
	return writer_do(w, ROUTER_MOVE, "i", seq);
}

int writer_recover(struct writer *w, int64_t now)
{
	int r;

	r = writer_begin(w);
	if (r == 0)
		r = writer_do(w, ATTEMPTS_RECOVER, "i", now);
	if (r == 0)
		r = writer_do(w, DELIVERIES_RECOVER, "i", now);
	for (enum id_kind kind = 0; r == 0 && kind < ID_KINDS; kind++)
		r = id_index_recover(w, kind);
	if (r == 0)
		r = writer_commit(w);
	if (r < 0)
		(void)writer_rollback(w); /* the start fails anyway */
	return r;
}

static int run_token(struct writer *w, struct store_op *base)
{
	struct token_op *op = container_of(base, struct token_op, op);
	const struct token *token = &op->token;
	const struct token_owner *owner = &token->owner;
	int r;

	r = writer_do(w, TOKEN_INSERT, "btttiit", digest_slice(&token->digest), owner->endpoint,
		      owner->credential, owner->client_id, token->issued_at, token->expires_at,
		      op->address);
	if (r == 0)
		r = writer_do(w, TOKEN_PRUNE_EXPIRED, "i", token->issued_at - TOKEN_MEMORY_US);
	if (r == 0)
		r = writer_do(w, TOKEN_PRUNE_OLDEST, "tti", owner->endpoint, owner->credential,
			      (int64_t)TOKENS_MAX);
	return r;
}

static int run_token_revoke(struct writer *w, struct store_op *base)
{
	struct token_revoke_op *op = container_of(base, struct token_revoke_op, op);
	const struct token_choice *choice = &op->choice;
	struct slice id = slice_make((const char *)choice->id, choice->has_id ? TOKEN_ID_BYTES : 0);
	int r;

	r = writer_change(w, TOKEN_REVOKE, "iitb", op->now, INT64_MAX, choice->credential, id);
	if (r < 0)
		return r;
	op->n_revoked = r;
	return writer_do(w, TOKEN_REVOKE, "iitb", INT64_MIN, op->now, choice->credential, id);
}

static int run_use(struct writer *w, struct store_op *base)
{
	struct use_op *op = container_of(base, struct use_op, op);
	int r = 0;

	for (size_t i = 0; r == 0 && i < op->n_uses; i++)
		r = writer_do(w, USE_UPSERT, "ssi", use_kind_name(op->uses[i].kind),
			      op->uses[i].name, op->uses[i].used_at);
	return r;
}

static int run_probe(struct writer *w, struct store_op *base)
{
	(void)base;
	return writer_do(w, PROBE, "i", clock_now_us());
}

static int run_erase(struct writer *w, struct store_op *base)
{
	return erase_write(w->db, container_of(base, struct erase_op, op));
}

int writer_run(struct writer *w, struct store_op *op)
{
	static int (*const functions[STORE_OP_KINDS])(struct writer *, struct store_op *) = {
		[STORE_OP_EVENT] = event_run,
		[STORE_OP_QUARANTINE] = quarantine_run,
		[STORE_OP_ROUTE] = route_run,
		[STORE_OP_BEGIN] = begin_run,
		[STORE_OP_FINISH] = finish_run,
		[STORE_OP_TOKEN] = run_token,
		[STORE_OP_TOKEN_REVOKE] = run_token_revoke,
		[STORE_OP_HANDLERS] = drive_run_handlers,
		[STORE_OP_PAUSE] = drive_run_pause,
		[STORE_OP_CHANGE] = drive_run_change,
		[STORE_OP_REPLAY] = drive_run_replay,
		[STORE_OP_USE] = run_use,
		[STORE_OP_PROBE] = run_probe,
		[STORE_OP_ERASE] = run_erase,
	};

	return functions[op->kind](w, op);
}
