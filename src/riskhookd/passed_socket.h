/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listening socket that the service manager passes in (sd_listen_fds(3))
 *
 * Such a socket outlives the daemon: who connects while there is none waits in its queue.
 *
 * Threads: main, before any other exists: the environment is changed.
 */
#pragma once

#include "util/cleanup.h"
#include "util/err.h"

struct server_config;

/**
 * passed_socket_take() - the one listening socket that was passed in, if any
 * @ret_fd: close-on-exec; the caller's. -1: none was passed, [server] listen counts
 *
 * Return: 0, or a negative errno with the sentence in @e: more than one, or not a TCP socket that
 * listens, or one that others could reach when [server] insecure_http is set.
 */
int passed_socket_take(const struct server_config *server, int *ret_fd, struct error *e) MUST_USE;
