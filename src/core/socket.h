/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listening sockets
 *
 * Threads: any.   Ownership: descriptors belong to the caller.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "core/address.h"
#include "util/err.h"

/**
 * socket_listen() - a TCP socket that listens, close-on-exec, address reusable
 *
 * An IPv6 wildcard serves IPv4 too.
 *
 * Return: 0, or a negative errno with a sentence in @e.
 */
int socket_listen(const struct listen_address *address, int backlog, int *ret_fd,
		  struct error *e) MUST_USE;

/**
 * socket_listen_unix() - a Unix socket that listens, mode 0660
 *
 * A stale socket file of a daemon that died is replaced; a live one is an error.
 */
int socket_listen_unix(const char *path, int backlog, int *ret_fd, struct error *e) MUST_USE;

/* "https://127.0.0.1:8443" of a bound socket. Return: 0, or a negative errno. */
int socket_url(int fd, const char *scheme, char *out, size_t n) MUST_USE;

/* can only this machine reach a bound socket? */
bool socket_is_loopback(int fd);
