/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ids are found in stores that are written through their front door, with runs of real size, and in
 * those of earlier versions (test_id_index.c has what lies behind)
 */
#include "store/id_index.h"

#include "store_bench.h"

#include "store/query.h"
#include "util/buf.h"

#define RUN ID_RUN_N

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
	assert_sql(p, "count(*) = 0 FROM event_runs");
	post_number(store, RUN);
	assert_sql(p, "group_concat(run) = '0' FROM event_runs");
	post_number(store, RUN + 1);
	assert_all_found(p, RUN + 1);
	go_to(p, 5 * RUN); /* what is not there needs no runs */
	post_number(store, 5 * RUN);
	assert_sql(p, "group_concat(run) = '0,1' FROM event_runs");
	assert_all_found(p, RUN + 1);
	assert_found(p, "p-5120", "5120 ");
	store_free(store);
}

static void test_what_is_missing_at_the_start_is_written(void **state)
{
	struct place *p = *state;

	store_free(open_store_at(p));
	write_events(p, 2 * RUN + 5);
	assert_all_found(p, 2 * RUN + 5); /* by looking at them */
	store_free(open_store_at(p));
	assert_sql(p, "group_concat(run) = '0,1' FROM event_runs");
	assert_all_found(p, 2 * RUN + 5);
	store_free(open_store_at(p));
	assert_sql(p, "group_concat(run) = '0,1' FROM event_runs");
}

static void test_an_id_may_be_that_of_several_events(void **state)
{
	struct place *p = *state;
	struct store *store = open_store_at(p);

	post_number(store, 1);
	assert_int_equal(post_simple(store, "f", "p-1"), 2);
	go_to(p, RUN);
	assert_int_equal(post_simple(store, "g", "p-1"), RUN);
	assert_found(p, "p-1", "1 2 1024 ");
	store_free(store);
}

/* on both sides of a portion's end, before and after it is merged */
static void test_portions(void **state)
{
	enum { PORTION = EVENT_PORTION_N };
	struct place *p = *state;
	struct store *store = open_store_at(p);

	for (int i = 1; i <= 3; i++)
		post_number(store, i);
	go_to(p, PORTION - 3);
	for (int i = PORTION - 3; i <= PORTION + 3; i++)
		post_number(store, i);
	go_to(p, 3 * PORTION - 3);
	for (int i = 3 * PORTION - 3; i <= 3 * PORTION + 3; i++)
		post_number(store, i);
	assert_sql(p, "merged = 3 * " EVENT_PORTION " - 1 FROM event_merge");
	assert_sql(p, "group_concat(n) = '6,4,3' FROM (SELECT count(*) AS n FROM event_keys"
		      " GROUP BY portion ORDER BY portion)");
	for (int i = 0; i < 2; i++) {
		assert_found(p, "p-1", "1 ");
		assert_found(p, "p-65535", "65535 ");
		assert_found(p, "p-65536", "65536 ");
		assert_found(p, "p-65537", "65537 ");
		assert_found(p, "p-196607", "196607 ");
		assert_found(p, "p-196608", "196608 ");
		assert_found(p, "p-196611", "196611 ");
		assert_found(p, "p-4", "");
		store_free(store);
		store = open_store_at(p);
	}
	store_free(store);
}

/* what versions 8 and 9 to 11 had: the ids themselves, in runs of 1024 and of 4096 events */
static void write_old_runs(const struct place *p, int run_n)
{
	char sql[160];

	(void)snprintf(sql, sizeof(sql),
		       "INSERT INTO event_ids SELECT seq / %d, event_id, seq FROM events"
		       " WHERE seq / %d < (SELECT max(seq) FROM events) / %d",
		       run_n, run_n, run_n);
	run_sql(p, sql);
}

static void test_an_older_store_gets_its_index(void **state)
{
	static const int run_of_version[] = {[8] = 1024, [9] = 4096, [10] = 4096, [11] = 4096};
	struct place *p = *state;

	for (int version = 7; version <= 11; version++) {
		struct store *store;

		make_store_of_version(p, version);
		write_events(p, 9 * RUN + 5);
		if (version > 7)
			write_old_runs(p, run_of_version[version]);
		store = open_store_at(p);
		assert_sql(p, "count(*) = 9 * " ID_RUN " + 5 FROM event_keys WHERE portion = 0");
		assert_sql(p, "merged = 9 * " ID_RUN " + 5 FROM event_merge");
		assert_sql(p, "count(*) = 0 FROM sqlite_schema"
			      " WHERE name IN ('events_event_id', 'event_ids')");
		assert_sql(p, "integrity_check = 'ok' FROM pragma_integrity_check");
		for (int i = 9 * RUN + 6; i <= 11 * RUN; i++)
			post_number(store, i);
		assert_all_found(p, 11 * RUN);
		assert_found(p, "p-9221", "9221 ");
		assert_found(p, "p-9222", "9222 ");
		assert_found(p, "p-11264", "11264 ");
		assert_sql(p, "group_concat(run) = '9,10' FROM event_runs");
		store_free(store);
		place_remove(p);
		place_make(p);
	}
}

