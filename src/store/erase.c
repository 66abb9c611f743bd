/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The search runs on a reading connection and may take its time; the store thread gets numbers of
 * rows, and looks again whether each may go, since a delivery may have been revived meanwhile. The
 * digests may be computed before: a body that is stored never changes.
 */
#include "store/erase.h"

#include <errno.h>

#include "store/db.h"
#include "store/payload.h"
#include "store/reader_private.h"
#include "store/writer_private.h"

#define IS_LIVE                                                                                    \
	"EXISTS (SELECT 1 FROM deliveries WHERE deliveries.seq = events.seq"                       \
	" AND state IN ('pending', 'running', 'held'))"

/* An event with a live delivery is returned, too: the next pass has to come back for it. */
static const char sql_find[] =
	"SELECT seq, " IS_LIVE " FROM events"
	" WHERE seq > ?1 AND seq <= (SELECT routed_seq FROM router) AND category = ?2"
	"   AND erased_at = 0 AND received_at < ?3 ORDER BY seq LIMIT ?4";

/* not necessarily an old one: seq is the order of commits, and a slow post is older than what has
 * overtaken it */
static const char sql_first[] =
	"SELECT seq FROM events WHERE seq > ?1 AND category = ?2 AND erased_at = 0"
	" ORDER BY seq LIMIT 1";

/* of an event that has no digest yet: those of earlier versions came with one */
static const char sql_body[] = "SELECT body, encoding, body_bytes FROM payloads JOIN events"
			       " USING (seq) WHERE seq = ?1 AND body_sha256 = x''";

/* ?1: seq, ?2: now, ?3: digest or x''. The first says whether the event may go; the others follow
 * only then. */
static const char *const sql_erase[] = {
	"UPDATE events SET erased_at = ?2, customer_id = '',"
	" body_sha256 = iif(?3 = x'', body_sha256, ?3)"
	" WHERE seq = ?1 AND erased_at = 0 AND NOT " IS_LIVE,
	"DELETE FROM payloads WHERE seq = ?1",
	"DELETE FROM conflicts WHERE seq = ?1",
	"UPDATE attempts SET output = NULL, reason = NULL"
	" WHERE delivery IN (SELECT delivery FROM deliveries WHERE seq = ?1)",
	"UPDATE deliveries SET reason = '' WHERE seq = ?1",
	"UPDATE evaluations SET customer_id = ''"
	" WHERE evaluation = (SELECT evaluation FROM events WHERE seq = ?1) AND customer_id <> ''"
	"   AND NOT EXISTS (SELECT 1 FROM events WHERE events.evaluation = evaluations.evaluation"
	"                   AND erased_at = 0)",
};

static const char sql_quarantine[] =
	"DELETE FROM quarantine WHERE quarantine IN"
	" (SELECT quarantine FROM quarantine WHERE received_at < ?1 LIMIT ?2)";

/* Those that were there when their event was erased went with it. */
static const char sql_late_conflicts[] =
	"DELETE FROM conflicts WHERE conflict IN"
	" (SELECT conflict FROM conflicts AS c JOIN events AS e USING (seq)"
	"   WHERE c.received_at < ?1 AND e.category = ?2 AND e.erased_at > 0 LIMIT ?3)";

static int visit(sqlite3_stmt *stmt, struct erase_search *search, struct erase_op *op)
{
	int n_rows = 0, rc;

	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		bool is_live = sqlite3_column_int(stmt, 1);

		n_rows++;
		search->at = sqlite3_column_int64(stmt, 0);
		if (!is_live)
			op->items[op->n_items++] = (struct erase_item){.seq = search->at};
	}
	return rc == SQLITE_DONE ? n_rows == ERASE_BATCH : db_errno(rc);
}

static int find(struct reader *reader, enum event_category category, int64_t before,
		struct erase_search *search, struct erase_op *op)
{
	_cleanup_(sqlite3_finalizep)
	sqlite3_stmt *stmt = NULL;
	int r;

	r = reader_prepare(reader, sql_find, &stmt);
	if (r == 0)
		r = db_bind(stmt, "isii", search->at, event_category_name(category), before,
			    (int64_t)ERASE_BATCH);
	return r < 0 ? r : visit(stmt, search, op);
}

/* A damaged body has no digest that would tell its copies: the tombstone stays without, nothing is
 * equal to that, and whatever is posted under its key later is kept as a conflict. */
static int digest_body(sqlite3_stmt *row, struct erase_item *item)
{
	struct payload stored = {.encoding = (enum payload_encoding)sqlite3_column_int(row, 1),
				 .bytes = db_column(row, 0)};
	int64_t n = sqlite3_column_int64(row, 2);
	struct slice body;
	int r;

	r = payload_body(&stored, &body);
	if (r == 0 && (int64_t)body.n == n) {
		item->body_sha256 = sha256_of(body.p, body.n);
		item->has_digest = true;
	}
	payload_deinit(&stored);
	return r == -EBADMSG ? 0 : r;
}

