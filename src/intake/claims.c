/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/claims.h"

#include <math.h>
#include <string.h>

#include <jansson.h>

#define TIME_MAX 253402300799.0 /* the last second of the year 9999 */

const char *token_verdict_text(enum token_verdict verdict)
{
	static const char *const texts[VERDICTS] = {
		[VERDICT_OK] = "good",
		[VERDICT_E_TOO_LARGE] = "token too large",
		[VERDICT_E_SHAPE] = "not a JWT",
		[VERDICT_E_HEADER] = "JWT header not acceptable",
		[VERDICT_E_TYPE] = "wrong kind of JWT",
		[VERDICT_E_ALGORITHM] = "algorithm not allowed",
		[VERDICT_E_CLAIM] = "claim missing or of the wrong type",
		[VERDICT_E_ISSUER] = "wrong issuer",
		[VERDICT_E_AUDIENCE] = "wrong audience",
		[VERDICT_E_EXPIRED] = "token expired",
		[VERDICT_E_NOT_YET] = "token not valid yet",
		[VERDICT_E_UNKNOWN_KEY] = "no key fits",
		[VERDICT_E_SIGNATURE] = "wrong signature",
		[VERDICT_E_INACTIVE] = "token not active",
		[VERDICT_E_SCOPE] = "required scope missing",
		[VERDICT_E_UNAVAILABLE] = "the provider cannot be asked",
	};

	return texts[verdict];
}

static struct slice string_slice(const json_t *value)
{
	return slice_make(json_string_value(value), json_string_length(value));
}

static enum token_verdict check_issuer(const json_t *claims, const char *issuer)
{
	const json_t *iss = json_object_get(claims, "iss");

	if (!issuer)
		return VERDICT_OK;
	if (!json_is_string(iss))
		return VERDICT_E_CLAIM;
	return slice_eq_str(string_slice(iss), issuer) ? VERDICT_OK : VERDICT_E_ISSUER;
}

/* a string, or a list of strings that has ours */
static enum token_verdict check_audience(const json_t *claims, const char *audience)
{
	const json_t *aud = json_object_get(claims, "aud");
	bool found = false;

	if (!audience)
		return VERDICT_OK;
	if (json_is_string(aud))
		return slice_eq_str(string_slice(aud), audience) ? VERDICT_OK : VERDICT_E_AUDIENCE;
	if (!json_is_array(aud))
		return VERDICT_E_CLAIM;
	for (size_t i = 0; i < json_array_size(aud); i++) {
		const json_t *item = json_array_get(aud, i);

		if (!json_is_string(item))
			return VERDICT_E_CLAIM;
		found |= slice_eq_str(string_slice(item), audience);
	}
	return found ? VERDICT_OK : VERDICT_E_AUDIENCE;
}

/* NumericDate: seconds since the epoch, perhaps with a fraction. Return: false when it is none */
static bool read_time(const json_t *value, int64_t *ret_s)
{
	double s = json_number_value(value);

	if (!json_is_number(value) || !isfinite(s) || s < 0 || s > TIME_MAX)
		return false;
	*ret_s = (int64_t)s;
	return true;
}

static enum token_verdict check_expiry(const json_t *claims, const struct claims_expected *expected,
				       int64_t now_s, int64_t *ret_expires_s)
{
	const json_t *exp = json_object_get(claims, "exp");
	int64_t at_s;

	*ret_expires_s = CLAIMS_NO_EXPIRY;
	if (!exp)
		return expected->must_expire ? VERDICT_E_CLAIM : VERDICT_OK;
	if (!read_time(exp, &at_s))
		return VERDICT_E_CLAIM;
	*ret_expires_s = at_s + expected->leeway_s;
	return now_s < *ret_expires_s ? VERDICT_OK : VERDICT_E_EXPIRED;
}

static enum token_verdict check_begin(const json_t *claims, const char *name,
				      const struct claims_expected *expected, int64_t now_s)
{
	const json_t *value = json_object_get(claims, name);
	int64_t at_s;

	if (!value)
		return VERDICT_OK;
	if (!read_time(value, &at_s))
		return VERDICT_E_CLAIM;
	return at_s <= now_s + expected->leeway_s ? VERDICT_OK : VERDICT_E_NOT_YET;
}

enum token_verdict claims_check(const struct json_t *claims, const struct claims_expected *expected,
				int64_t now_s, int64_t *ret_expires_s)
{
	enum token_verdict verdict = check_issuer(claims, expected->issuer);

	if (verdict == VERDICT_OK)
		verdict = check_audience(claims, expected->audience);
	if (verdict == VERDICT_OK)
		verdict = check_expiry(claims, expected, now_s, ret_expires_s);
	if (verdict == VERDICT_OK)
		verdict = check_begin(claims, "nbf", expected, now_s);
	if (verdict == VERDICT_OK)
		verdict = check_begin(claims, "iat", expected, now_s);
	return verdict;
}

static bool has_word(struct slice given, struct slice word)
{
	struct slice piece;

	while (slice_split(&given, ' ', &piece))
		if (slice_eq(piece, word))
			return true;
	return false;
}

/* is @word in `scope` (a string) or `scp` (a list, or a string as Microsoft writes it)? */
static bool grants(const json_t *scope, const json_t *scp, struct slice word)
{
	if (has_word(string_slice(scope), word) || has_word(string_slice(scp), word))
		return true;
	for (size_t i = 0; i < json_array_size(scp); i++)
		if (slice_eq(string_slice(json_array_get(scp, i)), word))
			return true;
	return false;
}

static bool is_scope_list(const json_t *scp)
{
	for (size_t i = 0; i < json_array_size(scp); i++)
		if (!json_is_string(json_array_get(scp, i)))
			return false;
	return !scp || json_is_array(scp) || json_is_string(scp);
}

enum token_verdict claims_check_scope(const struct json_t *claims, const char *required)
{
	const json_t *scope = json_object_get(claims, "scope");
	const json_t *scp = json_object_get(claims, "scp");
	struct slice rest = slice_of(required), word;

	if (!required)
		return VERDICT_OK;
	if ((scope && !json_is_string(scope)) || !is_scope_list(scp))
		return VERDICT_E_CLAIM;
	while (slice_split(&rest, ' ', &word))
		if (word.n && !grants(scope, scp, word))
			return VERDICT_E_SCOPE;
	return VERDICT_OK;
}