/* `merged` is the first number of a portion */
static void test_an_older_store_ends_with_a_portion(void **state)
{
	struct place *p = *state;
	struct store *store;

	make_store_of_version(p, 11);
	write_events(p, EVENT_PORTION_N);
	store = open_store_at(p);
	assert_sql(p, "merged = " EVENT_PORTION " FROM event_merge");
	post_number(store, EVENT_PORTION_N + 1);
	assert_found(p, "p-65535", "65535 ");
	assert_found(p, "p-65536", "65536 ");
	assert_found(p, "p-65537", "65537 ");
	store_free(store);
}

static void test_an_older_store_may_be_empty(void **state)
{
	struct place *p = *state;

	for (int version = 7; version <= 11; version++) {
		make_store_of_version(p, version);
		store_free(open_store_at(p));
		assert_sql(p, "count(*) = 0 FROM event_keys");
		assert_sql(p, "merged = 0 FROM event_merge");
		place_remove(p);
		place_make(p);
	}
}

#define INSERT_EVALUATIONS(n)                                                                      \
	"INSERT INTO evaluations"                                                                  \
	" WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT " #n ")"           \
	" SELECT i, 'e-' || i, '', '', '', '', '', '', '', 0, 0, 0, i, i, 1, 0 FROM n;"

/* one event each, of numbers @first to @last, known and new ones */
static void post_all(struct store *store, int first, int last)
{
	char eval_id[24];

	for (int i = first; i <= last; i++) {
		(void)snprintf(eval_id, sizeof(eval_id), "e-%d", i);
		(void)post_simple(store, eval_id, "x");
	}
}

/* sql/010_evaluation_keys.sql */
static void test_evaluations_of_version_9(void **state)
{
	struct place *p = *state;
	struct store *store;

	make_store_of_version(p, 9);
	run_sql(p, INSERT_EVALUATIONS(3000));
	store = open_store_at(p);
	assert_sql(p, "merged = 3000 FROM evaluation_merge");
	assert_sql(p, "count(*) = 3000 AND min(first_seen = evaluation) FROM evaluations");
	assert_sql(p, "count(*) = 3000 FROM evaluation_log");
	assert_sql(p, "integrity_check = 'ok' FROM pragma_integrity_check");
	post_all(store, 2990, 4200); /* before and behind the next complete run */
	store_free(store);
	assert_sql(p, "count(*) = 4200 AND count(DISTINCT eval_id) = 4200 FROM evaluations");
	assert_sql(p, "group_concat(run) = '2,3' FROM evaluation_runs");
}

/* sql/011_key_runs.sql: half-way in a merge, and with complete runs of the old form */
static void test_evaluations_of_version_10(void **state)
{
	struct place *p = *state;
	struct store *store;

	make_store_of_version(p, 10);
	run_sql(p, INSERT_EVALUATIONS(6000));
	run_sql(p, "UPDATE evaluation_merge SET merged = 3000;"
		   "INSERT INTO evaluation_keys SELECT id_key(eval_id), evaluation"
		   "  FROM evaluations WHERE evaluation <= 3000 OR evaluation % 3 = 0;"
		   "INSERT INTO evaluation_runs SELECT evaluation / 1024,"
		   "  id_key(eval_id), evaluation FROM evaluations"
		   "  WHERE evaluation > 3000 AND evaluation < 5120");
	store = open_store_at(p);
	post_all(store, 1, 6300);
	store_free(store);
	assert_sql(p, "count(*) = 6300 AND count(DISTINCT eval_id) = 6300 FROM evaluations");
	assert_sql(p, "group_concat(run) = '2,3,4,5' FROM evaluation_runs");
}

/* the number stands in SQL text as well */
static void test_the_numbers_are_one(void **state)
{
	(void)state;
	assert_int_equal(strtol(ID_RUN, NULL, 10), ID_RUN_N);
	assert_int_equal(strtol(EVENT_PORTION, NULL, 10), EVENT_PORTION_N);
	assert_int_equal(EVENT_PORTION_N % ID_RUN_N, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_IN_PLACE(test_a_run_is_written_when_the_next_one_begins),
		TEST_IN_PLACE(test_what_is_missing_at_the_start_is_written),
		TEST_IN_PLACE(test_an_id_may_be_that_of_several_events),
		TEST_IN_PLACE(test_portions),
		TEST_IN_PLACE(test_an_older_store_gets_its_index),
		TEST_IN_PLACE(test_an_older_store_ends_with_a_portion),
		TEST_IN_PLACE(test_an_older_store_may_be_empty),
		TEST_IN_PLACE(test_evaluations_of_version_9),
		TEST_IN_PLACE(test_evaluations_of_version_10),
		cmocka_unit_test(test_the_numbers_are_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
