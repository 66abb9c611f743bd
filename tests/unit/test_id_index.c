/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An evaluation is found by its eval_id and an event by its event_id, wherever they are: behind the
 * last run, in a run, merged, or on the way; after transactions that failed, and after restarts.
 * Number i is an evaluation and an event, both with the id "e-i".
 */
#include "store/id_index.h"

#include <errno.h>

#include "store_bench.h"

#include "store/query.h"
#include "store/store_ops.h"
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

static void set_merge_n(struct world *w, int64_t n)
{
	for (enum id_kind kind = 0; kind < ID_KINDS; kind++)
		w->writer->ids[kind].merge_n = n;
}

static void open_writer(struct world *w)
{
	struct error e = ERROR_INIT;

	assert_int_equal(db_open(w->place.path, SQLITE_OPEN_READWRITE, &w->db, &e), 0);
	assert_int_equal(writer_new(w->db, 1, &w->writer, &e), 0);
	set_merge_n(w, MERGE_N);
}

static void close_writer(struct world *w)
{
	writer_free(w->writer);
	assert_int_equal(sqlite3_close(w->db), SQLITE_OK);
}

static void start(struct world *w, int64_t merge_n)
{
	open_writer(w);
	set_merge_n(w, merge_n);
	assert_int_equal(writer_recover(w->writer, 1), 0);
}

/* as after kill -9 between two transactions */
static void restart(struct world *w)
{
	close_writer(w);
	start(w, MERGE_N);
}

static int setup(void **state)
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

static int teardown(void **state)
{
	struct world *w = *state;

	reader_close(w->reader);
	close_writer(w);
	place_remove(&w->place);
	return 0;
}

struct eval_id {
	char text[24];
};

static struct slice id_of(struct eval_id *id, int64_t i)
{
	(void)snprintf(id->text, sizeof(id->text), "e-%lld", (long long)i);
	return slice_of(id->text);
}

static void insert_event(struct world *w, struct slice id, int64_t evaluation)
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
static int64_t add_with_key(struct world *w, struct slice eval_id, int64_t key)
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

static void add(struct world *w, int64_t i)
{
	struct eval_id id;
	struct slice eval_id = id_of(&id, i);

	(void)add_with_key(w, eval_id, id_key(eval_id));
}

static void begin(struct world *w)
{
	assert_int_equal(writer_begin(w->writer), 0);
}

static void commit(struct world *w)
{
	assert_int_equal(writer_commit(w->writer), 0);
}

static int64_t find(struct world *w, struct slice eval_id, int64_t key)
{
	int64_t evaluation;

	assert_int_equal(id_index_find_evaluation(w->writer, key, eval_id, &evaluation), 0);
	return evaluation;
}

static int count_row(const struct value *values, int n_values, void *arg)
{
	(void)values;
	assert_true(n_values > 0);
	++*(int *)arg;
	return 0;
}

static int count_seq(const struct value *values, int n_values, void *arg)
{
	assert_string_equal(values[0].name, "seq");
	if (*(int64_t *)arg != 0)
		fail_msg("more than one event is found");
	*(int64_t *)arg = values[0].integer;
	return n_values > 0 ? 0 : -EINVAL;
}

/* Return: the seq of the one event of this id, or 0 */
static int64_t seq_of(struct world *w, const char *event_id)
{
	int64_t seq = 0;

	assert_int_equal(query_event(w->reader, event_id, count_seq, &seq), 0);
	return seq;
}

static int64_t ask_number(struct world *w, const char *sql)
{
	int64_t n;

	assert_int_equal(db_integer(w->db, sql, &n), 0);
	return n;
}

/* @sql: counts what must not be */
static void assert_none(struct world *w, const char *sql)
{
	assert_int_equal(ask_number(w, sql), 0);
}

/* number i is found as i by who writes and by who reads */
static void assert_found(struct world *w, int64_t i)
{
	struct eval_id id;
	struct slice eval_id = id_of(&id, i);
	int n = 0;

	if (find(w, eval_id, id_key(eval_id)) != i)
		fail_msg("the writer does not find %s", id.text);
	assert_int_equal(query_evaluation(w->reader, id.text, count_row, &n), 0);
	if (n != 1)
		fail_msg("%d rows are found for %s", n, id.text);
	if (seq_of(w, id.text) != i)
		fail_msg("%lld is found for the event %s", (long long)seq_of(w, id.text), id.text);
}

