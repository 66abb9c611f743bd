/* SPDX-License-Identifier: Apache-2.0 */
#include "store/evaluation_keys.h"

#include <errno.h>
#include <string.h>

#include "store/writer_private.h"

/* for each new evaluation */
#define MERGED_AT_ONCE 4  /* entries: merging ends long before it is due again */
#define LOOKED_AT_MAX  16 /* entries for each that is new there, when merging began anew */
#define DROP_EVERY     64 /* new evaluations: a run that is merged goes */

/* of its bytes, the highest first */
static int64_t key_of(const unsigned char *bytes)
{
	uint64_t key = 0;

	for (size_t i = 0; i < sizeof(key); i++)
		key = key << 8 | bytes[i];
	return (int64_t)key;
}

int64_t evaluation_key(struct slice eval_id)
{
	struct sha256 digest = sha256_of(eval_id.p, eval_id.n);

	return key_of(digest.bytes);
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

/* ---- runs ---- */

static void put_key(struct evaluation_run *run, int64_t evaluation, int64_t key)
{
	unsigned char *bytes = run->keys[evaluation % EVALUATION_RUN_N];

	for (int i = 7; i >= 0; i--) {
		bytes[i] = (unsigned char)key;
		key >>= 8;
	}
}

/* Return: NULL when it has another size than a run */
static const struct evaluation_run *run_of(const void *bytes, int n)
{
	return n == sizeof(struct evaluation_run) ? bytes : NULL;
}

static void sql_places(sqlite3_context *ctx, int n_values, sqlite3_value **values)
{
	const void *bytes = sqlite3_value_blob(values[0]); /* before bytes() */
	const struct evaluation_run *run = run_of(bytes, sqlite3_value_bytes(values[0]));
	int64_t key = sqlite3_value_int64(values[1]);
	sqlite3_str *places = sqlite3_str_new(NULL);

	(void)n_values;
	for (int i = 0; run && i < EVALUATION_RUN_N; i++) {
		if (key_of(run->keys[i]) == key)
			sqlite3_str_appendf(places, "%c%d", sqlite3_str_length(places) ? ',' : '[',
					    i);
	}
	if (sqlite3_str_length(places) > 0)
		sqlite3_str_appendchar(places, 1, ']');
	if (sqlite3_str_errcode(places) != SQLITE_OK)
		sqlite3_result_error_nomem(ctx);
	else
		sqlite3_result_text(ctx, sqlite3_str_value(places), -1, SQLITE_TRANSIENT);
	sqlite3_free(sqlite3_str_finish(places));
}

int evaluation_keys_register(sqlite3 *db)
{
	const int flags = SQLITE_UTF8 | SQLITE_INNOCUOUS | SQLITE_DETERMINISTIC;
	int rc = sqlite3_create_function_v2(db, "evaluation_key", 1, flags, NULL, sql_key, NULL,
					    NULL, NULL);

	if (rc != SQLITE_OK)
		return rc;
	return sqlite3_create_function_v2(db, "evaluation_places", 2, flags, NULL, sql_places, NULL,
					  NULL, NULL);
}

/* now.run from the table: at the start only, as later that may have what was rolled back (keep())
 */
static void fill_run(struct evaluation_keys *k)
{
	const struct key_entry *entry;
	size_t at = 0;

	memset(&k->run, 0, sizeof(k->run));
	while ((entry = key_table_next(&k->table, &at))) {
		if (entry->number / EVALUATION_RUN_N == k->now.run)
			put_key(&k->run, entry->number, entry->key);
	}
}

/* now.run, which is complete */
static int write_run(struct writer *w)
{
	const struct evaluation_keys *k = &w->keys;

	return writer_do(w, EVALUATION_RUN_INSERT, "ib", k->now.run,
			 slice_make((const char *)&k->run, sizeof(k->run)));
}

/* ---- the start ---- */

/* @value: of its one parameter */
static int prepare(struct writer *w, const char *sql, int64_t value, sqlite3_stmt **ret_stmt)
{
	int rc = sqlite3_prepare_v2(w->db, sql, -1, ret_stmt, NULL);

	return db_errno(rc == SQLITE_OK ? sqlite3_bind_int64(*ret_stmt, 1, value) : rc);
}

static int load_run(struct evaluation_keys *k, int64_t first, const struct evaluation_run *run)
{
	int r = 0;

	if (!run)
		return -EUCLEAN;
	for (int i = 0; i < EVALUATION_RUN_N && r == 0; i++) {
		if (first + i > k->now.merged)
			r = key_table_add(&k->table, key_of(run->keys[i]), first + i);
	}
	return r;
}

static int load_runs(struct writer *w)
{
	_cleanup_(sqlite3_finalizep)
	sqlite3_stmt *stmt = NULL;
	int r = prepare(w, "SELECT run, keys FROM evaluation_runs WHERE run < ?1", w->keys.now.run,
			&stmt);
	int rc = SQLITE_ROW;

	while (r == 0 && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		const void *bytes = sqlite3_column_blob(stmt, 1); /* before bytes() */

		r = load_run(&w->keys, sqlite3_column_int64(stmt, 0) * EVALUATION_RUN_N,
			     run_of(bytes, sqlite3_column_bytes(stmt, 1)));
	}
	return r < 0 ? r : db_errno(rc);
}

/* what is in no run */
static int load_behind(struct writer *w, int64_t behind)
{
	_cleanup_(sqlite3_finalizep)
	sqlite3_stmt *stmt = NULL;
	int r = prepare(w,
			"SELECT evaluation_key(eval_id), evaluation FROM evaluations"
			" WHERE evaluation >= ?1",
			behind, &stmt);
	int rc = SQLITE_ROW;

	while (r == 0 && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
		r = key_table_add(&w->keys.table, sqlite3_column_int64(stmt, 0),
				  sqlite3_column_int64(stmt, 1));
	return r < 0 ? r : db_errno(rc);
}

/* where everything begins, as far as the evaluations go */
static int load_progress(struct writer *w, int64_t *ret_behind)
{
	struct evaluation_progress *now = &w->keys.now;
	int r;

	r = db_integer(w->db, "SELECT merged FROM evaluation_merge", &now->merged);
	if (r == -ENODATA)
		r = -EUCLEAN; /* its one row is always there */
	if (r == 0)
		r = db_integer(w->db, "SELECT coalesce(max(evaluation), 0) FROM evaluations",
			       &now->last);
	if (r == 0)
		r = db_integer(w->db, "SELECT " EVALUATIONS_BEHIND, ret_behind);
	if (r == 0)
		r = db_integer(w->db, "SELECT coalesce(min(run), -1) FROM evaluation_runs",
			       &now->first_run);
	if (r < 0)
		return r;
	now->merged = MIN_OF(now->merged, now->last);
	now->run = MIN_OF(*ret_behind, now->last) / EVALUATION_RUN_N;
	now->first_run = now->first_run < 0 ? now->run : now->first_run;
	*ret_behind = MAX_OF(now->merged + 1, now->run * EVALUATION_RUN_N);
	return 0;
}

int evaluation_keys_load(struct writer *w)
{
	int64_t behind = 0;
	int r = load_progress(w, &behind);

	if (r == 0)
		r = load_runs(w);
	if (r == 0)
		r = load_behind(w, behind);
	w->keys.committed = w->keys.now;
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

/* @evaluation: the newest, with which the run before its own is complete */
static int note_in_run(struct writer *w, int64_t key, int64_t evaluation)
{
	struct evaluation_keys *k = &w->keys;
	int64_t run = evaluation / EVALUATION_RUN_N;
	int r = 0;

	if (run > k->now.run) {
		r = write_run(w);
		if (k->now.run == k->committed.run)
			k->committed_run = k->run;
		k->now.run = run;
		memset(&k->run, 0, sizeof(k->run));
	}
	put_key(&k->run, evaluation, key);
	return r;
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

/* @max: entries */
static int merge_some(struct writer *w, int64_t max)
{
	struct evaluation_progress *now = &w->keys.now;
	const struct key_entry *entry;
	int64_t n_merged = 0;
	int r = 0;

	for (int64_t i = 0; i < LOOKED_AT_MAX * max && n_merged < max && r == 0; i++) {
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
	r = note_in_run(w, key, evaluation);
	if (r < 0)
		return r;
	if (k->now.merging == 0 && evaluation - k->now.merged >= k->merge_n)
		begin_merge(&k->now);
	return k->now.merging ? merge_some(w, MERGED_AT_ONCE) : drop_run(w);
}

int evaluation_keys_recover(struct writer *w)
{
	struct evaluation_keys *k = &w->keys;
	int64_t last_run = k->now.last / EVALUATION_RUN_N;
	bool merges = k->now.last - k->now.merged >= k->merge_n;
	int r;

	r = writer_do(w, EVALUATION_RUNS_CUT, "i", k->now.run);
	if (r == 0)
		r = writer_do(w, EVALUATIONS_MERGED, "i", k->now.merged);
	for (; !merges && r == 0 && k->now.run < last_run; k->now.run++) {
		fill_run(k);
		r = write_run(w);
	}
	k->now.run = last_run;
	fill_run(k);
	if (merges)
		begin_merge(&k->now);
	while (r == 0 && k->now.merging)
		r = merge_some(w, k->merge_n);
	return r;
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
	if (k->now.run != k->committed.run)
		k->run = k->committed_run;
	k->now = k->committed;
}
