/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store over a real file: what is kept of events, and how deliveries move
 */
#include "store/store.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "store_bench.h"

#include "store/drive.h"

/* ---- events ---- */

/* one post after the other, each with what becomes of it; a number names the event it counts to */
struct expected {
	const char *body;
	enum event_stored stored;
	int64_t seq;
};

static void assert_posts(struct store *store, int dedup, const struct expected *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct post post = post_event(store, dedup, cases[i].body);

		if (post.op.stored != cases[i].stored || post.op.seq != cases[i].seq)
			fail_msg("%s: %d, seq %" PRId64, cases[i].body, (int)post.op.stored,
				 post.op.seq);
	}
}

#define EVENT(type, id, eval_id, rest)                                                             \
	"{\"event_type\":\"" type "\",\"event_id\":\"" id "\",\"data\":{\"eval_id\":\"" eval_id    \
	"\"" rest "}}"

static void test_dedup_by_event(void **state)
{
	static const struct expected cases[] = {
		{EVENT("case_closure", "1", "e", ""), EVENT_STORED, 1},
		{EVENT("case_closure", "1", "e", ""), EVENT_DUPLICATE, 1},
		{EVENT("case_closure", "1", "e", ",\"x\":1"), EVENT_CONFLICT, 1},
		{EVENT("case_closure", "2", "e", ""), EVENT_STORED, 2}, /* no seq was used up */
		{EVENT("case_closure", "1", "f", ""), EVENT_STORED, 3},
		{EVENT("case_status_updated", "1", "e", ""), EVENT_STORED, 4},
		{EVENT("Case-Closure", "1", "e", ""), EVENT_CONFLICT, 1}, /* the same type */
		{"{\"event_id\":\"1\"}", EVENT_STORED, 5},
		{"{\"event_id\":\"1\"}", EVENT_DUPLICATE, 5},
		{"{}", EVENT_STORED, 6}, /* identity: the body's digest */
		{"{}", EVENT_DUPLICATE, 6},
		{"{ }", EVENT_STORED, 7},
	};
	struct open_place *w = *state;

	assert_posts(w->store, DEDUP_EVENT, cases, ARRAY_SIZE(cases));
	assert_int_equal(ask(&w->place, "SELECT count(*) FROM events"), 7);
	assert_int_equal(ask(&w->place, "SELECT duplicates FROM events WHERE seq = 1"), 1);
	assert_int_equal(ask(&w->place, "SELECT count(*) FROM payloads"), 7);
	assert_sql(&w->place, "CAST(body AS TEXT) = '{ }' FROM payloads WHERE seq = 7");
}

static void test_dedup_by_evaluation(void **state)
{
	static const struct expected cases[] = {
		{EVENT("case_closure", "1", "e", ""), EVENT_STORED, 1},
		{EVENT("case_closure", "2", "e", ""), EVENT_CONFLICT, 1},
		{EVENT("case_closure", "1", "e", ""), EVENT_DUPLICATE, 1},
		{EVENT("case_status_updated", "1", "e", ""), EVENT_STORED, 2},
		{EVENT("case_closure", "1", "f", ""), EVENT_STORED, 3},
		/* without an evaluation only the identity is left */
		{"{\"event_type\":\"case_closure\",\"event_id\":\"1\"}", EVENT_STORED, 4},
		{"{\"event_type\":\"case_closure\",\"event_id\":\"2\"}", EVENT_STORED, 5},
		{"{\"event_type\":\"case_closure\",\"event_id\":\"2\"}", EVENT_DUPLICATE, 5},
	};
	struct open_place *w = *state;

	assert_posts(w->store, DEDUP_EVALUATION, cases, ARRAY_SIZE(cases));
}

static void test_conflicts_are_kept_once(void **state)
{
	struct open_place *w = *state;
	int64_t first = post_event(w->store, DEDUP_EVENT, EVENT("t", "1", "e", "")).op.seq;

	for (int i = 0; i < 3; i++)
		(void)post_event(w->store, DEDUP_EVENT, EVENT("t", "1", "e", ",\"a\":1"));
	(void)post_event(w->store, DEDUP_EVENT, EVENT("t", "1", "e", ",\"b\":1"));
	assert_int_equal(ask(&w->place, "SELECT count(*) FROM conflicts"), 2);
	assert_int_equal(ask(&w->place, "SELECT posts FROM conflicts ORDER BY conflict"), 3);
	assert_int_equal(ask(&w->place, "SELECT seq FROM conflicts"), first);
	assert_sql(&w->place, "instr(body, CAST('\"a\":1' AS BLOB)) > 0 FROM conflicts");
	assert_sql(&w->place,
		   "instr(body, CAST('\"a\":1' AS BLOB)) = 0 FROM payloads"); /* the first stays */
}

