/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listener: HTTPS by libmicrohttpd, epoll, a pool of threads
 *
 * Owns the listening socket, libmicrohttpd's daemon and the table of connections. Stopping takes
 * two steps, because a suspended connection must be resumed before libmicrohttpd may stop:
 * listener_quiesce() accepts nothing more; when every request has its answer (intake_drain) or the
 * store has stopped, so that none is suspended any more, listener_free() ends the threads.
 *
 * Threads: the one that made it.
 */
#pragma once

#include "util/cleanup.h"
#include "util/err.h"

struct config;
struct intake;
struct listener;

/**
 * listener_new() - bind, listen, start the threads
 * @config: borrowed until listener_free()
 * @intake: borrowed until listener_free()
 *
 * Return: 0, or a negative errno with a sentence that says what to do.
 */
int listener_new(const struct config *config, struct intake *intake, struct listener **ret_listener,
		 struct error *e) MUST_USE;

/* "https://127.0.0.1:8443", with the port that the kernel chose */
const char *listener_url(const struct listener *l);

void listener_quiesce(struct listener *l);
void listener_free(struct listener *l);
DEFINE_CLEANUP(struct listener *, listener_free)
