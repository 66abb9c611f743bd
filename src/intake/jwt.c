/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/jwt.h"

#include <errno.h>
#include <stdlib.h>

#include <jansson.h>

#define TRIES_MAX 8 /* keys that a token without kid is tried with */

struct parts {
	struct slice header, payload, signature;
};

static enum token_verdict split(struct slice token, struct parts *ret)
{
	struct slice rest = token, more;

	if (token.n > JWT_MAX)
		return VERDICT_E_TOO_LARGE;
	if (!slice_split(&rest, '.', &ret->header) || !slice_split(&rest, '.', &ret->payload) ||
	    !slice_split(&rest, '.', &ret->signature) || slice_split(&rest, '.', &more))
		return VERDICT_E_SHAPE;
	if (token.p[token.n - 1] == '.' || !ret->header.n || !ret->payload.n)
		return VERDICT_E_SHAPE;
	return VERDICT_OK;
}

/* Return: the JSON object of a part, or NULL */
static json_t *load_part(struct slice part)
{
	_cleanup_(freep)
	char *p = NULL;
	json_t *json;
	size_t n;

	if (base64url_decode(part, &p, &n) < 0)
		return NULL;
	json = json_loadb(p, n, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(json))
		return json;
	json_decref(json);
	return NULL;
}

static bool is_base64url(struct slice part)
{
	_cleanup_(freep)
	char *p = NULL;
	size_t n;

	return base64url_decode(part, &p, &n) == 0;
}

static struct slice string_slice(const json_t *value)
{
	return slice_make(json_string_value(value), json_string_length(value));
}

static bool has_forbidden_member(const json_t *header)
{
	static const char *const names[] = {
		"crit",               /* extensions that we would have to know; we know none */
		"jwk",  "jku", "x5u", /* keys of the sender's choice */
		"b64",  "enc", "zip", "cty", /* unencoded, encrypted, compressed, nested */
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (json_object_get(header, names[i]))
			return true;
	return false;
}

/* RFC 9068 section 4; JWT and nothing at all are what most providers write */
static bool is_access_token(const json_t *typ)
{
	static const char *const types[] = {"at+jwt", "application/at+jwt", "JWT"};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (slice_eq_nocase(string_slice(typ), slice_of(types[i])))
			return true;
	return !typ;
}

struct header {
	enum jws_algorithm algorithm;
	struct slice kid; /* borrowed from the JSON */
};

static enum token_verdict read_header(const json_t *json, unsigned allowed, struct header *ret)
{
	const json_t *alg = json_object_get(json, "alg"), *kid = json_object_get(json, "kid");
	int algorithm;

	if (!json_is_string(alg) || has_forbidden_member(json))
		return VERDICT_E_HEADER;
	algorithm = jws_algorithm_of(string_slice(alg));
	if (algorithm < 0 || !(allowed & 1U << algorithm))
		return VERDICT_E_ALGORITHM;
	if (!is_access_token(json_object_get(json, "typ")))
		return VERDICT_E_TYPE;
	ret->algorithm = (enum jws_algorithm)algorithm;
	ret->kid = string_slice(kid);
	if (kid && (ret->kid.n == 0 || ret->kid.n > JWKS_KID_MAX))
		return VERDICT_E_HEADER;
	return VERDICT_OK;
}

static enum token_verdict check_signature(struct slice token, const struct jwks *keys,
					  const struct header *header)
{
	enum token_verdict verdict = VERDICT_E_UNKNOWN_KEY;
	const struct jwk *key = NULL;

	if (!keys)
		return verdict;
	for (int tries = 0; tries < TRIES_MAX; tries++) {
		key = jwks_next(keys, header->kid, header->algorithm, key);
		if (!key)
			return verdict;
		if (jwk_verify(key, token))
			return VERDICT_OK;
		/* without a kid, the right key may be one that we do not have yet */
		if (header->kid.n)
			verdict = VERDICT_E_SIGNATURE;
	}
	return VERDICT_E_SIGNATURE;
}

enum token_verdict jwt_verify(struct slice token, const struct jwks *keys,
			      const struct jwt_rules *rules, int64_t now_s, int64_t *ret_expires_s)
{
	_cleanup_(json_decrefp)
	json_t *header_json = NULL;
	_cleanup_(json_decrefp)
	json_t *claims = NULL;
	enum token_verdict verdict;
	struct header header;
	struct parts parts;
	int64_t expires_s;

	verdict = split(token, &parts);
	if (verdict != VERDICT_OK)
		return verdict;
	header_json = load_part(parts.header);
	if (!header_json)
		return VERDICT_E_SHAPE;
	verdict = read_header(header_json, rules->algorithms, &header);
	if (verdict != VERDICT_OK)
		return verdict;
	claims = load_part(parts.payload);
	if (!claims || !parts.signature.n || !is_base64url(parts.signature))
		return VERDICT_E_SHAPE;
	verdict = claims_check(claims, &rules->claims, now_s, &expires_s);
	if (verdict == VERDICT_OK)
		verdict = check_signature(token, keys, &header);
	if (verdict == VERDICT_OK)
		verdict = claims_check_scope(claims, rules->claims.scope);
	if (verdict == VERDICT_OK)
		*ret_expires_s = expires_s;
	return verdict;
}

bool jwt_is_one(struct slice token)
{
	_cleanup_(json_decrefp)
	json_t *header = NULL;
	struct parts parts;

	if (token.n > JWT_MAX || !slice_split(&token, '.', &parts.header) || !token.n ||
	    !memchr(token.p, '.', token.n))
		return false;
	header = load_part(parts.header);
	return json_object_get(header, "alg") != NULL;
}

bool jwt_claims_issuer(struct slice token, const char *issuer)
{
	_cleanup_(json_decrefp)
	json_t *claims = NULL;
	struct parts parts;

	if (split(token, &parts) != VERDICT_OK)
		return false;
	claims = load_part(parts.payload);
	return slice_eq_str(string_slice(json_object_get(claims, "iss")), issuer);
}
