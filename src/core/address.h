/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IP addresses as text: one, a prefix, and one to listen on
 *
 * An address has 16 bytes, IPv4 as IPv4-mapped IPv6 (RFC 4291 section 2.5.5.2), so that one
 * comparison serves both families.
 *
 * Threads: pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "util/macros.h"
#include "util/slice.h"

/* ::ffff:0:0/96, which an IPv4 address stands behind */
extern const unsigned char ip_v4_prefix[12];

/* a numeric address. Return: false when it is none; @ret is garbage then. */
bool ip_parse(struct slice text, unsigned char ret[16], bool *ret_is_ipv4) MUST_USE;

struct prefix {
	unsigned char address[16];
	int bits; /* 0 to 128 */
};

struct prefix_list {
	struct prefix *items;
	size_t n;
};

/* "192.0.2.0/24", "198.51.100.7", "2001:db8::/32". Return: 0, or -EINVAL (host bits set, too).
 * "::/0" holds every IPv4 address as well. */
int prefix_parse(struct slice text, struct prefix *ret) MUST_USE;
bool prefix_list_contains(const struct prefix_list *list, const unsigned char address[16]);

struct listen_address {
	char *text;    /* as configured, "0.0.0.0:8443", "[::]:8443" */
	char host[64]; /* numeric, without brackets */
	int port;      /* 0: the kernel chooses */
};

/* "0.0.0.0:8443", "[::1]:8443". Return: 0, -EINVAL (no numeric address, no port), or -ENOMEM. */
int listen_address_parse(struct slice text, struct listen_address *ret) MUST_USE;
void listen_address_deinit(struct listen_address *address);
/* 127.0.0.0/8 or ::1? */
bool listen_address_is_loopback(const struct listen_address *address);
