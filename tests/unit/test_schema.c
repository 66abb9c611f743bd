/* SPDX-License-Identifier: Apache-2.0 */
#include "store/schema.h"

#include <errno.h>

#include "store_bench.h"

#include "store/reader.h"

/* the store is refused with this errno and a sentence that has these words */
static void assert_refused(struct place *p, int code, const char *words)
{
	struct error e = ERROR_INIT;
	struct store *store = NULL;

	assert_int_equal(store_new(&p->config, NULL, NULL, &store, &e), code);
	if (!strstr(e.text, words))
		fail_msg("'%s' does not say '%s'", e.text, words);
}

static void test_new_store(void **state)
{
	struct place *p = *state;

	store_free(open_store_at(p));
	assert_int_equal(ask(p, "PRAGMA user_version"), schema_version);
	assert_int_equal(ask(p, "PRAGMA application_id"), SCHEMA_APPLICATION_ID);
	assert_sql(p, "journal_mode = 'wal' FROM pragma_journal_mode");
	assert_sql(p, "count(*) = 3 FROM sqlite_schema WHERE type = 'view' AND name IN"
		      " ('event_log', 'evaluation_log', 'delivery_log')");
	store_free(open_store_at(p)); /* and once more: nothing to migrate */
}

static void test_files_are_private(void **state)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
	struct place *p = *state;
	mode_t mask = umask(0);
	struct store *store = open_store_at(p);

	(void)umask(mask);
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		char path[128];
		struct stat st;

		(void)snprintf(path, sizeof(path), "%s%s", p->path, suffixes[i]);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0640);
	}
	store_free(store);
}

static void test_newer_version(void **state)
{
	struct place *p = *state;

	store_free(open_store_at(p));
	(void)ask(p, "PRAGMA user_version = 9999");
	assert_refused(p, -ENOTSUP, "newer riskhookd");
	assert_int_equal(ask(p, "PRAGMA user_version"), 9999); /* untouched */
}

static void test_damaged_version(void **state)
{
	struct place *p = *state;

	store_free(open_store_at(p));
	(void)ask(p, "PRAGMA user_version = -3");
	assert_refused(p, -EUCLEAN, "damaged");
}

static void test_foreign_database(void **state)
{
	struct place *p = *state;

	(void)ask(p, "CREATE TABLE customers (name)");
	assert_refused(p, -ENOTSUP, "not a riskhookd store");
	assert_sql(p, "count(*) = 1 FROM sqlite_schema"); /* untouched */
}

