/* SPDX-License-Identifier: Apache-2.0 */
#include "store/evaluation_keys.h"

#include <errno.h>

#include "store/writer_private.h"

/* for each new evaluation */
#define MERGED_AT_ONCE 4  /* entries: merging ends long before it is due again */
#define LOOKED_AT_MAX  64 /* entries that may be in the index already, when merging began anew */
#define DROP_EVERY     64 /* new evaluations: a run that is merged goes */

int64_t evaluation_key(struct slice eval_id)
{
	struct sha256 digest = sha256_of(eval_id.p, eval_id.n);
	uint64_t key = 0;

	for (size_t i = 0; i < sizeof(key); i++)
		key = key << 8 | digest.bytes[i];
	return (int64_t)key;
}

static void sql_key(sqlite3_context *ctx, int n_values, sqlite3_value **values)
{
	struct slice eval_id;

	(void)n_values;
	if (sqlite3_value_type(values[0]) == SQLITE_NULL)
		return; /* NULL */

	eval_id.p = (const char *)sqlite3_value_text(values[0]); /* before bytes() */
	eval_id.n = (size_t)sqlite3_value_bytes(values[0]);
	if (!eval_id.p)
		sqlite3_result_error_nomem(ctx);
	else
		sqlite3_result_int64(ctx, evaluation_key(eval_id));
}

int evaluation_keys_register(sqlite3 *db)
{
	return sqlite3_create_function_v2(db, "evaluation_key", 1,
					  SQLITE_UTF8 | SQLITE_INNOCUOUS | SQLITE_DETERMINISTIC,
					  NULL, sql_key, NULL, NULL, NULL);
}

/* ---- the start ---- */

/* @sql: rows of key and evaluation */
static int load_entries(struct writer *w, const char *sql)
{
	_cleanup_(sqlite3_finalizep)
	sqlite3_stmt *stmt = NULL;
	int r = db_errno(sqlite3_prepare_v2(w->db, sql, -1, &stmt, NULL));
	int rc;

	if (r < 0)
		return r;
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		r = key_table_add(&w->keys.table, sqlite3_column_int64(stmt, 0),
				  sqlite3_column_int64(stmt, 1));
		if (r < 0)
			return r;
	}
	return db_errno(rc);
}

int evaluation_keys_load(struct writer *w)
{
	struct evaluation_keys *k = &w->keys;
	int r;

	r = db_integer(w->db, "SELECT merged FROM evaluation_merge", &k->now.merged);
	if (r == -ENODATA)
		r = -EUCLEAN; /* its one row is always there */
	if (r == 0)
		r = db_integer(w->db, "SELECT coalesce(max(evaluation), 0) FROM evaluations",
			       &k->now.last);
	if (r == 0)
		r = db_integer(w->db,
			       "SELECT coalesce(min(run), " EVALUATIONS_BEHIND " / " EVALUATION_RUN
			       ") FROM evaluation_runs",
			       &k->now.first_run);
	if (r == 0)
		r = load_entries(w, "SELECT key, evaluation FROM evaluation_runs, evaluation_merge"
				    " WHERE evaluation > merged");
	if (r == 0)
		r = load_entries(w, "SELECT evaluation_key(eval_id), evaluation FROM evaluations"
				    " WHERE evaluation >= " EVALUATIONS_BEHIND);
	k->committed = k->now;
	return r;
}

/* ---- questions ---- */

static int find(struct writer *w, enum statement id, int64_t number, struct slice eval_id,
		int64_t *ret_evaluation)
{
	int r = writer_find(w, id, "it", number, eval_id);

	if (r < 0)
		return r == -ENODATA ? 0 : r;
	*ret_evaluation = sqlite3_column_int64(w->statements[id], 0);
	sqlite3_reset(w->statements[id]);
	return 0;
}

int evaluation_keys_find(struct writer *w, int64_t key, struct slice eval_id,
			 int64_t *ret_evaluation)
{
	const struct evaluation_keys *k = &w->keys;
	const struct key_entry *entry = NULL;
	int r = 0;

	*ret_evaluation = 0;
	while (r == 0 && *ret_evaluation == 0 && (entry = key_table_find(&k->table, key, entry)))
		r = find(w, EVALUATION_IS, entry->number, eval_id, ret_evaluation);
	if (r == 0 && *ret_evaluation == 0 && k->now.merged > 0)
		r = find(w, EVALUATION_FIND, key, eval_id, ret_evaluation);
	return r;
}

