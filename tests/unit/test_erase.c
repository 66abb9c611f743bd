/* SPDX-License-Identifier: Apache-2.0 */
#include "store/erase.h"

#include <string.h>

#include "store_bench.h"

#include "store/probe.h"

struct world {
	struct place place;
	struct store *store;
	struct reader *reader;
};

static int make(void **state)
{
	static struct world w;

	place_make(&w.place);
	w.store = open_store_at(&w.place);
	assert_int_equal(reader_open(w.place.path, &w.reader, NULL), 0);
	*state = &w;
	return 0;
}

static int unmake(void **state)
{
	struct world *w = *state;

	reader_close(w->reader);
	store_free(w->store);
	place_remove(&w->place);
	return 0;
}

#define LATER INT64_MAX /* every event is older */

/* one step of the search in the events' category, and its transaction; return: how many went */
static int64_t step(struct world *w, struct erase_search *search, int64_t before, int *ret_more)
{
	struct erase_op op = {.op = {.kind = STORE_OP_ERASE}, .now = 77};

	*ret_more = erase_find(w->reader, CATEGORY_WATCHLIST, before, search, &op);
	assert_true(*ret_more >= 0);
	if (op.n_items > 0)
		assert_int_equal(store_submit_wait(w->store, &op.op), 0);
	return op.n_erased;
}

static int64_t erase_all(struct world *w, struct erase_search *search)
{
	int64_t total = 0;
	int more;

	do {
		total += step(w, search, LATER, &more);
	} while (more > 0);
	return total;
}

/* an event with a delivery in that state */
static int64_t deliver(struct world *w, const char *id, enum delivery_state end)
{
	int64_t seq = post_simple(w->store, "eval", id);
	int64_t delivery = route_to(w->store, &w->place, seq, "h", 10);
	bool began;

	assert_int_equal(begin_attempt(w->store, delivery, 1, &began), 0);
	if (end != DELIVERY_RUNNING)
		finish_attempt(w->store, delivery, 1, end, 1000);
	return seq;
}

static void test_contents_go_and_the_tombstone_stays(void **state)
{
	struct world *w = *state;
	struct erase_search search = {0};
	struct post again;

	(void)deliver(w, "gone", DELIVERY_DONE);
	assert_int_equal(erase_all(w, &search), 1);
	assert_sql(&w->place, "(SELECT count(*) FROM payloads) = 0");
	assert_sql(&w->place, "(SELECT count(*) FROM events WHERE erased_at = 77) = 1");
	assert_sql(&w->place, "(SELECT count(*) FROM attempts WHERE output IS NULL"
			      " AND reason IS NULL AND outcome = 'ok') = 1");
	assert_sql(&w->place, "(SELECT reason FROM deliveries) = ''");
	assert_sql(&w->place, "(SELECT customer_id FROM evaluations) = ''");
	assert_sql(&w->place, "(SELECT length(body_sha256) FROM events) = 32");
	again = post_event(w->store, DEDUP_EVENT,
			   "{\"event_type\":\"case_closure\",\"event_id\":\"gone\","
			   "\"data\":{\"eval_id\":\"eval\"}}");
	assert_int_equal(again.op.stored, EVENT_DUPLICATE);
	assert_int_equal(erase_all(w, &search), 0);
}

/* ---- the digest in the tombstone ---- */

#define LARGE 9000

/* an event of LARGE bytes, which differs from others by @mark alone */
static struct slice large_body(const char *id, char mark)
{
	static char text[LARGE + 1];
	int n = snprintf(text, sizeof(text),
			 "{\"event_type\":\"case_closure\",\"event_id\":\"%s\",\"x\":\"%c", id,
			 mark);

	memset(text + n, 'x', sizeof(text) - (size_t)n);
	memcpy(text + LARGE - 2, "\"}", 3);
	return slice_make(text, LARGE);
}

static struct event_op post_large(struct world *w, const char *id, char mark, bool compress)
{
	struct slice body = large_body(id, mark);
	struct payload payload = payload_encode(body, compress);
	struct event_op op = post_bytes(w->store, body, &payload);