static void test_provenance(void **state)
{
	struct open_place *w = *state;

	(void)post_event(w->store, DEDUP_EVENT, "{}");
	assert_sql(&w->place, "endpoint = 'riskos' AND credential = 'dashboard'"
			      " AND address = '192.0.2.1' AND received_at > 0 AND id_derived"
			      " AND body_bytes = 2 FROM events");
}

/* ---- quarantine ---- */

static void quarantine(struct store *store, const char *body)
{
	struct quarantine_op op = {
		.op = {.kind = STORE_OP_QUARANTINE},
		.body = slice_of(body),
		.from = {.endpoint = SLICE("riskos"), .received_at = 1},
		.reason = "not JSON",
		.body_sha256 = sha256_of(body, strlen(body)),
	};

	assert_int_equal(store_submit_wait(store, &op.op), 0);
}

static void test_quarantine_is_bounded(void **state)
{
	struct open_place *w = *state;

	quarantine(w->store, "one");
	quarantine(w->store, "two");
	for (int i = 0; i < 10; i++) /* a sender that repeats itself pushes nobody out */
		quarantine(w->store, "two");
	quarantine(w->store, "");
	assert_int_equal(ask(&w->place, "SELECT count(*) FROM quarantine"), 3);
	assert_int_equal(ask(&w->place, "SELECT posts FROM quarantine WHERE body = X'74776F'"), 11);
	quarantine(w->store, "four");
	assert_int_equal(ask(&w->place, "SELECT count(*) FROM quarantine"), 3);
	assert_sql(&w->place, "NOT EXISTS (SELECT 1 FROM quarantine WHERE body = X'6F6E65')");
}

/* ---- the projection ---- */

#define DECISION(id, decision, at)                                                                 \
	EVENT("decision_update", id, "e",                                                          \
	      ",\"decision\":\"" decision "\",\"decision_at\":\"2026-01-01T00:00:" at "Z\"")

static void test_newest_decision_by_its_own_time(void **state)
{
	struct open_place *w = *state;

	(void)post_event(w->store, DEDUP_EVENT, DECISION("1", "REVIEW", "10"));
	assert_sql(&w->place, "decision = 'REVIEW' AND decision_changes = 0 FROM evaluations");
	(void)post_event(w->store, DEDUP_EVENT, DECISION("2", "review", "15"));
	assert_sql(&w->place, "decision_changes = 0 FROM evaluations");
	(void)post_event(w->store, DEDUP_EVENT, DECISION("3", "ACCEPT", "20"));
	assert_sql(&w->place, "decision = 'ACCEPT' AND decision_changes = 1 FROM evaluations");
	/* late, in between: REVIEW, REJECT, ACCEPT */
	(void)post_event(w->store, DEDUP_EVENT, DECISION("4", "REJECT", "17"));
	assert_sql(&w->place, "decision = 'ACCEPT' AND decision_changes = 2 FROM evaluations");
	/* late, before all: ACCEPT, REVIEW, REJECT, ACCEPT */
	(void)post_event(w->store, DEDUP_EVENT, DECISION("5", "ACCEPT", "05"));
	assert_sql(&w->place, "decision = 'ACCEPT' AND decision_changes = 3 FROM evaluations");
	assert_sql(&w->place, "events = 5 FROM evaluations");
}

static void test_duplicates_do_not_count(void **state)
{
	struct open_place *w = *state;

	(void)post_event(w->store, DEDUP_EVENT, DECISION("1", "REVIEW", "10"));
	(void)post_event(w->store, DEDUP_EVENT, DECISION("1", "REVIEW", "10"));
	(void)post_event(w->store, DEDUP_EVENT, DECISION("1", "REJECT", "20")); /* a conflict */
	assert_sql(&w->place, "events = 1 AND decision = 'REVIEW' FROM evaluations");
}

