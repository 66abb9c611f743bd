/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The start of the index of ids: with what is missing, damaged or emptied, and with rows that were
 * lost
 */
#include "id_bench.h"

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
	run_sql(&w->place, EMPTY("evaluation") EMPTY("event"));
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
	int64_t last;

	add_all(w, 1, MANY, 64);
	restart(w);
	last = merged(w) - 10;
	assert_int_equal(writer_do(w->writer, BEGIN, ""), 0);
	assert_int_equal(db_exec(w->db, LOSE("(SELECT merged - 10 FROM event_merge)")), 0);
	commit(w);
	restart(w);
	begin(w);
	for (int i = 1; i <= 5; i++)
		add(w, 2 * MANY + i);
	commit(w);
	restart(w);
	for (int i = 1; i <= 5; i++)
		assert_is(w, 2 * MANY + i, last + i);
	assert_all_found(w, last);
}

/* and in runs that were complete */
static void test_numbers_of_runs_that_are_there(void **state)
{
	struct world *w = *state;
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
		for (int64_t k = 1; k <= n; k++)
			assert_is(w, MANY + k, last + k);
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

/* numbers that nobody has take neither runs nor memory */
static void test_a_gap(void **state)
{
	struct world *w = *state;

	add_all(w, 1, 1, 1);
	run_sql(&w->place, "UPDATE sqlite_sequence SET seq = 50 * " ID_RUN " WHERE name = 'events';"
			   "UPDATE evaluations SET evaluation = 50 * " ID_RUN);
	close_writer(w);
	start(w, 64 * RUN);
	assert_int_equal(n_runs(w), 0);
	add_all(w, 2, 3, 1);
	close_writer(w);
	start(w, 64 * RUN);
	assert_int_equal(w->writer->ids[ID_EVENT].table.n, 3);
	assert_int_equal(seq_of(w, "e-1"), 1);
	assert_int_equal(seq_of(w, "e-2"), 50 * RUN + 1);
	assert_int_equal(seq_of(w, "e-3"), 50 * RUN + 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_IN_WORLD(test_runs_are_written_at_the_start),
		TEST_IN_WORLD(test_a_run_that_is_damaged),
		TEST_IN_WORLD(test_the_index_is_made_anew),
		TEST_IN_WORLD(test_numbers_below_what_is_merged),
		TEST_IN_WORLD(test_numbers_of_runs_that_are_there),
		TEST_IN_WORLD(test_a_row_that_is_always_there),
		TEST_IN_WORLD(test_a_gap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
