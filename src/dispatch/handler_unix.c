/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handler type `unix`: a consumer that listens on a Unix socket and speaks the line protocol
 *
 * `concurrency` connections with a thread each. A connection is made when a delivery is due; while
 * that fails it is tried again with a growing, random delay, and the capacity is 0, so that
 * deliveries stay pending and use up no attempts. A conversation without one proper answer counts
 * as a failure, too: a consumer that accepts and hangs up is not asked in a tight loop.
 */
#include "dispatch/handler.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "core/clock.h"
#include "core/crypto.h"
#include "core/log.h"
#include "dispatch/session.h"
#include "util/thread.h"

#define BACKOFF_FIRST_MS 200
#define BACKOFF_MAX_MS   30000

struct unix_handler;

struct connection {
	/* constant after make */
	struct unix_handler *owner;
	int wake_fd; /* something under mx has changed */

	pthread_t thread;
	bool has_thread;

	/* shared, under mx */
	struct list inbox; /* attempts for the session */
	size_t n_assigned; /* in the inbox or in the session */
	bool is_wanted;    /* a delivery is due and there is no connection */
	bool is_connected;

	/* owned by the connection's thread */
	struct session session;
	int64_t backoff_ms;
};

struct unix_handler {
	struct handler base;
	struct sockaddr_un address;

	/* shared, under mx */
	pthread_mutex_t mx;
	bool is_stopping;
	bool is_aborting;
	bool is_down; /* and that was said in the log */

	size_t n_connections;
	struct connection connections[];
};

static struct unix_handler *of(struct handler *handler)
{
	return container_of(handler, struct unix_handler, base);
}

static void log_state(const struct unix_handler *h, enum log_level level, const char *what,
		      const char *why)
{
	const struct handler_config *config = h->base.config;
	struct log_ids ids = {.handler = slice_of(config->name)};

	log_with(level, &ids, "consumer at '%s' %s%s", config->socket, what, why);
}

/* say once that the consumer is away, and once that it is back */
static void set_down(struct unix_handler *h, bool is_down, const char *why)
{
	bool was_down;

	mutex_lock(&h->mx);
	was_down = h->is_down;
	h->is_down = is_down;
	mutex_unlock(&h->mx);
	if (is_down && !was_down)
		log_state(h, LOG_LEVEL_WARNING,
			  "does not answer; its deliveries wait until it does: ", why);
	if (!is_down && was_down)
		log_state(h, LOG_LEVEL_NOTICE, "answers again", "");
}

/* the session's on_done: the attempt leaves the connection */
static void on_done(struct attempt *attempt, void *arg)
{
	struct connection *c = arg;
	const struct handler_callbacks *callbacks = &c->owner->base.callbacks;

	mutex_lock(&c->owner->mx);
	c->n_assigned--;
	mutex_unlock(&c->owner->mx);
	callbacks->on_done(attempt, callbacks->arg);
}

/* --- the connection's thread: conversation --- */

enum turn {
	TURN_GO_ON,
	TURN_STOP,  /* nothing is under way, or it does not matter any more */
	TURN_ABORT, /* what is under way is interrupted */
};

/* take what other threads left for us */
static enum turn take_inbox(struct connection *c)
{
	struct unix_handler *h = c->owner;
	enum turn turn = TURN_GO_ON;
	struct list attempts;
	struct list *link;

	list_init(&attempts);
	wakeup_drain(c->wake_fd);
	mutex_lock(&h->mx);
	list_splice(&attempts, &c->inbox);
	if (h->is_stopping)
		turn = TURN_STOP;
	if (h->is_aborting)
		turn = TURN_ABORT;
	mutex_unlock(&h->mx);
	while ((link = list_pop(&attempts)) != NULL)
		session_add(&c->session, list_entry(link, struct attempt, link));
	return turn;
}

static int poll_timeout(int64_t until_ms)
{
	int64_t left = until_ms == INT64_MAX ? INT_MAX : until_ms - clock_monotonic_ms();

	/* waking up once in 24 days for nothing is cheaper than a special case */
	return (int)MAX_OF(MIN_OF(left, INT_MAX), 0);
}

/* one poll and what follows from it; Return: a session_outcome or a negative errno */
static int converse(struct connection *c)
{
	struct session *session = &c->session;
	struct pollfd fds[] = {
		{.fd = session->read_fd, .events = POLLIN},
		{.fd = c->wake_fd, .events = POLLIN},
	};
	int r;

	r = session_write(session, clock_monotonic_ms());
	if (r != SESSION_OK)
		return r;
	if (session_has_output(session))
		fds[0].events |= POLLOUT;
	if (poll(fds, ARRAY_SIZE(fds), poll_timeout(session_deadline(session))) < 0)
		return SESSION_OK; /* EINTR, or short of memory: try again */
	if (fds[0].revents & ~POLLOUT) {
		r = session_read(session);
		if (r != SESSION_OK)
			return r;
	}
	if (session->n_answers > 0)
		set_down(c->owner, false, NULL);
	return clock_monotonic_ms() < session_deadline(session) ? SESSION_OK : SESSION_E_TIMEOUT;
}

