/* SPDX-License-Identifier: Apache-2.0 */
#include "core/log_writer.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/buf.h"
#include "util/thread.h"

#define MANY     20000 /* lines: more than the queue and the pipe hold */
#define LINE_N   64    /* of each, with its newline */
#define READ_MAX (MANY * LINE_N + 4096)

static _Atomic int64_t n_told;

static void tell(int64_t n)
{
	atomic_fetch_add(&n_told, n);
}

/* stderr is a pipe meanwhile; cmocka says what it has to say afterwards */
struct pipe {
	int reader, real_stderr;
};

static struct pipe redirect(void)
{
	struct pipe p = {.real_stderr = dup(STDERR_FILENO)};
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0 || dup2(ends[1], STDERR_FILENO) < 0)
		abort();
	(void)close(ends[1]);
	p.reader = ends[0];
	return p;
}

/* the writing end is closed: all that was written can be read */
static void restore(const struct pipe *p)
{
	if (dup2(p->real_stderr, STDERR_FILENO) < 0)
		abort();
	(void)close(p->real_stderr);
}

static void read_to_end(int fd, struct buf *out)
{
	char chunk[4096];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		buf_append(out, chunk, (size_t)n);
	(void)close(fd);
	buf_append_char(out, '\0');
}

static void put_number(int i, bool may_wait)
{
	char line[LINE_N + 1];

	(void)snprintf(line, sizeof(line), "%-*d\n", LINE_N - 1, i);
	log_writer_put(slice_of(line), may_wait);
}

/* Return: lines that are numbers and go up */
static int count_rising(const struct buf *text)
{
	long last = -1;
	int n = 0;

	for (char *p = text->p; *p; p += LINE_N, n++) {
		long i = strtol(p, NULL, 10);

		if (i <= last)
			return -1;
		last = i;
	}
	return n;
}

static void test_lines_are_in_order(void **state)
{
	struct buf text = BUF_INIT(READ_MAX);
	struct pipe p = redirect();
	int started = log_writer_start(tell);

	(void)state;
	for (int i = 0; i < 300; i++)
		put_number(i, i % 7 != 0); /* those that cannot wait come behind those that did */
	log_writer_stop();
	restore(&p);
	read_to_end(p.reader, &text);
	assert_int_equal(started, 0);
	assert_int_equal(count_rising(&text), 300);
	buf_deinit(&text);
}

static void test_without_a_thread_nothing_waits(void **state)
{
	struct buf text = BUF_INIT(READ_MAX);
	struct pipe p = redirect();
	struct pollfd ready = {.fd = p.reader, .events = POLLIN};
	int n_ready;

	(void)state;
	put_number(1, true);
	n_ready = poll(&ready, 1, 0);
	restore(&p);
	read_to_end(p.reader, &text);
	assert_int_equal(n_ready, 1);
	assert_int_equal(count_rising(&text), 1);
	buf_deinit(&text);
}

static void test_what_waits_comes_by_itself(void **state)
{
	struct buf text = BUF_INIT(READ_MAX);
	struct pipe p = redirect();
	struct pollfd ready = {.fd = p.reader, .events = POLLIN};
	int started = log_writer_start(tell), n_ready;

	(void)state;
	put_number(1, true);
	n_ready = poll(&ready, 1, 60000);
	log_writer_stop();
	restore(&p);
	read_to_end(p.reader, &text);
	assert_int_equal(started, 0);
	assert_int_equal(n_ready, 1);
	buf_deinit(&text);
}

struct reader {
	int fd;
	struct buf text;
};

static void *read_all(void *arg)
{
	struct reader *r = arg;

	read_to_end(r->fd, &r->text);
	return NULL;
}

/* Nobody reads: who logs goes on, and what is dropped is counted. Then somebody does. */
static void test_a_stuck_reader_stops_nobody(void **state)
{
	struct pipe p = redirect();
	struct reader reader = {.fd = p.reader, .text = BUF_INIT(READ_MAX)};
	int started = log_writer_start(tell), reading;
	pthread_t thread;

	(void)state;
	atomic_store(&n_told, 0);
	for (int i = 0; i < MANY; i++)
		put_number(i, true);
	reading = thread_start(&thread, "reader", read_all, &reader);
	log_writer_stop();
	restore(&p);
	if (reading == 0)
		thread_join(thread);
	assert_int_equal(started, 0);
	assert_int_equal(reading, 0);
	assert_true(atomic_load(&n_told) > 0);
	assert_int_equal(count_rising(&reader.text), MANY - atomic_load(&n_told));
	buf_deinit(&reader.text);
}

static void test_it_can_start_again(void **state)
{
	test_lines_are_in_order(state);
	log_writer_stop(); /* a second time: nothing */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_a_thread_nothing_waits),
		cmocka_unit_test(test_lines_are_in_order),
		cmocka_unit_test(test_what_waits_comes_by_itself),
		cmocka_unit_test(test_a_stuck_reader_stops_nobody),
		cmocka_unit_test(test_it_can_start_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
