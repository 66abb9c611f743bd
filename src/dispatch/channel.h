/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Channels: what the handlers that speak the line protocol have in common
 *
 * A handler has `concurrency` channels with a thread each. A channel is opened (a connection made,
 * a worker started) when a delivery is due; while that fails it is tried again with a growing,
 * random delay, and the capacity is 0, so that deliveries stay pending and use up no attempts. A
 * conversation without one proper answer counts as a failure, too: who accepts and hangs up, or
 * starts and ends, is not asked in a tight loop.
 *
 * Attempts that are left when a conversation ends get their result after the channel is closed. So
 * a worker that is ended for an overdue answer is gone before the delivery can come again.
 *
 * Threads: the functions are for the handler that embeds a `struct channels`; its ops are called in
 * the channel's thread.
 */
#pragma once

#include <poll.h>
#include <pthread.h>

#include "dispatch/handler.h"
#include "dispatch/session.h"

#define CHANNEL_WATCHED_MAX 2

struct channel;

struct channel_ops {
	/* what the log calls the other side, before its name: "consumer at" */
	const char *subject;

	/* set read_fd and write_fd. Return: 0, or a negative errno. */
	int (*open)(struct channel *c);

	/* what else to poll for while the channel is open, or NULL. Return: how many. */
	nfds_t (*watch)(struct channel *c, struct pollfd fds[CHANNEL_WATCHED_MAX]);

	/* after poll(). Return: SESSION_OK, or SESSION_E_CLOSED: the other side has ended. */
	int (*on_watched)(struct channel *c, const struct pollfd *fds);

	/* end it, with less patience if @is_abort, since the daemon is about to end; may write a
	 * clause into `why`, which says why already */
	void (*close)(struct channel *c, bool is_abort);
};

struct channel {
	/* constant after init */
	struct channels *owner;
	int wake_fd; /* something under mx has changed */

	pthread_t thread;
	bool has_thread;

	/* shared, under mx */
	struct list inbox; /* attempts for the session */
	size_t n_assigned; /* in the inbox or in the session */
	bool is_wanted;    /* a delivery is due and the channel is not open */
	bool is_open;

	/* owned by the channel's thread */
	int read_fd, write_fd; /* may be the same; -1: not open */
	void *own;             /* what the type keeps of an open channel */
	struct session session;
	int64_t backoff_ms;
	bool is_closed;                /* by the other side, without our doing */
	char why[ATTEMPT_REASON_SIZE]; /* it was closed */
};

struct channels {
	struct handler base;
	const struct channel_ops *ops;
	const char *name; /* of the other side, for the log; borrowed */

	/* shared, under mx */
	pthread_mutex_t mx;
	bool is_stopping;
	bool is_aborting;
	bool is_down; /* and that was said in the log */

	size_t n_channels;
	struct channel *channels;
};

/* make room for @n channels. Return: 0, or a negative errno; deinit is due in either case. */
int channels_init(struct channels *h, const struct channel_ops *ops, const char *name, size_t n,
		  struct error *e) MUST_USE;
void channels_deinit(struct channels *h);

/* these are the handler's operations (dispatch/handler.h) */
int channels_start(struct handler *handler, struct error *e) MUST_USE;
size_t channels_capacity(struct handler *handler);
void channels_expect(struct handler *handler);
void channels_submit(struct handler *handler, struct attempt *attempt);
void channels_abort(struct handler *handler);
void channels_stop(struct handler *handler);
