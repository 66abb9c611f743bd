/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/acceptor.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "util/fd.h"
#include "util/macros.h"
#include "util/thread.h"

#define CLIENTS_MAX 8
#define PATIENCE_MS 20000 /* ends what hangs; nothing depends on its length */

/* an acceptor at an unnamed Unix socket, and what it has given */
struct stage {
	int fd;
	struct sockaddr_un address;
	socklen_t address_n;
	struct acceptor *acceptor;
	int clients[CLIENTS_MAX];
	int n_clients;
	bool refuse;

	pthread_mutex_t mx;
	pthread_cond_t changed;
	int given[CLIENTS_MAX];
	int n_given;
};

static bool take(void *arg, int fd, const struct sockaddr *peer, socklen_t peer_n)
{
	struct stage *s = arg;
	bool keep;

	(void)peer;
	(void)peer_n;
	mutex_lock(&s->mx);
	keep = !s->refuse;
	s->given[s->n_given++] = fd;
	pthread_cond_signal(&s->changed);
	mutex_unlock(&s->mx);
	return keep;
}

static int make(void **state)
{
	static struct stage s;

	s = (struct stage){.mx = PTHREAD_MUTEX_INITIALIZER, .address_n = sizeof(s.address)};
	cond_init(&s.changed);
	s.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	s.address.sun_family = AF_UNIX;
	assert_return_code(bind(s.fd, (struct sockaddr *)&s.address, sizeof(sa_family_t)), errno);
	assert_return_code(getsockname(s.fd, (struct sockaddr *)&s.address, &s.address_n), errno);
	assert_return_code(listen(s.fd, CLIENTS_MAX), errno);
	*state = &s;
	return 0;
}

static int unmake(void **state)
{
	struct stage *s = *state;

	acceptor_free(s->acceptor);
	for (int i = 0; i < s->n_clients; i++)
		fd_close(s->clients[i]);
	for (int i = 0; i < s->n_given; i++)
		fd_close(s->given[i]);
	fd_close(s->fd);
	pthread_cond_destroy(&s->changed);
	return 0;
}

static void start(struct stage *s, int64_t max)
{
	assert_int_equal(acceptor_new(s->fd, max, take, s, &s->acceptor), 0);
}

/* the kernel lets it in at once, whether somebody accepts it or not */
static void knock(struct stage *s)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	s->clients[s->n_clients++] = fd;
	assert_return_code(connect(fd, (struct sockaddr *)&s->address, s->address_n), errno);
}

static void wait_for_given(struct stage *s, int n)
{
	int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
	bool in_time = true;

	mutex_lock(&s->mx);
	while (s->n_given < n && in_time)
		in_time = cond_wait_until(&s->changed, &s->mx, until_ms);
	assert_int_equal(s->n_given, n);
	mutex_unlock(&s->mx);
}

static bool somebody_waits(const struct stage *s)
{
	struct pollfd fd = {.fd = s->fd, .events = POLLIN};

	return poll(&fd, 1, 0) == 1;
}

static void test_gives_each_connection(void **state)
{
	struct stage *s = *state;

	knock(s); /* before there is an acceptor */
	start(s, 8);
	knock(s);
	knock(s);
	wait_for_given(s, 3);
}

static void test_waits_at_the_limit(void **state)
{
	struct stage *s = *state;

	start(s, 2);
	for (int i = 0; i < 4; i++)
		knock(s);
	wait_for_given(s, 2);
	assert_true(somebody_waits(s));
	acceptor_note_closed(s->acceptor);
	wait_for_given(s, 3);
	assert_true(somebody_waits(s));
	acceptor_note_closed(s->acceptor);
	wait_for_given(s, 4);
}

static void test_what_is_not_kept_does_not_count(void **state)
{
	struct stage *s = *state;

	s->refuse = true;
	start(s, 1);
	for (int i = 0; i < 4; i++)
		knock(s);
	wait_for_given(s, 4);
	acceptor_stop(s->acceptor);
	assert_true(acceptor_drain(s->acceptor, clock_monotonic_ms()));
}

static void test_leaves_the_queue_when_it_stops(void **state)
{
	struct stage *s = *state;

	start(s, 8);
	knock(s);
	wait_for_given(s, 1);
	acceptor_stop(s->acceptor);
	knock(s);
	assert_true(somebody_waits(s));
	acceptor_free(s->acceptor);
	start(s, 8); /* the next one finds it */
	wait_for_given(s, 2);
}

static void *close_later(void *arg)
{
	acceptor_note_closed(arg);
	return NULL;
}

static void test_drain_waits_for_the_last(void **state)
{
	struct stage *s = *state;
	pthread_t thread;

	start(s, 8);
	knock(s);
	wait_for_given(s, 1);
	acceptor_stop(s->acceptor);
	assert_false(acceptor_drain(s->acceptor, clock_monotonic_ms()));
	assert_int_equal(thread_start(&thread, "closer", close_later, s->acceptor), 0);
	assert_true(acceptor_drain(s->acceptor, clock_monotonic_ms() + PATIENCE_MS));
	thread_join(thread);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_gives_each_connection, make, unmake),
		cmocka_unit_test_setup_teardown(test_waits_at_the_limit, make, unmake),
		cmocka_unit_test_setup_teardown(test_what_is_not_kept_does_not_count, make, unmake),
		cmocka_unit_test_setup_teardown(test_leaves_the_queue_when_it_stops, make, unmake),
		cmocka_unit_test_setup_teardown(test_drain_waits_for_the_last, make, unmake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
