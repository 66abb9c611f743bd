/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handler type `unix`: the test is the consumer
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

#include "core/log.h"
#include "handler_bench.h"
#include "util/cleanup.h"

#define N_JOBS 4

struct consumer {
	struct bench bench;
	char folder[32];
	char path[64];
	int listen_fd;
	int fd;      /* the connection; -1: none */
	FILE *lines; /* the same, for reading */
	struct job jobs[N_JOBS];
	struct attempt attempts[N_JOBS];
};

static void consumer_listen(struct consumer *c)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", c->path);
	c->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(c->listen_fd >= 0);
	assert_int_equal(bind(c->listen_fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(c->listen_fd, 8), 0);
}

static void consumer_hang_up(struct consumer *c)
{
	if (c->lines)
		(void)fclose(c->lines);
	c->lines = NULL;
	c->fd = -1;
}

static void wait_for_room(struct bench *b)
{
	mutex_lock(&b->mx);
	while (b->n_rooms == 0)
		cond_wait(&b->cond, &b->mx);
	b->n_rooms = 0;
	mutex_unlock(&b->mx);
}

/* let the handler connect, and take the connection */
static void consumer_accept(struct consumer *c)
{
	handler_expect(c->bench.handler);
	c->fd = accept4(c->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	assert_true(c->fd >= 0);
	c->lines = fdopen(c->fd, "r");
	assert_non_null(c->lines);
	wait_for_room(&c->bench);
}

static void consumer_init(struct consumer *c)
{
	(void)snprintf(c->folder, sizeof(c->folder), "/tmp/riskhook-test.XXXXXX");
	assert_non_null(mkdtemp(c->folder));
	(void)snprintf(c->path, sizeof(c->path), "%s/consumer.sock", c->folder);
	c->listen_fd = -1;
	c->fd = -1;
	c->bench.config.type = HANDLER_UNIX;
	c->bench.config.socket = c->path;
	c->bench.config.concurrency = 1;
	if (c->bench.config.window == 0)
		c->bench.config.window = N_JOBS;
	bench_init(&c->bench);
	for (int i = 0; i < N_JOBS; i++) {
		c->jobs[i] = a_job("{\n\"n\": 1\n}", 10);
		c->jobs[i].delivery = i + 1;
		c->attempts[i] = an_attempt(&c->jobs[i]);
	}
}

static void consumer_deinit(struct consumer *c)
{
	bench_stop(&c->bench);
	consumer_hang_up(c);
	c->listen_fd = fd_close(c->listen_fd);
	(void)unlink(c->path); /* one test never listens */
	assert_int_equal(rmdir(c->folder), 0);
	for (int i = 0; i < N_JOBS; i++)
		attempt_result_deinit(&c->attempts[i].result);
}

static void submit(struct consumer *c, int first, int last)
{
	for (int i = first; i <= last; i++)
		handler_submit(c->bench.handler, &c->attempts[i - 1]);
}

static void expect_line(struct consumer *c, int delivery)
{
	char line[1024], start[32];

	(void)snprintf(start, sizeof(start), "{\"delivery\":%d,", delivery);
	assert_non_null(fgets(line, sizeof(line), c->lines));
	assert_memory_equal(line, start, strlen(start));
	assert_non_null(strstr(line, "\"payload\":{ \"n\": 1 }}\n"));
}

static void expect_end_of_file(struct consumer *c)
{
	assert_int_equal(fgetc(c->lines), EOF);
}

static void say(struct consumer *c, const char *text)
{
	assert_int_equal(fd_write_all(c->fd, text, strlen(text)), 0);
}

static void expect_done(struct consumer *c, int delivery, enum attempt_outcome outcome,
			const char *reason)
{
	const struct attempt *attempt = wait_done(&c->bench);

	assert_int_equal(attempt->job->delivery, delivery);
	assert_int_equal(attempt->result.outcome, outcome);
	assert_string_equal(attempt->result.reason, reason);
}

static void test_answers_in_any_order(void **state)
{
	struct consumer c = {.fd = -1};

	(void)state;
	consumer_init(&c);
	consumer_listen(&c);
	assert_int_equal(handler_capacity(c.bench.handler), 0);
	consumer_accept(&c);
	assert_int_equal(handler_capacity(c.bench.handler), N_JOBS);
	submit(&c, 1, 3);
	for (int i = 1; i <= 3; i++)
		expect_line(&c, i);
	say(&c, "{\"delivery\":2,\"status\":\"retry\",\"after\":30}\n"
		"{\"delivery\":3,\"status\":\"dead\",\"reason\":\"no account\"}\n");
	expect_done(&c, 2, ATTEMPT_RETRY, "the consumer answered retry");
	assert_int_equal(c.attempts[1].result.after_ms, 30000);
	assert_false(c.attempts[1].result.is_reason_foreign);
	expect_done(&c, 3, ATTEMPT_DEAD, "no account");
	assert_true(c.attempts[2].result.is_reason_foreign);
	say(&c, "{\"delivery\":1,\"status\":\"ok\"}\n");
	expect_done(&c, 1, ATTEMPT_OK, "");
	consumer_deinit(&c);
}

static void test_pieces_and_unknown_ids(void **state)
{
	static const char answer[] = "{\"delivery\":99,\"status\":\"ok\"}\n"
				     "{\"delivery\":1,\"status\":\"ok\"}\r\n"
				     "{\"delivery\":1,\"status\":\"dead\"}\n"
				     "{\"delivery\":2,\"status\":\"ok\"}\n";
	struct consumer c = {.fd = -1};

	(void)state;
	consumer_init(&c);
	consumer_listen(&c);
	consumer_accept(&c);
	submit(&c, 1, 2);
	expect_line(&c, 1);
	expect_line(&c, 2);
	for (size_t i = 0; i < sizeof(answer) - 1; i++)
		assert_int_equal(fd_write_all(c.fd, answer + i, 1), 0);
	expect_done(&c, 1, ATTEMPT_OK, "");
	expect_done(&c, 2, ATTEMPT_OK, "");
	consumer_deinit(&c);
}

static void test_lost_connection(void **state)
{
	struct consumer c = {.fd = -1};

	(void)state;
	consumer_init(&c);
	consumer_listen(&c);
	consumer_accept(&c);
	submit(&c, 1, 2);
	expect_line(&c, 1);
	say(&c, "{\"delivery\":1,\"status\":\"ok\"}\n{\"delivery\":2,\"sta");
	expect_done(&c, 1, ATTEMPT_OK, "");
	expect_line(&c, 2);
	consumer_hang_up(&c);
	expect_done(&c, 2, ATTEMPT_LOST, "the consumer closed the connection");
	assert_int_equal(handler_capacity(c.bench.handler), 0);
	/* and again, when something is due */
	consumer_accept(&c);
	submit(&c, 3, 3);
	expect_line(&c, 3);
	say(&c, "{\"delivery\":3,\"status\":\"ok\"}\n");
	expect_done(&c, 3, ATTEMPT_OK, "");
	consumer_deinit(&c);
}

static void test_garbage_ends_the_conversation(void **state)
{
	static char long_line[80 * 1024];
	static const char *const garbage[] = {"hello\n", "\n", "{\"delivery\":1}\n", long_line};

	(void)state;
	memset(long_line, ' ', sizeof(long_line) - 1);
	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++) {
		struct consumer c = {.fd = -1};

		consumer_init(&c);
		consumer_listen(&c);
		consumer_accept(&c);
		submit(&c, 1, 2);
		expect_line(&c, 1);
		expect_line(&c, 2);
		/* the handler may hang up before it has read all of the long line */
		(void)send(c.fd, garbage[i], strlen(garbage[i]), MSG_NOSIGNAL);
		expect_done(&c, 1, ATTEMPT_LOST, "the consumer sent a line that is no answer");
		expect_done(&c, 2, ATTEMPT_LOST, "the consumer sent a line that is no answer");
		consumer_deinit(&c);
	}
}

