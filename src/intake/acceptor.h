/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The acceptor: takes new connections from the listening socket and gives them on
 *
 * A thread of its own, and not libmicrohttpd's, because a daemon that stops must be able to leave
 * new connections where they are: in the queue of a socket that the service manager keeps, the next
 * start finds and serves them. libmicrohttpd can only go on accepting them or race with itself
 * (MHD_quiesce_daemon() with a pool of threads).
 *
 * At its limit of connections it accepts nothing until one has closed; who comes meanwhile waits in
 * the same queue.
 *
 * Threads: acceptor_note_closed() and acceptor_is_accepting() from any; the rest from the
 * listener's maker. Ownership: borrows the listening socket.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "util/cleanup.h"
#include "util/err.h"

struct acceptor;

/* Takes @fd, whatever it returns. Return: false when the connection was not kept. */
typedef bool (*acceptor_give)(void *arg, int fd, const struct sockaddr *peer, socklen_t peer_n);

/**
 * acceptor_new() - start to accept
 * @fd:   listening socket; becomes non-blocking
 * @max:  most connections at one time
 * @give: called in the acceptor's thread for each
 *
 * Return: 0, or a negative errno.
 */
int acceptor_new(int fd, int64_t max, acceptor_give give, void *arg,
		 struct acceptor **ret) MUST_USE;

/* a connection that was kept has ended */
void acceptor_note_closed(struct acceptor *a);

/* does it accept, unless it is full? */
bool acceptor_is_accepting(const struct acceptor *a);

/* accept nothing more; when it returns, @give is not called again */
void acceptor_stop(struct acceptor *a);

/* after acceptor_stop(): wait until all that were kept have ended. Return: false when some had not
 * at @deadline_ms (clock_monotonic_ms()) */
bool acceptor_drain(struct acceptor *a, int64_t deadline_ms) MUST_USE;

void acceptor_free(struct acceptor *a);
DEFINE_CLEANUP(struct acceptor *, acceptor_free)
