/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An event is found by its id, in whatever run it is and behind the last one
 */
#include "store/event_ids.h"

#include "store_bench.h"

#include "store/query.h"
#include "util/buf.h"

#define RUN EVENT_IDS_RUN_N

/* events 1 to @n, as an earlier version or another program left them: number i has the id "p-i" */
static void write_events(const struct place *p, int n)
{
	char sql[1024];

	(void)snprintf(sql, sizeof(sql),
		       "INSERT INTO events (seq, evaluation, event_type, dedup_id, event_id,"
		       " id_derived, original_type, category, customer_id, decision, status,"
		       " sub_status, eval_status, workflow, environment, wrong_environment, test,"
		       " event_at, decision_at, received_at, endpoint, credential, address,"
		       " body_bytes, body_sha256)"
		       " WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT %d)"
		       " SELECT i, 0, 't', 'p-' || i, 'p-' || i, 0, '', 'case', '', '', '', '', '',"
		       " '', '', 0, 0, 0, 0, i, 'riskos', 'c', '', 2, x'' FROM n",
		       n);
	run_sql(p, sql);
}

static int collect_seq(const struct value *values, int n_values, void *arg)
{
	assert_true(n_values > 0);
	return buf_printf(arg, "%lld ", (long long)values[0].integer);
}

static void assert_found(const struct place *p, const char *event_id, const char *seqs)
{
	struct buf found = BUF_INIT(1024);
	struct error e = ERROR_INIT;
	struct reader *reader;

	assert_int_equal(reader_open(p->path, &reader, &e), 0);
	assert_int_equal(query_event(reader, event_id, collect_seq, &found), 0);
	assert_string_equal(found.p ? found.p : "", seqs);
	buf_deinit(&found);
	reader_close(reader);
}

/* numbers 1 to @n, each by its id, and nothing else */
static void assert_all_found(const struct place *p, int n)
{
	static const int interesting[] = {1,           RUN - 1, RUN,        RUN + 1,
					  2 * RUN - 1, 2 * RUN, 2 * RUN + 1};
	char id[24], seqs[24];

	for (size_t i = 0; i < ARRAY_SIZE(interesting); i++) {
		if (interesting[i] > n)
			break;
		(void)snprintf(id, sizeof(id), "p-%d", interesting[i]);
		(void)snprintf(seqs, sizeof(seqs), "%d ", interesting[i]);
		assert_found(p, id, seqs);
	}
	assert_found(p, "p-0", "");
	assert_found(p, "", "");
	assert_sql(p, "count(*) = 0 FROM event_ids AS i LEFT JOIN events AS e USING (seq)"
		      " WHERE e.event_id IS NOT i.event_id OR i.run <> seq / " EVENT_IDS_RUN);
}

/* the next event has the seq @seq */
static void go_to(const struct place *p, int seq)
{
	char sql[96];

	(void)snprintf(sql, sizeof(sql),
		       "UPDATE sqlite_sequence SET seq = %d WHERE name = 'events'", seq - 1);
	run_sql(p, sql);
}

static void post_number(struct store *store, int number)
{
	char id[24];

	(void)snprintf(id, sizeof(id), "p-%d", number);
	assert_int_equal(post_simple(store, "e", id), number);
}

static void test_a_run_is_written_when_the_next_one_begins(void **state)
{
	struct place *p = *state;
	struct store *store = open_store_at(p);

	post_number(store, 1);
	assert_found(p, "p-1", "1 ");
	go_to(p, RUN - 1);
	post_number(store, RUN - 1);
	assert_sql(p, "count(*) = 0 FROM event_ids");
	post_number(store, RUN);
	assert_sql(p, "group_concat(seq) = '1,4095' FROM event_ids WHERE run = 0");
	post_number(store, RUN + 1);
	assert_sql(p, "count(*) = 2 FROM event_ids");
	assert_all_found(p, RUN + 1);
	store_free(store);
}

/* as after a transaction that began a run and failed */
static void test_the_next_run_takes_a_missing_one_along(void **state)
{
	struct place *p = *state;
	struct store *store = open_store_at(p);

	post_number(store, 1);
	go_to(p, RUN);
	post_number(store, RUN);
	run_sql(p, "DELETE FROM event_ids");
	post_number(store, RUN + 1);
	assert_sql(p, "count(*) = 0 FROM event_ids");
	assert_all_found(p, 1);
	go_to(p, 2 * RUN);
	post_number(store, 2 * RUN);
	assert_sql(p, "count(*) = 3 FROM event_ids");
	assert_all_found(p, 1);
	assert_found(p, "p-4097", "4097 ");
	store_free(store);
}

