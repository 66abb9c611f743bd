/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listener: HTTPS by libmicrohttpd, a pool of threads
 *
 * With poll(): libmicrohttpd 0.9.75 with epoll spins while it waits for the rest of a TLS
 * handshake, a core for each round trip, or for as long as a stranger likes. And when exactly 128
 * connections of a thread have something to say at once, it asks epoll_wait() again, without a
 * time-out, before it looks at any of them. The price of poll() is its time with thousands of idle
 * connections, and that a client which closes its sending side before it has its answer gets none,
 * though its event is stored; that no HTTP client does.
 *
 * Owns the listening socket, its acceptor, libmicrohttpd's daemon and the table of connections.
 * Stopping takes three steps, so that nobody who is connected goes away without an answer, and
 * because a suspended connection must be resumed before libmicrohttpd may stop: listener_quiesce()
 * accepts nothing more and closes idle connections; listener_drain() waits for the others; when
 * every request has its answer (gate_drain()) or the store has stopped, so that none is suspended
 * any more, listener_free() ends the threads.
 *
 * Threads: the one that made it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "util/cleanup.h"
#include "util/err.h"

struct config;
struct gate;
struct listener;
struct tls;

/**
 * listener_new() - bind, listen, start the threads
 * @config: read during the call only
 * @gate:   borrowed until listener_free()
 * @fd:     a socket that listens already, which the listener takes; -1: make one
 *
 * Return: 0, or a negative errno with a sentence that says what to do.
 */
int listener_new(const struct config *config, struct gate *gate, int fd,
		 struct listener **ret_listener, struct error *e) MUST_USE;

/* "https://127.0.0.1:8443", with the port that the kernel chose */
const char *listener_url(const struct listener *l);

/* end of the certificate's validity, us since the epoch; 0: unknown, or plain HTTP */
int64_t listener_not_after(struct listener *l);

/**
 * listener_prepare() - the first step of a reload: read certificate and key; changes nothing
 * @ret_tls: for listener_apply() or tls_unref(); NULL for plain HTTP
 *
 * Return: 0, or a negative errno with "FILE:LINE: sentence" in @e.
 */
int listener_prepare(const struct listener *l, const struct config *config, struct tls **ret_tls,
		     struct error *e) MUST_USE;

/* the second step, which cannot fail. @tls: taken over */
void listener_apply(struct listener *l, const struct config *config, struct tls *tls);

/* are connections accepted? From any thread. */
bool listener_is_up(const struct listener *l);

/* New connections wait in the socket's queue from now on. Open ones may finish the request they
 * are at, or send the one they were opened for. */
void listener_quiesce(struct listener *l);

/* Return: false when connections were still open at @deadline_ms (clock_monotonic_ms()) */
bool listener_drain(struct listener *l, int64_t deadline_ms) MUST_USE;
void listener_free(struct listener *l);
DEFINE_CLEANUP(struct listener *, listener_free)
