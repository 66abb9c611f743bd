/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "core/crypto.h"
#include "store/db.h"
#include "store/payload.h"
#include "util/hex.h"

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
		assert_int_equal(payload_decode(payload.bytes, payload.encoding, &p, &n), 0);
		assert_int_equal(n, body.n);
		assert_memory_equal(p, body.p, n);
		free(p);
	}
	payload_deinit(&payload);
}

static void test_bodies_shrink_and_come_back(void **state)
{
	char *text = text_of(LARGE);

	(void)state;
	for (size_t n = LARGE; n >= 256; n /= 2)
		assert_comes_back(slice_make(text, n),
				  n < 16384 ? PAYLOAD_ZSTD_DICTIONARY_1 : PAYLOAD_ZSTD);
	assert_comes_back(slice_make(text, 16383), PAYLOAD_ZSTD_DICTIONARY_1);
	free(text);
}

/* large and small ones in turn: a context serves both */
static void test_both_encodings_take_turns(void **state)
{
	char *text = text_of(LARGE);

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_comes_back(slice_make(text, 300), PAYLOAD_ZSTD_DICTIONARY_1);
		assert_comes_back(slice_make(text, 20000), PAYLOAD_ZSTD);
	}
	free(text);
}

static void test_a_small_event_shrinks_to_a_third(void **state)
{
	static const char body[] =
		"{\"event_id\":\"0b6f3c2e-5d1a-4e57-9a61-3f0e9c7d2b48\",\"event_type\":\"decision_"
		"update\","
		"\"event_at\":\"2026-03-04T05:06:07.891Z\",\"data\":{\"id\":\"request-71\",\"eval_"
		"id\":"
		"\"5d1a3f0e-9a61-4e57-8c0d-2b480b6f3c2e\",\"decision\":\"ACCEPT\",\"decision_at\":"
		"\"2026-03-04T05:06:07.812Z\",\"status\":\"CLOSED\",\"sub_status\":\"Accept\","
		"\"notes\":\"\","
		"\"tags\":[],\"review_queues\":[],\"evaluation_status\":\"evaluation_completed\","
		"\"environment_name\":\"Production\"}}";
	struct slice text = slice_make(body, sizeof(body) - 1);
	struct payload payload = payload_encode(text, true);

	(void)state;
	assert_comes_back(text, PAYLOAD_ZSTD_DICTIONARY_1);
	assert_in_range(payload.bytes.n, 1, text.n / 2);
	payload_deinit(&payload);
}

/* What is stored needs it for ever. Another dictionary is another encoding. */
static void test_the_dictionary_never_changes(void **state)
{
	struct sha256 digest = sha256_of(payload_dictionary_1, payload_dictionary_1_n);
	char hex[2 * SHA256_SIZE + 1];

	(void)state;
	hex_encode(digest.bytes, SHA256_SIZE, hex);
	assert_string_equal(hex,
			    "452d18b394f95d9b42d1e46b034471cff7fef337643845c68318753d9a27a228");
}

static void test_what_an_earlier_build_wrote_is_read(void **state)
{
	static const unsigned char frame[] = {
		0x28, 0xb5, 0x2f, 0xfd, 0x24, 0x5e, 0x9d, 0x01, 0x00, 0xa0, 0x33, 0x2d, 0x30,
		0x34, 0x54, 0x30, 0x35, 0x3a, 0x30, 0x36, 0x3a, 0x30, 0x37, 0x78, 0x2d, 0x31,
		0x37, 0x22, 0x7d, 0x7d, 0x09, 0x00, 0x04, 0x00, 0x01, 0xd0, 0xbb, 0xb0, 0x0e,
		0x98, 0x00, 0xd8, 0xb9, 0xfd, 0xc9, 0x39, 0x06, 0x51, 0x18, 0x24, 0xec, 0x14,
		0x90, 0x76, 0x98, 0x80, 0x94, 0x19, 0x04, 0x02, 0x61, 0x10, 0xfe, 0x97};
	static const char body[] = "{\"event_type\":\"evaluation_paused\",\"event_at\":\"2026-03-"
				   "04T05:06:07Z\",\"data\":{\"eval_id\":\"x-17\"}}";
	size_t n;
	char *p;

	(void)state;
	assert_int_equal(payload_decode(slice_make((const char *)frame, sizeof(frame)),
					PAYLOAD_ZSTD_DICTIONARY_1, &p, &n),
			 0);
	assert_int_equal(n, sizeof(body) - 1);
	assert_memory_equal(p, body, n);
	free(p);
}

static void test_tiny_and_dense_bodies_stay_raw(void **state)
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
	assert_comes_back(slice_make(text, 255), PAYLOAD_RAW);
	assert_comes_back(slice_make(noise, 1000), PAYLOAD_RAW);
	assert_comes_back(slice_make(noise, LARGE), PAYLOAD_RAW);
	free(text);
	free(noise);
}

