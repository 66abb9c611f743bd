/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_scan() and json_decode(): the corners of the grammar, and which values are found.
 * test_json_mutations.c has the comparison with jansson at large.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../fuzz/json_oracle.h"
#include "intake/json_decode.h"
#include "intake/json_scan.h"
#include "util/macros.h"

/* scan a copy that ends where its memory ends, so that a sanitizer sees every step beyond */
static int scan(struct slice text, struct json_value *values, size_t *ret_error_at)
{
	char *exact = malloc(text.n ? text.n : 1);
	int r;

	assert_non_null(exact);
	if (text.n)
		memcpy(exact, text.p, text.n);
	r = json_scan(slice_make(exact, text.n), oracle_wants, N_ORACLE_WANTS, values,
		      ret_error_at);
	for (size_t i = 0; i < N_ORACLE_WANTS; i++)
		if (values[i].kind != KIND_MISSING)
			values[i].raw.p = text.p + (values[i].raw.p - exact);
	free(exact);
	return r;
}

static void assert_accepted(struct slice text)
{
	struct json_value values[N_ORACLE_WANTS];
	size_t error_at;

	if (scan(text, values, &error_at) != JSON_OK)
		fail_msg("refused at %zu: %.*s", error_at, SLICE_ARG(text));
}

static void assert_refused_at(struct slice text, size_t expected_at)
{
	struct json_value values[N_ORACLE_WANTS];
	size_t error_at = 0;

	if (scan(text, values, &error_at) != JSON_E_MALFORMED)
		fail_msg("accepted: %.*s", SLICE_ARG(text));
	if (error_at != expected_at)
		fail_msg("refused at %zu, not %zu: %.*s", error_at, expected_at, SLICE_ARG(text));
}

/* --- grammar --- */

