/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store when things go wrong: many at once, an op at fault, kill -9, a full disk
 *
 * A store that is to die lives in a child process; what it has to say it says by its exit code.
 */
#include "store/store.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "store_bench.h"

#include "util/thread.h"

/* ---- many at once ---- */

#define N_THREADS 8
#define N_POSTS   100 /* a thread */

struct counted_post {
	struct post post;
	atomic_int n_done;
};

struct crowd {
	struct store *store;
	struct counted_post posts[N_THREADS][N_POSTS];
	atomic_int n_done;
};

static struct crowd crowd;

static void count_done(struct store_op *op)
{
	struct counted_post *counted = op->arg;

	atomic_fetch_add(&counted->n_done, 1);
	atomic_fetch_add(&crowd.n_done, 1);
}

/* every event is posted by two threads */
static void *crowd_run(void *arg)
{
	struct counted_post *posts = arg;
	int thread = (int)((struct counted_post(*)[N_POSTS])arg - crowd.posts);

	for (int i = 0; i < N_POSTS; i++) {
		(void)snprintf(posts[i].post.body, sizeof(posts[i].post.body),
			       "{\"event_id\":\"%d-%d\",\"data\":{\"eval_id\":\"e-%d\"}}",
			       thread / 2, i, i);
		post_prepare(&posts[i].post, 1);
		posts[i].post.op.op.done = count_done;
		posts[i].post.op.op.arg = &posts[i];
		if (store_submit(crowd.store, &posts[i].post.op.op) < 0)
			return arg;
	}
	return NULL;
}

static void test_many_threads(void **state)
{
	struct place *p = *state;
	pthread_t threads[N_THREADS];
	int n_stored = 0, n_duplicates = 0;

	memset(&crowd, 0, sizeof(crowd));
	crowd.store = open_store_at(p);
	for (int t = 0; t < N_THREADS; t++)
		assert_int_equal(thread_start(&threads[t], "crowd", crowd_run, crowd.posts[t]), 0);
	for (int t = 0; t < N_THREADS; t++)
		thread_join(threads[t]);
	store_stop(crowd.store); /* finishes what is in the inbox */
	assert_int_equal(crowd.n_done, N_THREADS * N_POSTS);
	for (int t = 0; t < N_THREADS; t++) {
		for (int i = 0; i < N_POSTS; i++) {
			assert_int_equal(crowd.posts[t][i].n_done, 1);
			assert_int_equal(crowd.posts[t][i].post.op.op.result, 0);
			n_stored += crowd.posts[t][i].post.op.stored == EVENT_STORED;
			n_duplicates += crowd.posts[t][i].post.op.stored == EVENT_DUPLICATE;
		}
	}
	assert_int_equal(n_stored, N_THREADS / 2 * N_POSTS);
	assert_int_equal(n_duplicates, N_THREADS / 2 * N_POSTS);
	store_free(crowd.store);
	assert_sql(p, "count(*) = 400 AND max(seq) = 400 AND sum(duplicates) = 400 FROM events");
}

static void test_submit_after_stop(void **state)
{
	struct place *p = *state;
	struct store *store = open_store_at(p);
	struct post post = {.body = "{}"};

	post_prepare(&post, 1);
	store_stop(store);
	store_stop(store);
	assert_int_equal(store_submit(store, &post.op.op), -ESHUTDOWN);
	assert_int_equal(store_submit_wait(store, &post.op.op), -ESHUTDOWN);
	store_free(store);
	assert_int_equal(ask(p, "SELECT count(*) FROM events"), 0);
}

/* ---- an op at fault ---- */

struct gate {
	pthread_mutex_t mx;
	pthread_cond_t opened;
	bool open;
};

/* holds the store thread up, so that what comes next gathers in one batch */
static void wait_at_gate(struct store_op *op)
{
	struct gate *gate = op->arg;

	mutex_lock(&gate->mx);
	while (!gate->open)
		cond_wait(&gate->opened, &gate->mx);
	mutex_unlock(&gate->mx);
}

static void open_gate(struct gate *gate)
{
	mutex_lock(&gate->mx);
	gate->open = true;
	pthread_cond_signal(&gate->opened);
	mutex_unlock(&gate->mx);
}

static void ignore_done(struct store_op *op)
{
	(void)op; /* the test looks after the store has stopped */
}

static void submit_body(struct store *store, struct post *post, const char *body)
{
	(void)snprintf(post->body, sizeof(post->body), "%s", body);
	post_prepare(post, 1);
	post->op.op.done = ignore_done;
	assert_int_equal(store_submit(store, &post->op.op), 0);
}

