/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An evaluation is found by its eval_id and an event by its event_id, wherever they are: behind the
 * last run, in a run, merged, or on the way; after transactions that failed, and after restarts
 */
#include "id_bench.h"

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

static void test_nothing_is_missing_in_the_file(void **state)
{
	struct world *w = *state;

	add_all(w, 1, MANY, 64);
	assert_nothing_is_missing(w);
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
	/* merging goes on all the same */
	assert_true(merged(w) >= MANY - 2 * MERGE_N);
	assert_many_found(w, MANY);
	assert_nothing_is_missing(w);
	assert_unknown(w, MANY + 1);
	assert_none(w, "SELECT count(*) FROM evaluation_keys AS k LEFT JOIN evaluations AS v"
		       " USING (evaluation) WHERE id_key(v.eval_id) IS NOT k.key");
	assert_none(w, "SELECT count(*) FROM event_keys AS k LEFT JOIN events AS e"
		       " USING (seq) WHERE id_key(e.event_id) IS NOT k.key");
}

/* the run that it left has its old keys again */
static void test_a_roll_back_over_several_runs(void **state)
{
	struct world *w = *state;

	add_all(w, 1, RUN - 10, RUN);
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

/* One before each that succeeds, with few rows: no more than 64 entries are looked at with each. */
static void test_frequent_roll_backs(void **state)
{
	struct world *w = *state;

	for (int64_t i = 1; i <= MANY; i++) {
		begin(w);
		add(w, MANY + i);
		assert_int_equal(writer_rollback(w->writer), 0);
		add_all(w, i, i, 1);
	}
	assert_true(merged(w) >= MANY - 2 * MERGE_N);
	assert_many_found(w, MANY);
	assert_nothing_is_missing(w);
	assert_true(w->writer->ids[ID_EVENT].table.n <= 2 * (size_t)MERGE_N);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_IN_WORLD(test_numbers_are_found_all_the_way),
		TEST_IN_WORLD(test_nothing_is_missing_in_the_file),
		TEST_IN_WORLD(test_restarts),
		TEST_IN_WORLD(test_failed_transactions),
		TEST_IN_WORLD(test_a_roll_back_over_several_runs),
		TEST_IN_WORLD(test_frequent_roll_backs),
		TEST_IN_WORLD(test_a_merge_that_is_undone),
		TEST_IN_WORLD(test_one_key_for_several),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