	assert_int_equal(payload.encoding, compress ? PAYLOAD_ZSTD_DICTIONARY_1 : PAYLOAD_RAW);
	payload_deinit(&payload);
	return op;
}

static void erase_routed(struct world *w)
{
	struct erase_search search = {0};
	struct route_op op = {.op = {.kind = STORE_OP_ROUTE},
			      .routed_seq = ask(&w->place, "SELECT max(seq) FROM events")};

	assert_int_equal(store_submit_wait(w->store, &op.op), 0);
	assert_true(erase_all(w, &search) > 0);
	assert_sql(&w->place, "(SELECT count(*) FROM payloads) = 0");
}

static void test_the_tombstone_tells_copies_from_others(void **state)
{
	struct world *w = *state;
	int64_t raw = post_large(w, "raw", 'a', false).seq;
	int64_t compressed = post_large(w, "compressed", 'a', true).seq;
	struct event_op late;

	assert_int_equal(post_large(w, "raw", 'b', false).stored, EVENT_CONFLICT);
	assert_sql(&w->place, "(SELECT count(*) FROM events WHERE body_sha256 = x'') = 2");
	erase_routed(w);
	assert_sql(&w->place, "(SELECT count(*) FROM conflicts) = 0");
	assert_digest(&w->place, "events WHERE event_id = 'raw'", large_body("raw", 'a'));
	assert_digest(&w->place, "events WHERE event_id = 'compressed'",
		      large_body("compressed", 'a'));

	assert_int_equal(post_large(w, "raw", 'a', true).stored, EVENT_DUPLICATE);
	assert_int_equal(post_large(w, "compressed", 'a', true).stored, EVENT_DUPLICATE);
	late = post_large(w, "raw", 'b', false);
	assert_true(late.stored == EVENT_CONFLICT && late.seq == raw);
	assert_digest(&w->place, "conflicts", large_body("raw", 'b'));
	late = post_large(w, "compressed", 'c', true);
	assert_true(late.stored == EVENT_CONFLICT && late.seq == compressed);
	assert_sql(&w->place, "(SELECT group_concat(duplicates) FROM events) = '1,1'");
}

/* what nobody can read any more has no digest, so nothing that comes later is taken for a copy */
static void test_damaged_bodies_leave_no_digest(void **state)
{
	static const char *const ids[] = {"cut", "short", "unknown"};
	struct world *w = *state;

	(void)post_large(w, "cut", 'a', true);
	(void)post_large(w, "short", 'a', false);
	(void)post_large(w, "unknown", 'a', false);
	(void)ask(&w->place, "UPDATE payloads SET body = substr(body, 1, 40) WHERE seq <= 2"
			     " RETURNING 1");
	(void)ask(&w->place, "UPDATE payloads SET encoding = 7 WHERE seq = 3 RETURNING 1");
	erase_routed(w);
	assert_sql(&w->place, "(SELECT count(*) FROM events WHERE body_sha256 = x''"
			      " AND erased_at > 0) = 3");
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		assert_int_equal(post_large(w, ids[i], 'a', true).stored, EVENT_CONFLICT);
	assert_sql(&w->place, "(SELECT count(*) FROM conflicts) = 3");
}

/* rows of earlier versions have had it from the beginning */
static void test_a_digest_that_is_there_stays(void **state)
{
	struct world *w = *state;

	(void)post_large(w, "old", 'a', true);
	(void)post_large(w, "old and damaged", 'a', true);
	(void)ask(&w->place, "UPDATE events SET body_sha256 = x'01' RETURNING 1");
	(void)ask(&w->place, "UPDATE payloads SET body = x'' WHERE seq = 2 RETURNING 1");
	erase_routed(w);
	assert_sql(&w->place, "(SELECT count(*) FROM events WHERE body_sha256 = x'01') = 2");
}

