/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A second post under a key that is taken: a copy of the first body, or another one?
 */
#include <string.h>

#include "store_bench.h"

#define LARGE 20000

struct large {
	char text[LARGE + 1];
	struct slice body;
};

/* an event of LARGE bytes that shrinks well */
static void make_large(struct large *l)
{
	int n = snprintf(l->text, sizeof(l->text), "{\"event_id\":\"large\",\"x\":\"");

	for (size_t i = (size_t)n; i < LARGE; i++)
		l->text[i] = (char)('a' + i % 7);
	memcpy(l->text + LARGE - 2, "\"}", 3);
	l->body = slice_make(l->text, LARGE);
}

/* post it; @compress: as the request does with compression = zstd */
static enum event_stored post_large(struct store *store, struct slice body, bool compress)
{
	struct payload payload = payload_encode(body, compress);
	struct event_op op = post_bytes(store, body, compress ? &payload : NULL);

	assert_int_equal(payload.encoding, compress ? PAYLOAD_ZSTD : PAYLOAD_RAW);
	assert_int_equal(op.seq, 1);
	payload_deinit(&payload);
	return op.stored;
}

/* a body that differs in one place is a conflict, in whatever form it comes */
static void assert_conflicts(struct open_place *w, const struct large *l)
{
	static const size_t places[] = {LARGE - 3, LARGE / 2,
					sizeof("{\"event_id\":\"large\",\"x\":\"")};
	static struct large other;

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		other = *l;
		other.text[places[i]] = '!';
		other.body = slice_make(other.text, LARGE);
		assert_int_equal(post_large(w->store, other.body, false), EVENT_CONFLICT);
		assert_int_equal(post_large(w->store, other.body, true), EVENT_CONFLICT);
	}
	memcpy(other.text, l->text, LARGE);
	other.text[LARGE] = ' ';
	assert_int_equal(post_large(w->store, slice_make(other.text, LARGE + 1), true),
			 EVENT_CONFLICT);
	memcpy(other.text + LARGE - 3, "\"}", 2);
	assert_int_equal(post_large(w->store, slice_make(other.text, LARGE - 1), false),
			 EVENT_CONFLICT);
	assert_digest(&w->place, "conflicts WHERE length(body) = 19999",
		      slice_make(other.text, LARGE - 1));
}

static void assert_told_apart(struct open_place *w, bool compress)
{
	static struct large l;

	make_large(&l);
	assert_int_equal(post_large(w->store, l.body, compress), EVENT_STORED);
	assert_int_equal(post_large(w->store, l.body, compress), EVENT_DUPLICATE);
	assert_int_equal(post_large(w->store, l.body, !compress), EVENT_DUPLICATE);
	assert_conflicts(w, &l);
	assert_int_equal(post_large(w->store, l.body, false), EVENT_DUPLICATE);
	assert_sql(&w->place, "duplicates = 3 AND body_sha256 = x'' FROM events");
	assert_sql(&w->place, "count(*) = 5 AND sum(posts) = 8 FROM conflicts");
}

static void test_copies_of_a_raw_payload(void **state)
{
	assert_told_apart(*state, false);
}

static void test_copies_of_a_compressed_payload(void **state)
{
	assert_told_apart(*state, true);
}

/* the digest that came with a row of an earlier version counts when the body is gone, only then */
static void test_rows_of_earlier_versions(void **state)
{
	static struct large l, other;
	struct open_place *w = *state;
	char hex[2 * SHA256_SIZE + 1], sql[256];
	struct sha256 digest;

	make_large(&l);
	other = l;
	other.text[LARGE / 2] = '!';
	other.body = slice_make(other.text, LARGE);
	digest = sha256_of(l.body.p, l.body.n);
	hex_encode(digest.bytes, SHA256_SIZE, hex);
	assert_int_equal(post_large(w->store, l.body, true), EVENT_STORED);
	(void)snprintf(sql, sizeof(sql), "UPDATE events SET body_sha256 = x'%s' RETURNING 1", hex);
	(void)ask(&w->place, sql);
	assert_int_equal(post_large(w->store, l.body, true), EVENT_DUPLICATE);
	assert_int_equal(post_large(w->store, l.body, false), EVENT_DUPLICATE);
	assert_int_equal(post_large(w->store, other.body, true), EVENT_CONFLICT);
	(void)ask(&w->place, "DELETE FROM payloads RETURNING 1");
	assert_int_equal(post_large(w->store, l.body, true), EVENT_DUPLICATE);
	assert_int_equal(post_large(w->store, other.body, true), EVENT_CONFLICT);
	/* no digest is nobody's */
	(void)ask(&w->place, "UPDATE events SET body_sha256 = x'' RETURNING 1");
	assert_int_equal(post_large(w->store, l.body, true), EVENT_CONFLICT);
	assert_digest(&w->place, "(SELECT * FROM conflicts ORDER BY conflict DESC LIMIT 1)",
		      l.body);
}

