/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/introspection.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "intake/form.h"
#include "intake/key_source.h"

#define NOW_S 1000

static void test_form(void **state)
{
	struct buf out = BUF_INIT(100);

	(void)state;
	assert_int_equal(form_append(&out, SLICE("aZ09-._~ +&=%\xc3\xa4\0")), 0);
	assert_true(slice_eq(buf_slice(&out), SLICE("aZ09-._%7E%20%2B%26%3D%25%C3%A4%00")));
	buf_deinit(&out);
}

static void test_answers(void **state)
{
	static const struct claims_expected none = {.leeway_s = 0},
					    all = {.issuer = "i", .audience = "a", .scope = "s"};
	static const struct {
		const struct claims_expected *expected;
		const char *body, *type;
		enum token_verdict verdict;
	} cases[] = {
		{&none, "{\"active\":true}", "application/json", VERDICT_OK},
		{&none, "{\"active\":true}", "Application/JSON; charset=utf-8", VERDICT_OK},
		{&none, "{\"active\":true}", NULL, VERDICT_OK},
		{&none, "{\"active\":true}", "text/html", VERDICT_E_UNAVAILABLE},
		{&none, "{\"active\":true}", "application/token-introspection+jwt",
		 VERDICT_E_UNAVAILABLE},
		{&none, "{\"active\":false}", NULL, VERDICT_E_INACTIVE},
		{&none, "{\"active\":\"true\"}", NULL, VERDICT_E_UNAVAILABLE},
		{&none, "{\"active\":true,\"active\":true}", NULL, VERDICT_E_UNAVAILABLE},
		{&none, "{\"active\":true", NULL, VERDICT_E_UNAVAILABLE},
		{&none, "true", NULL, VERDICT_E_UNAVAILABLE},
		{&none, "", NULL, VERDICT_E_UNAVAILABLE},
		{&none, "{\"active\":true,\"exp\":1000}", NULL, VERDICT_E_EXPIRED},
		{&none, "{\"active\":true,\"exp\":1001}", NULL, VERDICT_OK},
		{&none, "{\"active\":true,\"exp\":\"1001\"}", NULL, VERDICT_E_CLAIM},
		{&none, "{\"active\":true,\"nbf\":1001}", NULL, VERDICT_E_NOT_YET},
		{&all, "{\"active\":true,\"iss\":\"i\",\"aud\":[\"a\"],\"scope\":\"s\"}", NULL,
		 VERDICT_OK},
		{&all, "{\"active\":true,\"iss\":\"i\",\"aud\":\"a\"}", NULL, VERDICT_E_SCOPE},
		{&all, "{\"active\":true,\"iss\":\"j\",\"aud\":\"a\"}", NULL, VERDICT_E_ISSUER},
		{&all, "{\"active\":true,\"iss\":\"i\",\"aud\":\"b\"}", NULL, VERDICT_E_AUDIENCE},
		{&all, "{\"active\":true}", NULL, VERDICT_E_CLAIM},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t expires_s;

		if (introspection_read(slice_of(cases[i].body), slice_of(cases[i].type),
				       cases[i].expected, NOW_S, &expires_s) != cases[i].verdict)
			fail_msg("%s: not '%s'", cases[i].body,
				 token_verdict_text(cases[i].verdict));
	}
}

static void test_every_verdict_has_a_text(void **state)
{
	(void)state;
	for (int i = 0; i < VERDICTS; i++)
		assert_non_null(token_verdict_text((enum token_verdict)i));
}

static void test_freshness(void **state)
{
	static const struct {
		const char *cache_control;
		int64_t expires_in_s, fresh_s;
	} cases[] = {
		{NULL, -1, -1},
		{NULL, 77, 77},
		{"max-age=300", -1, 300},
		{"max-age=300", 77, 300},
		{"public, Max-Age=\"300\", must-revalidate", -1, 300},
		{"max-age=0", 77, 0},
		{"no-store", 77, 0},
		{"max-age=300, no-cache", -1, 0},
		{"max-age=99999999999999999999", -1, 1000000000},
		{"max-age=x", -1, -1},
		{"max-age=-1", 77, 77},
		{"s-maxage=5", -1, -1},
		{"private", -1, -1},
		{",,", -1, -1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(
			fresh_for_s(slice_of(cases[i].cache_control), cases[i].expires_in_s),
			cases[i].fresh_s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_every_verdict_has_a_text),
		cmocka_unit_test(test_freshness),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