/* between the search and the transaction a delivery was revived: nothing is written at all */
static void test_who_stays_has_no_digest(void **state)
{
	struct world *w = *state;
	struct erase_search search = {0};
	struct erase_op op = {.op = {.kind = STORE_OP_ERASE}, .now = 77};

	(void)deliver(w, "revived", DELIVERY_DEAD);
	assert_int_equal(erase_find(w->reader, CATEGORY_WATCHLIST, LATER, &search, &op), 0);
	assert_true(op.n_items == 1 && op.items[0].has_digest);
	(void)ask(&w->place, "UPDATE deliveries SET state = 'pending' RETURNING 1");
	assert_int_equal(store_submit_wait(w->store, &op.op), 0);
	assert_int_equal(op.n_erased, 0);
	assert_sql(&w->place, "(SELECT count(*) FROM events WHERE body_sha256 = x'') = 1");
	assert_sql(&w->place, "(SELECT count(*) FROM payloads) = 1");
}

static void test_what_is_not_through_stays(void **state)
{
	struct world *w = *state;
	struct erase_search search = {0};
	int64_t pending = deliver(w, "pending", DELIVERY_PENDING);
	int64_t running = deliver(w, "running", DELIVERY_RUNNING);

	(void)deliver(w, "dead", DELIVERY_DEAD);
	(void)post_simple(w->store, "eval", "not routed");
	assert_int_equal(erase_all(w, &search), 1);
	assert_sql(&w->place, "(SELECT count(*) FROM payloads) = 3");
	assert_int_equal(search.behind, 0);
	assert_true(pending < running);

	finish_attempt(w->store, 2, 1, DELIVERY_DONE, 0);
	assert_int_equal(erase_all(w, &search), 1);
	assert_int_equal(search.behind, 0); /* the first still holds it up */
}

static void erase_conflicts_before(struct world *w, enum event_category category, int64_t before)
{
	struct erase_op op = {.op = {.kind = STORE_OP_ERASE}};

	op.conflicts_before[category] = before;
	assert_int_equal(store_submit_wait(w->store, &op.op), 0);
}

static void test_what_conflicts_with_a_tombstone_goes_when_it_is_old(void **state)
{
	struct world *w = *state;
	int64_t received_at;

	(void)post_large(w, "erased", 'a', false);
	erase_routed(w);
	(void)post_large(w, "erased", 'b', false);
	(void)post_large(w, "alive", 'a', false);
	(void)post_large(w, "alive", 'b', false);
	assert_sql(&w->place, "(SELECT group_concat(seq) FROM conflicts) = '1,2'");
	received_at = ask(&w->place, "SELECT received_at FROM conflicts WHERE seq = 1");
	erase_conflicts_before(w, CATEGORY_WATCHLIST, received_at);
	erase_conflicts_before(w, CATEGORY_DOCV, received_at + 1);
	assert_sql(&w->place, "(SELECT count(*) FROM conflicts) = 2");
	erase_conflicts_before(w, CATEGORY_WATCHLIST, received_at + 1);
	assert_sql(&w->place, "(SELECT group_concat(seq) FROM conflicts) = '2'");
}

static void test_the_customer_stays_while_an_event_of_the_evaluation_does(void **state)
{
	struct world *w = *state;
	struct erase_search search = {0};
	static const char body[] = "{\"event_type\":\"case_closure\",\"event_id\":\"%s\","
				   "\"data\":{\"id\":\"customer\",\"eval_id\":\"eval\"}}";
	char text[256];

	(void)snprintf(text, sizeof(text), body, "a");
	(void)route_to(w->store, &w->place, post_event(w->store, 0, text).op.seq, "h", 1);
	(void)snprintf(text, sizeof(text), body, "b");
	(void)post_event(w->store, 0, text);
	(void)ask(&w->place, "UPDATE deliveries SET state = 'done' RETURNING 1");
	assert_int_equal(erase_all(w, &search), 1);
	assert_sql(&w->place, "(SELECT customer_id FROM events WHERE seq = 1) = ''");
	assert_sql(&w->place, "(SELECT customer_id FROM events WHERE seq = 2) = 'customer'");
	assert_sql(&w->place, "(SELECT customer_id FROM evaluations) = 'customer'");
	(void)route_to(w->store, &w->place, 2, "h", 1);
	(void)ask(&w->place, "UPDATE deliveries SET state = 'done' RETURNING 1");
	assert_int_equal(erase_all(w, &search), 1);
	assert_sql(&w->place, "(SELECT customer_id FROM evaluations) = ''");
}