/* ---- new evaluations ---- */

static int write_runs(struct writer *w)
{
	struct evaluation_progress *now = &w->keys.now;
	int64_t run = now->last / EVALUATION_RUN_N;

	if (run <= now->run)
		return 0;
	now->run = run;
	return writer_do(w, EVALUATION_RUNS_INSERT, "i", now->last);
}

/* what is in complete runs, so that a reader finds it at any time */
static void begin_merge(struct evaluation_progress *now)
{
	int64_t last = now->run * EVALUATION_RUN_N - 1;

	now->merging = last > now->merged ? last : 0;
	now->at = 0;
}

/* all are in the index: what has them besides can go, in memory when that is certain */
static int end_merge(struct writer *w)
{
	struct evaluation_progress *now = &w->keys.now;

	now->merged = now->merging;
	now->merging = 0;
	return writer_do(w, EVALUATIONS_MERGED, "i", now->merged);
}

static int merge_some(struct writer *w)
{
	struct evaluation_progress *now = &w->keys.now;
	const struct key_entry *entry;
	int n_merged = 0, r = 0;

	for (int i = 0; i < LOOKED_AT_MAX && n_merged < MERGED_AT_ONCE && r == 0; i++) {
		do
			entry = key_table_next(&w->keys.table, &now->at);
		while (entry && entry->number > now->merging); /* too new */
		if (!entry)
			return end_merge(w);
		r = writer_do(w, EVALUATION_MERGE, "ii", entry->key, entry->number);
		n_merged += sqlite3_changes(w->db);
	}
	return r;
}

static int drop_run(struct writer *w)
{
	struct evaluation_progress *now = &w->keys.now;

	if (now->last % DROP_EVERY != 0 || now->first_run >= now->run ||
	    (now->first_run + 1) * EVALUATION_RUN_N - 1 > now->merged)
		return 0;
	return writer_do(w, EVALUATION_RUN_DELETE, "i", now->first_run++);
}

int evaluation_keys_add(struct writer *w, int64_t key, int64_t evaluation)
{
	struct evaluation_keys *k = &w->keys;
	unsigned int bits = k->table.bits;
	int r = key_table_add(&k->table, key, evaluation);

	if (r < 0)
		return r;
	if (k->table.bits != bits)
		k->now.at = 0; /* the entries are elsewhere: those that are merged are met again */
	k->now.last = evaluation;
	if (evaluation <= k->now.merged) /* a number from before: newer evaluations were lost */
		r = writer_do(w, EVALUATION_MERGE, "ii", key, evaluation);
	if (r < 0)
		return r;
	r = write_runs(w);
	if (r < 0)
		return r;
	if (k->now.merging == 0 && evaluation - k->now.merged >= k->merge_n)
		begin_merge(&k->now);
	return k->now.merging ? merge_some(w) : drop_run(w);
}

int evaluation_keys_recover(struct writer *w)
{
	struct evaluation_progress *now = &w->keys.now;
	int r = write_runs(w);

	if (r < 0 || now->last - now->merged < w->keys.merge_n)
		return r;
	begin_merge(now);
	if (now->merging == 0)
		return 0;
	r = writer_do(w, EVALUATION_MERGE_RUNS, "");
	return r < 0 ? r : end_merge(w);
}

/* ---- transactions ---- */

/* -ENOMEM: what is not needed stays until the next time, and does no harm */
static void keep(struct evaluation_keys *k, int64_t first, int64_t last)
{
	(void)key_table_keep(&k->table, first, last);
	k->now.at = 0;
}

void evaluation_keys_commit(struct evaluation_keys *k)
{
	if (k->now.merged > k->committed.merged)
		keep(k, k->now.merged + 1, INT64_MAX);
	k->committed = k->now;
}

void evaluation_keys_roll_back(struct evaluation_keys *k)
{
	if (k->now.last > k->committed.last) { /* their numbers will be given to others */
		keep(k, INT64_MIN, k->committed.last);
		k->committed.at = k->now.at;
	}
	k->now = k->committed;
}