static void assert_unknown(struct world *w, int64_t i)
{
	struct eval_id id;
	struct slice eval_id = id_of(&id, i);
	int n = 0;

	assert_int_equal(find(w, eval_id, id_key(eval_id)), 0);
	assert_int_equal(query_evaluation(w->reader, id.text, count_row, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(seq_of(w, id.text), 0);
}

/* some of numbers 1 to @n, and none behind them */
static void assert_all_found(struct world *w, int64_t n)
{
	for (int64_t i = 1; i <= n; i += 1 + n / 16)
		assert_found(w, i);
	assert_found(w, n);
	assert_unknown(w, 0);
	assert_unknown(w, n + 1);
}

/* every fifth: all would take long */
static void assert_many_found(struct world *w, int64_t n)
{
	for (int64_t i = 1; i <= n; i += 5)
		assert_found(w, i);
}

/* numbers @first to @last, @n in a transaction */
static void add_all(struct world *w, int64_t first, int64_t last, int64_t n)
{
	for (int64_t i = first; i <= last; i += n) {
		begin(w);
		for (int64_t k = i; k < i + n && k <= last; k++)
			add(w, k);
		commit(w);
	}
}

/* Return: of both */
static int64_t merged(struct world *w)
{
	int64_t merged = ask_number(w, "SELECT merged FROM evaluation_merge");

	assert_int_equal(ask_number(w, "SELECT merged FROM event_merge"), merged);
	return merged;
}

static int64_t n_runs(struct world *w)
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

static void test_numbers_are_found_all_the_way(void **state)
{
	struct world *w = *state;
	bool was_merging = false;

	for (int64_t i = 1; i <= MANY; i += 16) {
		add_all(w, i, i + 15, 16);
		was_merging |= w->writer->ids[ID_EVALUATION].now.merging > 0;
		if (i / 16 % 7 == 0)
			assert_all_found(w, i + 15);
	}
	assert_many_found(w, MANY);
	assert_true(was_merging);
	assert_true(merged(w) >= MANY - 2 * MERGE_N);
	/* merged runs go, and memory has what is not merged */
	assert_true(ask_number(w, "SELECT min(run) FROM evaluation_runs") > 0);
	assert_true(w->writer->ids[ID_EVALUATION].table.n <= 2 * (size_t)MERGE_N);
}

/* clang-format off */
#define NOT_IN_KEYS(name, rows, number, id)                                                        \
	"SELECT count(*) FROM " rows " AS r, " name "_merge WHERE " number " <= merged"            \
	" AND NOT EXISTS (SELECT 1 FROM " name "_keys AS k WHERE k.key = id_key(" id ")"           \
	"  AND k." number " = r." number ")"

#define NOT_IN_RUNS(name, rows, number, id)                                                        \
	"SELECT count(*) FROM " rows " AS r, " name "_merge"                                       \
	" WHERE " number " > merged AND " number " < " IDS_BEHIND(name)                            \
	" AND NOT EXISTS (SELECT 1 FROM " name "_runs AS s WHERE s.run = " number " / " ID_RUN     \
	"  AND hex(substr(s.keys, 1 + 8 * (" number " % " ID_RUN "), 8)) ="                        \
	"   printf('%016llX', id_key(" id ")))"
/* clang-format on */

/* each is in the index, or in its run, or behind the last run */
static void test_nothing_is_missing_in_the_file(void **state)
{
	struct world *w = *state;

	add_all(w, 1, MANY, 64);
	assert_none(w, NOT_IN_KEYS("evaluation", "evaluations", "evaluation", "eval_id"));
	assert_none(w, NOT_IN_RUNS("evaluation", "evaluations", "evaluation", "eval_id"));
	assert_none(w, NOT_IN_KEYS("event", "events", "seq", "event_id"));
	assert_none(w, NOT_IN_RUNS("event", "events", "seq", "event_id"));
	assert_true(MANY - ask_number(w, "SELECT " IDS_BEHIND("evaluation")) < RUN);
	assert_true(MANY - ask_number(w, "SELECT " IDS_BEHIND("event")) < RUN);
}

static void test_restarts(void **state)
{
	struct world *w = *state;

	for (int64_t i = 1; i <= MANY; i += 64) {
		add_all(w, i, i + 63, 64);
		if (i / 64 % 3 == 0)
			restart(w);
		if (i / 64 % 5 == 0)
			assert_all_found(w, i + 63);
	}
	assert_many_found(w, MANY);
	/* lives too short to merge anything: the start does */
	assert_true(merged(w) >= MANY - 2 * MERGE_N);
	assert_true(w->writer->ids[ID_EVALUATION].table.n <= 2 * (size_t)MERGE_N);
}

/* what is rolled back leaves its numbers to others */
static void test_failed_transactions(void **state)
{
	struct world *w = *state;

	for (int64_t i = 1; i <= MANY;) {
		begin(w);
		for (int64_t k = 0; k < 200; k++)
			add(w, MANY + i + k); /* other eval_ids under the next numbers */
		assert_int_equal(writer_rollback(w->writer), 0);
		if (i > 1)
			assert_all_found(w, i - 1);
		add_all(w, i, i + 63, 64);
		i += 64;
	}
	/* merging, which begins anew each time, goes on all the same */
	assert_true(merged(w) >= MANY - 2 * MERGE_N);
	assert_many_found(w, MANY);
	assert_unknown(w, MANY + 1);
	assert_none(w, "SELECT count(*) FROM evaluation_keys AS k LEFT JOIN evaluations AS v"
		       " USING (evaluation) WHERE id_key(v.eval_id) IS NOT k.key");
	assert_none(w, "SELECT count(*) FROM event_keys AS k LEFT JOIN events AS e"
		       " USING (seq) WHERE id_key(e.event_id) IS NOT k.key");
}

/* Memory was short, so the table still has the old keys of numbers that are others' now. They may
 * get into no run. */
static void test_what_was_rolled_back_and_stays_in_memory(void **state)
{
	struct world *w = *state;

	add_all(w, 1, RUN - 10, RUN);
	for (int64_t i = 1; i < RUN; i++)
		for (enum id_kind kind = 0; kind < ID_KINDS; kind++)
			assert_int_equal(key_table_add(&w->writer->ids[kind].table, -i, i), 0);
	begin(w);
	for (int64_t i = RUN - 9; i < 3 * RUN; i++)
		add(w, MANY + i);
	assert_int_equal(writer_rollback(w->writer), 0);
	add_all(w, RUN - 9, 2 * RUN, 7);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(n_runs(w), 2);
		assert_many_found(w, 2 * RUN);
		close_writer(w);
		open_writer(w);
	}
}

/* many new ones in a transaction, and it fails at its end */
static void test_a_merge_that_is_undone(void **state)
{
	struct world *w = *state;

	add_all(w, 1, MERGE_N - 1, MERGE_N);
	begin(w);
	for (int64_t i = MERGE_N; i < MANY; i++)
		add(w, i);
	assert_true(merged(w) > 0);
	assert_int_equal(writer_rollback(w->writer), 0);
	assert_all_found(w, MERGE_N - 1);
	add_all(w, MERGE_N, MANY, MANY);
	assert_many_found(w, MANY);
}

/* only the eval_id tells, in memory and in the index */
static void test_one_key_for_several(void **state)
{
	struct world *w = *state;
	int64_t a, b;

	begin(w);
	a = add_with_key(w, SLICE("a"), 7);
	assert_int_equal(find(w, SLICE("b"), 7), 0);
	b = add_with_key(w, SLICE("b"), 7);
	assert_int_equal(find(w, SLICE("a"), 7), a);
	assert_int_equal(find(w, SLICE("b"), 7), b);
	for (int64_t i = 3; i <= 2 * MERGE_N; i++)
		add(w, i);
	commit(w);
	assert_int_equal(ask_number(w, "SELECT count(*) FROM evaluation_keys WHERE key = 7"), 2);
	assert_null(key_table_find(&w->writer->ids[ID_EVALUATION].table, 7, NULL));
	assert_int_equal(find(w, SLICE("a"), 7), a);
	assert_int_equal(find(w, SLICE("b"), 7), b);
	assert_int_equal(find(w, SLICE("c"), 7), 0);
	assert_int_equal(ask_number(w, "SELECT count(*) FROM event_keys WHERE key = 7"), 2);
}

/* what is missing is written at the start: an old version has no runs */
static void test_runs_are_written_at_the_start(void **state)
{
	struct world *w = *state;
	int64_t last = 3 * RUN + RUN / 2;

	set_merge_n(w, MANY);
	add_all(w, 1, last, last);
	assert_int_equal(n_runs(w), 3);
	run_sql(&w->place, "DELETE FROM evaluation_runs WHERE run > 0;"
			   "DELETE FROM event_runs WHERE run > 0");
	close_writer(w);
	start(w, MANY);
	assert_int_equal(n_runs(w), 3);
	assert_all_found(w, last);
	/* the one that was begun before goes on */
	add_all(w, last + 1, 4 * RUN, 10);
	assert_int_equal(n_runs(w), 4);
	assert_many_found(w, 4 * RUN);
}

/* a run of another size is damaged; its row cannot have got there through SQLite */
static void test_a_run_that_is_damaged(void **state)
{
	struct world *w = *state;
	struct writer *writer = NULL;
	struct error e = ERROR_INIT;

	add_all(w, 1, RUN, RUN);
	assert_int_equal(db_exec(w->db, "PRAGMA ignore_check_constraints = ON;"
					"UPDATE event_runs SET keys = x'00'"),
			 0);
	assert_int_equal(seq_of(w, "e-1"), 0); /* but nothing worse */
	assert_int_equal(writer_new(w->db, 1, &writer, &e), -EUCLEAN);
	assert_non_null(strstr(e.text, "damaged"));
}

/* as the doctor advises */
static void test_the_index_is_made_anew(void **state)
{
	struct world *w = *state;

	add_all(w, 1, MANY, 64);
	assert_true(merged(w) > 0);
	run_sql(&w->place, "DELETE FROM evaluation_keys; DELETE FROM evaluation_runs;"
			   "UPDATE evaluation_merge SET merged = 0;"
			   "DELETE FROM event_keys; DELETE FROM event_runs;"
			   "UPDATE event_merge SET merged = 0");
	restart(w);
	assert_true(MANY - merged(w) <= MERGE_N);
	assert_many_found(w, MANY);
	/* what was complete and is not merged is in runs, also for who looks behind newer ones */
	add_all(w, MANY + 1, MANY + RUN, 64);
	assert_many_found(w, MANY + RUN);
}

/* A file whose newest rows were lost gives their numbers again: below what is merged, */
static void test_numbers_below_what_is_merged(void **state)
{
	struct world *w = *state;
	struct eval_id id;
	int64_t last, numbers[20];

	add_all(w, 1, MANY, 64);
	restart(w);
	last = merged(w) - 10;
	assert_int_equal(writer_do(w->writer, BEGIN, ""), 0);
	assert_int_equal(db_exec(w->db, LOSE("(SELECT merged - 10 FROM event_merge)")), 0);
	commit(w);
	restart(w);
	begin(w);
	for (int i = 0; i < 20; i++)
		numbers[i] =
			add_with_key(w, id_of(&id, 2 * MANY + i), id_key(id_of(&id, 2 * MANY + i)));
	commit(w);
	assert_int_equal(numbers[0], last + 1);
	restart(w);
	for (int i = 0; i < 20; i++)
		assert_int_equal(
			find(w, id_of(&id, 2 * MANY + i), id_key(id_of(&id, 2 * MANY + i))),
			numbers[i]);
	for (int i = 0; i < 20; i++) {
		(void)id_of(&id, 2 * MANY + i);
		assert_int_equal(seq_of(w, id.text), numbers[i]);
	}
	assert_all_found(w, last);
}

/* and in runs that were complete */
static void test_numbers_of_runs_that_are_there(void **state)
{
	struct world *w = *state;
	struct eval_id id;
	int64_t last = 3 * RUN / 2, n = 100;

	add_all(w, 1, 2 * RUN - 1, RUN);
	set_merge_n(w, MANY);
	add_all(w, 2 * RUN, 3 * RUN + 10, RUN);
	assert_int_equal(n_runs(w), 3);
	close_writer(w);
	run_sql(&w->place, LOSE("1536"));
	start(w, MANY);
	assert_int_equal(n_runs(w), 1);
	begin(w);
	for (int64_t i = 1; i <= n; i++)
		add(w, MANY + i);
	commit(w);
	for (int i = 0; i < 2; i++) {
		for (int64_t k = 1; k <= n; k++) {
			struct slice eval_id = id_of(&id, MANY + k);
			int n_rows = 0;

			assert_int_equal(find(w, eval_id, id_key(eval_id)), last + k);
			assert_int_equal(query_evaluation(w->reader, id.text, count_row, &n_rows),
					 0);
			assert_int_equal(n_rows, 1);
			assert_int_equal(seq_of(w, id.text), last + k);
		}
		restart(w);
	}
}

static void test_a_row_that_is_always_there(void **state)
{
	struct world *w = *state;
	struct writer *writer = NULL;
	struct error e = ERROR_INIT;

	run_sql(&w->place, "DELETE FROM event_merge");
	assert_int_equal(writer_new(w->db, 1, &writer, &e), -EUCLEAN);
	assert_non_null(strstr(e.text, "damaged"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_numbers_are_found_all_the_way, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_nothing_is_missing_in_the_file, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_restarts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failed_transactions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_was_rolled_back_and_stays_in_memory,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_merge_that_is_undone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_key_for_several, setup, teardown),
		cmocka_unit_test_setup_teardown(test_runs_are_written_at_the_start, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_a_run_that_is_damaged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_index_is_made_anew, setup, teardown),
		cmocka_unit_test_setup_teardown(test_numbers_below_what_is_merged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_numbers_of_runs_that_are_there, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_a_row_that_is_always_there, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
