/* SPDX-License-Identifier: Apache-2.0 */
#include "store/queue.h"

#include <errno.h>
#include <string.h>

#include "store_bench.h"

#include "store/drive.h"
#include "store/reader_private.h"
#include "store/writer.h"

#define NOW 100
#define MAX 16

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

/* a new event of an evaluation, and its delivery for handler "h", due at @due_at */
static int64_t deliver(struct world *w, const char *eval_id, int64_t due_at)
{
	static int n;
	char id[32];

	(void)snprintf(id, sizeof(id), "evt-%d", n++);
	return route_to(w->store, &w->place, post_simple(w->store, eval_id, id), "h", due_at);
}

/* the deliveries that may start now are these, in this order; 0 ends the list */
static void assert_due(struct world *w, enum handler_order order, const int64_t *expected)
{
	struct job *jobs[MAX] = {NULL};
	int n = queue_due(w->reader, "h", order, NOW, MAX, jobs);
	int i = 0;

	for (; i < n && i < MAX; i++) {
		assert_int_equal(jobs[i]->delivery, expected[i]);
		job_free(jobs[i]);
	}
	assert_true(n >= 0);
	assert_int_equal(expected[i], 0);
}

#define ASSERT_DUE(w, order, ...) assert_due(w, order, (const int64_t[MAX + 1]){__VA_ARGS__})

static void test_in_order_of_due_time(void **state)
{
	struct world *w = *state;
	int64_t a = deliver(w, "a", 30), b = deliver(w, "b", 20), c = deliver(w, "c", 20);
	struct job *jobs[1];

	(void)deliver(w, "d", NOW + 1);
	ASSERT_DUE(w, ORDER_EVALUATION, b, c, a, 0);
	ASSERT_DUE(w, ORDER_NONE, b, c, a, 0);
	assert_int_equal(queue_due(w->reader, "h", ORDER_NONE, NOW, 1, jobs), 1);
	assert_int_equal(jobs[0]->delivery, b);
	job_free(jobs[0]);
	assert_int_equal(queue_due(w->reader, "other", ORDER_NONE, NOW, 1, jobs), 0);
}

static void test_evaluation_order_blocks(void **state)
{
	struct world *w = *state;
	int64_t first = deliver(w, "e", 90), second = deliver(w, "e", 10),
		other = deliver(w, "f", 95);
	bool began;

	ASSERT_DUE(w, ORDER_EVALUATION, first, other, 0);
	ASSERT_DUE(w, ORDER_NONE, first, other, second, 0);
	assert_int_equal(begin_attempt(w->store, first, 1, &began), 0);
	assert_true(began);
	ASSERT_DUE(w, ORDER_EVALUATION, other, 0); /* running */
	ASSERT_DUE(w, ORDER_NONE, other, second, 0);
	finish_attempt(w->store, first, 1, DELIVERY_PENDING, NOW + 50);
	ASSERT_DUE(w, ORDER_EVALUATION, other, 0); /* waits for its retry */
	assert_int_equal(begin_attempt(w->store, first, 2, &began), 0);
	finish_attempt(w->store, first, 2, DELIVERY_DONE, 0);
	ASSERT_DUE(w, ORDER_EVALUATION, second, other, 0);
}

static void test_dead_releases(void **state)
{
	struct world *w = *state;
	int64_t first = deliver(w, "e", 10), second = deliver(w, "e", 10);
	bool began;

	assert_int_equal(begin_attempt(w->store, first, 1, &began), 0);
	finish_attempt(w->store, first, 1, DELIVERY_DEAD, 0);
	ASSERT_DUE(w, ORDER_EVALUATION, second, 0);
}

static void test_held_blocks(void **state)
{
	struct world *w = *state;
	int64_t first = deliver(w, "e", 10), second = deliver(w, "e", 10);

	(void)ask(&w->place, "UPDATE deliveries SET state = 'held' WHERE delivery = 1");
	assert_int_equal(first, 1);
	ASSERT_DUE(w, ORDER_EVALUATION, 0);
	ASSERT_DUE(w, ORDER_NONE, second, 0);
}

static void test_without_an_evaluation_nobody_waits(void **state)
{
	struct world *w = *state;
	int64_t first = deliver(w, "", 90), second = deliver(w, "", 10);

	ASSERT_DUE(w, ORDER_EVALUATION, second, first, 0);
}

