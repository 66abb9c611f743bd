/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a token says about itself, checked against what is expected
 *
 * The claims of a JWT access token and the members of an introspection answer have the same names
 * and meanings, so one function looks at both.
 *
 * Sources: RFC 7519 section 4.1, RFC 9068 section 2.2, RFC 7662 section 2.2, RFC 8725 section 3.
 *
 * Threads: pure.   Ownership: borrows.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "util/slice.h"

struct json_t;

/* Why a token is good, or what is wrong with it. */
enum token_verdict {
	VERDICT_OK = 0,
	VERDICT_E_TOO_LARGE,
	VERDICT_E_SHAPE,  /* not three parts of base64url, JSON objects, and a signature */
	VERDICT_E_HEADER, /* a member of the header has the wrong type, is forbidden or critical */
	VERDICT_E_TYPE,   /* typ: this JWT is something else */
	VERDICT_E_ALGORITHM, /* not allowed; none and HMAC never are */
	VERDICT_E_CLAIM,     /* a claim is missing or has the wrong type */
	VERDICT_E_ISSUER,
	VERDICT_E_AUDIENCE,
	VERDICT_E_EXPIRED,
	VERDICT_E_NOT_YET,     /* nbf or iat is in the future */
	VERDICT_E_UNKNOWN_KEY, /* no key of the set fits: a newer set may have it */
	VERDICT_E_SIGNATURE,
	VERDICT_E_INACTIVE,    /* introspection says no */
	VERDICT_E_SCOPE,       /* all is well, but the required scope is missing */
	VERDICT_E_UNAVAILABLE, /* nobody could say */
	VERDICTS
};

/* for the log: "wrong audience" */
const char *token_verdict_text(enum token_verdict verdict);

struct claims_expected {
	const char *issuer;   /* NULL: any */
	const char *audience; /* NULL: any */
	const char *scope;    /* tokens separated by blanks, all required; NULL: none */
	int64_t leeway_s;
	bool must_expire; /* a token without exp is refused */
};

#define CLAIMS_NO_EXPIRY INT64_MAX

/**
 * claims_check() - everything but the scope
 * @claims:        a JSON object
 * @now_s:         wall clock, seconds since the epoch
 * @ret_expires_s: when the token ends, leeway included; CLAIMS_NO_EXPIRY when it does not say
 *
 * Return: VERDICT_OK or what is wrong.
 */
enum token_verdict claims_check(const struct json_t *claims, const struct claims_expected *expected,
				int64_t now_s, int64_t *ret_expires_s);

/* VERDICT_OK, VERDICT_E_SCOPE, or VERDICT_E_CLAIM when `scope` is no string and `scp` no list of
 * them */
enum token_verdict claims_check_scope(const struct json_t *claims, const char *required);
