/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sender's address
 *
 * Threads: pure.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "core/address.h"
#include "util/slice.h"

struct address {
	unsigned char bytes[16];
	char text[INET6_ADDRSTRLEN]; /* "192.0.2.1", "2001:db8::1" */
};

/* a socket that has no IP address (a Unix socket) counts as ::1 */
void address_from_sockaddr(const struct sockaddr *sa, struct address *ret);

/* as X-Forwarded-For has it, an IPv6 address perhaps in brackets. Return: 0, or -EINVAL */
int address_parse(struct slice text, struct address *ret) MUST_USE;

/**
 * address_of_client() - the address that posts, behind trusted proxies
 * @peer:          who is connected
 * @trusted:       proxies whose word is taken
 * @forwarded_for: X-Forwarded-For as received, or empty
 *
 * Read from the right: each trusted proxy vouches for the entry to its left, so the first entry
 * that is not a trusted proxy is the client. An entry that is no address ends the walk.
 */
struct address address_of_client(const struct address *peer, const struct prefix_list *trusted,
				 struct slice forwarded_for);

/* /32 of IPv4, /64 of IPv6: what one sender can change freely is left out */
void address_network(const struct address *a, unsigned char ret_key[16]);