static void test_an_op_at_fault_fails_alone(void **state)
{
	struct place *p = *state;
	struct store *store = open_store_at(p);
	int64_t delivery = route_to(store, p, post_simple(store, "e", "1"), "h", 10);
	struct begin_item item = {.delivery = delivery, .attempt = 1};
	struct begin_op poison = {.op = {.kind = STORE_OP_BEGIN, .done = ignore_done},
				  .items = &item,
				  .n_items = 1,
				  .now = 70};
	struct gate gate = {.mx = PTHREAD_MUTEX_INITIALIZER};
	struct post first = {.body = "{}"}, before, after;
	bool began;

	/* the same attempt a second time */
	assert_int_equal(begin_attempt(store, delivery, 1, &began), 0);
	finish_attempt(store, delivery, 1, DELIVERY_PENDING, 10);
	cond_init(&gate.opened);
	post_prepare(&first, 1);
	first.op.op.done = wait_at_gate;
	first.op.op.arg = &gate;
	assert_int_equal(store_submit(store, &first.op.op), 0);
	submit_body(store, &before, "{\"event_id\":\"before\"}");
	assert_int_equal(store_submit(store, &poison.op), 0);
	submit_body(store, &after, "{\"event_id\":\"after\"}");
	open_gate(&gate);
	store_stop(store);

	assert_int_equal(before.op.op.result, 0);
	assert_int_equal(poison.op.result, -EEXIST);
	assert_int_equal(after.op.op.result, 0);
	assert_int_equal(before.op.seq + 1, after.op.seq);
	assert_true(store_is_healthy(store)); /* not the disk's fault */
	store_free(store);
	pthread_cond_destroy(&gate.opened);
	assert_sql(p, "state = 'pending' AND attempts = 1 FROM deliveries"); /* nothing of it */
	assert_int_equal(ask(p, "SELECT count(*) FROM events"), 4);
}

/* ---- kill -9 ---- */

static _Noreturn void die_with_a_running_attempt(struct place *p)
{
	struct store *store = open_store_at(p);
	int64_t running = route_to(store, p, post_simple(store, "e", "1"), "h", 10);
	int64_t done = route_to(store, p, post_simple(store, "f", "2"), "h", 10);
	bool began;

	if (begin_attempt(store, running, 1, &began) < 0 || !began ||
	    begin_attempt(store, done, 1, &began) < 0 || !began)
		_exit(1);
	finish_attempt(store, done, 1, DELIVERY_DONE, 0);
	(void)kill(getpid(), SIGKILL);
	_exit(2);
}

static void test_recovery_after_kill(void **state)
{
	struct place *p = *state;
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0)
		die_with_a_running_attempt(p);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

	store_free(open_store_at(p));
	assert_int_equal(ask(p, "SELECT count(*) FROM events"), 2);
	assert_sql(p, "state = 'pending' AND attempts = 1 AND outcome = 'interrupted'"
		      " AND due_at > 1000000 FROM deliveries WHERE delivery = 1");
	assert_sql(p, "outcome = 'interrupted' AND ended_at > 1000000 AND reason <> ''"
		      " FROM attempts WHERE delivery = 1");
	assert_sql(p, "d.state = 'done' AND a.outcome = 'ok' FROM deliveries AS d"
		      " JOIN attempts AS a USING (delivery) WHERE delivery = 2");
	assert_sql(p, "integrity_check = 'ok' FROM pragma_integrity_check");
}

/* ---- a full disk ---- */

#define BIG_BODY 400 /* bytes of one post's padding */

static int post_big(struct store *store, int i)
{
	struct post post;
	char padding[BIG_BODY + 1];

	memset(padding, 'x', BIG_BODY);
	padding[BIG_BODY] = '\0';
	(void)snprintf(post.body, sizeof(post.body), "{\"event_id\":\"%d\",\"x\":\"%s\"}", i,
		       padding);
	post_prepare(&post, 1);
	return store_submit_wait(store, &post.op.op);
}

static void limit_file_size(rlim_t bytes)
{
	struct rlimit limit;

	(void)getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = bytes;
	(void)setrlimit(RLIMIT_FSIZE, &limit);
}

/* Exit code: 0, or the number of the step that went wrong */
static _Noreturn void fill_the_disk(struct place *p)
{
	struct store *store = open_store_at(p);
	int r = 0, n = 0;

	(void)signal(SIGXFSZ, SIG_IGN); /* then write() fails with EFBIG */
	limit_file_size(256 * 1024);
	while (n < 10000 && (r = post_big(store, n)) == 0)
		n++;
	if (r != -EIO && r != -ENOSPC)
		_exit(1);
	if (store_is_healthy(store))
		_exit(2);
	if (post_big(store, n) != r) /* it stays up and says so again */
		_exit(3);
	limit_file_size(RLIM_INFINITY);
	if (post_big(store, n++) != 0)
		_exit(4);
	if (!store_is_healthy(store))
		_exit(5);
	store_free(store);
	if (ask(p, "SELECT count(*) FROM events") != n) /* all of those, and nothing else */
		_exit(6);
	_exit(0);
}

static void test_full_disk(void **state)
{
	struct place *p = *state;
	pid_t child;
	int status;

	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		fill_the_disk(p);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_sql(p, "integrity_check = 'ok' FROM pragma_integrity_check");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_IN_PLACE(test_many_threads),
		TEST_IN_PLACE(test_submit_after_stop),
		TEST_IN_PLACE(test_an_op_at_fault_fails_alone),
		TEST_IN_PLACE(test_recovery_after_kill),
		TEST_IN_PLACE(test_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