static void test_age_counts(void **state)
{
	struct world *w = *state;
	struct erase_search search = {0};
	int64_t received_at;
	int more;

	(void)deliver(w, "young", DELIVERY_DONE);
	received_at = ask(&w->place, "SELECT received_at FROM events");
	assert_int_equal(step(w, &search, received_at, &more), 0);
	assert_int_equal(step(w, &search, received_at + 1, &more), 1);
	assert_int_equal(more, 0);
}

/* a slow post is older than what overtook it, and clocks are set back */
static void test_the_older_one_may_be_behind(void **state)
{
	struct world *w = *state;
	struct erase_search search = {0};
	int more;

	(void)deliver(w, "young", DELIVERY_DONE);
	(void)deliver(w, "old", DELIVERY_DONE);
	(void)ask(&w->place, "UPDATE events SET received_at = 20 - seq RETURNING 1");
	assert_int_equal(step(w, &search, 19, &more), 1);
	assert_int_equal(step(w, &search, 19, &more), 0);
	assert_int_equal(step(w, &search, 20, &more), 1);
}

static void test_many_go_in_small_transactions_past_those_held_up(void **state)
{
	struct world *w = *state;
	struct erase_search search = {0};
	enum { MANY = 3 * ERASE_BATCH + 1 };
	int more;

	for (int i = 0; i < MANY; i++) {
		char id[24];

		(void)snprintf(id, sizeof(id), "e%d", i);
		(void)deliver(w, id, i < ERASE_BATCH ? DELIVERY_PENDING : DELIVERY_DONE);
	}
	assert_int_equal(step(w, &search, LATER, &more), 0);
	assert_int_equal(more, 1);
	assert_int_equal(step(w, &search, LATER, &more), ERASE_BATCH);
	assert_int_equal(erase_all(w, &search), MANY - 2 * ERASE_BATCH);
	assert_int_equal(search.behind, 0);
}

static void test_old_quarantine_goes(void **state)
{
	struct world *w = *state;
	struct quarantine_op bad = {
		.op = {.kind = STORE_OP_QUARANTINE},
		.body = SLICE("{"),
		.from = {.endpoint = SLICE("riskos"), .received_at = 5},
		.reason = "not JSON",
		.body_sha256 = {{1}},
	};
	struct erase_op op = {.op = {.kind = STORE_OP_ERASE}, .quarantine_before = 5};

	assert_int_equal(store_submit_wait(w->store, &bad.op), 0);
	assert_int_equal(store_submit_wait(w->store, &op.op), 0);
	assert_sql(&w->place, "(SELECT count(*) FROM quarantine) = 1");
	op.quarantine_before = 6;
	assert_int_equal(store_submit_wait(w->store, &op.op), 0);
	assert_sql(&w->place, "(SELECT count(*) FROM quarantine) = 0");
}

static void test_a_probe_writes(void **state)
{
	struct world *w = *state;
	struct store_op op = {.kind = STORE_OP_PROBE};
	struct probe *probe = probe_new(w->store);

	assert_non_null(probe);
	assert_int_equal(store_submit_wait(w->store, &op), 0);
	assert_int_equal(probe_ask(probe), 0);
	assert_sql(&w->place, "(SELECT probed_at FROM probe) > 0");
	store_stop(w->store);
	probe_free(probe);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, unmake)
		TEST(test_contents_go_and_the_tombstone_stays),
		TEST(test_the_tombstone_tells_copies_from_others),
		TEST(test_damaged_bodies_leave_no_digest),
		TEST(test_a_digest_that_is_there_stays),
		TEST(test_who_stays_has_no_digest),
		TEST(test_what_is_not_through_stays),
		TEST(test_what_conflicts_with_a_tombstone_goes_when_it_is_old),
		TEST(test_the_customer_stays_while_an_event_of_the_evaluation_does),
		TEST(test_age_counts),
		TEST(test_the_older_one_may_be_behind),
		TEST(test_many_go_in_small_transactions_past_those_held_up),
		TEST(test_old_quarantine_goes),
		TEST(test_a_probe_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