static void test_what_is_missing_at_the_start_is_written(void **state)
{
	struct place *p = *state;

	store_free(open_store_at(p));
	write_events(p, 2 * RUN + 5);
	assert_all_found(p, 2 * RUN + 5); /* by looking at them */
	store_free(open_store_at(p));
	assert_sql(p, "count(*) = 2 * " EVENT_IDS_RUN " - 1 AND max(run) = 1 FROM event_ids");
	assert_all_found(p, 2 * RUN + 5);
	store_free(open_store_at(p));
	assert_sql(p, "count(*) = 2 * " EVENT_IDS_RUN " - 1 FROM event_ids");
}

static void test_an_id_may_be_that_of_several_events(void **state)
{
	struct place *p = *state;
	struct store *store = open_store_at(p);

	post_number(store, 1);
	assert_int_equal(post_simple(store, "f", "p-1"), 2);
	go_to(p, RUN);
	assert_int_equal(post_simple(store, "g", "p-1"), RUN);
	assert_found(p, "p-1", "1 2 4096 ");
	store_free(store);
}

static void test_an_older_store_gets_its_runs(void **state)
{
	struct place *p = *state;

	make_store_of_version(p, 7);
	write_events(p, 2 * RUN);
	store_free(open_store_at(p));
	assert_sql(p, "count(*) = 2 * " EVENT_IDS_RUN " - 1 AND max(run) = 1 FROM event_ids");
	assert_sql(p, "count(*) = 0 FROM sqlite_schema WHERE name = 'events_event_id'");
	assert_all_found(p, 2 * RUN);
	assert_sql(p, "integrity_check = 'ok' FROM pragma_integrity_check");
}

/* version 8 had runs of 1024 */
static void test_shorter_runs_become_longer_ones(void **state)
{
	static const int old_runs[] = {1, 3, 4, 5, 8};
	struct place *p = *state;

	for (size_t i = 0; i < ARRAY_SIZE(old_runs); i++) {
		int n = old_runs[i] * 1024 + 10; /* the last ones are in no run */
		char sql[160];

		make_store_of_version(p, 8);
		write_events(p, n);
		(void)snprintf(sql, sizeof(sql),
			       "INSERT INTO event_ids SELECT seq / 1024, event_id, seq FROM events"
			       " WHERE seq / 1024 < %d",
			       old_runs[i]);
		run_sql(p, sql);
		store_free(open_store_at(p));
		assert_int_equal(ask(p, "SELECT count(*) FROM event_ids"),
				 MAX_OF(n / RUN * RUN - 1, 0));
		assert_all_found(p, n);
		assert_sql(p, "integrity_check = 'ok' FROM pragma_integrity_check");
		place_remove(p);
		place_make(p);
	}
}

static void test_an_older_store_may_be_empty(void **state)
{
	struct place *p = *state;

	for (int version = 7; version <= 8; version++) {
		make_store_of_version(p, version);
		store_free(open_store_at(p));
		assert_sql(p, "count(*) = 0 FROM event_ids");
		place_remove(p);
		place_make(p);
	}
}

/* the number stands in SQL text as well */
static void test_the_numbers_are_one(void **state)
{
	(void)state;
	assert_int_equal(strtol(EVENT_IDS_RUN, NULL, 10), EVENT_IDS_RUN_N);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_IN_PLACE(test_a_run_is_written_when_the_next_one_begins),
		TEST_IN_PLACE(test_the_next_run_takes_a_missing_one_along),
		TEST_IN_PLACE(test_what_is_missing_at_the_start_is_written),
		TEST_IN_PLACE(test_an_id_may_be_that_of_several_events),
		TEST_IN_PLACE(test_an_older_store_gets_its_runs),
		TEST_IN_PLACE(test_shorter_runs_become_longer_ones),
		TEST_IN_PLACE(test_an_older_store_may_be_empty),
		cmocka_unit_test(test_the_numbers_are_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
