/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open connections and their deadlines
 *
 * libmicrohttpd's own time-out starts anew with every byte, so a client that sends one byte now and
 * then would stay for ever. Here a connection has one deadline for what it is doing: a whole
 * request within `request_timeout`, the next one within `idle_timeout`. A reaper thread shuts the
 * socket of a late one down; libmicrohttpd then sees the end and cleans up. While a request waits
 * for its commit, or for an identity provider, there is no deadline.
 *
 * Threads: connection_* from libmicrohttpd's threads; the rest from the listener's maker.
 * Ownership: the table owns the connections between open and close.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "intake/tls.h"
#include "util/cleanup.h"
#include "util/err.h"

struct connections;
struct connection;

int connections_new(int64_t request_timeout_ms, int64_t idle_timeout_ms,
		    struct connections **ret) MUST_USE;

/* for what connections begin to do from now on */
void connections_set_timeouts(struct connections *t, int64_t request_timeout_ms,
			      int64_t idle_timeout_ms);

/* From now on each connection ends with the request that it is at. Idle ones end at once; those
 * that have not sent a request yet have a second for it. */
void connections_quiesce(struct connections *t);

/* every connection must be closed before */
void connections_free(struct connections *t);
DEFINE_CLEANUP(struct connections *, connections_free)

/**
 * connection_open() - a new connection, before its TLS handshake
 * @tls: a reference that it keeps as long as it is open, or NULL
 *
 * Return: the connection, or NULL when out of memory: then it has no deadline.
 */
struct connection *connection_open(struct connections *t, int fd, struct tls *tls);
/* must be called before the descriptor is closed */
void connection_close(struct connection *c);

/* each accepts NULL */
void connection_receives(struct connection *c); /* headers are in: the whole request's time runs */
void connection_waits(struct connection *c);    /* suspended: no deadline */
void connection_sends(struct connection *c);    /* the answer has `request_timeout` */
void connection_idles(struct connection *c);    /* the next request has `idle_timeout` */

/* is the answer the connection's last one? */
bool connection_is_ending(const struct connection *c);
