/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A certificate chain and its private key: do the files hold what they should?
 *
 * libmicrohttpd only says that HTTPS could not be started; this says which file is wrong, and why.
 *
 * Threads: any.   Ownership: the caller frees what it read by tls_pair_deinit(), which wipes the
 * key.
 */
#pragma once

#include <stdint.h>

#include "core/config.h"
#include "util/err.h"

struct tls_pair {
	char *certificate; /* PEM, the server's first, then the chain; NUL-terminated */
	char *private_key; /* PEM, NUL-terminated */
	char *client_ca;   /* PEM of the authorities for clients, or NULL */
	int64_t not_after; /* end of the server certificate's validity, us since the epoch */
};

#define TLS_PAIR_NULL ((struct tls_pair){0})

/**
 * tls_pair_read() - read the files of [server] and check that they belong together
 * @server: tls_certificate, tls_private_key (without a passphrase) and tls_client_ca, if given
 * @ret:    filled on success
 * @e:      "FILE:LINE: what is wrong", with the line of the option
 *
 * Return: 0, or a negative errno.
 */
int tls_pair_read(const struct server_config *server, struct tls_pair *ret,
		  struct error *e) MUST_USE;
void tls_pair_deinit(struct tls_pair *pair);

/* when all certificates of a chain are valid, us since the epoch */
struct tls_validity {
	int64_t not_before, not_after;
};

/* of the PEM file. Return: 0, or a negative errno; -EINVAL: it holds no certificate. */
int tls_validity_read(const char *path, struct tls_validity *ret) MUST_USE;

/* a pem_password_cb of OpenSSL's: nobody is there to be asked for a passphrase */
int tls_no_passphrase(char *out, int size, int writing, void *arg);
