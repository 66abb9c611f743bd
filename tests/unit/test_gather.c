/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The VFS that gathers the WAL's writes: few calls, and the same database as without it
 */
#include "store/gather.h"

#include <string.h>

#include "store_bench.h"

#define ROWS 300

struct world {
	struct place place;
	sqlite3 *db;
};

static void run(sqlite3 *db, const char *sql)
{
	char *message = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s: %s", sql, message);
}

static sqlite3 *open_with(const struct place *place, const char *vfs)
{
	sqlite3 *db;

	assert_int_equal(
		sqlite3_open_v2(place->path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs),
		SQLITE_OK);
	return db;
}

static int make(void **state)
{
	static struct world w;

	place_make(&w.place);
	w.db = open_with(&w.place, gather_vfs());
	run(w.db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0;"
		  "CREATE TABLE t (i INTEGER PRIMARY KEY, x BLOB)");
	*state = &w;
	return 0;
}

static int unmake(void **state)
{
	struct world *w = *state;

	sqlite3_close(w->db);
	place_remove(&w->place);
	return 0;
}

static int64_t write_calls(void)
{
	char line[64];
	int64_t n = -1;
	FILE *f = fopen("/proc/self/io", "re");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, "syscw: ", 7) == 0)
			n = strtoll(line + 7, NULL, 10);
	(void)fclose(f);
	return n;
}

static void insert_rows(struct world *w, const char *end)
{
	run(w->db, "BEGIN");
	for (int i = 0; i < ROWS; i++)
		run(w->db, "INSERT INTO t (x) VALUES (randomblob(3000))");
	run(w->db, end);
}

/* as somebody else sees it, through the default VFS */
static void assert_rows(struct world *w, int64_t expected)
{
	sqlite3 *other = open_with(&w->place, NULL);
	sqlite3_stmt *stmt;

	assert_int_equal(sqlite3_prepare_v2(other,
					    "SELECT count(*), sum(length(x)),"
					    " (SELECT * FROM pragma_integrity_check) FROM t",
					    -1, &stmt, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int64(stmt, 0), expected);
	assert_int_equal(sqlite3_column_int64(stmt, 1), expected * 3000);
	assert_string_equal((const char *)sqlite3_column_text(stmt, 2), "ok");
	sqlite3_finalize(stmt);
	sqlite3_close(other);
}

static void test_a_commit_is_few_writes(void **state)
{
	struct world *w = *state;
	int64_t before = write_calls();

	insert_rows(w, "COMMIT");
	assert_in_range(write_calls() - before, 1, ROWS / 3); /* more than two a row without it */
	assert_rows(w, ROWS);
}

/* pages that do not fit into the cache go to the WAL early and are read again */
static void test_a_transaction_larger_than_the_cache(void **state)
{
	struct world *w = *state;

	run(w->db, "PRAGMA cache_size=10");
	insert_rows(w, "ROLLBACK");
	assert_rows(w, 0);
	insert_rows(w, "UPDATE t SET x = zeroblob(3000); COMMIT");
	assert_rows(w, ROWS);
}

static void test_a_checkpoint_begins_the_wal_anew(void **state)
{
	struct world *w = *state;

	for (int i = 1; i <= 3; i++) {
		insert_rows(w, "COMMIT");
		run(w->db, "PRAGMA wal_checkpoint(RESTART)");
		run(w->db, "INSERT INTO t (x) VALUES (zeroblob(3000))");
		assert_rows(w, i * (ROWS + 1));
	}
	run(w->db, "PRAGMA journal_size_limit=0; PRAGMA wal_checkpoint(TRUNCATE)");
	assert_rows(w, 3 * (ROWS + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_commit_is_few_writes, make, unmake),
		cmocka_unit_test_setup_teardown(test_a_transaction_larger_than_the_cache, make,
						unmake),
		cmocka_unit_test_setup_teardown(test_a_checkpoint_begins_the_wal_anew, make,
						unmake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