/* one handler's trouble is not another's */
static void test_handlers_do_not_block_each_other(void **state)
{
	struct world *w = *state;
	int64_t seq = post_simple(w->store, "e", "evt-x"), second;
	bool began;

	assert_int_equal(
		begin_attempt(w->store, route_to(w->store, &w->place, seq, "slow", 1), 1, &began),
		0);
	second = deliver(w, "e", 10);
	ASSERT_DUE(w, ORDER_EVALUATION, second, 0);
}

static void test_job_has_everything(void **state)
{
	static const char body[] =
		"{\"event_type\":\"Evaluation Completed\",\"event_id\":\"evt-job\","
		"\"data\":{\"eval_id\":\"e-9\",\"decision\":\"REVIEW\",\"id\":\"c-1\","
		"\"workflow\":\"onboarding\",\"environment_name\":\"Production\"}}";
	struct world *w = *state;
	int64_t seq = post_event(w->store, DEDUP_EVENT, body).op.seq;
	int64_t delivery = route_to(w->store, &w->place, seq, "h", 42);
	struct job *job;
	bool began;

	assert_int_equal(queue_due(w->reader, "h", ORDER_EVALUATION, NOW, 1, &job), 1);
	assert_int_equal(job->delivery, delivery);
	assert_int_equal(job->seq, seq);
	assert_int_equal(job->attempt, 1);
	assert_int_equal(job->first_attempt_at, 0);
	assert_false(job->test);
	assert_string_equal(job->handler, "h");
	assert_string_equal(job->event_id, "evt-job");
	assert_string_equal(job->event_type, "evaluation_completed");
	assert_string_equal(job->category, "evaluation");
	assert_string_equal(job->eval_id, "e-9");
	assert_string_equal(job->decision, "REVIEW");
	assert_string_equal(job->workflow, "onboarding");
	assert_string_equal(job->customer_id, "c-1");
	assert_string_equal(job->endpoint, "riskos");
	assert_int_equal(job->payload_n, sizeof(body) - 1);
	assert_string_equal(job->payload, body);
	job_free(job);

	assert_int_equal(begin_attempt(w->store, delivery, 1, &began), 0);
	finish_attempt(w->store, delivery, 1, DELIVERY_PENDING, 50);
	assert_int_equal(queue_due(w->reader, "h", ORDER_EVALUATION, NOW, 1, &job), 1);
	assert_int_equal(job->attempt, 2);
	assert_int_not_equal(job->first_attempt_at, 0);
	job_free(job);
}

static enum body_state payload_of(struct world *w, int64_t seq)
{
	size_t n = 0;
	char *p = NULL;
	int r = queue_payload(w->reader, seq, &p, &n);

	assert_true(r >= 0);
	assert_int_equal(p != NULL, r == BODY_THERE);
	free(p);
	return (enum body_state)r;
}

