/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the tests of the index of ids: a store with its writer and a reader, where number i is an
 * evaluation and an event, both with the id "e-i"
 */
#pragma once

#include "store/id_index.h"

#include <errno.h>

#include "store_bench.h"

#include "store/query.h"
#include "store/writer.h"
#include "store/writer_private.h"
#include "util/buf.h"

#define RUN     ID_RUN_N
#define MERGE_N ((int64_t)2 * RUN)
#define MANY    (7 * RUN)

struct world {
	struct place place;
	sqlite3 *db;
	struct writer *writer;
	struct reader *reader;
};

static inline void set_merge_n(struct world *w, int64_t n)
{
	for (enum id_kind kind = 0; kind < ID_KINDS; kind++)
		w->writer->ids[kind].merge_n = n;
}

static inline void open_writer(struct world *w)
{
	struct error e = ERROR_INIT;

	assert_int_equal(db_open(w->place.path, SQLITE_OPEN_READWRITE, &w->db, &e), 0);
	assert_int_equal(writer_new(w->db, 1, &w->writer, &e), 0);
	set_merge_n(w, MERGE_N);
}

static inline void close_writer(struct world *w)
{
	writer_free(w->writer);
	assert_int_equal(sqlite3_close(w->db), SQLITE_OK);
}

static inline void start(struct world *w, int64_t merge_n)
{
	open_writer(w);
	set_merge_n(w, merge_n);
	assert_int_equal(writer_recover(w->writer, 1), 0);
}

/* as after kill -9 between two transactions */
static inline void restart(struct world *w)
{
	close_writer(w);
	start(w, MERGE_N);
}

static inline int setup(void **state)
{
	static struct world w;
	struct error e = ERROR_INIT;

	place_make(&w.place);
	store_free(open_store_at(&w.place));
	open_writer(&w);
	assert_int_equal(reader_open(w.place.path, &w.reader, &e), 0);
	*state = &w;
	return 0;
}

static inline int teardown(void **state)
{
	struct world *w = *state;

	reader_close(w->reader);
	close_writer(w);
	place_remove(&w->place);
	return 0;
}

#define TEST_IN_WORLD(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

struct eval_id {
	char text[24];
};

static inline struct slice id_of(struct eval_id *id, int64_t i)
{
	(void)snprintf(id->text, sizeof(id->text), "e-%lld", (long long)i);
	return slice_of(id->text);
}

static inline void insert_event(struct world *w, struct slice id, int64_t evaluation)
{
	const struct slice no = SLICE("");
	const int64_t nil = 0;

	assert_int_equal(writer_do(w->writer, EVENT_INSERT,
				   "itttittttttttt"
				   "iiiii"
				   "ttti",
				   evaluation, SLICE("t"), id, id, nil, no, SLICE("case"), no, no,
				   no, no, no, no, no, nil, nil, nil, nil, nil, no, no, no, nil),
			 0);
}

/* @key: as if that were the digest. Return: the number that both got. */
static inline int64_t add_with_key(struct world *w, struct slice eval_id, int64_t key)
{
	int64_t evaluation;

	assert_int_equal(writer_do(w->writer, EVALUATION_INSERT, "ittttttttiiiii", (int64_t)0,
				   eval_id, SLICE(""), SLICE(""), SLICE(""), SLICE(""), SLICE(""),
				   SLICE(""), SLICE(""), (int64_t)0, (int64_t)0, (int64_t)0,
				   (int64_t)1, (int64_t)1),
			 0);
	evaluation = sqlite3_last_insert_rowid(w->db);
	assert_int_equal(id_index_add(w->writer, ID_EVALUATION, key, evaluation), 0);
	insert_event(w, eval_id, evaluation);
	assert_int_equal(sqlite3_last_insert_rowid(w->db), evaluation);
	assert_int_equal(id_index_add(w->writer, ID_EVENT, key, evaluation), 0);
	return evaluation;
}

static inline void add(struct world *w, int64_t i)
{
	struct eval_id id;
	struct slice eval_id = id_of(&id, i);

	(void)add_with_key(w, eval_id, id_key(eval_id));
}

static inline void begin(struct world *w)
{
	assert_int_equal(writer_begin(w->writer), 0);
}

static inline void commit(struct world *w)
{
	assert_int_equal(writer_commit(w->writer), 0);
}

static inline int64_t find(struct world *w, struct slice eval_id, int64_t key)
{
	int64_t evaluation;

	assert_int_equal(id_index_find_evaluation(w->writer, key, eval_id, &evaluation), 0);
	return evaluation;
}

static inline int count_row(const struct value *values, int n_values, void *arg)
{
	(void)values;
	assert_true(n_values > 0);
	++*(int *)arg;
	return 0;
}

static inline int count_seq(const struct value *values, int n_values, void *arg)
{
	assert_string_equal(values[0].name, "seq");
	if (*(int64_t *)arg != 0)
		fail_msg("more than one event is found");
	*(int64_t *)arg = values[0].integer;
	return n_values > 0 ? 0 : -EINVAL;
}

