/* SPDX-License-Identifier: Apache-2.0 */
#include "dispatch/channel.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/crypto.h"
#include "core/log.h"
#include "util/thread.h"

#define BACKOFF_FIRST_MS 200
#define BACKOFF_MAX_MS   30000
#define LAST_READS_MAX   64

static struct channels *of(struct handler *handler)
{
	return container_of(handler, struct channels, base);
}

static void log_state(const struct channels *h, enum log_level level, const char *what,
		      const char *why)
{
	struct log_ids ids = {.handler = slice_of(h->base.config->name)};

	log_with(level, &ids, "%s '%s' %s%s", h->ops->subject, h->name, what, why);
}

/* say once that the other side is away, and once that it is back */
static void set_down(struct channels *h, bool is_down, const char *why)
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

/* the session's on_done: the attempt leaves the channel */
static void on_done(struct attempt *attempt, void *arg)
{
	struct channel *c = arg;
	const struct handler_callbacks *callbacks = &c->owner->base.callbacks;

	mutex_lock(&c->owner->mx);
	c->n_assigned--;
	mutex_unlock(&c->owner->mx);
	callbacks->on_done(attempt, callbacks->arg);
}

/* --- the channel's thread: conversation --- */

enum turn {
	TURN_GO_ON,
	TURN_STOP,  /* nothing is under way, or it does not matter any more */
	TURN_ABORT, /* what is under way is interrupted */
};

