/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/connections.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "core/clock.h"
#include "core/metrics.h"
#include "util/list.h"
#include "util/thread.h"

/* on a stop: for the handshake and the first headers of a connection */
#define FRESH_GRACE_MS 1000

enum phase {
	FRESH, /* it has not sent a whole request head yet */
	BUSY,  /* with a request */
	IDLE,  /* between two */
};

struct connection {
	struct connections *table;   /* constant */
	struct list link;            /* under table->mx */
	int fd;                      /* constant while linked */
	struct tls *tls;             /* of its session; or NULL */
	_Atomic int64_t deadline_ms; /* set by the connection's thread, read by the reaper */
	_Atomic enum phase phase;    /* likewise */
};

struct connections {
	_Atomic int64_t request_timeout_ms, idle_timeout_ms;
	pthread_t thread; /* constant after new */

	atomic_bool quiesced;

	/* shared, under mx */
	pthread_mutex_t mx;
	pthread_cond_t changed;
	struct list open;
	bool stopping;
};

/* shut down who is late. Return: when to look again. Called with the lock held: shutdown() does
 * not block, and the lock keeps the descriptor from being closed and used anew. */
static int64_t reap(struct connections *t, int64_t now_ms)
{
	int64_t next_ms = now_ms + t->request_timeout_ms / 4; /* deadlines can move closer */

	if (list_is_empty(&t->open))
		return INT64_MAX;
	list_for_each (link, &t->open) {
		struct connection *c = list_entry(link, struct connection, link);
		int64_t deadline_ms = atomic_load_explicit(&c->deadline_ms, memory_order_relaxed);

		if (deadline_ms > now_ms) {
			next_ms = MIN_OF(next_ms, deadline_ms);
			continue;
		}
		(void)shutdown(c->fd, SHUT_RDWR); /* fails when the peer has gone: as good */
		atomic_store_explicit(&c->deadline_ms, INT64_MAX, memory_order_relaxed);
		if (!atomic_load_explicit(&t->quiesced, memory_order_relaxed))
			metric_inc(METRIC_TIMEOUTS);
	}
	return next_ms;
}

static void *reaper_run(void *arg)
{
	struct connections *t = arg;

	mutex_lock(&t->mx);
	while (!t->stopping)
		(void)cond_wait_until(&t->changed, &t->mx, reap(t, clock_monotonic_ms()));
	mutex_unlock(&t->mx);
	return NULL;
}

int connections_new(int64_t request_timeout_ms, int64_t idle_timeout_ms, struct connections **ret)
{
	struct connections *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	atomic_init(&t->request_timeout_ms, request_timeout_ms);
	atomic_init(&t->idle_timeout_ms, idle_timeout_ms);
	list_init(&t->open);
	(void)pthread_mutex_init(&t->mx, NULL); /* cannot fail with default attributes on Linux */
	cond_init(&t->changed);
	r = thread_start(&t->thread, "reaper", reaper_run, t);
	if (r < 0) {
		free(t);
		return r;
	}
	*ret = t;
	return 0;
}

void connections_set_timeouts(struct connections *t, int64_t request_timeout_ms,
			      int64_t idle_timeout_ms)
{
	atomic_store(&t->request_timeout_ms, request_timeout_ms);
	atomic_store(&t->idle_timeout_ms, idle_timeout_ms);
	mutex_lock(&t->mx);
	pthread_cond_signal(&t->changed); /* the reaper may have to look more often */
	mutex_unlock(&t->mx);
}

/* cut down what is left of a connection's time, unless it goes on to something else meanwhile */
static void hurry(struct connection *c, int64_t now_ms)
{
	int64_t deadline_ms = atomic_load(&c->deadline_ms);
	enum phase phase = atomic_load(&c->phase);
	int64_t wanted_ms = phase == IDLE ? now_ms : now_ms + FRESH_GRACE_MS;

	if (phase != BUSY && deadline_ms > wanted_ms)
		(void)atomic_compare_exchange_strong(&c->deadline_ms, &deadline_ms, wanted_ms);
}

void connections_quiesce(struct connections *t)
{
	atomic_store(&t->quiesced, true);
	mutex_lock(&t->mx);
	list_for_each (link, &t->open)
		hurry(list_entry(link, struct connection, link), clock_monotonic_ms());
	pthread_cond_signal(&t->changed);
	mutex_unlock(&t->mx);
}

void connections_free(struct connections *t)
{
	if (!t)
		return;
	mutex_lock(&t->mx);
	t->stopping = true;
	pthread_cond_signal(&t->changed);
	mutex_unlock(&t->mx);
	thread_join(t->thread);
	pthread_cond_destroy(&t->changed);
	pthread_mutex_destroy(&t->mx);
	free(t);
}

static void set_deadline(struct connection *c, int64_t after_ms)
{
	int64_t deadline_ms = after_ms == INT64_MAX ? INT64_MAX : clock_monotonic_ms() + after_ms;

	if (c) /* release: who sees it sees the phase that was set before, hurry() relies on it */
		atomic_store_explicit(&c->deadline_ms, deadline_ms, memory_order_release);
}

struct connection *connection_open(struct connections *t, int fd, struct tls *tls)
{
	struct connection *c = malloc(sizeof(*c));
	bool first;

	if (!c)
		return NULL;
	c->table = t;
	c->fd = fd;
	c->tls = tls ? tls_ref(tls) : NULL;
	atomic_init(&c->deadline_ms, 0);
	atomic_init(&c->phase, FRESH);
	set_deadline(c, t->request_timeout_ms); /* TLS handshake and first request together */
	mutex_lock(&t->mx);
	first = list_is_empty(&t->open);
	list_append(&t->open, &c->link);
	if (connection_is_ending(c))
		hurry(c, clock_monotonic_ms());
	if (first || connection_is_ending(c))
		pthread_cond_signal(&t->changed); /* the reaper sleeps without connections */
	mutex_unlock(&t->mx);
	metric_inc(METRIC_CONNECTIONS);
	return c;
}

void connection_close(struct connection *c)
{
	if (!c)
		return;
	mutex_lock(&c->table->mx);
	list_remove(&c->link);
	mutex_unlock(&c->table->mx);
	tls_unref(c->tls); /* libmicrohttpd has ended the session */
	free(c);
	metric_add(METRIC_CONNECTIONS, -1);
}

void connection_receives(struct connection *c)
{
	if (!c)
		return;
	atomic_store_explicit(&c->phase, BUSY, memory_order_relaxed);
	set_deadline(c, c->table->request_timeout_ms);
}

void connection_waits(struct connection *c)
{
	set_deadline(c, INT64_MAX);
}

void connection_sends(struct connection *c)
{
	if (c)
		set_deadline(c, c->table->request_timeout_ms);
}

void connection_idles(struct connection *c)
{
	if (!c)
		return;
	set_deadline(c, c->table->idle_timeout_ms);
	atomic_store(&c->phase, IDLE);
	if (!connection_is_ending(c))
		return;
	/* its answer may have gone without "Connection: close", just before */
	mutex_lock(&c->table->mx);
	hurry(c, clock_monotonic_ms());
	pthread_cond_signal(&c->table->changed);
	mutex_unlock(&c->table->mx);
}

bool connection_is_ending(const struct connection *c)
{
	return c && atomic_load(&c->table->quiesced);
}