static void test_accepted(void **state)
{
	static const struct slice texts[] = {
		/* every kind, alone and with all white space around */
		SLICE("{}"),
		SLICE("[]"),
		SLICE("\"\""),
		SLICE("0"),
		SLICE("true"),
		SLICE("false"),
		SLICE("null"),
		SLICE(" \t\r\n{ \t\r\n} \t\r\n"),
		SLICE("[ ]"),
		SLICE("[ 1 , 2 ]"),
		SLICE("{ \"a\" : 1 , \"b\" : [ ] }"),
		SLICE("\n          {\n                 \"a\"  :\n\n         1}"),
		/* numbers */
		SLICE("-0"),
		SLICE("-1"),
		SLICE("10"),
		SLICE("0.0"),
		SLICE("-0.5"),
		SLICE("0e0"),
		SLICE("1E+2"),
		SLICE("1e-2"),
		SLICE("1.5e10"),
		SLICE("123456789012345678"),
		SLICE("[0,-0,0.1]"),
		/* beyond int64_t and double: well-formed all the same */
		SLICE("9223372036854775808"),
		SLICE("1e999"),
		SLICE("-1e999999999999999999999"),
		/* strings: each escape, DEL, and all lengths of characters */
		SLICE("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20AC\""),
		SLICE("\"\\u0000\""),
		SLICE("\"\\uD83D\\uDE00\""),
		SLICE("\"\\ud800\\udc00\\uDBFF\\uDFFF\""),
		SLICE("\"\\ud7ff\\ue000\\uffff\""),
		SLICE("\"\x7f\""),
		SLICE("\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\""),
		SLICE("\"1234567\xC3\xA9\""),
		SLICE("\"123456\xF0\x9F\x98\x80 and more of it\""),
		/* keys */
		SLICE("{\"\":1}"),
		SLICE("{\"\\u0000\":1}"),
		SLICE("{\"a\":1,\"a\":2}"),
		SLICE("{\"\xC3\xA9\":1}"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_accepted(texts[i]);
}

struct refused {
	struct slice text;
	size_t at;
};

/* around and in containers */
static const struct refused refused_structure[] = {
	{SLICE(""), 0},
	{SLICE(" "), 1},
	{SLICE("\0"), 0},
	{SLICE("{}\0"), 2},
	{SLICE("\xEF\xBB\xBF{}"), 0},
	{SLICE("{}{}"), 2},
	{SLICE("{} x"), 3},
	{SLICE("1 2"), 2},
	{SLICE("\v1"), 0},
	{SLICE("\xC2\xA0{}"), 0},
	{SLICE("{"), 1},
	{SLICE("["), 1},
	{SLICE("]"), 0},
	{SLICE("}"), 0},
	{SLICE("[1"), 2},
	{SLICE("[1,"), 3},
	{SLICE("[1,]"), 3},
	{SLICE("[,1]"), 1},
	{SLICE("[1 2]"), 3},
	{SLICE("[1}"), 2},
	{SLICE("{]"), 1},
	{SLICE("{,}"), 1},
	{SLICE("{1:2}"), 1},
	{SLICE("{\"a\"}"), 4},
	{SLICE("{\"a\":}"), 5},
	{SLICE("{\"a\":1,}"), 7},
	{SLICE("{\"a\" 1}"), 5},
	{SLICE("{\"a\":1 \"b\":2}"), 7},
	{SLICE("{\"a\"::1}"), 5},
	{SLICE("{a:1}"), 1},
	{SLICE("{'a':1}"), 1},
	{SLICE("[1]]"), 3},
	{SLICE("{\"a\":1"), 6},
	{SLICE("{\"a"), 3},
	{SLICE("{\"a\":"), 5},
};

/* words and numbers */
static const struct refused refused_scalars[] = {
	{SLICE("tru"), 3},   {SLICE("truE"), 3},      {SLICE("True"), 0},
	{SLICE("nul"), 3},   {SLICE("nulll"), 4},     {SLICE("falsy"), 4},
	{SLICE("NaN"), 0},   {SLICE("Infinity"), 0},  {SLICE("undefined"), 0},
	{SLICE("/**/1"), 0}, {SLICE("-"), 1},         {SLICE("+1"), 0},
	{SLICE("01"), 1},    {SLICE("-01"), 2},       {SLICE("00"), 1},
	{SLICE("1."), 2},    {SLICE(".5"), 0},        {SLICE("1.e5"), 2},
	{SLICE("1e"), 2},    {SLICE("1e+"), 3},       {SLICE("1E-"), 3},
	{SLICE("1e5.5"), 3}, {SLICE("0x10"), 1},      {SLICE("1f"), 1},
	{SLICE("--1"), 1},   {SLICE("-Infinity"), 1}, {SLICE("1_000"), 1},
	{SLICE("[1.]"), 3},
};

/* strings, escapes, surrogates */
static const struct refused refused_strings[] = {
	{SLICE("\""), 1},
	{SLICE("\"abc"), 4},
	{SLICE("\"a\nb\""), 2},
	{SLICE("\"\x1f\""), 1},
	{SLICE("\"\0\""), 1},
	{SLICE("\"12345678\t\""), 9},
	{SLICE("'a'"), 0},
	{SLICE("\"\\"), 1},
	{SLICE("\"\\\""), 3},
	{SLICE("\"\\a\""), 1},
	{SLICE("\"\\x41\""), 1},
	{SLICE("\"\\'\""), 1},
	{SLICE("\"\\U0041\""), 1},
	{SLICE("\"\\u\""), 1},
	{SLICE("\"\\u004\""), 1},
	{SLICE("\"\\u004g\""), 1},
	{SLICE("\"\\u00"), 1},
	{SLICE("\"\\u 041\""), 1},
	{SLICE("\"\\u+041\""), 1},
	{SLICE("\"\\ud800\""), 1},
	{SLICE("\"\\udc00\""), 1},
	{SLICE("\"\\udfff\""), 1},
	{SLICE("\"\\ud800\\ud800\""), 1},
	{SLICE("\"\\ud800\\u0041\""), 1},
	{SLICE("\"\\ud800x\""), 1},
	{SLICE("\"\\ud800\\n\""), 1},
	{SLICE("\"\\ud800\\"), 1},
	{SLICE("\"\\ud800\\u"), 1},
	{SLICE("\"\\ud800\\udc0"), 1},
	{SLICE("\"\\udc00\\ud800\""), 1},
};

/* UTF-8: alone, overlong, surrogates, too large, cut */
static const struct refused refused_utf8[] = {
	{SLICE("\"\x80\""), 1},
	{SLICE("\"\xBF\""), 1},
	{SLICE("\"\xC0\x80\""), 1},
	{SLICE("\"\xC1\xBF\""), 1},
	{SLICE("\"\xE0\x80\x80\""), 1},
	{SLICE("\"\xE0\x9F\xBF\""), 1},
	{SLICE("\"\xF0\x80\x80\x80\""), 1},
	{SLICE("\"\xED\xA0\x80\""), 1},
	{SLICE("\"\xED\xBF\xBF\""), 1},
	{SLICE("\"\xF4\x90\x80\x80\""), 1},
	{SLICE("\"\xF5\x80\x80\x80\""), 1},
	{SLICE("\"\xFE\""), 1},
	{SLICE("\"\xFF\""), 1},
	{SLICE("\"\xC3\""), 1},
	{SLICE("\"\xC3"), 1},
	{SLICE("\"\xE2\x82\""), 1},
	{SLICE("\"\xE2\x82"), 1},
	{SLICE("\"\xF0\x9F\x98\""), 1},
	{SLICE("\"\xF0\x9F\x98"), 1},
	{SLICE("\"1234567\xC3\x28 and more\""), 8},
	{SLICE("{\"\xC3\":1}"), 2},
	{SLICE("\xC3\xA9"), 0},
};

static void assert_all_refused(const struct refused *cases, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_refused_at(cases[i].text, cases[i].at);
}

static void test_refused(void **state)
{
	(void)state;
	assert_all_refused(refused_structure, ARRAY_SIZE(refused_structure));
	assert_all_refused(refused_scalars, ARRAY_SIZE(refused_scalars));
	assert_all_refused(refused_strings, ARRAY_SIZE(refused_strings));
	assert_all_refused(refused_utf8, ARRAY_SIZE(refused_utf8));
}

/* every byte alone between quotes, and behind a backslash, at every distance from the eight */
static void test_every_byte_in_strings(void **state)
{
	(void)state;
	for (size_t distance = 0; distance < 17; distance++) {
		for (unsigned c = 0; c < 0x100; c++) {
			char plain[64] = "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"";
			char escaped[64] = "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"";

			plain[1 + distance] = (char)c;
			escaped[1 + distance] = '\\';
			escaped[2 + distance] = (char)c;
			assert_null(json_oracle_disagreement(plain, 34));
			assert_null(json_oracle_disagreement(escaped, 34));
		}
	}
}

static void nest(char *text, size_t depth, bool with_objects)
{
	const struct slice array = SLICE("    ["), object = SLICE("{\"a\":");

	for (size_t i = 0; i < depth; i++)
		memcpy(text + 5 * i, with_objects && i % 2 ? object.p : array.p, 5);
	text[5 * depth] = '1';
	for (size_t i = 0; i < depth; i++)
		text[5 * depth + 1 + i] = with_objects && (depth - 1 - i) % 2 ? '}' : ']';
}

static void test_depth(void **state)
{
	static char text[6 * (JSON_DEPTH_MAX + 1) + 1];
	struct json_value values[N_ORACLE_WANTS];
	const struct slice pair = SLICE("[],");
	size_t error_at;

	(void)state;
	for (int with_objects = 0; with_objects < 2; with_objects++) {
		nest(text, JSON_DEPTH_MAX, with_objects);
		assert_accepted(slice_make(text, 6 * JSON_DEPTH_MAX + 1));
		nest(text, JSON_DEPTH_MAX + 1, with_objects);
		assert_int_equal(scan(slice_make(text, sizeof(text)), values, &error_at),
				 JSON_E_TOO_DEEP);
		assert_in_range(error_at, 5 * JSON_DEPTH_MAX, 5 * JSON_DEPTH_MAX + 4);
	}
	/* many, but not within each other */
	for (size_t i = 0; i < 1000; i++)
		memcpy(text + 1 + 3 * i, pair.p, pair.n);
	text[0] = '[';
	text[3 * 1000] = ']';
	assert_accepted(slice_make(text, 3 * 1000 + 1));
}

static void assert_jansson(struct slice text, bool accepts)
{
	json_t *root = json_loadb(text.p, text.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

	if (!!root != accepts)
		fail_msg("no longer different: %.*s", SLICE_ARG(text));
	json_decref(root);
}

/* json_scan.h lists them; when jansson changes, the list must */
static void test_known_differences(void **state)
{
	static char deep[6 * (JSON_DEPTH_MAX + 1) + 1];
	static const struct slice accepted[] = {
		SLICE("9223372036854775808"),
		SLICE("-9223372036854775809"),
		SLICE("1e309"),
		SLICE("{\"a\\u0000\":1}"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(accepted); i++) {
		assert_accepted(accepted[i]);
		assert_jansson(accepted[i], false);
	}
	assert_refused_at(SLICE("[1\0]"), 2);
	assert_jansson(SLICE("[1\0]"), true);
	nest(deep, JSON_DEPTH_MAX + 1, true);
	assert_jansson(slice_make(deep, sizeof(deep)), true);
}

/* --- values --- */

static void assert_value(struct slice text, unsigned want, enum json_kind kind, const char *raw)
{
	struct json_value values[N_ORACLE_WANTS];
	size_t error_at;

	assert_int_equal(scan(text, values, &error_at), JSON_OK);
	if (values[want].kind != kind)
		fail_msg("kind %d, not %d: %.*s", (int)values[want].kind, (int)kind,
			 SLICE_ARG(text));
	if (kind != KIND_MISSING && !slice_eq_str(values[want].raw, raw))
		fail_msg("found '%.*s', not '%s'", SLICE_ARG(values[want].raw), raw);
	assert_null(json_oracle_disagreement(text.p, text.n));
}

static void test_values(void **state)
{
	(void)state;
	assert_value(SLICE(" {\"a\":1} "), JSON_ROOT, KIND_OBJECT, "{\"a\":1}");
	assert_value(SLICE("[1]"), JSON_ROOT, KIND_ARRAY, "[1]");
	assert_value(SLICE("{\"event_id\": \"x y\" }"), ORACLE_EVENT_ID, KIND_STRING, "x y");
	assert_value(SLICE("{\"event_id\":\"\"}"), ORACLE_EVENT_ID, KIND_STRING, "");
	assert_value(SLICE("{\"event_id\":-1.50e1}"), ORACLE_EVENT_ID, KIND_NUMBER, "-1.50e1");
	assert_value(SLICE("{\"event_id\":null}"), ORACLE_EVENT_ID, KIND_NULL, "null");
	assert_value(SLICE("{\"event_id\":true}"), ORACLE_EVENT_ID, KIND_TRUE, "true");
	assert_value(SLICE("{\"event_id\":false}"), ORACLE_EVENT_ID, KIND_FALSE, "false");
	assert_value(SLICE("{\"data\":{ }}"), ORACLE_DATA, KIND_OBJECT, "{ }");
	assert_value(SLICE("{\"data\":[{\"eval_id\":1}]}"), ORACLE_DATA, KIND_ARRAY,
		     "[{\"eval_id\":1}]");
	assert_value(SLICE("{\"event\":{\"data\":{\"documentVerification\":{\"decision\":"
			   "{\"value\":\"accept\"}}}}}"),
		     ORACLE_VALUE, KIND_STRING, "accept");
}

/* the same key in the wrong place, or nearly the key, is not the wanted one */
static void test_values_missing(void **state)
{
	(void)state;
	assert_value(SLICE("{}"), ORACLE_DATA, KIND_MISSING, NULL);
	assert_value(SLICE("[]"), ORACLE_DATA, KIND_MISSING, NULL);
	assert_value(SLICE("{\"eval_id\":1}"), ORACLE_EVAL_ID, KIND_MISSING, NULL);
	assert_value(SLICE("{\"x\":{\"data\":{\"eval_id\":1}}}"), ORACLE_EVAL_ID, KIND_MISSING,
		     NULL);
	assert_value(SLICE("[{\"data\":1}]"), ORACLE_DATA, KIND_MISSING, NULL);
	assert_value(SLICE("{\"data\":[{\"eval_id\":1}]}"), ORACLE_EVAL_ID, KIND_MISSING, NULL);
	assert_value(SLICE("{\"data\":\"eval_id\"}"), ORACLE_EVAL_ID, KIND_MISSING, NULL);
	assert_value(SLICE("{\"Data\":1,\"data \":1,\"dat\":1}"), ORACLE_DATA, KIND_MISSING, NULL);
	assert_value(SLICE("{\"data\\u0000\":1}"), ORACLE_EVENT, KIND_MISSING, NULL);
}

static void test_escaped_keys(void **state)
{
	(void)state;
	assert_value(SLICE("{\"\\u0065vent_id\":1}"), ORACLE_EVENT_ID, KIND_NUMBER, "1");
	assert_value(SLICE("{\"d\\u0061t\\u0061\":{\"eval\\u005fid\":\"x\"}}"), ORACLE_EVAL_ID,
		     KIND_STRING, "x");
	assert_value(SLICE("{\"data\\u0020\":1}"), ORACLE_DATA, KIND_MISSING, NULL);
	assert_value(SLICE("{\"d\\\\ata\":1}"), ORACLE_DATA, KIND_MISSING, NULL);
	/* longer than any wanted key */
	assert_value(
		SLICE("{\"\\u0065aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		      "aaaaaaaaaa\":1,\"data\":2}"),
		ORACLE_DATA, KIND_NUMBER, "2");
}

static void test_duplicate_keys(void **state)
{
	(void)state;
	assert_value(SLICE("{\"event_id\":1,\"event_id\":\"x\"}"), ORACLE_EVENT_ID, KIND_STRING,
		     "x");
	assert_value(SLICE("{\"event_id\":1,\"\\u0065vent_id\":2}"), ORACLE_EVENT_ID, KIND_NUMBER,
		     "2");
	assert_value(SLICE("{\"data\":{\"eval_id\":1},\"data\":{\"x\":2}}"), ORACLE_EVAL_ID,
		     KIND_MISSING, NULL);
	assert_value(SLICE("{\"data\":{\"eval_id\":1},\"data\":null}"), ORACLE_EVAL_ID,
		     KIND_MISSING, NULL);
	assert_value(SLICE("{\"a\":{\"b\":{\"a\":1}},\"a\":{\"b\":{}}}"), ORACLE_A_B_A,
		     KIND_MISSING, NULL);
	assert_value(SLICE("{\"event\":{\"data\":1},\"data\":2,\"event\":3}"), ORACLE_DATA,
		     KIND_NUMBER, "2");
}

static void assert_decoded(struct slice raw, size_t max, struct slice expected, bool is_whole)
{
	char out[32];
	size_t n = 99;

	assert_int_equal(json_decode(raw, out, max, &n), is_whole);
	assert_true(slice_eq(slice_make(out, n), expected));
}

static void test_decode(void **state)
{
	(void)state;
	assert_decoded(SLICE(""), 32, SLICE(""), true);
	assert_decoded(SLICE("abc"), 3, SLICE("abc"), true);
	assert_decoded(SLICE("abc"), 2, SLICE("ab"), false);
	assert_decoded(SLICE("\\\"\\\\\\/\\b\\f\\n\\r\\t"), 32, SLICE("\"\\/\b\f\n\r\t"), true);
	assert_decoded(SLICE("\\u0041\\u00e9\\u20AC\\uD83D\\uDE00"), 32,
		       SLICE("A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"), true);
	assert_decoded(SLICE("\\uDBFF\\uDFFF"), 32, SLICE("\xF4\x8F\xBF\xBF"), true);
	assert_decoded(SLICE("a\\u0000b"), 32, SLICE("a\xEF\xBF\xBD\x62"), true);
	/* never a part of a character */
	assert_decoded(SLICE("a\\u20AC"), 3, SLICE("a"), false);
	assert_decoded(SLICE("a\xE2\x82\xAC"), 3, SLICE("a"), false);
	assert_decoded(SLICE("\\uD83D\\uDE00"), 3, SLICE(""), false);
	assert_decoded(SLICE("ab\\n"), 2, SLICE("ab"), false);
	assert_decoded(SLICE("a"), 0, SLICE(""), false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_every_byte_in_strings),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_known_differences),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_values_missing),
		cmocka_unit_test(test_escaped_keys),
		cmocka_unit_test(test_duplicate_keys),
		cmocka_unit_test(test_decode),
	};

	return cmocka_run_group_tests_name("json_scan", tests, NULL, NULL);
}