/* take what other threads left for us */
static enum turn take_inbox(struct channel *c)
{
	struct channels *h = c->owner;
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

enum { FD_READ, FD_WRITE, FD_WAKE, FD_WATCHED, FDS_MAX = FD_WATCHED + CHANNEL_WATCHED_MAX };

static int take_answers(struct channel *c)
{
	int r = session_read(&c->session);

	if (c->session.n_answers > 0)
		set_down(c->owner, false, NULL);
	return r;
}

/* Return: a session_outcome or a negative errno */
static int on_ready(struct channel *c, const struct pollfd *fds)
{
	int r = SESSION_OK;

	if (fds[FD_READ].revents)
		r = take_answers(c);
	/* the reader of a pipe is gone; of a socket, reading tells that */
	if (r == SESSION_OK && c->write_fd != c->read_fd && fds[FD_WRITE].revents & POLLERR)
		r = -EPIPE;
	if (r == SESSION_OK && c->owner->ops->on_watched)
		r = c->owner->ops->on_watched(c, fds + FD_WATCHED);
	if (r == SESSION_OK && clock_monotonic_ms() >= session_deadline(&c->session))
		r = SESSION_E_TIMEOUT;
	return r;
}

/* one poll and what follows from it; Return: a session_outcome or a negative errno */
static int converse(struct channel *c)
{
	struct pollfd fds[FDS_MAX] = {
		[FD_READ] = {.fd = c->read_fd, .events = POLLIN},
		[FD_WRITE] = {.fd = c->write_fd},
		[FD_WAKE] = {.fd = c->wake_fd, .events = POLLIN},
	};
	nfds_t n = FD_WATCHED;
	int r;

	r = session_write(&c->session, clock_monotonic_ms());
	if (r != SESSION_OK)
		return r;
	if (session_has_output(&c->session))
		fds[FD_WRITE].events = POLLOUT;
	if (c->owner->ops->watch)
		n += c->owner->ops->watch(c, fds + FD_WATCHED);
	if (poll(fds, n, poll_timeout(session_deadline(&c->session))) < 0)
		return SESSION_OK; /* EINTR, or short of memory: try again */
	return on_ready(c, fds);
}

/* The other side has ended: what it has answered before counts. Bounded, because a descendant may
 * hold the pipe and write for ever. */
static void take_last_answers(struct channel *c)
{
	struct pollfd fd = {.fd = c->read_fd, .events = POLLIN};

	for (int i = 0; i < LAST_READS_MAX && poll(&fd, 1, 0) > 0; i++)
		if (take_answers(c) != SESSION_OK)
			return;
}

static void set_open(struct channel *c, bool is_open)
{
	struct channels *h = c->owner;

	mutex_lock(&h->mx);
	c->is_open = is_open;
	if (is_open)
		c->is_wanted = false;
	mutex_unlock(&h->mx);
	if (is_open)
		h->base.callbacks.on_room(h->base.callbacks.arg);
}

/* how a conversation has ended */
struct ending {
	enum turn turn;
	int outcome; /* a session_outcome or a negative errno */
};

static void hang_up(struct channel *c, struct ending ending)
{
	bool is_abort = ending.turn == TURN_ABORT;
	int64_t now_ms = clock_monotonic_ms(); /* closing may take longer than answers had time */

	set_open(c, false);
	(void)take_inbox(c); /* the last ones: nobody adds to the inbox any more */
	if (ending.outcome == -EPIPE || ending.outcome == -ECONNRESET)
		ending.outcome = SESSION_E_CLOSED;
	c->is_closed = ending.outcome == SESSION_E_CLOSED;
	if (c->is_closed)
		take_last_answers(c);
	(void)snprintf(c->why, sizeof(c->why), "%s",
		       is_abort ? "riskhookd stopped" : session_outcome_text(ending.outcome));
	c->owner->ops->close(c, is_abort);
	session_deinit(&c->session, now_ms, is_abort ? ATTEMPT_INTERRUPTED : ATTEMPT_LOST, c->why);
}

/* hold one conversation to its end; Return: true when there was at least one proper answer */
static bool serve(struct channel *c)
{
	const struct handler_callbacks callbacks = {.on_done = on_done, .arg = c};
	struct ending ending = {TURN_GO_ON, SESSION_OK};

	session_init(&c->session, c->read_fd, c->write_fd, c->owner->base.config->timeout_ms,
		     &callbacks);
	c->session.transform = c->owner->base.transform;
	set_open(c, true);
	do {
		ending.turn = take_inbox(c);
		if (ending.turn == TURN_GO_ON)
			ending.outcome = converse(c);
	} while (ending.turn == TURN_GO_ON && ending.outcome == SESSION_OK);
	hang_up(c, ending);
	return c->session.n_answers > 0;
}

/* --- the channel's thread: opening --- */

static bool is_stopping(struct channels *h)
{
	bool stopping;

	mutex_lock(&h->mx);
	stopping = h->is_stopping || h->is_aborting;
	mutex_unlock(&h->mx);
	return stopping;
}

static void wait_for_wakeup(struct channel *c, int64_t until_ms)
{
	struct pollfd fd = {.fd = c->wake_fd, .events = POLLIN};

	/* whatever it says, the caller looks at its conditions again */
	(void)poll(&fd, 1, poll_timeout(until_ms));
	wakeup_drain(c->wake_fd);
}

/* Return: false when it is time to end */
static bool wait_until_wanted(struct channel *c)
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

/* between half of the delay and all of it, so that several channels do not come together */
static void back_off(struct channel *c)
{
	int64_t half = c->backoff_ms / 2;
	int64_t until_ms = clock_monotonic_ms() + half + (int64_t)random_below((uint64_t)half + 1);

	c->backoff_ms = MIN_OF(c->backoff_ms * 2, BACKOFF_MAX_MS);
	while (!is_stopping(c->owner) && clock_monotonic_ms() < until_ms)
		wait_for_wakeup(c, until_ms);
}

/* Return: true when something was answered */
static bool open_and_serve(struct channel *c)
{
	int r = c->owner->ops->open(c);
	bool has_answered;

	if (r < 0) {
		set_down(c->owner, true, error_name(r));
		return false;
	}
	has_answered = serve(c);
	if (!has_answered && !is_stopping(c->owner))
		set_down(c->owner, true, c->why);
	return has_answered;
}

static void *channel_main(void *arg)
{
	struct channel *c = arg;

	while (wait_until_wanted(c)) {
		if (open_and_serve(c))
			c->backoff_ms = BACKOFF_FIRST_MS;
		else
			back_off(c);
	}
	return NULL;
}

/* --- the dispatcher's side --- */

void channels_deinit(struct channels *h)
{
	for (size_t i = 0; i < h->n_channels; i++)
		h->channels[i].wake_fd = fd_close(h->channels[i].wake_fd);
	(void)pthread_mutex_destroy(&h->mx); /* nobody holds it any more */
	free(h->channels);
}

static int init_channel(struct channels *h, struct channel *c)
{
	c->owner = h;
	c->backoff_ms = BACKOFF_FIRST_MS;
	c->read_fd = -1;
	c->write_fd = -1;
	list_init(&c->inbox);
	c->wake_fd = wakeup_open();
	return c->wake_fd < 0 ? c->wake_fd : 0;
}

int channels_init(struct channels *h, const struct channel_ops *ops, const char *name, size_t n,
		  struct error *e)
{
	int r;