/* an event without a decision moves the status, and leaves the decision as it is */
static void test_each_state_has_its_own_time(void **state)
{
	struct open_place *w = *state;

	(void)post_event(w->store, DEDUP_EVENT, DECISION("1", "ACCEPT", "10"));
	(void)post_event(w->store, DEDUP_EVENT,
			 EVENT("case_status_updated", "2", "e",
			       ",\"status\":\"CLOSED\",\"sub_status\":\"Accept\","
			       "\"updated_at\":\"2026-01-01T00:00:30Z\""));
	assert_sql(&w->place, "decision = 'ACCEPT' AND status = 'CLOSED' AND sub_status = 'Accept'"
			      " FROM evaluations");
	(void)post_event(w->store, DEDUP_EVENT,
			 EVENT("case_status_updated", "3", "e",
			       ",\"status\":\"OPEN\",\"updated_at\":\"2026-01-01T00:00:20Z\""));
	assert_sql(&w->place, "status = 'CLOSED' AND sub_status = 'Accept' FROM evaluations");
	(void)post_event(w->store, DEDUP_EVENT, DECISION("4", "REJECT", "15"));
	assert_sql(&w->place, "decision = 'REJECT' AND status = 'CLOSED' FROM evaluations");
}

static void test_no_own_time_counts_from_arrival(void **state)
{
	struct open_place *w = *state;

	(void)post_event(w->store, DEDUP_EVENT,
			 EVENT("decision_update", "1", "e", ",\"decision\":\"REVIEW\""));
	(void)post_event(w->store, DEDUP_EVENT,
			 EVENT("decision_update", "2", "e", ",\"decision\":\"ACCEPT\""));
	assert_sql(&w->place, "decision = 'ACCEPT' AND decision_changes = 1 FROM evaluations");
}

static void test_seen_times_do_not_go_back(void **state)
{
	struct open_place *w = *state;
	static const int64_t received_at[] = {500, 300, 400, 700, 600};
	struct post post;

	for (size_t i = 0; i < ARRAY_SIZE(received_at); i++) {
		(void)snprintf(post.body, sizeof(post.body),
			       "{\"event_id\":\"%zu\",\"data\":{\"eval_id\":\"e\"}}", i);
		post_prepare(&post, received_at[i]);
		assert_int_equal(store_submit_wait(w->store, &post.op.op), 0);
	}
	assert_sql(&w->place,
		   "first_seen = 300 AND last_seen = 700 AND events = 5 FROM evaluations");
}

static void test_no_evaluation_no_projection(void **state)
{
	struct open_place *w = *state;

	(void)post_event(w->store, DEDUP_EVENT, "{\"event_type\":\"case_closure\"}");
	assert_int_equal(ask(&w->place, "SELECT count(*) FROM evaluations"), 0);
}

static void test_test_events_are_no_evaluation(void **state)
{
	struct open_place *w = *state;
	struct post post = {.body = DECISION("1", "REJECT", "10")};

	post_prepare(&post, 1);
	post.event.test = true;
	assert_int_equal(store_submit_wait(w->store, &post.op.op), 0);
	assert_int_equal(ask(&w->place, "SELECT count(*) FROM evaluation_log"), 0);
	assert_sql(&w->place, "eval_id = 'e' FROM event_log");
	/* nor does it count when the time line is read again */
	(void)post_event(w->store, DEDUP_EVENT, DECISION("2", "ACCEPT", "20"));
	(void)post_event(w->store, DEDUP_EVENT, DECISION("3", "ACCEPT", "05"));
	assert_sql(&w->place, "decision = 'ACCEPT' AND decision_changes = 0 AND events = 2"
			      " AND first_seen > 1 FROM evaluations");
}

/* ---- deliveries ---- */

struct stream {
	struct store *store;
	atomic_bool stopping;
};

static void *post_without_pause(void *arg)
{
	struct stream *stream = arg;
	struct post post;

	for (int i = 0; !atomic_load(&stream->stopping); i++) {
		(void)snprintf(post.body, sizeof(post.body), "{\"event_id\":\"%p-%d\"}",
			       (void *)&post, i);
		post_prepare(&post, 1);
		if (store_submit_wait(stream->store, &post.op.op) < 0)
			break;
	}
	return NULL;
}

