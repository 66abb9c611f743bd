/* SPDX-License-Identifier: Apache-2.0 */
#include "store/queue.h"

#include <errno.h>
#include <string.h>

#include "store_bench.h"

#include "store/reader_private.h"

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
	ASSERT_DUE(w, ORDER_NONE, second, first, other, 0);
	assert_int_equal(begin_attempt(w->store, first, 1, &began), 0);
	assert_true(began);
	ASSERT_DUE(w, ORDER_EVALUATION, other, 0); /* running */
	ASSERT_DUE(w, ORDER_NONE, second, other, 0);
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
	assert_int_equal(job->created_at, 42);
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
	assert_int_equal(job->created_at, 42);
	job_free(job);
}

static void test_next_due(void **state)
{
	struct world *w = *state;
	int64_t due_at = 0, first;
	bool began;

	assert_int_equal(queue_next_due(w->reader, "h", NOW, &due_at), 0);
	assert_true(due_at == INT64_MAX);
	first = deliver(w, "a", 130);
	(void)deliver(w, "b", NOW);
	(void)deliver(w, "c", 140);
	assert_int_equal(queue_next_due(w->reader, "h", NOW, &due_at), 0);
	assert_int_equal(due_at, 130);
	assert_int_equal(begin_attempt(w->store, first, 1, &began), 0);
	assert_int_equal(queue_next_due(w->reader, "h", NOW, &due_at), 0);
	assert_int_equal(due_at, 140);
	assert_int_equal(queue_next_due(w->reader, "other", NOW, &due_at), 0);
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

	assert_int_equal(queue_unrouted(w->reader, MAX, see, &all), 0);
	assert_int_equal(all.n, 3);
	assert_true(all.seqs[0] == a && all.seqs[1] == b && all.seqs[2] == c);
	assert_int_equal(queue_unrouted(w->reader, 2, see, &two), 0);
	assert_int_equal(two.n, 2);
	assert_int_equal(queue_unrouted(w->reader, MAX, see, &stopped), 77);
	(void)route_to(w->store, &w->place, b, "h", NOW);
	assert_int_equal(queue_unrouted(w->reader, MAX, see, &rest), 0);
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
	assert_int_equal(queue_unrouted(w->reader, MAX, see, &stopped), 77);
	assert_int_equal(queue_next_due(w->reader, "h", 0, &due_at), 0);
	assert_int_equal(ask(&w->place, "PRAGMA wal_checkpoint(TRUNCATE)"), 0); /* not busy */
}

/* does SQLite's plan for a statement that queue.c has prepared use this index? */
static bool plan_uses(struct reader *reader, enum reader_statement id, const char *index)
{
	sqlite3_stmt *stmt = NULL;
	char sql[2048];
	bool found = false;

	(void)snprintf(sql, sizeof(sql), "EXPLAIN QUERY PLAN %s",
		       sqlite3_sql(reader->statements[id]));
	assert_int_equal(sqlite3_prepare_v2(reader->db, sql, -1, &stmt, NULL), SQLITE_OK);
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		const char *step = (const char *)sqlite3_column_text(stmt, 3);

		assert_null(strstr(step, "TEMP B-TREE")); /* nothing is sorted */
		found |= strstr(step, index) != NULL;
	}
	sqlite3_finalize(stmt);
	return found;
}

static void test_plans(void **state)
{
	struct world *w = *state;
	struct seen seen = {.n = 0};
	struct job *job;
	int64_t due_at;

	assert_int_equal(queue_due(w->reader, "h", ORDER_EVALUATION, NOW, 1, &job), 0);
	assert_int_equal(queue_due(w->reader, "h", ORDER_NONE, NOW, 1, &job), 0);
	assert_int_equal(queue_next_due(w->reader, "h", NOW, &due_at), 0);
	assert_int_equal(queue_unrouted(w->reader, 1, see, &seen), 0);
	assert_true(plan_uses(w->reader, READER_DUE_ORDERED, "deliveries_due (handler=?"));
	assert_true(plan_uses(w->reader, READER_DUE_ORDERED, "deliveries_live (handler=?"));
	assert_true(plan_uses(w->reader, READER_DUE_UNORDERED, "deliveries_due (handler=?"));
	assert_true(plan_uses(w->reader, READER_NEXT_DUE, "deliveries_due (handler=?"));
	assert_true(plan_uses(w->reader, READER_UNROUTED, "INTEGER PRIMARY KEY (rowid>?)"));
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
		TEST(test_next_due),
		TEST(test_unrouted),
		TEST(test_queries_leave_no_transaction_open),
		TEST(test_plans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