static void test_the_body_of_any_encoding(void **state)
{
	char *text = text_of(LARGE);
	struct slice body = slice_make(text, LARGE), found;
	struct payload payload = payload_encode(body, true);
	struct payload raw = {.encoding = PAYLOAD_RAW, .bytes = body};
	struct payload packed = {.encoding = PAYLOAD_ZSTD, .bytes = payload.bytes};
	struct payload cut = {.encoding = PAYLOAD_ZSTD, .bytes = {payload.bytes.p, 20}};
	struct payload none = {.encoding = PAYLOAD_ZSTD};
	struct payload other = {.encoding = (enum payload_encoding)7, .bytes = body};

	(void)state;
	assert_int_equal(payload_body(&raw, &found), 0);
	assert_ptr_equal(found.p, text);
	assert_int_equal(payload_body(&packed, &found), 0);
	assert_true(slice_eq(found, body));
	assert_int_equal(payload_body(&cut, &found), -EBADMSG);
	assert_int_equal(payload_body(&none, &found), -EBADMSG);
	assert_int_equal(payload_body(&other, &found), -EBADMSG);
	payload_deinit(&raw);
	payload_deinit(&packed);
	payload_deinit(&cut);
	payload_deinit(&payload);
	free(text);
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

/* not one byte of a frame can change without the body staying the same or damage being told */
static void assert_damage_is_noticed(struct slice body, enum payload_encoding encoding)
{
	struct payload payload = payload_encode(body, true);
	struct slice cut = payload.bytes;
	size_t n;
	char *p;

	assert_int_equal(payload.encoding, encoding);
	for (cut.n = 0; cut.n < payload.bytes.n; cut.n++)
		assert_int_equal(payload_decode(cut, encoding, &p, &n), -EBADMSG);
	for (size_t i = 0; i < payload.bytes.n; i++) {
		payload.memory[i] ^= 1;
		if (payload_decode(payload.bytes, encoding, &p, &n) == 0) {
			assert_int_equal(n, body.n);
			assert_memory_equal(p, body.p, n);
			free(p);
		}
		payload.memory[i] ^= 1;
	}
	payload_deinit(&payload);
}

static void test_damage_is_noticed(void **state)
{
	char *text = text_of(LARGE);

	(void)state;
	assert_damage_is_noticed(slice_make(text, LARGE), PAYLOAD_ZSTD);
	assert_damage_is_noticed(slice_make(text, 700), PAYLOAD_ZSTD_DICTIONARY_1);
	free(text);
}

static void test_an_unknown_encoding_is_refused(void **state)
{
	struct slice bytes = SLICE("x");
	size_t n;
	char *p;

	(void)state;
	assert_int_equal(payload_decode(bytes, 3, &p, &n), -EINVAL);
	assert_int_equal(payload_decode(bytes, -1, &p, &n), -EINVAL);
}

static void test_a_frame_that_claims_too_much_is_refused(void **state)
{
	/* RFC 8878 section 3.1.1: single segment, 8 bytes of content size: 2^40 */
	static const char frame[] = "\x28\xb5\x2f\xfd\xe0\0\0\0\0\0\1\0\0";
	size_t n;
	char *p;

	(void)state;
	assert_int_equal(payload_decode(slice_make(frame, sizeof(frame) - 1), PAYLOAD_ZSTD, &p, &n),
			 -EBADMSG);
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

static void test_sql_functions_read_all_forms(void **state)
{
	char *text = text_of(LARGE);
	struct payload packed = payload_encode(slice_make(text, LARGE), true);
	struct payload small = payload_encode(slice_make(text, 1000), true);
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
	insert(db, 3, &small);
	assert_int_equal(small.encoding, PAYLOAD_ZSTD_DICTIONARY_1);
	assert_int_equal(db_integer(db, "SELECT length(payload(3))", &length), 0);
	assert_int_equal(length, 1000);
	assert_int_equal(db_integer(db, "SELECT payload(4) IS NULL", &length), 0);
	assert_int_equal(length, 1);
	exec(db, "SELECT payload_decode(x'00', 1)", SQLITE_ERROR);
	exec(db, "SELECT payload_decode(x'00', 7)", SQLITE_ERROR);
	exec(db, "SELECT payload_decode(NULL, 1)", SQLITE_OK);
	sqlite3_close(db);
	payload_deinit(&packed);
	payload_deinit(&small);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bodies_shrink_and_come_back),
		cmocka_unit_test(test_both_encodings_take_turns),
		cmocka_unit_test(test_a_small_event_shrinks_to_a_third),
		cmocka_unit_test(test_the_dictionary_never_changes),
		cmocka_unit_test(test_what_an_earlier_build_wrote_is_read),
		cmocka_unit_test(test_tiny_and_dense_bodies_stay_raw),
		cmocka_unit_test(test_the_body_of_any_encoding),
		cmocka_unit_test(test_no_compression_when_not_wanted),
		cmocka_unit_test(test_damage_is_noticed),
		cmocka_unit_test(test_an_unknown_encoding_is_refused),
		cmocka_unit_test(test_a_frame_that_claims_too_much_is_refused),
		cmocka_unit_test(test_sql_functions_read_all_forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