static void test_overdue_answer(void **state)
{
	struct consumer c = {.fd = -1, .bench.config.timeout_ms = 200};

	(void)state;
	consumer_init(&c);
	consumer_listen(&c);
	consumer_accept(&c);
	submit(&c, 1, 1);
	expect_line(&c, 1);
	expect_done(&c, 1, ATTEMPT_TIMEOUT, "no result within 200 ms");
	expect_end_of_file(&c);
	consumer_deinit(&c);
}

static void test_abort_interrupts(void **state)
{
	struct consumer c = {.fd = -1};

	(void)state;
	consumer_init(&c);
	consumer_listen(&c);
	consumer_accept(&c);
	submit(&c, 1, 1);
	expect_line(&c, 1);
	handler_abort(c.bench.handler);
	expect_done(&c, 1, ATTEMPT_INTERRUPTED, "riskhookd stopped");
	expect_end_of_file(&c);
	consumer_deinit(&c);
}

static void test_large_payloads_wait_for_a_slow_reader(void **state)
{
	const size_t n = 4 * 1024 * 1024;
	_cleanup_(freep)
	char *payload = malloc(n);
	struct consumer c = {.fd = -1};
	size_t n_read = 0;

	(void)state;
	assert_non_null(payload);
	memset(payload, ' ', n);
	payload[0] = '{';
	payload[n - 1] = '}';
	consumer_init(&c);
	consumer_listen(&c);
	consumer_accept(&c);
	for (int i = 0; i < N_JOBS; i++) {
		c.jobs[i].payload = payload;
		c.jobs[i].payload_n = n;
	}
	submit(&c, 1, N_JOBS);
	for (int lines = 0; lines < N_JOBS; n_read++) {
		int byte = getc_unlocked(c.lines);

		assert_int_not_equal(byte, EOF);
		lines += byte == '\n';
	}
	assert_true(n_read > N_JOBS * n);
	say(&c, "{\"delivery\":4,\"status\":\"ok\"}\n{\"delivery\":1,\"status\":\"ok\"}\n");
	expect_done(&c, 4, ATTEMPT_OK, "");
	expect_done(&c, 1, ATTEMPT_OK, "");
	handler_abort(c.bench.handler);
	expect_done(&c, 2, ATTEMPT_INTERRUPTED, "riskhookd stopped");
	expect_done(&c, 3, ATTEMPT_INTERRUPTED, "riskhookd stopped");
	consumer_deinit(&c);
}

