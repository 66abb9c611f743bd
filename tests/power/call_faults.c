/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each allocation, thread, program, pipe and descriptor in turn is not to be had: on the intake,
 * store and dispatch paths. Nothing crashes, nothing wrong succeeds, and what failed works when the
 * fault has gone. (Nor is anything leaked: the address sanitizer looks.)
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/handler_bench.h"
#include "../unit/store_bench.h"
#include "core/clock.h"
#include "core/config_parts.h"
#include "dispatch/dispatcher.h"
#include "dispatch/exec_env.h"
#include "dispatch/handler_tally.h"
#include "intake/connections.h"
#include "intake/intake.h"
#include "store/reader.h"
#include "util/buf.h"
#include "wrap.h"

#define N_MAX 2000

/* with the n-th call failing; the body breaks off when none has failed. */
#define for_each_failure(call, n) for (long n = 1; wrap_fail(call, n, 1), n < N_MAX; n++)

/* Return: did the call fail this time? Ends the failing. */
static bool has_failed(void)
{
	bool yes = wrap_failed() > 0;

	wrap_fail(WRAP_MEMORY, 0, 0);
	return yes;
}

/* ---- configuration ---- */

static const char configuration[] =
	"[server]\ninsecure_http = yes\nlisten = 127.0.0.1:0\ntrusted_proxies = 10.0.0.0/8\n"
	"[endpoint a]\nallow_from = 10.0.0.0/8, 127.0.0.1\n"
	"[credential b]\nendpoint = a\ntype = bearer\ntoken_hash = "
	"sha256:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
	"[credential c]\nendpoint = a\ntype = basic\nusername = u\npassword_file = p\n"
	"[handler h]\ntype = exec\ncommand = /bin/true x y\nenv = A=b\nevents = a, b\n"
	"[handler u]\ntype = unix\nsocket = u.sock\n";

static void test_configuration(void **state)
{
	bool failed = true;

	(void)state;
	for_each_failure(WRAP_MEMORY, n)
	{
		struct error e = ERROR_INIT;
		struct config *c = NULL;
		int r = config_parse_text("/x/a.conf", slice_of(configuration), &c, &e);

		failed = has_failed();
		assert_int_equal(r, failed ? -ENOMEM : 0);
		assert_true(failed == (c == NULL) && failed == (e.text[0] != '\0'));
		config_free(c);
		if (!failed)
			break;
	}
	assert_false(failed);
}

/* ---- intake ---- */

static char n_a[] = "a", p_a[] = "/a", n_b[] = "b", n_c[] = "c", token[] = "t0ken", user[] = "u",
	    hash[] = "scrypt:4:8:1:00112233445566778899aabbccddeeff:"
		     "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

static struct endpoint_config endpoint = {.name = n_a, .path = p_a};
static struct credential_config credentials[] = {
	{.name = n_b,
	 .endpoint = n_a,
	 .type = CREDENTIAL_BEARER,
	 .secret = token,
	 .secret_n = sizeof(token) - 1},
	{.name = n_c,
	 .endpoint = n_a,
	 .type = CREDENTIAL_BASIC,
	 .username = user,
	 .password_hash = hash},
};
static struct config intake_config = {
	.endpoints = &endpoint,
	.n_endpoints = 1,
	.credentials = credentials,
	.n_credentials = 2,
	.server = {.max_body = 1000, .auth_failures_max = 10, .auth_failures_window_ms = 1000},
};

/* Return: with the right token, then with a wrong password */
static void decide(struct intake *in, enum outcome *right, enum outcome *wrong)
{
	struct request_head head = {.path = slice_of(p_a),
				    .is_post = true,
				    .authorization = SLICE("Bearer t0ken"),
				    .content_type = SLICE("application/json")};
	struct admission admission;

	assert_int_equal(address_parse(SLICE("127.0.0.1"), &head.peer), 0);
	*right = intake_decide(in, &head, (struct moment){1, 1}, NULL, &admission);
	head.authorization = SLICE("Basic dTp3cm9uZw==");
	*wrong = intake_decide(in, &head, (struct moment){1, 1}, NULL, &admission);
}

static void test_intake(void **state)
{
	bool failed = true;

	(void)state;
	for_each_failure(WRAP_MEMORY, n)
	{
		enum outcome right = OUTCOME_NO_MEMORY, wrong = OUTCOME_NO_MEMORY;
		struct error e = ERROR_INIT;
		struct gate *gate = NULL;
		struct intake *in = NULL;
		int r = gate_new(&intake_config, NULL, NULL, &gate, &e);

		if (r == 0)
			r = intake_new(&intake_config, gate, &in, &e);
		if (r == 0)
			decide(in, &right, &wrong);
		failed = has_failed();
		assert_true(right == OUTCOME_NONE || (failed && right == OUTCOME_NO_MEMORY));
		assert_true(wrong == OUTCOME_WRONG_CREDENTIAL ||
			    (failed && wrong == OUTCOME_NO_MEMORY));
		assert_true(r == 0 || (failed && r == -ENOMEM && e.text[0]));
		intake_free(in);
		gate_free(gate);
		if (!failed)
			break;
	}
	assert_false(failed);
}

