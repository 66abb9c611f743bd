/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_scan() takes most members of objects by a short way (find_member()): texts that are nearly
 * such members, and all places at which they, the marks or the text may end.
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
#include "guarded.h"
#include "intake/json_scan.h"
#include "util/macros.h"

static int scan(struct slice text, struct json_value *values, size_t *ret_error_at)
{
	return json_scan(text, oracle_wants, N_ORACLE_WANTS, values, ret_error_at);
}

/* more text than find_member() wants to see ahead */
#define TAIL                                                                                       \
	",\n  \"padding\": \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}"

/* every byte at every place of a key and of a value; the offset tells which one is wrong */
static void test_every_byte_in_members(void **state)
{
	struct json_value values[N_ORACLE_WANTS];
	size_t error_at;
	char text[256];

	(void)state;
	for (size_t at = 0; at < 140; at++) {
		for (unsigned c = 0; c < 0x100; c++) {
			int n = snprintf(text, sizeof(text), "{\"%070d\": \"%070d\"" TAIL, 0, 0);

			text[2 + at + (at < 70 ? 0 : 4)] = (char)c;
			assert_null(json_oracle_disagreement(text, (size_t)n));
			if (c >= 0x20 && c < 0x80)
				continue;
			assert_int_equal(scan(slice_make(text, (size_t)n), values, &error_at),
					 JSON_E_MALFORMED);
			assert_int_equal(error_at, 2 + at + (at < 70 ? 0 : 4));
		}
	}
}

/* every byte in the places between the texts */
static void test_every_byte_around_members(void **state)
{
	static const char *const members[] = {
		"{\"a\":1,\"event_id\":\"x\"" TAIL,
		"{\"a\":1,\n  \"event_id\": \"x\"" TAIL,
		"{\"a\":1,\n                                \"event_id\": [\"x\", 1]" TAIL,
		"{\"a\":1,\n                                 \"event_id\" :  {\"x\":\"y\"}" TAIL,
		"{\r\n\t\"event_id\":\ttrue ,\r\n\t\"\":\"\",\"\" : \"\"" TAIL,
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		size_t n = strlen(members[i]);

		for (size_t at = 0; at < n; at++) {
			for (unsigned c = 0; c < 0x100; c++) {
				memcpy(text, members[i], n);
				text[at] = (char)c;
				assert_null(json_oracle_disagreement(text, n));
			}
		}
	}
}

/* @form with so many of the letters K and V, and so many blanks for B */
static struct slice expand(char *text, const char *form, size_t n_k, size_t n_v, size_t n_b)
{
	char *to = text;

	for (; *form; form++) {
		size_t n = *form == 'K' ? n_k : *form == 'V' ? n_v : *form == 'B' ? n_b : 1;

		memset(to, *form == 'B' ? ' ' : *form, n);
		to += n;
	}
	return slice_make(text, (size_t)(to - text));
}

/* indentation, keys and values of all lengths, so that each part is once the last within reach */
static void test_members_of_every_length(void **state)
{
	static const char *const forms[] = {
		"{\"K\":\"V\",\"event_id\":\"K\"" TAIL,
		"{\nB\"K\": \"V\",\nB\"event_id\": \"K\"" TAIL,
		"{\"K\":\"V\", \"event_id\" : \"K\\n\"" TAIL,
	};
	struct json_value values[N_ORACLE_WANTS];
	const struct json_value *id = &values[ORACLE_EVENT_ID];
	size_t error_at;
	char room[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		for (size_t length = 0; length < 70 * 70; length++) {
			size_t n_k = length % 70, n_v = length / 70;
			struct slice text = expand(room, forms[i], n_k, n_v, length % 40);

			assert_int_equal(scan(text, values, &error_at), JSON_OK);
			assert_int_equal(id->kind, KIND_STRING);
			assert_int_equal(id->has_escapes, i == 2);
			assert_int_equal(id->raw.n, n_k + (i == 2 ? 2 : 0));
			assert_int_equal(id->raw.p[-1], '"');
		}
	}
}

/* marks are made for one stretch at a time: let each part of a member be where the next begins */
static void test_long_texts(void **state)
{
	static const char *const forms[] = {
		"{\"a\": \"V\",\n\"event_id\": \"x\"" TAIL,
		"{\"V\":[\"\", \"\xC3\xA9\\n\"],\"event_id\":\"\\u0041\"" TAIL,
		"{\"a\":B1,\"event_id\":\"x\",\"data\":{\"eval_id\":\"\xE2\x82\xAC\"}" TAIL,
	};
	char room[10000];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		for (size_t length = 3900; length < 4200; length++) {
			struct slice text = expand(room, forms[i], 0, length, length);

			assert_null(json_oracle_disagreement(text.p, text.n));
			text = expand(room, forms[i], 0, 2 * length, 2 * length);
			assert_null(json_oracle_disagreement(text.p, text.n));
		}
	}
}

/* Nothing behind the end is read: not there, and not where what follows would make it well-formed.
 */
static void test_ends_of_memory(void **state)
{
	static const struct slice texts[] = {
		SLICE("{\n  \"data\": {\n    \"eval_id\": \"\xE2\x82\xAC\\ud83d\\ude00\"\n  },\n"
		      "  \"a\": [\"b\", -1.5e+3, true, null, {\"c\": false}]" TAIL),
		SLICE("{\"data\":{\"eval_id\":\"\xE2\x82\xAC\\ud83d\\ude00\"},"
		      "\"a\":[\"b\",-1.5e+3,true,null,{\"c\":false}]" TAIL),
	};
	struct guarded g = guarded_new(512);
	struct json_value values[N_ORACLE_WANTS];
	size_t guarded_at, open_at;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		for (size_t n = 0; n < texts[i].n; n++) {
			const char *copy = guarded_copy(&g, texts[i].p, n);

			assert_int_equal(scan(slice_make(copy, n), values, &guarded_at),
					 JSON_E_MALFORMED);
			assert_int_equal(scan(slice_make(texts[i].p, n), values, &open_at),
					 JSON_E_MALFORMED);
			assert_int_equal(guarded_at, open_at);
		}
		assert_null(json_oracle_disagreement(texts[i].p, texts[i].n));
		assert_int_equal(scan(texts[i], values, &open_at), JSON_OK);
	}
	guarded_free(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_byte_in_members),
		cmocka_unit_test(test_every_byte_around_members),
		cmocka_unit_test(test_members_of_every_length),
		cmocka_unit_test(test_long_texts),
		cmocka_unit_test(test_ends_of_memory),
	};

	return cmocka_run_group_tests_name("json_members", tests, NULL, NULL);
}
