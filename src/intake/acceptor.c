/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/acceptor.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "util/fd.h"
#include "util/thread.h"

#define SHORTAGE_MS 100 /* after a lack of descriptors or memory: when to try again */

struct acceptor {
	/* constant after new */
	int fd;
	int wakeup;
	int64_t max;
	acceptor_give give;
	void *arg;
	pthread_t thread;
	bool started;

	bool short_of; /* owned by the acceptor's thread: the last accept lacked something */

	_Atomic int64_t n; /* open connections */
	atomic_bool stopping;
};

static bool is_full(const struct acceptor *a)
{
	return atomic_load(&a->n) >= a->max;
}

/* a shortage is over as soon as something was accepted; tell of both once */
static void note_shortage(struct acceptor *a, int error)
{
	if (a->short_of == (error != 0))
		return;
	a->short_of = error != 0;
	if (error)
		log_error("cannot accept connections: %s; they wait", error_name(error));
	else
		log_notice("connections are accepted again");
}

/* Return: false when there is nothing to accept, or no way to */
static bool accept_one(struct acceptor *a)
{
	struct sockaddr_storage peer;
	socklen_t n = sizeof(peer);
	int fd = accept4(a->fd, (struct sockaddr *)&peer, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
			note_shortage(a, -errno);
		/* the peer may have gone, with any error that its network had: accept(2) */
		return errno != EAGAIN && !a->short_of;
	}
	note_shortage(a, 0);
	atomic_fetch_add(&a->n, 1); /* before its end can be noted */
	if (!a->give(a->arg, fd, (struct sockaddr *)&peer, n))
		atomic_fetch_sub(&a->n, 1);
	return true;
}

static void wait_for_connection(const struct acceptor *a)
{
	struct pollfd fds[] = {{.fd = a->wakeup, .events = POLLIN},
			       {.fd = a->fd, .events = POLLIN}};
	bool ignore_socket = a->short_of || is_full(a);

	/* EINTR does no harm: all signals are blocked here, and the caller looks again anyway */
	(void)poll(fds, ignore_socket ? 1 : 2, a->short_of ? SHORTAGE_MS : -1);
	wakeup_drain(a->wakeup);
}

static void *acceptor_run(void *arg)
{
	struct acceptor *a = arg;

	while (!atomic_load(&a->stopping)) {
		wait_for_connection(a);
		while (!atomic_load(&a->stopping) && !is_full(a) && accept_one(a))
			;
	}
	return NULL;
}

int acceptor_new(int fd, int64_t max, acceptor_give give, void *arg, struct acceptor **ret)
{
	_cleanup_(acceptor_freep)
	struct acceptor *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return -ENOMEM;
	a->fd = fd;
	a->max = max;
	a->give = give;
	a->arg = arg;
	a->wakeup = wakeup_open();
	if (a->wakeup < 0)
		return a->wakeup;
	r = fd_set_nonblock(fd);
	if (r < 0)
		return r;
	*ret = a; /* before the first connection, whose end is noted here */
	r = thread_start(&a->thread, "acceptor", acceptor_run, a);
	if (r < 0) {
		*ret = NULL;
		return r;
	}
	a->started = true;
	(void)steal_ptr(&a);
	return 0;
}

void acceptor_note_closed(struct acceptor *a)
{
	if (atomic_fetch_sub(&a->n, 1) >= a->max || atomic_load(&a->stopping))
		wakeup_signal(a->wakeup);
}

bool acceptor_is_accepting(const struct acceptor *a)
{
	return !atomic_load(&a->stopping);
}

void acceptor_stop(struct acceptor *a)
{
	if (!a->started)
		return;
	atomic_store(&a->stopping, true);
	wakeup_signal(a->wakeup);
	thread_join(a->thread);
	a->started = false;
}

bool acceptor_drain(struct acceptor *a, int64_t deadline_ms)
{
	struct pollfd wakeup = {.fd = a->wakeup, .events = POLLIN};

	while (atomic_load(&a->n) > 0) {
		int64_t left_ms = deadline_ms - clock_monotonic_ms();

		if (left_ms <= 0)
			return false;
		(void)poll(&wakeup, 1, (int)MIN_OF(left_ms, INT_MAX)); /* EINTR: looks again */
		wakeup_drain(a->wakeup);
	}
	return true;
}

void acceptor_free(struct acceptor *a)
{
	if (!a)
		return;
	acceptor_stop(a);
	fd_close(a->wakeup);
	free(a);
}