static void test_recognition_needs_no_memory(void **state)
{
	static struct event event;

	(void)state;
	wrap_fail(WRAP_MEMORY, 1, N_MAX);
	assert_int_equal(event_recognize(SLICE("{\"event_id\":\"\\u00e9\",\"data\":{\"eval_id\":"
					       "\"e\"},\"event_type\":\"case closure\"}"),
					 &event),
			 EVENT_OK);
	assert_int_equal(event_recognize(SLICE("[1"), &event), EVENT_E_NOT_JSON);
	assert_false(has_failed());
}

/* an answer that cannot be rendered is none: not half of one */
static void test_answer(void **state)
{
	bool failed = true;

	(void)state;
	for_each_failure(WRAP_MEMORY, n)
	{
		struct buf body = BUF_INIT(ANSWER_MAX);
		char *p;

		answer_render(OUTCOME_STORED, 17, SLICE("an id with \"quotes\""), &body);
		p = buf_steal(&body);
		failed = has_failed();
		assert_true(failed == (p == NULL));
		free(p);
		if (!failed)
			break;
	}
	assert_false(failed);
}

static void test_connections(void **state)
{
	struct connections *t = NULL;
	struct connection *c;

	(void)state;
	wrap_fail(WRAP_MEMORY, 1, 1);
	assert_int_equal(connections_new(1000, 1000, &t), -ENOMEM);
	wrap_fail(WRAP_THREAD, 1, 1);
	assert_int_equal(connections_new(1000, 1000, &t), -EAGAIN);
	assert_int_equal(connections_new(1000, 1000, &t), 0);
	wrap_fail(WRAP_MEMORY, 1, 1);
	c = connection_open(t, -1, NULL);
	assert_null(c);
	connection_receives(c); /* it is served without a deadline of its own, or cut off */
	connection_idles(c);
	connection_sends(c);
	connection_waits(c);
	connection_close(c);
	connections_free(t);
}

/* ---- store ---- */

static void test_opening_a_store(void **state)
{
	static const enum wrapped calls[] = {WRAP_MEMORY, WRAP_THREAD};
	struct place p;

	(void)state;
	place_make(&p);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		bool failed = true;

		for_each_failure(calls[i], n)
		{
			struct error e = ERROR_INIT;
			struct store *store = NULL;
			int r = store_new(&p.config, NULL, NULL, &store, &e);

			failed = has_failed();
			assert_true(failed == (r < 0) && failed == (e.text[0] != '\0'));
			store_free(store);
			if (!failed)
				break;
		}
		assert_false(failed);
	}
	place_remove(&p);
}

static void test_reading_the_queue(void **state)
{
	struct store *store;
	struct place p;
	bool failed = true;

	(void)state;
	place_make(&p);
	store = open_store_at(&p);
	for (int i = 0; i < 3; i++) {
		char id[2] = {(char)('a' + i), '\0'};

		(void)route_to(store, &p, post_simple(store, id, id), "h", 1);
	}
	for_each_failure(WRAP_MEMORY, n)
	{
		struct reader *reader = NULL;
		struct job *jobs[4];
		int n_jobs = -ENOMEM;

		if (reader_open(p.path, &reader, NULL) == 0)
			n_jobs = queue_due(reader, "h", ORDER_EVALUATION, 100, 4, jobs);
		failed = has_failed();
		assert_int_equal(n_jobs, failed ? -ENOMEM : 3);
		for (int i = 0; i < n_jobs; i++)
			job_free(jobs[i]);
		reader_close(reader);
		if (!failed)
			break;
	}
	assert_false(failed);
	store_free(store);
	place_remove(&p);
}

/* ---- dispatch ---- */

static char w_cat[] = "/bin/cat", w_env[] = "A=b", s_path[] = "/nonexistent/riskhook.sock";
static char *cat_words[] = {w_cat};
static char *env_words[] = {w_env};

static struct handler_config exec_config(void)
{
	static char name[] = "h";

	return (struct handler_config){.name = name,
				       .type = HANDLER_EXEC,
				       .command = {cat_words, 1},
				       .env = {env_words, 1},
				       .timeout_ms = LONG_MS,
				       .concurrency = 2,
				       .retry_initial_ms = 1,
				       .retry_max_ms = 2,
				       .retry_for_ms = LONG_MS};
}

