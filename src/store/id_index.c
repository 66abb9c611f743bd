/* SPDX-License-Identifier: Apache-2.0 */
#include "store/id_index.h"

#include <errno.h>
#include <string.h>

#include "store/writer_private.h"

/* for each new row */
#define MERGED_AT_ONCE 4  /* entries: merging ends long before it is due again */
#define LOOKED_AT_MAX  16 /* entries for each that is new there, when merging began anew */
#define DROP_EVERY     64 /* new rows: a run that is merged goes */

/* clang-format off */
/* what the start asks: numbers, and rows of (run, keys) before run ?1, of (key, number) from ?1 on */
#define QUESTIONS(name, rows_of, number, id)                                                       \
	.merged = "SELECT merged FROM " name "_merge",                                             \
	.last = "SELECT coalesce(max(" number "), 0) FROM " rows_of,                               \
	.behind = "SELECT " IDS_BEHIND(name),                                                      \
	.first_run = "SELECT coalesce(min(run), -1) FROM " name "_runs",                           \
	.runs = "SELECT run, keys FROM " name "_runs WHERE run < ?1",                              \
	.rows = "SELECT id_key(" id "), " number " FROM " rows_of " WHERE " number " >= ?1"
/* clang-format on */

/* what the two differ in */
static const struct {
	int64_t merge_n;
	enum statement run_insert, run_delete, runs_cut, merge, set_merged;
	const char *merged, *last, *behind, *first_run, *runs, *rows;
} kinds[ID_KINDS] = {
	[ID_EVALUATION] = {131072, /* 8 keys a page when the index has 16,000 pages */
			   EVALUATION_RUN_INSERT, EVALUATION_RUN_DELETE, EVALUATION_RUNS_CUT,
			   EVALUATION_MERGE, EVALUATIONS_MERGED,
			   QUESTIONS("evaluation", "evaluations", "evaluation", "eval_id")},
	[ID_EVENT] = {EVENT_PORTION_N, EVENT_RUN_INSERT, EVENT_RUN_DELETE, EVENT_RUNS_CUT,
		      EVENT_MERGE, EVENTS_MERGED, QUESTIONS("event", "events", "seq", "event_id")},
};

/* ---- runs ---- */

/* now.run from the table */
static void fill_run(struct id_index *x)
{
	const struct key_entry *entry;
	size_t at = 0;

	memset(&x->run, 0, sizeof(x->run));
	while ((entry = key_table_next(&x->table, &at))) {
		if (entry->number / ID_RUN_N == x->now.run)
			id_run_put(&x->run, entry->number, entry->key);
	}
}

/* now.run, which is complete */
static int write_run(struct writer *w, enum id_kind kind)
{
	static const struct id_run empty; /* numbers that nobody has */
	const struct id_index *x = &w->ids[kind];

	if (memcmp(&x->run, &empty, sizeof(empty)) == 0)
		return 0;
	return writer_do(w, kinds[kind].run_insert, "ib", x->now.run,
			 slice_make((const char *)&x->run, sizeof(x->run)));
}

/* ---- the start ---- */

/* @value: of its one parameter */
static int prepare(struct writer *w, const char *sql, int64_t value, sqlite3_stmt **ret_stmt)
{
	int rc = sqlite3_prepare_v2(w->db, sql, -1, ret_stmt, NULL);

	return db_errno(rc == SQLITE_OK ? sqlite3_bind_int64(*ret_stmt, 1, value) : rc);
}

static int load_run(struct id_index *x, int64_t first, const struct id_run *run)
{
	int r = 0;

	if (!run)
		return -EUCLEAN;
	for (int i = 0; i < ID_RUN_N && r == 0; i++) {
		int64_t key = id_run_key(run, i);

		if (key && first + i > x->now.merged)
			r = key_table_add(&x->table, key, first + i);
	}
	return r;
}

