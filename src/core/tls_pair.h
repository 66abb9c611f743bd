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

#include "util/err.h"

struct tls_pair {
	char *certificate; /* PEM, the server's first, then the chain; NUL-terminated */
	char *private_key; /* PEM, NUL-terminated */
	int64_t not_after; /* end of the server certificate's validity, us since the epoch */
};

#define TLS_PAIR_NULL ((struct tls_pair){0})

/**
 * tls_pair_read() - read both files and check that they belong together
 * @certificate_path: PEM file, [server] tls_certificate
 * @private_key_path: PEM file without a passphrase, [server] tls_private_key
 * @ret:              filled on success
 * @e:                names the option and the file
 *
 * Return: 0, or a negative errno.
 */
int tls_pair_read(const char *certificate_path, const char *private_key_path, struct tls_pair *ret,
		  struct error *e) MUST_USE;
void tls_pair_deinit(struct tls_pair *pair);