	h->mx = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	h->ops = ops;
	h->name = name;
	h->channels = calloc(n, sizeof(h->channels[0]));
	if (!h->channels)
		return error_set(e, -ENOMEM, "out of memory");
	for (; h->n_channels < n; h->n_channels++) {
		r = init_channel(h, &h->channels[h->n_channels]);
		if (r < 0)
			return error_set(e, r, "cannot make an eventfd: %s", error_name(r));
	}
	return 0;
}

static void tell_all(struct channels *h, bool *flag)
{
	mutex_lock(&h->mx);
	*flag = true;
	mutex_unlock(&h->mx);
	for (size_t i = 0; i < h->n_channels; i++)
		wakeup_signal(h->channels[i].wake_fd);
}

void channels_stop(struct handler *handler)
{
	struct channels *h = of(handler);

	tell_all(h, &h->is_stopping);
	for (size_t i = 0; i < h->n_channels; i++) {
		struct channel *c = &h->channels[i];

		if (c->has_thread)
			thread_join(c->thread);
		c->has_thread = false;
	}
}

int channels_start(struct handler *handler, struct error *e)
{
	struct channels *h = of(handler);

	for (size_t i = 0; i < h->n_channels; i++) {
		struct channel *c = &h->channels[i];
		int r = thread_start(&c->thread, "channel", channel_main, c);

		if (r < 0) {
			channels_stop(handler);
			return error_set(e, r, "cannot start %zu threads: %s", h->n_channels,
					 error_name(r));
		}
		c->has_thread = true;
	}
	return 0;
}

size_t channels_capacity(struct handler *handler)
{
	struct channels *h = of(handler);
	size_t n = 0;

	mutex_lock(&h->mx);
	for (size_t i = 0; i < h->n_channels; i++) {
		if (h->channels[i].is_open)
			n += (size_t)handler->config->window;
	}
	mutex_unlock(&h->mx);
	return n;
}

void channels_expect(struct handler *handler)
{
	struct channels *h = of(handler);

	mutex_lock(&h->mx);
	for (size_t i = 0; i < h->n_channels; i++) {
		struct channel *c = &h->channels[i];

		if (c->is_open || c->is_wanted)
			continue;
		c->is_wanted = true;
		wakeup_signal(c->wake_fd);
	}
	mutex_unlock(&h->mx);
}

/* under mx; Return: the channel with the most room, or NULL when none has any */
static struct channel *choose(struct channels *h)
{
	struct channel *best = NULL;

	for (size_t i = 0; i < h->n_channels; i++) {
		struct channel *c = &h->channels[i];

		if (!c->is_open || c->n_assigned >= (size_t)h->base.config->window)
			continue;
		if (!best || c->n_assigned < best->n_assigned)
			best = c;
	}
	return best;
}

void channels_submit(struct handler *handler, struct attempt *attempt)
{
	struct channels *h = of(handler);
	struct channel *c;

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

void channels_abort(struct handler *handler)
{
	tell_all(of(handler), &of(handler)->is_aborting);
}