static int load_runs(struct writer *w, enum id_kind kind)
{
	struct id_index *x = &w->ids[kind];
	_cleanup_(sqlite3_finalizep)
	sqlite3_stmt *stmt = NULL;
	int r = prepare(w, kinds[kind].runs, x->now.run, &stmt);
	int rc = SQLITE_ROW;

	while (r == 0 && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		const void *bytes = sqlite3_column_blob(stmt, 1); /* before bytes() */

		r = load_run(x, sqlite3_column_int64(stmt, 0) * ID_RUN_N,
			     id_run_of(bytes, sqlite3_column_bytes(stmt, 1)));
	}
	return r < 0 ? r : db_errno(rc);
}

/* what is in no run */
static int load_behind(struct writer *w, enum id_kind kind, int64_t behind)
{
	_cleanup_(sqlite3_finalizep)
	sqlite3_stmt *stmt = NULL;
	int r = prepare(w, kinds[kind].rows, behind, &stmt);
	int rc = SQLITE_ROW;

	while (r == 0 && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
		r = key_table_add(&w->ids[kind].table, sqlite3_column_int64(stmt, 0),
				  sqlite3_column_int64(stmt, 1));
	return r < 0 ? r : db_errno(rc);
}

/* where everything begins, as far as the rows go */
static int load_progress(struct writer *w, enum id_kind kind, int64_t *ret_behind)
{
	struct id_progress *now = &w->ids[kind].now;
	int r;

	r = db_integer(w->db, kinds[kind].merged, &now->merged);
	if (r == -ENODATA)
		r = -EUCLEAN; /* its one row is always there */
	if (r == 0)
		r = db_integer(w->db, kinds[kind].last, &now->last);
	if (r == 0)
		r = db_integer(w->db, kinds[kind].behind, ret_behind);
	if (r == 0)
		r = db_integer(w->db, kinds[kind].first_run, &now->first_run);
	if (r < 0)
		return r;
	now->merged = MIN_OF(now->merged, now->last);
	now->run = MIN_OF(*ret_behind, now->last) / ID_RUN_N;
	now->first_run = now->first_run < 0 ? now->run : now->first_run;
	*ret_behind = MAX_OF(now->merged + 1, now->run * ID_RUN_N);
	return 0;
}

int id_index_load(struct writer *w, enum id_kind kind)
{
	struct id_index *x = &w->ids[kind];
	int64_t behind = 0;
	int r;

	x->merge_n = kinds[kind].merge_n;
	r = load_progress(w, kind, &behind);
	if (r == 0)
		r = load_runs(w, kind);
	if (r == 0)
		r = load_behind(w, kind, behind);
	x->committed = x->now;
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

int id_index_find_evaluation(struct writer *w, int64_t key, struct slice eval_id,
			     int64_t *ret_evaluation)
{
	const struct id_index *x = &w->ids[ID_EVALUATION];
	const struct key_entry *entry = NULL;
	int r = 0;

	*ret_evaluation = 0;
	while (r == 0 && *ret_evaluation == 0 && (entry = key_table_find(&x->table, key, entry)))
		r = find(w, EVALUATION_IS, entry->number, eval_id, ret_evaluation);
	if (r == 0 && *ret_evaluation == 0 && x->now.merged > 0)
		r = find(w, EVALUATION_FIND, key, eval_id, ret_evaluation);
	return r;
}

/* ---- new rows ---- */

/* @number: the newest, with which the run before its own is complete */
static int note_in_run(struct writer *w, enum id_kind kind, int64_t key, int64_t number)
{
	struct id_index *x = &w->ids[kind];
	int64_t run = number / ID_RUN_N;
	int r = 0;

	if (run > x->now.run) {
		r = write_run(w, kind);
		x->now.run = run;
		memset(&x->run, 0, sizeof(x->run));
	}
	id_run_put(&x->run, number, key);
	return r;
}

/* Return: the last number that should be merged, of whole portions. They are in complete runs, so
 * that a reader finds them at any time. */
static int64_t due(const struct id_index *x)
{
	return x->now.last / x->merge_n * x->merge_n - 1;
}

static void begin_merge(struct id_index *x)
{
	x->now.merging = due(x);
	x->now.at = 0;
	x->now.moves = x->table.moves;
}

/* all are in the index: what has them besides can go, in memory when that is certain */
static int end_merge(struct writer *w, enum id_kind kind)
{
	struct id_progress *now = &w->ids[kind].now;

	now->merged = now->merging;
	now->merging = 0;
	return writer_do(w, kinds[kind].set_merged, "i", now->merged);
}

/* neither one that is there, nor one that is too new */
static const struct key_entry *next_to_merge(struct id_index *x)
{
	const struct key_entry *entry;

	if (x->now.moves != x->table.moves) {
		x->now.at = 0; /* the entries are elsewhere: those that are there are met again */
		x->now.moves = x->table.moves;
	}
	do
		entry = key_table_next(&x->table, &x->now.at);
	while (entry && (entry->number <= x->now.merged || entry->number > x->now.merging));
	return entry;
}

/* @max: entries */
static int merge_some(struct writer *w, enum id_kind kind, int64_t max)
{
	struct id_index *x = &w->ids[kind];
	const struct key_entry *entry;
	int64_t n_merged = 0;
	int r = 0;

	for (int64_t i = 0; i < LOOKED_AT_MAX * max && n_merged < max && r == 0; i++) {
		entry = next_to_merge(x);
		if (!entry)
			return end_merge(w, kind);
		r = writer_do(w, kinds[kind].merge, "ii", entry->key, entry->number);
		n_merged += sqlite3_changes(w->db);
	}
	return r;
}

/* -ENOMEM: what is merged stays until the next time, and does no harm */
static void drop_merged(struct id_index *x)
{
	(void)key_table_keep_from(&x->table, x->now.merged + 1);
}

static int drop_run(struct writer *w, enum id_kind kind)
{
	struct id_progress *now = &w->ids[kind].now;

	if (now->last % DROP_EVERY != 0 || now->first_run >= now->run ||
	    (now->first_run + 1) * ID_RUN_N - 1 > now->merged)
		return 0;
	return writer_do(w, kinds[kind].run_delete, "i", now->first_run++);
}

int id_index_add(struct writer *w, enum id_kind kind, int64_t key, int64_t number)
{
	struct id_index *x = &w->ids[kind];
	int r = key_table_add(&x->table, key, number);

	if (r < 0)
		return r;
	x->now.last = number;
	r = note_in_run(w, kind, key, number);
	if (r < 0)
		return r;
	if (x->now.merging == 0 && due(x) > x->now.merged)
		begin_merge(x);
	return x->now.merging ? merge_some(w, kind, MERGED_AT_ONCE) : drop_run(w, kind);
}

/* what is due, at once */
static int merge_all(struct writer *w, enum id_kind kind)
{
	struct id_index *x = &w->ids[kind];
	int r = 0;

	if (due(x) > x->now.merged)
		begin_merge(x);
	while (r == 0 && x->now.merging)
		r = merge_some(w, kind, x->merge_n);
	if (r == 0)
		drop_merged(x); /* when the start fails, all is over */
	return r;
}

int id_index_recover(struct writer *w, enum id_kind kind)
{
	struct id_index *x = &w->ids[kind];
	int r;

	r = writer_do(w, kinds[kind].runs_cut, "i", x->now.run);
	if (r == 0)
		r = writer_do(w, kinds[kind].set_merged, "i", x->now.merged);
	if (r == 0)
		r = merge_all(w, kind);
	x->now.run = MAX_OF(x->now.run, (x->now.merged + 1) / ID_RUN_N);
	for (; r == 0 && x->now.run < x->now.last / ID_RUN_N; x->now.run++) {
		fill_run(x);
		r = write_run(w, kind);
	}
	fill_run(x);
	return r;
}

/* ---- transactions ---- */

void id_index_commit(struct id_index *x)
{
	if (x->now.merged > x->committed.merged)
		drop_merged(x);
	x->committed = x->now;
}

void id_index_roll_back(struct id_index *x)
{
	if (x->now.last > x->committed.last) /* their numbers will be given to others */
		key_table_drop_behind(&x->table, x->committed.last);
	if (x->now.run != x->committed.run) {
		x->now.run = x->committed.run;
		fill_run(x);
	}
	x->now = x->committed;
}

void id_index_deinit(struct id_index *x)
{
	key_table_deinit(&x->table);
}