static void set_connected(struct connection *c, bool is_connected)
{
	struct unix_handler *h = c->owner;

	mutex_lock(&h->mx);
	c->is_connected = is_connected;
	if (is_connected)
		c->is_wanted = false;
	mutex_unlock(&h->mx);
	if (is_connected)
		h->base.callbacks.on_room(h->base.callbacks.arg);
}

/**
 * serve() - hold one conversation over a fresh connection, to its end
 * @ret_why: a clause for people
 *
 * Return: true when the consumer gave at least one proper answer.
 */
static bool serve(struct connection *c, int fd, const char **ret_why)
{
	const struct handler_callbacks callbacks = {.on_done = on_done, .arg = c};
	enum attempt_outcome left = ATTEMPT_LOST;
	enum turn turn;
	int r = SESSION_OK;

	session_init(&c->session, fd, c->owner->base.config->timeout_ms, &callbacks);
	set_connected(c, true);
	do {
		turn = take_inbox(c);
		if (turn == TURN_GO_ON)
			r = converse(c);
	} while (turn == TURN_GO_ON && r == SESSION_OK);
	set_connected(c, false);
	(void)take_inbox(c); /* the last ones: nobody adds to the inbox any more */
	*ret_why = session_outcome_text(r);
	if (turn == TURN_ABORT) {
		left = ATTEMPT_INTERRUPTED;
		*ret_why = "riskhookd stopped";
	}
	session_deinit(&c->session, clock_monotonic_ms(), left, *ret_why);
	return c->session.n_answers > 0;
}

/* --- the connection's thread: connecting --- */

/* Return: a connected, non-blocking socket, or a negative errno */
static int open_connection(const struct unix_handler *h)
{
	_cleanup_(fd_closep)
	int fd = -1;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* on a Unix socket this succeeds or fails at once (EAGAIN: the backlog is full) */
	if (connect(fd, (const struct sockaddr *)&h->address, sizeof(h->address)) < 0)
		return -errno;
	return steal_fd(&fd);
}

static bool is_stopping(struct unix_handler *h)
{
	bool stopping;

	mutex_lock(&h->mx);
	stopping = h->is_stopping || h->is_aborting;
	mutex_unlock(&h->mx);
	return stopping;
}

static void wait_for_wakeup(struct connection *c, int64_t until_ms)
{
	struct pollfd fd = {.fd = c->wake_fd, .events = POLLIN};

	/* whatever it says, the caller looks at its conditions again */
	(void)poll(&fd, 1, poll_timeout(until_ms));
	wakeup_drain(c->wake_fd);
}

/* Return: false when it is time to end */
static bool wait_until_wanted(struct connection *c)
{
	while (!is_stopping(c->owner)) {
		bool wanted;

		mutex_lock(&c->owner->mx);
		wanted = c->is_wanted;
		mutex_unlock(&c->owner->mx);
		if (wanted)
			return true;
		wait_for_wakeup(c, INT64_MAX);
	}
	return false;
}

/* between half of the delay and all of it, so that several connections do not come together */
static void back_off(struct connection *c)
{
	int64_t half = c->backoff_ms / 2;
	int64_t until_ms = clock_monotonic_ms() + half + (int64_t)random_below((uint64_t)half + 1);

	c->backoff_ms = MIN_OF(c->backoff_ms * 2, BACKOFF_MAX_MS);
	while (!is_stopping(c->owner) && clock_monotonic_ms() < until_ms)
		wait_for_wakeup(c, until_ms);
}

/* Return: true when the consumer has answered something */
static bool connect_and_serve(struct connection *c)
{
	const char *why;
	bool has_answered;
	int fd;

	fd = open_connection(c->owner);
	if (fd < 0) {
		set_down(c->owner, true, error_name(fd));
		return false;
	}
	has_answered = serve(c, fd, &why);
	(void)fd_close(fd);
	if (!has_answered && !is_stopping(c->owner))
		set_down(c->owner, true, why);
	return has_answered;
}

static void *connection_main(void *arg)
{
	struct connection *c = arg;

	while (wait_until_wanted(c)) {
		if (connect_and_serve(c))
			c->backoff_ms = BACKOFF_FIRST_MS;
		else
			back_off(c);
	}
	return NULL;
}

/* --- the dispatcher's side --- */

static void free_handler(struct handler *handler)
{
	struct unix_handler *h = of(handler);

	for (size_t i = 0; i < h->n_connections; i++)
		h->connections[i].wake_fd = fd_close(h->connections[i].wake_fd);
	(void)pthread_mutex_destroy(&h->mx); /* nobody holds it any more */
	free(h);
}

