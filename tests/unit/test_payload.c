/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "store/db.h"
#include "store/payload.h"

#define LARGE (256 * 1024)

static char *text_of(size_t n)
{
	static const char phrase[] = "{\"enrichment_name\":\"Fixture\",\"status_code\":200},";
	char *p = malloc(n + 1);

	assert_non_null(p);
	for (size_t i = 0; i < n; i++)
		p[i] = phrase[i % (sizeof(phrase) - 1)];
	p[n] = '\0';
	return p;
}

static void assert_comes_back(struct slice body, enum payload_encoding expected)
{
	struct payload payload = payload_encode(body, true);
	size_t n;
	char *p;

	assert_int_equal(payload.encoding, expected);
	if (expected == PAYLOAD_RAW) {
		assert_ptr_equal(payload.bytes.p, body.p);
	} else {
		assert_int_equal(payload_decode(payload.bytes, &p, &n), 0);
		assert_int_equal(n, body.n);
		assert_memory_equal(p, body.p, n);
		free(p);
	}
	payload_deinit(&payload);
}

static void test_large_bodies_shrink_and_come_back(void **state)
{
	char *text = text_of(LARGE);

	(void)state;
	for (size_t n = LARGE; n >= 8192; n /= 2)
		assert_comes_back(slice_make(text, n), PAYLOAD_ZSTD);
	free(text);
}

static void test_small_and_dense_bodies_stay_raw(void **state)
{
	char *text = text_of(LARGE), *noise = malloc(LARGE);
	uint64_t x = 88172645463325252ULL;

	(void)state;
	assert_non_null(noise);
	for (size_t i = 0; i < LARGE; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		noise[i] = (char)x;
	}
	assert_comes_back(slice_make(text, 0), PAYLOAD_RAW);
	assert_comes_back(slice_make(text, 100), PAYLOAD_RAW);
	assert_comes_back(slice_make(noise, LARGE), PAYLOAD_RAW);
	free(text);
	free(noise);
}

static void test_no_compression_when_not_wanted(void **state)
{
	char *text = text_of(LARGE);
	struct payload payload = payload_encode(slice_make(text, LARGE), false);

	(void)state;
	assert_int_equal(payload.encoding, PAYLOAD_RAW);
	payload_deinit(&payload);
	free(text);
}

static void test_damage_is_noticed(void **state)
{
	char *text = text_of(LARGE), *p;
	struct payload payload = payload_encode(slice_make(text, LARGE), true);
	struct slice cut = payload.bytes;
	size_t n;

	(void)state;
	assert_int_equal(payload.encoding, PAYLOAD_ZSTD);
	for (cut.n = 0; cut.n < payload.bytes.n; cut.n++)
		assert_int_equal(payload_decode(cut, &p, &n), -EBADMSG);
	payload.memory[0] ^= 1; /* the magic number */
	assert_int_equal(payload_decode(payload.bytes, &p, &n), -EBADMSG);
	payload_deinit(&payload);
	free(text);
}

static void test_a_frame_that_claims_too_much_is_refused(void **state)
{
	/* RFC 8878 section 3.1.1: single segment, 8 bytes of content size: 2^40 */
	static const char frame[] = "\x28\xb5\x2f\xfd\xe0\0\0\0\0\0\1\0\0";
	size_t n;
	char *p;

	(void)state;
	assert_int_equal(payload_decode(slice_make(frame, sizeof(frame) - 1), &p, &n), -EBADMSG);
}

static void exec(sqlite3 *db, const char *sql, int expected)
{
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), expected);
}

static void insert(sqlite3 *db, int64_t seq, const struct payload *payload)
{
	_cleanup_(sqlite3_finalizep)
	sqlite3_stmt *stmt = NULL;

	assert_int_equal(
		sqlite3_prepare_v2(db, "INSERT INTO payloads VALUES (?1, ?2, ?3)", -1, &stmt, NULL),
		SQLITE_OK);
	assert_int_equal(db_bind(stmt, "ibi", seq, payload->bytes, (int64_t)payload->encoding), 0);
	assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
}

static void test_sql_functions_read_both_forms(void **state)
{
	char *text = text_of(LARGE);
	struct payload packed = payload_encode(slice_make(text, LARGE), true);
	struct payload raw = payload_encode(slice_make(text, 10), true);
	int64_t length;
	sqlite3 *db;

	(void)state;
	assert_int_equal(db_open(":memory:", SQLITE_OPEN_READWRITE, &db, NULL), 0);
	exec(db, "CREATE TABLE payloads (seq INTEGER PRIMARY KEY, body BLOB, encoding INTEGER)",
	     SQLITE_OK);
	insert(db, 1, &packed);
	insert(db, 2, &raw);
	assert_int_equal(db_integer(db, "SELECT length(payload(1))", &length), 0);
	assert_int_equal(length, LARGE);
	assert_int_equal(db_integer(db, "SELECT length(payload(2))", &length), 0);
	assert_int_equal(length, 10);
	assert_int_equal(db_integer(db, "SELECT payload(3) IS NULL", &length), 0);
	assert_int_equal(length, 1);
	exec(db, "SELECT payload_decode(x'00', 1)", SQLITE_ERROR);
	exec(db, "SELECT payload_decode(x'00', 7)", SQLITE_ERROR);
	exec(db, "SELECT payload_decode(NULL, 1)", SQLITE_OK);
	sqlite3_close(db);
	payload_deinit(&packed);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_large_bodies_shrink_and_come_back),
		cmocka_unit_test(test_small_and_dense_bodies_stay_raw),
		cmocka_unit_test(test_no_compression_when_not_wanted),
		cmocka_unit_test(test_damage_is_noticed),
		cmocka_unit_test(test_a_frame_that_claims_too_much_is_refused),
		cmocka_unit_test(test_sql_functions_read_both_forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
