/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digests, secrets and random numbers: the one room where OpenSSL's libcrypto lives
 *
 * Threads: any.   Ownership: borrows what it reads.
 *
 * Sources: FIPS 180-4 (SHA-256), RFC 7914 (scrypt), RFC 4648 (base64).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/err.h"
#include "util/slice.h"

#define SHA256_SIZE 32

struct sha256 {
	unsigned char bytes[SHA256_SIZE];
};

/* digest of @n bytes; cannot fail with a working libcrypto, and ends the program with a broken one
 */
struct sha256 sha256_of(const void *p, size_t n);

/* digest of several pieces, each preceded by its length, so that no two lists collide */
struct sha256 sha256_of_pieces(const struct slice *pieces, size_t n_pieces);

/* equal? The time does not depend on where they differ. */
bool sha256_eq(const struct sha256 *a, const struct sha256 *b);

/* @n bytes from the operating system's random source; ends the program when there is none */
void random_bytes(void *p, size_t n);

/* a number in [0, @bound), @bound > 0; for jitter */
uint64_t random_below(uint64_t bound);

/* For tests: where random_below() has its bytes from; NULL: from random_bytes() again. Secrets
 * never come from it. Before any other thread is started. */
typedef void (*random_source)(void *p, size_t n);
void random_set_source(random_source replacement);

/* overwrite a secret in a way that the compiler keeps */
void secret_wipe(void *p, size_t n);

/**
 * base64_decode() - RFC 4648 section 4, padding optional, no white space
 * @ret_p: the bytes and a NUL behind them; the caller wipes and frees
 *
 * Return: 0, -EINVAL, or -ENOMEM.
 */
int base64_decode(struct slice text, char **ret_p, size_t *ret_n) MUST_USE;

/* characters of @n bytes in base64url without padding */
#define BASE64URL_SIZE(n) (((n)*4 + 2) / 3)

/* write BASE64URL_SIZE(@n) characters and a NUL to @out (RFC 4648 section 5) */
void base64url_encode(const void *p, size_t n, char *out);

/**
 * password_hash_new() - hash a password for `password_hash =`
 *
 * Return: "scrypt:LOG2N:R:P:HEXSALT:HEXDIGEST", which the caller frees; NULL when out of memory.
 */
char *password_hash_new(struct slice password);

/**
 * password_hash_check() - parse only: is @text a hash that password_hash_verify() can use?
 *
 * Cost parameters are bounded (N <= 2^20, at most 256 MiB).
 *
 * Return: 0, or -EINVAL.
 */
int password_hash_check(struct slice text) MUST_USE;

/**
 * password_hash_verify() - does @password give @hash? Tens of milliseconds of CPU.
 *
 * Return: 0 yes, 1 no, or a negative errno.
 */
int password_hash_verify(struct slice hash, struct slice password) MUST_USE;
