/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A set of public keys (JWK Set), and signatures checked with them: the room of cjose
 *
 * Of each key only what verification needs is taken over: what has no `n`, `e`, `x`, `y` or is
 * private, symmetric, too short, too long or meant for something else is left out. So a set may
 * hold keys of kinds that come later.
 *
 * Sources: RFC 7517, RFC 7518 sections 3 and 6, RFC 8725 section 3.
 *
 * Threads: a set does not change once it is made; any number may read it, each with a reference.
 * Ownership: jwks_parse() and jwks_ref() give a reference that the caller drops.
 */
#pragma once

#include <stddef.h>

#include "util/cleanup.h"
#include "util/macros.h"
#include "util/slice.h"

#define JWKS_MAX_SIZE (256 * 1024) /* bytes of a set */
#define JWKS_MAX_KEYS 64
#define JWKS_KID_MAX  256 /* bytes */

/* signature algorithms: asymmetric ones alone, so that none and HMAC cannot even be named */
enum jws_algorithm {
	JWS_RS256,
	JWS_RS384,
	JWS_RS512,
	JWS_PS256,
	JWS_PS384,
	JWS_PS512,
	JWS_ES256,
	JWS_ES384,
	JWS_ES512,
	JWS_ALGORITHMS
};

/* Return: the algorithm of an `alg` member, or -1 */
int jws_algorithm_of(struct slice name);

struct jwks;
struct jwk;

/**
 * jwks_parse() - a set from JSON
 *
 * Return: 0; -EFBIG over JWKS_MAX_SIZE; -EINVAL when it is no JWK Set; -ENOKEY when no key in it is
 * of use; -ENOMEM.
 */
int jwks_parse(struct slice json, struct jwks **ret) MUST_USE;
struct jwks *jwks_ref(struct jwks *set);
void jwks_unref(struct jwks *set);
DEFINE_CLEANUP(struct jwks *, jwks_unref)

/* how many keys were taken over */
size_t jwks_count(const struct jwks *set);

/**
 * jwks_next() - the keys that may have made a signature, one after the other
 * @kid:   the header's, or the empty slice: every key
 * @after: where the search goes on; NULL: from the first
 *
 * A key fits when its kind and curve, and its own `alg` if it has one, are those of @algorithm.
 *
 * Return: the next key, or NULL.
 */
const struct jwk *jwks_next(const struct jwks *set, struct slice kid, enum jws_algorithm algorithm,
			    const struct jwk *after);

/**
 * jwk_verify() - is the signature of a compact JWS @key's?
 * @token: three parts; the header's `alg` has been checked against @key
 */
bool jwk_verify(const struct jwk *key, struct slice token);

/**
 * base64url_decode() - RFC 7515 section 2: no padding, no leftover bits, nothing but the alphabet
 * @ret_p: the bytes and a NUL behind them; the caller frees
 *
 * Return: 0, -EINVAL, or -ENOMEM.
 */
int base64url_decode(struct slice text, char **ret_p, size_t *ret_n) MUST_USE;