/* each is a result of its own, and the others are read */
static void test_bodies_that_cannot_be_read(void **state)
{
	static const enum body_state expected[] = {BODY_THERE, BODY_DAMAGED, BODY_DAMAGED,
						   BODY_MISSING, BODY_THERE};
	struct world *w = *state;
	struct job *jobs[MAX];
	int n;

	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		(void)deliver(w, "", (int64_t)i);
	run_sql(&w->place, "UPDATE payloads SET encoding = 1 WHERE seq = 2;"
			   "UPDATE payloads SET body = substr(body, 2) WHERE seq = 3;"
			   "DELETE FROM payloads WHERE seq = 4");
	for (int order = 0; order < 2; order++) {
		n = queue_due(w->reader, "h", order ? ORDER_NONE : ORDER_EVALUATION, NOW, MAX,
			      jobs);
		assert_int_equal(n, ARRAY_SIZE(expected));
		for (int i = 0; i < n; i++) {
			assert_int_equal(jobs[i]->seq, i + 1);
			assert_int_equal(jobs[i]->body, expected[i]);
			assert_int_equal(jobs[i]->payload_n > 0, expected[i] == BODY_THERE);
			assert_int_equal(strlen(jobs[i]->payload), jobs[i]->payload_n);
			job_free(jobs[i]);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		assert_int_equal(payload_of(w, (int64_t)i + 1), expected[i]);
}

static void test_an_erased_body_is_not_a_fault(void **state)
{
	struct world *w = *state;
	int64_t seq = post_simple(w->store, "e", "evt-erased");

	assert_int_equal(payload_of(w, seq), BODY_THERE);
	run_sql(&w->place, "UPDATE events SET erased_at = 1; DELETE FROM payloads");
	assert_int_equal(payload_of(w, seq), BODY_ERASED);
	assert_int_equal(payload_of(w, seq + 1), BODY_ERASED);
}

static void test_next_due(void **state)
{
	struct world *w = *state;
	int64_t due_at = 0, first;
	bool began;

	assert_int_equal(queue_next_due(w->reader, "h", ORDER_EVALUATION, NOW, &due_at), 0);
	assert_true(due_at == INT64_MAX);
	first = deliver(w, "a", 130);
	(void)deliver(w, "b", NOW);
	(void)deliver(w, "c", 140);
	assert_int_equal(queue_next_due(w->reader, "h", ORDER_EVALUATION, NOW, &due_at), 0);
	assert_int_equal(due_at, 130);
	assert_int_equal(begin_attempt(w->store, first, 1, &began), 0);
	assert_int_equal(queue_next_due(w->reader, "h", ORDER_EVALUATION, NOW, &due_at), 0);
	assert_int_equal(due_at, 140);
	assert_int_equal(queue_next_due(w->reader, "other", ORDER_EVALUATION, NOW, &due_at), 0);
	assert_true(due_at == INT64_MAX);
}

struct seen {
	int64_t seqs[MAX];
	int n, stop_at;
};

static int see(const struct routable *event, void *arg)
{
	struct seen *seen = arg;

	assert_true(slice_eq_str(event->endpoint, "riskos"));
	seen->seqs[seen->n++] = event->seq;
	return seen->n == seen->stop_at ? 77 : 0;
}

static void test_unrouted(void **state)
{
	struct world *w = *state;
	int64_t a = post_simple(w->store, "e", "evt-a"), b = post_simple(w->store, "e", "evt-b"),
		c = post_simple(w->store, "e", "evt-c");
	struct seen all = {.n = 0}, two = {.n = 0}, stopped = {.stop_at = 1}, rest = {.n = 0};

	assert_int_equal(queue_unrouted(w->reader, 0, MAX, see, &all), 0);
	assert_int_equal(all.n, 3);
	assert_true(all.seqs[0] == a && all.seqs[1] == b && all.seqs[2] == c);
	assert_int_equal(queue_unrouted(w->reader, 0, 2, see, &two), 0);
	assert_int_equal(two.n, 2);
	assert_int_equal(queue_unrouted(w->reader, 0, MAX, see, &stopped), 77);
	(void)route_to(w->store, &w->place, b, "h", NOW);
	assert_int_equal(queue_unrouted(w->reader, 0, MAX, see, &rest), 0);
	assert_int_equal(rest.n, 1);
	assert_true(rest.seqs[0] == c);
}

/* a reader at rest holds no snapshot: the WAL can be emptied */
static void test_queries_leave_no_transaction_open(void **state)
{
	struct world *w = *state;
	struct seen stopped = {.stop_at = 1};
	struct job *job;
	int64_t due_at;

	(void)deliver(w, "a", 1);
	(void)post_simple(w->store, "e", "evt-open");
	assert_int_equal(queue_due(w->reader, "h", ORDER_EVALUATION, NOW, 1, &job), 1);
	job_free(job);
	assert_int_equal(queue_unrouted(w->reader, 0, MAX, see, &stopped), 77);
	assert_int_equal(queue_next_due(w->reader, "h", ORDER_EVALUATION, 0, &due_at), 0);
	assert_int_equal(ask(&w->place, "PRAGMA wal_checkpoint(TRUNCATE)"), 0); /* not busy */
}

/* SQLite's plan for a statement, one step a line */
static void explain(sqlite3 *db, const char *text, char *out, size_t size)
{
	sqlite3_stmt *stmt = NULL;
	char sql[4096];
	size_t n = 0;

	(void)snprintf(sql, sizeof(sql), "EXPLAIN QUERY PLAN %s", text);
	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	out[0] = '\0';
	while (sqlite3_step(stmt) == SQLITE_ROW && n < size)
		n += (size_t)snprintf(out + n, size - n, "%s\n", sqlite3_column_text(stmt, 3));
	assert_true(n < size);
	sqlite3_finalize(stmt);
}

/* the plan for a statement that queue.c has prepared uses this index, and sorts nothing */
static void assert_plan(struct reader *reader, enum reader_statement id, const char *index)
{
	char plan[2048];

	explain(reader->db, sqlite3_sql(reader->statements[id]), plan, sizeof(plan));
	if (strstr(plan, "TEMP B-TREE") || !strstr(plan, index))
		fail_msg("%s", plan);
}

static void test_plans(void **state)
{
	struct world *w = *state;
	struct seen seen = {.n = 0};
	struct job *job;
	int64_t due_at;

	assert_int_equal(queue_due(w->reader, "h", ORDER_EVALUATION, NOW, 1, &job), 0);
	assert_int_equal(queue_due(w->reader, "h", ORDER_NONE, NOW, 1, &job), 0);
	assert_int_equal(queue_next_due(w->reader, "h", ORDER_EVALUATION, NOW, &due_at), 0);
	assert_int_equal(queue_unrouted(w->reader, 0, 1, see, &seen), 0);
	assert_plan(w->reader, READER_DUE_ORDERED,
		    "deliveries_due (handler=? AND ready=? AND due_at<?)");
	assert_plan(w->reader, READER_DUE_ORDERED,
		    "deliveries_running (handler=? AND evaluation=?)");
	assert_plan(w->reader, READER_DUE_UNORDERED,
		    "deliveries_due (handler=? AND ready=? AND due_at<?)");
	assert_plan(w->reader, READER_NEXT_DUE,
		    "deliveries_due (handler=? AND ready=? AND due_at>?)");
	assert_plan(w->reader, READER_UNROUTED, "INTEGER PRIMARY KEY (rowid>?)");
}

/* with a million deliveries that wait, nothing that is written may look through them: every
 * statement of the writer finds them by an index */
static void test_plans_of_the_writer(void **state)
{
	struct world *w = *state;
	struct writer *writer = NULL;
	sqlite3 *db = NULL;
	int n_live = 0;

	assert_int_equal(db_open(w->place.path, SQLITE_OPEN_READWRITE, &db, NULL), 0);
	assert_int_equal(writer_new(db, 1, &writer, NULL), 0);
	for (sqlite3_stmt *s = sqlite3_next_stmt(db, NULL); s; s = sqlite3_next_stmt(db, s)) {
		char plan[2048];

		explain(db, sqlite3_sql(s), plan, sizeof(plan));
		for (const char *at = plan; (at = strstr(at, "SCAN ")) != NULL; at++) {
			static const char *const few[] = {"SCAN router", "SCAN evaluation_merge",
							  "SCAN event_merge", "SCAN (subquery",
							  "SCAN CONSTANT"};
			bool is_fine = strstr(at, "INDEX deliveries_running") != NULL;

			for (size_t i = 0; i < ARRAY_SIZE(few); i++)
				is_fine |= strncmp(at, few[i], strlen(few[i])) == 0;
			if (!is_fine && !strstr(sqlite3_sql(s), "EXISTS (SELECT 1 FROM events)"))
				fail_msg("%s\n%s", sqlite3_sql(s), plan);
		}
		if (!strstr(plan, "live USING INDEX deliveries_live (handler=? AND evaluation=?)"))
			continue;
		assert_null(strstr(plan, "TEMP B-TREE"));
		n_live++;
	}
	assert_int_equal(n_live, 3); /* a new one, the turn, a retry */
	writer_free(writer);
	sqlite3_close(db);
}

/* of the live deliveries of an evaluation exactly one has the turn */
static void assert_one_turn(struct world *w)
{
	assert_sql(&w->place, "NOT EXISTS (SELECT 1 FROM deliveries WHERE evaluation <> 0"
			      " AND state IN ('pending', 'running', 'held')"
			      " GROUP BY handler, evaluation HAVING sum(ready) <> 1)");
}

static struct change_item change(struct world *w, enum change what, int64_t delivery)
{
	struct change_item item = {.delivery = delivery};
	struct change_op op = {
		.op = {.kind = STORE_OP_CHANGE},
		.change = what,
		.items = &item,
		.n_items = 1,
		.now = NOW,
	};

	assert_int_equal(store_submit_wait(w->store, &op.op), 0);
	assert_one_turn(w);
	return item;
}

/* a dead delivery that is retried comes before the later ones, but never beside one that runs */
static void test_retry_keeps_the_order(void **state)
{
	struct world *w = *state;
	int64_t first = deliver(w, "e", 10), second = deliver(w, "e", 10),
		third = deliver(w, "e", 10);
	struct change_item item;
	bool began;

	assert_int_equal(begin_attempt(w->store, first, 1, &began), 0);
	assert_int_equal(change(w, CHANGE_RETRY, first).is_changed, false); /* it runs */
	finish_attempt(w->store, first, 1, DELIVERY_DEAD, 0);
	assert_one_turn(w);
	assert_int_equal(begin_attempt(w->store, second, 1, &began), 0);
	item = change(w, CHANGE_RETRY, first);
	assert_true(item.is_known && item.is_changed && item.was == DELIVERY_DEAD);
	ASSERT_DUE(w, ORDER_EVALUATION, 0);
	finish_attempt(w->store, second, 1, DELIVERY_DONE, 0);
	assert_one_turn(w);
	ASSERT_DUE(w, ORDER_EVALUATION, first, 0);
	assert_int_equal(begin_attempt(w->store, first, 2, &began), 0);
	finish_attempt(w->store, first, 2, DELIVERY_DONE, 0);
	ASSERT_DUE(w, ORDER_EVALUATION, third, 0);
	assert_int_equal(change(w, CHANGE_RETRY, first).is_changed, false); /* done */
	assert_int_equal(change(w, CHANGE_RETRY, 999).is_known, false);
}

static void test_retry_of_the_only_one_has_the_turn(void **state)
{
	struct world *w = *state;
	int64_t first = deliver(w, "e", 10), lone = deliver(w, "", 10);
	bool began;

	assert_int_equal(begin_attempt(w->store, first, 1, &began), 0);
	finish_attempt(w->store, first, 1, DELIVERY_DEAD, 0);
	assert_int_equal(begin_attempt(w->store, lone, 1, &began), 0);
	finish_attempt(w->store, lone, 1, DELIVERY_DEAD, 0);
	ASSERT_DUE(w, ORDER_EVALUATION, 0);
	(void)change(w, CHANGE_RETRY, lone);
	(void)change(w, CHANGE_RETRY, first);
	ASSERT_DUE(w, ORDER_EVALUATION, first, lone, 0);
}

static void test_retry_hurries_a_pending_one(void **state)
{
	struct world *w = *state;
	int64_t first = deliver(w, "e", NOW + 50);

	ASSERT_DUE(w, ORDER_EVALUATION, 0);
	assert_true(change(w, CHANGE_RETRY, first).is_changed);
	ASSERT_DUE(w, ORDER_EVALUATION, first, 0);
}

static void test_hold_and_release(void **state)
{
	struct world *w = *state;
	int64_t first = deliver(w, "e", 10), second = deliver(w, "e", 10);
	bool began;

	assert_true(change(w, CHANGE_HOLD, second).is_changed);
	ASSERT_DUE(w, ORDER_EVALUATION, first, 0);
	assert_true(change(w, CHANGE_HOLD, first).is_changed);
	ASSERT_DUE(w, ORDER_EVALUATION, 0);
	ASSERT_DUE(w, ORDER_NONE, 0);
	assert_int_equal(begin_attempt(w->store, first, 1, &began), 0);
	assert_false(began);
	assert_true(change(w, CHANGE_RELEASE, first).is_changed);
	ASSERT_DUE(w, ORDER_EVALUATION, first, 0);
	assert_int_equal(begin_attempt(w->store, first, 1, &began), 0);
	assert_false(change(w, CHANGE_HOLD, first).is_changed); /* it runs */
	finish_attempt(w->store, first, 1, DELIVERY_DONE, 0);
	assert_one_turn(w); /* the held one has it */
	ASSERT_DUE(w, ORDER_EVALUATION, 0);
	assert_true(change(w, CHANGE_RELEASE, second).is_changed);
	ASSERT_DUE(w, ORDER_EVALUATION, second, 0);
	assert_false(change(w, CHANGE_RELEASE, second).is_changed);
}

/* handlers that were `order = none` a moment ago may still run several of one evaluation */
static void test_switch_to_evaluation_order(void **state)
{
	struct world *w = *state;
	int64_t first = deliver(w, "e", 10), second = deliver(w, "e", 10);
	bool began;

	assert_int_equal(begin_attempt(w->store, second, 1, &began), 0);
	assert_true(began);
	ASSERT_DUE(w, ORDER_EVALUATION, 0);
	finish_attempt(w->store, second, 1, DELIVERY_DONE, 0);
	assert_one_turn(w);
	ASSERT_DUE(w, ORDER_EVALUATION, first, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, unmake)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_in_order_of_due_time),
		TEST(test_evaluation_order_blocks),
		TEST(test_dead_releases),
		TEST(test_held_blocks),
		TEST(test_without_an_evaluation_nobody_waits),
		TEST(test_handlers_do_not_block_each_other),
		TEST(test_job_has_everything),
		TEST(test_bodies_that_cannot_be_read),
		TEST(test_an_erased_body_is_not_a_fault),
		TEST(test_next_due),
		TEST(test_unrouted),
		TEST(test_queries_leave_no_transaction_open),
		TEST(test_plans),
		TEST(test_plans_of_the_writer),
		TEST(test_retry_keeps_the_order),
		TEST(test_retry_of_the_only_one_has_the_turn),
		TEST(test_retry_hurries_a_pending_one),
		TEST(test_hold_and_release),
		TEST(test_switch_to_evaluation_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