static void test_submit_without_connection_is_lost(void **state)
{
	struct consumer c = {.fd = -1};

	(void)state;
	consumer_init(&c);
	submit(&c, 1, 1);
	expect_done(&c, 1, ATTEMPT_LOST, "the connection was lost, before it was sent");
	consumer_deinit(&c);
}

static void test_consumer_that_comes_late(void **state)
{
	struct consumer c = {.fd = -1};

	(void)state;
	consumer_init(&c);
	handler_expect(c.bench.handler);
	assert_int_equal(handler_capacity(c.bench.handler), 0);
	consumer_listen(&c);
	consumer_accept(&c);
	submit(&c, 1, 1);
	expect_line(&c, 1);
	say(&c, "{\"delivery\":1,\"status\":\"ok\"}\n");
	expect_done(&c, 1, ATTEMPT_OK, "");
	consumer_deinit(&c);
}

static void test_path_that_is_too_long(void **state)
{
	static char path[200];
	struct handler_config config = {.type = HANDLER_UNIX, .socket = path, .concurrency = 1};
	const struct handler_callbacks callbacks = {.arg = NULL};
	struct error e = ERROR_INIT;
	struct handler *handler;

	(void)state;
	config.name = path;
	memset(path, 'a', sizeof(path) - 1);
	assert_int_equal(handler_new(&config, &callbacks, &handler, &e), -ENAMETOOLONG);
	assert_non_null(strstr(e.text, "too long"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers_in_any_order),
		cmocka_unit_test(test_pieces_and_unknown_ids),
		cmocka_unit_test(test_lost_connection),
		cmocka_unit_test(test_garbage_ends_the_conversation),
		cmocka_unit_test(test_overdue_answer),
		cmocka_unit_test(test_abort_interrupts),
		cmocka_unit_test(test_large_payloads_wait_for_a_slow_reader),
		cmocka_unit_test(test_submit_without_connection_is_lost),
		cmocka_unit_test(test_consumer_that_comes_late),
		cmocka_unit_test(test_path_that_is_too_long),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