static void start_posting(struct stream *stream, pthread_t *threads, size_t n)
{
	atomic_init(&stream->stopping, false);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, post_without_pause, stream), 0);
}

static void stop_posting(struct stream *stream, pthread_t *threads, size_t n)
{
	atomic_store(&stream->stopping, true);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
}

/* the patient ops of many posts' company are written, too, and so are those without company */
static void test_posts_do_not_starve_deliveries(void **state)
{
	struct open_place *w = *state;
	struct stream stream = {.store = w->store};
	pthread_t threads[16];
	int64_t seq = post_simple(w->store, "e", "evt");

	start_posting(&stream, threads, ARRAY_SIZE(threads));
	for (int i = 0; i < 300; i++) {
		char handler[16];

		(void)snprintf(handler, sizeof(handler), "h%d", i);
		(void)route_to(w->store, &w->place, seq, handler, i);
	}
	stop_posting(&stream, threads, ARRAY_SIZE(threads));
	assert_int_equal(ask(&w->place, "SELECT count(*) FROM deliveries"), 300);
}

static void count(struct store_op *op)
{
	atomic_fetch_add((_Atomic int *)op->arg, 1);
}

/* whatever is posted beside: what is submitted about deliveries is written in that order */
static void test_ops_about_deliveries_stay_in_order(void **state)
{
	struct open_place *w = *state;
	struct stream stream = {.store = w->store};
	pthread_t threads[16];
	int64_t seq = post_simple(w->store, "e", "evt");
	struct handler_config handler = {.name = (char[]){"h"}};

	start_posting(&stream, threads, ARRAY_SIZE(threads));
	for (int i = 0; i < 200; i++) {
		_Atomic int n_done = 0;
		struct route route = {.seq = seq, .handler = "h"};
		struct route_op first = {
			.op = {.kind = STORE_OP_ROUTE, .done = count, .arg = &n_done},
			.routes = &route,
			.n_routes = 1,
			.routed_seq = seq,
			.now = i,
		};
		struct handlers_op second = {
			.op = {.kind = STORE_OP_HANDLERS},
			.handlers = &handler,
			.n_handlers = 1,
			.now = i,
		};

		assert_int_equal(store_submit(w->store, &first.op), 0);
		assert_int_equal(store_submit_wait(w->store, &second.op), 0);
		assert_int_equal(atomic_load(&n_done), 1);
	}
	stop_posting(&stream, threads, ARRAY_SIZE(threads));
}

static void test_route(void **state)
{
	struct open_place *w = *state;
	int64_t seq = post_simple(w->store, "e", "evt-1");

	assert_int_equal(route_to(w->store, &w->place, seq, "h", 10), 1);
	assert_int_equal(route_to(w->store, &w->place, seq, "h", 20), 1); /* once only */
	assert_sql(&w->place, "state = 'pending' AND due_at = 10 AND created_at = 10"
			      " AND attempts = 0 FROM deliveries");
	assert_sql(&w->place, "eval_id = 'e' FROM delivery_log");
	assert_int_equal(ask(&w->place, "SELECT routed_seq FROM router"), seq);
	(void)route_to(w->store, &w->place, 0, "h", 30); /* never back; no such event: nothing */
	assert_int_equal(ask(&w->place, "SELECT routed_seq FROM router"), seq);
	assert_int_equal(ask(&w->place, "SELECT count(*) FROM deliveries"), 1);
}

static int64_t routed(struct open_place *w)
{
	return ask(&w->place, "SELECT routed_seq FROM router");
}

static void test_note_routed(void **state)
{
	struct open_place *w = *state;
	struct store_op probe = {.kind = STORE_OP_PROBE};
	int64_t first = post_simple(w->store, "e", "evt-1");
	int64_t second = post_simple(w->store, "e", "evt-2");

	store_note_routed(w->store, first);
	while (routed(w) != first) /* nothing else is to come */
		sched_yield();
	store_note_routed(w->store, second);
	assert_int_equal(store_submit_wait(w->store, &probe), 0); /* takes it along */
	assert_int_equal(routed(w), second);
	store_note_routed(w->store, first); /* never back */
	assert_int_equal(store_submit_wait(w->store, &probe), 0);
	assert_int_equal(routed(w), second);
	store_note_routed(w->store, second + 1);
	store_stop(w->store);
	assert_int_equal(routed(w), second + 1);
}

