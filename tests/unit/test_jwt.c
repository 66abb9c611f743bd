/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/jwt.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/crypto.h"
#include "intake/verdicts.h"
#include "jwt_vectors.h"
#include "util/buf.h"

#define ALL ((1U << JWS_ALGORITHMS) - 1)

static const struct jwt_rules rules = {
	.claims = {.issuer = VECTOR_ISSUER,
		   .audience = VECTOR_AUDIENCE,
		   .scope = VECTOR_SCOPE,
		   .leeway_s = 60,
		   .must_expire = true},
	.algorithms = ALL,
};

static int make(void **state)
{
	struct jwks *keys;

	assert_int_equal(jwks_parse(slice_of(vector_keys), &keys), 0);
	assert_int_equal(jwks_count(keys), 4);
	*state = keys;
	return 0;
}

static int unmake(void **state)
{
	jwks_unref(*state);
	return 0;
}

static enum token_verdict verify_by(const struct jwks *keys, const struct jwt_rules *by,
				    const char *token, int64_t now_s)
{
	int64_t expires_s = -1;
	enum token_verdict verdict = jwt_verify(slice_of(token), keys, by, now_s, &expires_s);

	assert_int_equal(expires_s, verdict == VERDICT_OK ? VECTOR_NOW_S + 660 : -1);
	return verdict;
}

static void test_every_algorithm(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		int algorithm = jws_algorithm_of(slice_of(vectors[i].algorithm));
		struct jwt_rules one = rules;

		assert_true(algorithm >= 0);
		one.algorithms = 1U << algorithm;
		assert_int_equal(verify_by(*state, &one, vectors[i].token, VECTOR_NOW_S),
				 VERDICT_OK);
		one.algorithms = ALL & ~one.algorithms;
		assert_int_equal(verify_by(*state, &one, vectors[i].token, VECTOR_NOW_S),
				 VERDICT_E_ALGORITHM);
	}
	assert_int_equal(verify_by(*state, &rules, vector_without_kid, VECTOR_NOW_S), VERDICT_OK);
	assert_int_equal(verify_by(NULL, &rules, vector_without_kid, VECTOR_NOW_S),
			 VERDICT_E_UNKNOWN_KEY);
}