/* Return: the seq of the one event of this id, or 0 */
static inline int64_t seq_of(struct world *w, const char *event_id)
{
	int64_t seq = 0;

	assert_int_equal(query_event(w->reader, event_id, count_seq, &seq), 0);
	return seq;
}

static inline int64_t ask_number(struct world *w, const char *sql)
{
	int64_t n;

	assert_int_equal(db_integer(w->db, sql, &n), 0);
	return n;
}

/* @sql: counts what must not be */
static inline void assert_none(struct world *w, const char *sql)
{
	assert_int_equal(ask_number(w, sql), 0);
}

/* number @number has the id "e-@i", or none if that is 0: so says who writes, and who reads */
static inline void assert_is(struct world *w, int64_t i, int64_t number)
{
	struct eval_id id;
	struct slice eval_id = id_of(&id, i);
	int n = 0;

	if (find(w, eval_id, id_key(eval_id)) != number)
		fail_msg("the writer does not find %s as %lld", id.text, (long long)number);
	assert_int_equal(query_evaluation(w->reader, id.text, count_row, &n), 0);
	if (n != (number > 0))
		fail_msg("%d rows are found for %s", n, id.text);
	if (seq_of(w, id.text) != number)
		fail_msg("the event %s is not found as %lld", id.text, (long long)number);
}

/* number i is found as i */
static inline void assert_found(struct world *w, int64_t i)
{
	assert_is(w, i, i);
}

static inline void assert_unknown(struct world *w, int64_t i)
{
	assert_is(w, i, 0);
}

/* some of numbers 1 to @n, and none behind them */
static inline void assert_all_found(struct world *w, int64_t n)
{
	for (int64_t i = 1; i <= n; i += 1 + n / 16)
		assert_found(w, i);
	assert_found(w, n);
	assert_unknown(w, 0);
	assert_unknown(w, n + 1);
}

/* every fifth: all would take long */
static inline void assert_many_found(struct world *w, int64_t n)
{
	for (int64_t i = 1; i <= n; i += 5)
		assert_found(w, i);
}

/* numbers @first to @last, @n in a transaction */
static inline void add_all(struct world *w, int64_t first, int64_t last, int64_t n)
{
	for (int64_t i = first; i <= last; i += n) {
		begin(w);
		for (int64_t k = i; k < i + n && k <= last; k++)
			add(w, k);
		commit(w);
	}
}

/* Return: of both */
static inline int64_t merged(struct world *w)
{
	int64_t merged = ask_number(w, "SELECT merged FROM evaluation_merge");

	assert_int_equal(ask_number(w, "SELECT merged FROM event_merge"), merged);
	return merged;
}

static inline int64_t n_runs(struct world *w)
{
	int64_t n = ask_number(w, "SELECT count(*) FROM evaluation_runs");

	assert_int_equal(ask_number(w, "SELECT count(*) FROM event_runs"), n);
	return n;
}

/* SQL: as if what came behind @last had never been */
#define LOSE(last)                                                                                 \
	"DELETE FROM events WHERE seq > " last ";"                                                 \
	"UPDATE sqlite_sequence SET seq = " last " WHERE name = 'events';"                         \
	"DELETE FROM evaluations WHERE evaluation > " last

/* SQL: as the doctor advises for an index that is wrong */
#define EMPTY(name)                                                                                \
	"DELETE FROM " name "_keys; DELETE FROM " name "_runs; UPDATE " name                       \
	"_merge SET merged = 0;"

/* clang-format off */
#define NOT_IN_KEYS(name, rows, number, id, also)                                                  \
	"SELECT count(*) FROM " rows " AS r, " name "_merge WHERE " number " <= merged"            \
	" AND NOT EXISTS (SELECT 1 FROM " name "_keys AS k WHERE k.key = id_key(" id ")"           \
	"  AND k." number " = r." number also ")"

#define NOT_IN_RUNS(name, rows, number, id)                                                        \
	"SELECT count(*) FROM " rows " AS r, " name "_merge"                                       \
	" WHERE " number " > merged AND " number " < " IDS_BEHIND(name)                            \
	" AND NOT EXISTS (SELECT 1 FROM " name "_runs AS s WHERE s.run = " number " / " ID_RUN     \
	"  AND hex(substr(s.keys, 1 + 8 * (" number " % " ID_RUN "), 8)) ="                        \
	"   printf('%016llX', id_key(" id ")))"
/* clang-format on */

/* each is in the index, or in its run, or behind the last run */
static inline void assert_nothing_is_missing(struct world *w)
{
	assert_none(w, NOT_IN_KEYS("evaluation", "evaluations", "evaluation", "eval_id", ""));
	assert_none(w, NOT_IN_RUNS("evaluation", "evaluations", "evaluation", "eval_id"));
	assert_none(w, NOT_IN_KEYS("event", "events", "seq", "event_id",
				   " AND k.portion = r.seq / " EVENT_PORTION));
	assert_none(w, NOT_IN_RUNS("event", "events", "seq", "event_id"));
}