/* an attempt that fails for want of something says so, and is to come again */
static void test_programs(void **state)
{
	static const enum wrapped calls[] = {WRAP_MEMORY, WRAP_PIPE, WRAP_SPAWN, WRAP_PIDFD};
	struct bench b = {.config = exec_config()};
	struct job job = a_job("{}", 2);

	(void)state;
	bench_init(&b);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		bool failed = true;

		for_each_failure(calls[i], n)
		{
			struct attempt attempt = an_attempt(&job);

			handler_submit(b.handler, &attempt);
			(void)wait_done(&b);
			failed = has_failed();
			/* output that could not be kept is no reason to run it again */
			if (attempt.result.outcome != ATTEMPT_OK) {
				assert_true(failed);
				assert_int_equal(attempt.result.outcome, ATTEMPT_FAILED);
				assert_true(attempt.result.reason[0] != '\0');
			}
			attempt_result_deinit(&attempt.result);
			if (!failed)
				break;
		}
		assert_false(failed);
	}
	bench_stop(&b);
}

static void make_and_start(const struct handler_config *config, enum wrapped call)
{
	const struct handler_callbacks callbacks = {on_done, on_room, NULL};
	bool failed = true;

	handler_tally_open(config->name); /* without memory nothing is counted, and that is all */
	for_each_failure(call, n)
	{
		struct handler *handler = NULL;
		struct error e = ERROR_INIT;
		int r = handler_new(config, &callbacks, &handler, &e);

		if (r == 0)
			r = handler_start(handler, &e);
		failed = has_failed();
		assert_true(failed == (r < 0) && failed == (e.text[0] != '\0'));
		if (r == 0)
			handler_stop(handler);
		handler_free(handler);
		if (!failed)
			break;
	}
	assert_false(failed);
}

static void test_starting_handlers(void **state)
{
	static const enum wrapped calls[] = {WRAP_MEMORY, WRAP_THREAD, WRAP_EVENTFD};
	struct handler_config configs[] = {exec_config(), exec_config()};

	(void)state;
	configs[1].type = HANDLER_UNIX;
	configs[1].socket = s_path;
	configs[1].window = 4;
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		for (size_t j = 0; j < ARRAY_SIZE(configs); j++)
			make_and_start(&configs[j], calls[i]);
}

static struct dispatcher *the_dispatcher;

static void wake(void *arg)
{
	(void)arg;
	if (the_dispatcher)
		dispatcher_wake(the_dispatcher);
}

/* several calls in a row fail while events are routed and delivered: later, all are done */
static void deliver_through(struct place *p, enum wrapped call)
{
	struct handler_config handler = exec_config();
	struct store *store = NULL;

	p->config.handlers = &handler;
	p->config.n_handlers = 1;
	assert_int_equal(store_new(&p->config, wake, NULL, &store, NULL), 0);
	assert_int_equal(dispatcher_new(&p->config, store, &the_dispatcher, NULL), 0);
	assert_int_equal(dispatcher_start(the_dispatcher, NULL), 0);
	for (int i = 0; i < 7; i++) {
		char id[8];

		/* the first post has the store's thread allocate, which may fail (answer 503) */
		if (i == 1)
			wrap_fail(call, 2, 6);
		(void)snprintf(id, sizeof(id), "%d-%d", (int)call, i);
		(void)post_simple(store, id, id);
	}
	while (ask(p, "SELECT (SELECT count(*) FROM events) <>"
		      " (SELECT count(*) FROM deliveries WHERE state = 'done')"))
		(void)usleep(2000); /* nobody tells */
	assert_true(has_failed());
	dispatcher_stop(the_dispatcher, clock_monotonic_ms() + LONG_MS);
	dispatcher_free(the_dispatcher);
	the_dispatcher = NULL;
	store_free(store);
}

static void test_deliveries(void **state)
{
	static const enum wrapped calls[] = {WRAP_MEMORY, WRAP_PIPE, WRAP_SPAWN, WRAP_PIDFD};
	struct place p;

	(void)state;
	place_make(&p);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		deliver_through(&p, calls[i]);
	place_remove(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_configuration),
		cmocka_unit_test(test_intake),
		cmocka_unit_test(test_recognition_needs_no_memory),
		cmocka_unit_test(test_answer),
		cmocka_unit_test(test_connections),
		cmocka_unit_test(test_opening_a_store),
		cmocka_unit_test(test_reading_the_queue),
		cmocka_unit_test(test_programs),
		cmocka_unit_test(test_starting_handlers),
		cmocka_unit_test(test_deliveries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