/* each time alone decides, to the second */
static void test_times(void **state)
{
	const char *token = vectors[JWS_ES256].token;
	static const struct {
		int64_t now_s;
		enum token_verdict verdict;
	} cases[] = {
		{VECTOR_NOW_S - 61, VERDICT_E_NOT_YET},
		{VECTOR_NOW_S - 60, VERDICT_OK},
		{VECTOR_NOW_S + 659, VERDICT_OK},
		{VECTOR_NOW_S + 660, VERDICT_E_EXPIRED},
		{0, VERDICT_E_NOT_YET},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(verify_by(*state, &rules, token, cases[i].now_s),
				 cases[i].verdict);
}

static void test_expectations(void **state)
{
	const char *token = vectors[JWS_RS256].token;
	struct jwt_rules other = rules;

	other.claims.issuer = "https://idp.example.co";
	assert_int_equal(verify_by(*state, &other, token, VECTOR_NOW_S), VERDICT_E_ISSUER);
	other = rules;
	other.claims.audience = "riskhook";
	assert_int_equal(verify_by(*state, &other, token, VECTOR_NOW_S), VERDICT_E_AUDIENCE);
	other = rules;
	other.claims.scope = "riskos.events riskos.admin";
	assert_int_equal(verify_by(*state, &other, token, VECTOR_NOW_S), VERDICT_E_SCOPE);
	other.claims.scope = " other  riskos.events ";
	assert_int_equal(verify_by(*state, &other, token, VECTOR_NOW_S), VERDICT_OK);
	other.claims.scope = "riskos.event";
	assert_int_equal(verify_by(*state, &other, token, VECTOR_NOW_S), VERDICT_E_SCOPE);
}

/* no character of a token can be changed, left out or doubled */
static void test_changed_tokens(void **state)
{
	const char *token = vectors[JWS_ES256].token;
	size_t n = strlen(token);
	char *changed = malloc(n + 2);

	assert_non_null(changed);
	for (size_t i = 0; i < n; i++) {
		memcpy(changed, token, n + 1);
		changed[i] = token[i] == 'A' ? 'B' : 'A';
		assert_int_not_equal(verify_by(*state, &rules, changed, VECTOR_NOW_S), VERDICT_OK);
		memmove(changed + i, token + i + 1, n - i);
		assert_int_not_equal(verify_by(*state, &rules, changed, VECTOR_NOW_S), VERDICT_OK);
		memcpy(changed, token, i + 1);
		memcpy(changed + i + 1, token + i, n - i + 1);
		assert_int_not_equal(verify_by(*state, &rules, changed, VECTOR_NOW_S), VERDICT_OK);
	}
	free(changed);
}

static void test_shapes(void **state)
{
	static const char *const not_jwt[] = {"",         ".",       "..",     "...",
					      "opaque",   "a.b",     "a.b.c",  "e30.e30",
					      "e30.e30.", "e30..AA", ".e30.AA"};
	struct buf large = BUF_INIT(2 * JWT_MAX);
	int64_t expires_s;

	for (size_t i = 0; i < ARRAY_SIZE(not_jwt); i++) {
		assert_int_equal(verify_by(*state, &rules, not_jwt[i], VECTOR_NOW_S),
				 VERDICT_E_SHAPE);
		assert_false(jwt_is_one(slice_of(not_jwt[i])));
	}
	assert_int_equal(verify_by(*state, &rules, "e30.e30.AA", VECTOR_NOW_S), VERDICT_E_HEADER);
	assert_true(jwt_is_one(slice_of(vectors[0].token)));
	assert_true(jwt_claims_issuer(slice_of(vectors[0].token), VECTOR_ISSUER));
	assert_false(jwt_claims_issuer(slice_of(vectors[0].token), ""));
	for (int i = 0; i <= JWT_MAX; i++)
		buf_append_char(&large, 'A');
	assert_int_equal(jwt_verify(buf_slice(&large), *state, &rules, VECTOR_NOW_S, &expires_s),
			 VERDICT_E_TOO_LARGE);
	buf_deinit(&large);
}

static void test_base64url(void **state)
{
	static const struct {
		const char *text;
		int n; /* -1: refused */
	} cases[] = {{"", 0},      {"AA", 1},   {"AAA", 2},    {"AAAA", 3},  {"-_-_", 3},
		     {"A", -1},    {"AB", -1},  {"AAB", -1},   {"AA==", -1}, {"AA=", -1},
		     {"+/+/", -1}, {"A A", -1}, {"AAAAA", -1}, {"AA\n", -1}, {"\xc3\xa4", -1}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *p = NULL;
		size_t n = 0;
		int r = base64url_decode(slice_of(cases[i].text), &p, &n);

		assert_int_equal(r, cases[i].n < 0 ? -EINVAL : 0);
		assert_int_equal(n, cases[i].n < 0 ? 0 : cases[i].n);
		free(p);
	}
}

#define EC_X                                                                                       \
	"\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\""
#define EC_Y     "\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\"" /* RFC 7517 A.1 */
#define SET(key) "{\"keys\":[{" key "}]}"

static void test_key_sets(void **state)
{
	static const struct {
		const char *json;
		int r;
	} cases[] = {
		{SET(EC_X "," EC_Y), 0},
		{SET(EC_X "," EC_Y ",\"use\":\"sig\",\"key_ops\":[\"verify\"],\"alg\":\"ES256\""),
		 0},
		{SET(EC_X "," EC_Y ",\"d\":\"AAAA\""), 0}, /* the private half is not looked at */
		{SET(EC_X "," EC_Y ",\"use\":\"enc\""), -ENOKEY},
		{SET(EC_X "," EC_Y ",\"use\":7"), -ENOKEY},
		{SET(EC_X "," EC_Y ",\"key_ops\":[\"sign\"]"), -ENOKEY},
		{SET(EC_X "," EC_Y ",\"key_ops\":[]"), -ENOKEY},
		{SET(EC_X "," EC_Y ",\"alg\":\"ES384\""), -ENOKEY},
		{SET(EC_X "," EC_Y ",\"alg\":\"HS256\""), -ENOKEY},
		{SET(EC_X "," EC_Y ",\"kid\":\"\""), -ENOKEY},
		{SET(EC_X), -ENOKEY},
		{SET(EC_X ",\"y\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\""),
		 -ENOKEY}, /* off */
		{SET("\"kty\":\"oct\",\"k\":\"AAAA\""), -ENOKEY},
		{SET("\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\""), -ENOKEY}, /* short */
		{SET("\"kty\":\"RSA\""), -ENOKEY},
		{"{\"keys\":[]}", -ENOKEY},
		{"{\"keys\":[1,null,[],\"x\"]}", -ENOKEY},
		{"{\"keys\":{}}", -EINVAL},
		{"{\"keys\":[],\"keys\":[]}", -EINVAL},
		{"[]", -EINVAL},
		{"", -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct jwks *set = NULL;

		if (jwks_parse(slice_of(cases[i].json), &set) != cases[i].r)
			fail_msg("%s: not %d", cases[i].json, cases[i].r);
		jwks_unref(set);
	}
}

static void test_a_set_is_bounded(void **state)
{
	struct buf json = BUF_INIT(2 * JWKS_MAX_SIZE);
	struct jwks *set = NULL;

	(void)state;
	buf_append_str(&json, "{\"keys\":[");
	for (int i = 0; i <= JWKS_MAX_KEYS; i++)
		buf_printf(&json, "%s{" EC_X "," EC_Y "}", i ? "," : "");
	buf_append_str(&json, "]}");
	assert_int_equal(jwks_parse(buf_slice(&json), &set), -EINVAL);
	while (json.n <= JWKS_MAX_SIZE)
		buf_append_char(&json, ' ');
	assert_int_equal(jwks_parse(buf_slice(&json), &set), -EFBIG);
	buf_deinit(&json);
}

static void test_remembered_verdicts(void **state)
{
	struct verdicts *v;
	struct sha256 digest;
	enum token_verdict verdict;
	int n_known = 0;

	(void)state;
	assert_int_equal(verdicts_new(&v), 0);
	digest = sha256_of("a", 1);
	assert_false(verdicts_recall(v, &digest, 0, &verdict));
	verdicts_remember(v, &digest, VERDICT_E_INACTIVE, 0, 100);
	assert_true(verdicts_recall(v, &digest, 99, &verdict));
	assert_int_equal(verdict, VERDICT_E_INACTIVE);
	assert_false(verdicts_recall(v, &digest, 100, &verdict));
	verdicts_remember(v, &digest, VERDICT_OK, 0, 200);
	assert_true(verdicts_recall(v, &digest, 100, &verdict));
	assert_int_equal(verdict, VERDICT_OK);
	for (int i = 0; i < 100000; i++) {
		digest = sha256_of(&i, sizeof(i));
		verdicts_remember(v, &digest, VERDICT_OK, 0, 300 + i);
		assert_true(verdicts_recall(v, &digest, 100, &verdict));
	}
	for (int i = 0; i < 100000; i++) {
		digest = sha256_of(&i, sizeof(i));
		n_known += verdicts_recall(v, &digest, 100, &verdict);
	}
	assert_in_range(n_known, 1000, 4096);

	/* the clock was set back by an hour */
	verdicts_remember(v, &digest, VERDICT_OK, 3600000000, 3601000000);
	assert_true(verdicts_recall(v, &digest, 3600000000, &verdict));
	assert_false(verdicts_recall(v, &digest, 500000, &verdict));
	verdicts_free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_every_algorithm, make, unmake),
		cmocka_unit_test_setup_teardown(test_times, make, unmake),
		cmocka_unit_test_setup_teardown(test_expectations, make, unmake),
		cmocka_unit_test_setup_teardown(test_changed_tokens, make, unmake),
		cmocka_unit_test_setup_teardown(test_shapes, make, unmake),
		cmocka_unit_test(test_base64url),
		cmocka_unit_test(test_key_sets),
		cmocka_unit_test(test_a_set_is_bounded),
		cmocka_unit_test(test_remembered_verdicts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