/* each body in a read transaction of its own: a long one keeps the WAL from starting anew */
static int add_digests(struct reader *reader, struct erase_op *op)
{
	_cleanup_(sqlite3_finalizep)
	sqlite3_stmt *stmt = NULL;
	int r = 0;

	if (op->n_items > 0)
		r = reader_prepare(reader, sql_body, &stmt);
	for (size_t i = 0; r == 0 && i < op->n_items; i++) {
		int rc;

		r = db_bind(stmt, "i", op->items[i].seq);
		if (r < 0)
			break;
		rc = sqlite3_step(stmt);
		r = rc == SQLITE_ROW ? digest_body(stmt, &op->items[i]) : db_errno(rc);
		sqlite3_reset(stmt); /* repeats the error that r holds */
	}
	return r;
}

/* The next pass begins before the first event that has its contents; what this one has found but
 * nobody has erased yet counts. */
static int begin_again(struct reader *reader, enum event_category category,
		       struct erase_search *search)
{
	_cleanup_(sqlite3_finalizep)
	sqlite3_stmt *stmt = NULL;
	int rc, r;

	r = reader_prepare(reader, sql_first, &stmt);
	if (r == 0)
		r = db_bind(stmt, "is", search->behind, event_category_name(category));
	if (r < 0)
		return r;
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		search->behind = sqlite3_column_int64(stmt, 0) - 1;
	search->at = search->behind;
	return db_errno(rc);
}

int erase_find(struct reader *reader, enum event_category category, int64_t before,
	       struct erase_search *search, struct erase_op *op)
{
	int more, r;

	op->n_items = 0;
	more = find(reader, category, before, search, op);
	r = more < 0 ? more : add_digests(reader, op);
	if (r < 0)
		return r;
	return more ? 1 : begin_again(reader, category, search);
}

/* Return: 0, or a negative errno; *@ret_done: was it erased? */
static int erase_one(sqlite3_stmt *const *stmts, const struct erase_item *item, int64_t now,
		     bool *ret_done)
{
	struct slice digest = item->has_digest ? digest_slice(&item->body_sha256) : SLICE_NULL;
	sqlite3 *db = sqlite3_db_handle(stmts[0]);

	*ret_done = false;
	for (size_t i = 0; i < ARRAY_SIZE(sql_erase); i++) {
		int r = i == 0 ? db_bind(stmts[i], "iib", item->seq, now, digest)
			       : db_bind(stmts[i], "i", item->seq);

		if (r == 0)
			r = db_errno(sqlite3_step(stmts[i]));
		sqlite3_reset(stmts[i]); /* repeats the error that r holds */
		if (r < 0)
			return r;
		if (i == 0 && sqlite3_changes(db) == 0)
			return 0;
	}
	*ret_done = true;
	return 0;
}

static int erase_all(sqlite3 *db, struct erase_op *op)
{
	sqlite3_stmt *stmts[ARRAY_SIZE(sql_erase)] = {NULL};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(sql_erase); i++)
		r = db_errno(sqlite3_prepare_v2(db, sql_erase[i], -1, &stmts[i], NULL));
	for (size_t i = 0; r == 0 && i < op->n_items; i++) {
		bool done;

		r = erase_one(stmts, &op->items[i], op->now, &done);
		op->n_erased += r == 0 && done;
	}
	for (size_t i = 0; i < ARRAY_SIZE(sql_erase); i++)
		sqlite3_finalize(stmts[i]);
	return r;
}

static int erase_quarantine(sqlite3 *db, const struct erase_op *op)
{
	_cleanup_(sqlite3_finalizep)
	sqlite3_stmt *stmt = NULL;
	int r = db_errno(sqlite3_prepare_v2(db, sql_quarantine, -1, &stmt, NULL));

	if (r == 0)
		r = db_bind(stmt, "ii", op->quarantine_before, (int64_t)ERASE_BATCH);
	if (r == 0)
		r = db_errno(sqlite3_step(stmt));
	return r;
}

static int erase_late_conflicts(sqlite3 *db, const struct erase_op *op)
{
	_cleanup_(sqlite3_finalizep)
	sqlite3_stmt *stmt = NULL;
	int r = db_errno(sqlite3_prepare_v2(db, sql_late_conflicts, -1, &stmt, NULL));

	for (int i = 0; r == 0 && i < ERASE_CATEGORIES; i++) {
		if (op->conflicts_before[i] == 0)
			continue;
		r = db_bind(stmt, "iti", op->conflicts_before[i],
			    slice_of(event_category_name((enum event_category)i)),
			    (int64_t)ERASE_BATCH);
		if (r == 0)
			r = db_errno(sqlite3_step(stmt));
		sqlite3_reset(stmt); /* repeats the error that r holds */
	}
	return r;
}

int erase_write(sqlite3 *db, struct erase_op *op)
{
	int before = sqlite3_total_changes(db), r = 0;

	op->n_erased = 0;
	if (op->n_items > 0)
		r = erase_all(db, op);
	if (r == 0 && op->quarantine_before > 0)
		r = erase_quarantine(db, op);
	if (r == 0)
		r = erase_late_conflicts(db, op);
	op->has_changes = sqlite3_total_changes(db) != before;
	return r;
}
