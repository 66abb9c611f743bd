/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JWT access tokens: from bytes to a verdict
 *
 *	size -> three parts -> header -> claims -> key -> signature -> scope
 *
 * The cheap and public questions come first, so that junk costs no signature; nothing that a token
 * says is believed before its signature is checked. `alg` is one of a list of asymmetric ones and
 * tied to the key's kind; keys come from the configuration alone: a token that brings or points to
 * its own (`jwk`, `jku`, `x5u`) is refused, as is one with critical extensions.
 *
 * Sources: RFC 7515, RFC 7519, RFC 8725, RFC 9068.
 *
 * Threads: pure.   Ownership: borrows.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "intake/claims.h"
#include "intake/jwks.h"
#include "util/slice.h"

#define JWT_MAX (16 * 1024) /* bytes of a token */

struct jwt_rules {
	struct claims_expected claims;
	unsigned algorithms; /* 1 << enum jws_algorithm of those that are allowed */
};

/**
 * jwt_verify() - is this a good access token?
 * @keys:          NULL: none are known, so what is good so far ends with VERDICT_E_UNKNOWN_KEY
 * @now_s:         wall clock, seconds since the epoch
 * @ret_expires_s: when it ends, leeway included; on VERDICT_OK
 *
 * VERDICT_E_UNKNOWN_KEY means that all but the key was right: it is worth looking for newer keys.
 *
 * Return: VERDICT_OK or what is wrong.
 */
enum token_verdict jwt_verify(struct slice token, const struct jwks *keys,
			      const struct jwt_rules *rules, int64_t now_s, int64_t *ret_expires_s);

/* Three parts, the first of which is a JSON object with an `alg`? An opaque token is not. */
bool jwt_is_one(struct slice token);

/* Whom does it claim to come from? Nothing is verified. */
bool jwt_claims_issuer(struct slice token, const char *issuer);