static int init_connection(struct unix_handler *h, struct connection *c)
{
	c->owner = h;
	c->backoff_ms = BACKOFF_FIRST_MS;
	list_init(&c->inbox);
	c->wake_fd = wakeup_open();
	return c->wake_fd < 0 ? c->wake_fd : 0;
}

static int make(const struct handler_config *config, struct handler **ret_handler, struct error *e)
{
	size_t n = (size_t)config->concurrency;
	size_t length = strlen(config->socket);
	struct unix_handler *h;
	int r;

	if (length >= sizeof(h->address.sun_path))
		return error_set(
			e, -ENAMETOOLONG,
			"the socket's path '%s' is too long; at most %zu bytes are possible",
			config->socket, sizeof(h->address.sun_path) - 1);
	h = calloc(1, sizeof(*h) + n * sizeof(h->connections[0]));
	if (!h)
		return error_set(e, -ENOMEM, "out of memory");
	h->mx = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	h->address.sun_family = AF_UNIX;
	memcpy(h->address.sun_path, config->socket, length + 1);
	for (; h->n_connections < n; h->n_connections++) {
		r = init_connection(h, &h->connections[h->n_connections]);
		if (r < 0) {
			free_handler(&h->base);
			return error_set(e, r, "cannot make an eventfd: %s", error_name(r));
		}
	}
	*ret_handler = &h->base;
	return 0;
}

static void tell_all(struct unix_handler *h, bool *flag)
{
	mutex_lock(&h->mx);
	*flag = true;
	mutex_unlock(&h->mx);
	for (size_t i = 0; i < h->n_connections; i++)
		wakeup_signal(h->connections[i].wake_fd);
}

static void stop(struct handler *handler)
{
	struct unix_handler *h = of(handler);

	tell_all(h, &h->is_stopping);
	for (size_t i = 0; i < h->n_connections; i++) {
		struct connection *c = &h->connections[i];

		if (c->has_thread)
			thread_join(c->thread);
		c->has_thread = false;
	}
}

static int start(struct handler *handler, struct error *e)
{
	struct unix_handler *h = of(handler);

	for (size_t i = 0; i < h->n_connections; i++) {
		struct connection *c = &h->connections[i];
		int r = thread_start(&c->thread, "unix", connection_main, c);

		if (r < 0) {
			stop(handler);
			return error_set(e, r, "cannot start %zu threads: %s", h->n_connections,
					 error_name(r));
		}
		c->has_thread = true;
	}
	return 0;
}

static size_t capacity(struct handler *handler)
{
	struct unix_handler *h = of(handler);
	size_t n = 0;

	mutex_lock(&h->mx);
	for (size_t i = 0; i < h->n_connections; i++) {
		if (h->connections[i].is_connected)
			n += (size_t)handler->config->window;
	}
	mutex_unlock(&h->mx);
	return n;
}

static void expect(struct handler *handler)
{
	struct unix_handler *h = of(handler);

	mutex_lock(&h->mx);
	for (size_t i = 0; i < h->n_connections; i++) {
		struct connection *c = &h->connections[i];

		if (c->is_connected || c->is_wanted)
			continue;
		c->is_wanted = true;
		wakeup_signal(c->wake_fd);
	}
	mutex_unlock(&h->mx);
}

/* under mx; Return: the connection with the most room, or NULL when none has any */
static struct connection *choose(struct unix_handler *h)
{
	struct connection *best = NULL;

	for (size_t i = 0; i < h->n_connections; i++) {
		struct connection *c = &h->connections[i];

		if (!c->is_connected || c->n_assigned >= (size_t)h->base.config->window)
			continue;
		if (!best || c->n_assigned < best->n_assigned)
			best = c;
	}
	return best;
}

static void submit(struct handler *handler, struct attempt *attempt)
{
	struct unix_handler *h = of(handler);
	struct connection *c;

	mutex_lock(&h->mx);
	c = choose(h);
	if (c) {
		c->n_assigned++;
		list_append(&c->inbox, &attempt->link);
		wakeup_signal(c->wake_fd);
	}
	mutex_unlock(&h->mx);
	if (c)
		return;
	/* the connection was lost after the attempt had begun */
	attempt_result_set(&attempt->result, ATTEMPT_LOST,
			   "the connection was lost, before it was sent");
	handler->callbacks.on_done(attempt, handler->callbacks.arg);
}

static void abort_all(struct handler *handler)
{
	tell_all(of(handler), &of(handler)->is_aborting);
}

const struct handler_ops handler_unix_ops = {
	.make = make,
	.start = start,
	.capacity = capacity,
	.expect = expect,
	.submit = submit,
	.abort = abort_all,
	.stop = stop,
	.free = free_handler,
};