static void test_begin_and_finish(void **state)
{
	struct open_place *w = *state;
	int64_t seq = post_simple(w->store, "e", "evt-1");
	int64_t delivery = route_to(w->store, &w->place, seq, "h", 10);
	bool began;

	assert_int_equal(begin_attempt(w->store, delivery, 1, &began), 0);
	assert_true(began);
	assert_sql(&w->place, "state = 'running' AND attempts = 1 FROM deliveries");
	assert_sql(&w->place, "started_at = 50 AND ended_at IS NULL FROM attempts");
	assert_int_equal(begin_attempt(w->store, delivery, 2, &began), 0);
	assert_false(began); /* it runs already */

	finish_attempt(w->store, delivery, 1, DELIVERY_PENDING, 99);
	assert_sql(&w->place, "state = 'pending' AND due_at = 99 AND outcome = 'retry'"
			      " AND reason = 'because' FROM deliveries");
	assert_sql(&w->place, "ended_at = 60 AND outcome = 'retry' AND code = 75"
			      " AND signal IS NULL AND output = X'73616964' FROM attempts");
	finish_attempt(w->store, delivery, 1, DELIVERY_DEAD, 0); /* too late: not running */
	assert_sql(&w->place, "state = 'pending' FROM deliveries");

	assert_int_equal(begin_attempt(w->store, delivery, 2, &began), 0);
	finish_attempt(w->store, delivery, 2, DELIVERY_DONE, 0);
	assert_sql(&w->place, "state = 'done' AND attempts = 2 AND outcome = 'ok' FROM deliveries");
	assert_int_equal(begin_attempt(w->store, delivery, 3, &began), 0);
	assert_false(began); /* done is done */
	assert_int_equal(ask(&w->place, "SELECT count(*) FROM attempts"), 2);
}

static void test_output_is_cut(void **state)
{
	static char output[ATTEMPT_OUTPUT_MAX + ATTEMPT_MARKER_MAX + 1];
	struct open_place *w = *state;
	int64_t delivery = route_to(w->store, &w->place, post_simple(w->store, "e", "1"), "h", 10);
	struct finish_op op = {
		.op = {.kind = STORE_OP_FINISH},
		.delivery = delivery,
		.attempt = 1,
		.outcome = ATTEMPT_TIMEOUT,
		.state = DELIVERY_PENDING,
		.code = -1,
		.signal = 15,
		.output = slice_make(output, sizeof(output)),
	};
	bool began;

	assert_int_equal(begin_attempt(w->store, delivery, 1, &began), 0);
	assert_int_equal(store_submit_wait(w->store, &op.op), 0);
	assert_sql(&w->place, "length(output) = 16448 AND output_cut AND code IS NULL"
			      " AND signal = 15 AND reason IS NULL FROM attempts");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_WITH_STORE(test_dedup_by_event),
		TEST_WITH_STORE(test_dedup_by_evaluation),
		TEST_WITH_STORE(test_conflicts_are_kept_once),
		TEST_WITH_STORE(test_provenance),
		TEST_WITH_STORE(test_quarantine_is_bounded),
		TEST_WITH_STORE(test_newest_decision_by_its_own_time),
		TEST_WITH_STORE(test_duplicates_do_not_count),
		TEST_WITH_STORE(test_each_state_has_its_own_time),
		TEST_WITH_STORE(test_no_own_time_counts_from_arrival),
		TEST_WITH_STORE(test_seen_times_do_not_go_back),
		TEST_WITH_STORE(test_no_evaluation_no_projection),
		TEST_WITH_STORE(test_test_events_are_no_evaluation),
		TEST_WITH_STORE(test_posts_do_not_starve_deliveries),
		TEST_WITH_STORE(test_ops_about_deliveries_stay_in_order),
		TEST_WITH_STORE(test_route),
		TEST_WITH_STORE(test_note_routed),
		TEST_WITH_STORE(test_begin_and_finish),
		TEST_WITH_STORE(test_output_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