/* a copy of what cannot be read any more is kept, whatever else the row says */
static void test_damaged_payloads(void **state)
{
	static const char *const damages[] = {
		"UPDATE payloads SET body = substr(body, 1, 40) RETURNING 1",
		"UPDATE payloads SET body = x'' RETURNING 1",
		"UPDATE payloads SET body = zeroblob(length(body)) RETURNING 1",
		"UPDATE payloads SET body = zeroblob(20000), encoding = 0 RETURNING 1",
		"UPDATE payloads SET encoding = 0 RETURNING 1",
		"UPDATE payloads SET encoding = 7 RETURNING 1",
	};
	static struct large l;
	struct open_place *w = *state;

	make_large(&l);
	assert_int_equal(post_large(w->store, l.body, true), EVENT_STORED);
	(void)ask(&w->place, "CREATE TABLE intact AS SELECT body, encoding FROM payloads");
	for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
		assert_int_equal(post_large(w->store, l.body, true), EVENT_DUPLICATE);
		(void)ask(&w->place, damages[i]);
		assert_int_equal(post_large(w->store, l.body, true), EVENT_CONFLICT);
		(void)ask(&w->place, "UPDATE payloads SET (body, encoding) ="
				     " (SELECT body, encoding FROM intact) RETURNING 1");
	}
	assert_sql(&w->place, "count(*) = 1 AND sum(posts) = 6 AND length(body) = 20000"
			      " FROM conflicts");
	assert_digest(&w->place, "conflicts", l.body);
}

/* the first page that a large payload goes on in leads nowhere */
static void break_payload(const struct place *p)
{
	static const unsigned char nowhere[4] = {0x7F, 0xFF, 0xFF, 0xFE};
	FILE *file = fopen(p->path, "r+b");
	unsigned char page[4096];
	long at = -(long)sizeof(page);

	assert_non_null(file);
	do { /* it begins with the number of the next one */
		assert_int_equal(fread(page, sizeof(page), 1, file), 1);
		at += (long)sizeof(page);
	} while (!memmem(page + 4, 7, "abc", 3));
	assert_int_equal(fseek(file, at, SEEK_SET), 0);
	assert_int_equal(fwrite(nowhere, sizeof(nowhere), 1, file), 1);
	assert_int_equal(fclose(file), 0);
}

static void do_nothing(struct store_op *op)
{
	(void)op;
}

static void submit(struct store *store, struct post *post, const char *id)
{
	(void)snprintf(post->body, sizeof(post->body), "{\"event_id\":\"%s\"}", id);
	post_prepare(post, 1);
	post->op.op.done = do_nothing;
	assert_int_equal(store_submit(store, &post->op.op), 0);
}

/* nor do those suffer that go with the same transaction */
static void test_damaged_pages(void **state)
{
	static struct large l;
	struct open_place *w = *state;
	struct post before[2];

	make_large(&l);
	assert_int_equal(post_large(w->store, l.body, false), EVENT_STORED);
	store_free(w->store); /* the last one to close it copies the WAL */
	break_payload(&w->place);
	w->store = open_store_at(&w->place);
	submit(w->store, &before[0], "one");
	submit(w->store, &before[1], "two");
	assert_int_equal(post_large(w->store, l.body, false), EVENT_CONFLICT);
	for (size_t i = 0; i < ARRAY_SIZE(before); i++)
		assert_true(before[i].op.op.result == 0 && before[i].op.stored == EVENT_STORED);
	assert_true(store_is_healthy(w->store));
	assert_sql(&w->place, "count(*) = 3 FROM events");
	assert_digest(&w->place, "conflicts", l.body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_WITH_STORE(test_copies_of_a_raw_payload),
		TEST_WITH_STORE(test_copies_of_a_compressed_payload),
		TEST_WITH_STORE(test_rows_of_earlier_versions),
		TEST_WITH_STORE(test_damaged_payloads),
		TEST_WITH_STORE(test_damaged_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