static void test_no_database_at_all(void **state)
{
	struct place *p = *state;
	FILE *f = fopen(p->path, "w");

	assert_non_null(f);
	for (int i = 0; i < 1000; i++)
		assert_true(fputs("this is a text file\n", f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_refused(p, -EUCLEAN, "not a database");
}

/* half of a migration is none of it, and the sentence tells why */
static void test_failing_migration(void **state)
{
	struct place *p = *state;

	(void)ask(p, "CREATE TABLE payloads (x)");
	(void)ask(p, "PRAGMA application_id = 1380469604"); /* ours, version 0 */
	assert_int_equal(ask(p, "PRAGMA application_id"), SCHEMA_APPLICATION_ID);
	assert_refused(p, -EINVAL, "table payloads already exists");
	assert_sql(p, "count(*) = 1 FROM sqlite_schema");
}

#define OLD_EVENT(eval_id, type, id, test)                                                         \
	"INSERT INTO events (eval_id, event_type, dedup_id, event_id, id_derived, original_type,"  \
	" category, customer_id, decision, status, sub_status, eval_status, workflow, "            \
	"environment,"                                                                             \
	" wrong_environment, test, event_at, decision_at, received_at, endpoint, credential,"      \
	" address, body_bytes, body_sha256) VALUES ('" eval_id "', '" type "', '" id "', '" id     \
	"', 0, '', 'case', 'c', 'ACCEPT', '', '', '', '', '', 0, " test                            \
	", 7, 0, 8, 'riskos', 'c', '', 2, x'00');"

#define OLD_DELIVERY(seq, eval_id)                                                                 \
	"INSERT INTO deliveries (seq, handler, eval_id, state, attempts, due_at, created_at,"      \
	" retry_since, changed_at, outcome) VALUES (" seq ", 'h', '" eval_id                       \
	"', 'done', 1, 1, 2, 3, 4, 'ok');"

/* a store with text where there are numbers now: sql/007_evaluations.sql */
static void test_evaluations_get_numbers(void **state)
{
	struct place *p = *state;
	struct store *store;
	struct post again;

	make_store_of_version(p, 6);
	run_sql(p, OLD_EVENT("b", "t", "1", "0") OLD_EVENT("a", "t", "2", "0")
			   OLD_EVENT("", "t", "3", "0") OLD_EVENT("ping", "t", "4", "1") OLD_EVENT(
				   "b", "case_closure", "6",
				   "0") "DELETE FROM events WHERE event_id = '6';" OLD_DELIVERY("1",
												"b")
				   OLD_DELIVERY("3", "") OLD_DELIVERY(
					   "2", "a") "INSERT INTO evaluations VALUES ('a', 'c', "
						     "'', '', '', '', '', '', 0, 0, 0, 9, 9, 1, 0),"
						     " ('b', 'c', '', '', '', '', '', '', 0, 0, 0, "
						     "8, 9, 1, 3)");
	store = open_store_at(p);
	assert_sql(p, "group_concat(evaluation || eval_id) = '1b,2a,3ping'"
		      " FROM (SELECT * FROM evaluations ORDER BY evaluation)");
	assert_sql(p,
		   "group_concat(evaluation) = '1,2,0,3' FROM (SELECT * FROM events ORDER BY seq)");
	assert_sql(p, "group_concat(coalesce(eval_id, '-')) = 'b,a,-,ping'"
		      " FROM (SELECT * FROM event_log ORDER BY seq)");
	assert_sql(p, "count(*) = 2 AND sum(decision_changes) = 3 FROM evaluation_log");
	assert_sql(p, "group_concat(delivery || seq || coalesce(eval_id, '-')) = '11b,23-,32a'"
		      " FROM (SELECT * FROM delivery_log ORDER BY delivery)");
	assert_sql(p, "integrity_check = 'ok' FROM pragma_integrity_check");
	assert_sql(p, "count(*) = 0 FROM pragma_foreign_key_check");
	/* what is stored is known, and a number that was given once is not given again */
	again = post_event(store, DEDUP_EVENT,
			   "{\"event_type\":\"t\",\"event_id\":\"1\","
			   "\"data\":{\"eval_id\":\"b\"}}");
	assert_int_equal(again.op.stored, EVENT_CONFLICT);
	assert_int_equal(again.op.seq, 1);
	assert_int_equal(post_simple(store, "b", "7"), 6);
	assert_sql(p, "events = 2 FROM evaluation_log WHERE eval_id = 'b'");
	store_free(store);
}

static void test_missing_folder(void **state)
{
	struct place *p = *state, lost = *p;
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/none/events.db", p->folder);
	lost.config.store.path = path;
	assert_refused(&lost, -ENOENT, "folder must exist");
}

static void test_second_store_is_refused(void **state)
{
	struct place *p = *state;
	struct store *store = open_store_at(p);

	assert_refused(p, -EWOULDBLOCK, "another riskhookd");
	store_free(store);
	store_free(open_store_at(p));
}

static void test_reader_checks_too(void **state)
{
	struct place *p = *state;
	struct error e = ERROR_INIT;
	struct reader *reader = NULL;

	assert_int_equal(reader_open(p->path, &reader, &e), -ENOENT);
	assert_int_equal(access(p->path, F_OK), -1); /* it creates nothing */
	store_free(open_store_at(p));
	(void)ask(p, "PRAGMA user_version = 9999");
	assert_int_equal(reader_open(p->path, &reader, &e), -ENOTSUP);
	(void)ask(p, "PRAGMA user_version = 0");
	assert_int_equal(reader_open(p->path, &reader, &e), -ENOTSUP);
	assert_non_null(strstr(e.text, "start riskhookd once"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_IN_PLACE(test_new_store),         TEST_IN_PLACE(test_files_are_private),
		TEST_IN_PLACE(test_newer_version),     TEST_IN_PLACE(test_damaged_version),
		TEST_IN_PLACE(test_foreign_database),  TEST_IN_PLACE(test_no_database_at_all),
		TEST_IN_PLACE(test_failing_migration), TEST_IN_PLACE(test_evaluations_get_numbers),
		TEST_IN_PLACE(test_missing_folder),    TEST_IN_PLACE(test_second_store_is_refused),
		TEST_IN_PLACE(test_reader_checks_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
