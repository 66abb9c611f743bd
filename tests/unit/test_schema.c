/* SPDX-License-Identifier: Apache-2.0 */
#include "store/schema.h"

#include <errno.h>

#include "store_bench.h"

#include "store/reader.h"

static int make(void **state)
{
	static struct place p;

	place_make(&p);
	*state = &p;
	return 0;
}

static int unmake(void **state)
{
	place_remove(*state);
	return 0;
}

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

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, unmake)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_new_store),
		TEST(test_files_are_private),
		TEST(test_newer_version),
		TEST(test_damaged_version),
		TEST(test_foreign_database),
		TEST(test_no_database_at_all),
		TEST(test_failing_migration),
		TEST(test_missing_folder),
		TEST(test_second_store_is_refused),
		TEST(test_reader_checks_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
