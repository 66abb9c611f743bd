/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jq's messages, and what is left of them
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "jq/fault.h"
#include "util/macros.h"

static const char *text_of(const char *message)
{
	return fault_text(fault_of_message(slice_of(message)));
}

static void test_sentences(void **state)
{
	static const char *const rows[][2] = {
		{"Cannot index number with \"ssn\"", "cannot index a number"},
		{"Cannot index object with number", "cannot index an object like this"},
		{"Cannot iterate over null (null)", "cannot iterate over null"},
		{"object ({\"ssn\":\"000-...) and number (1) cannot be added",
		 "these types cannot be added"},
		{"number (1) and number (0) cannot be divided because the divisor is zero",
		 "division by zero"},
		{"Regex failure: end pattern with unmatched parenthesis",
		 "a regular expression is invalid"},
		{"Invalid numeric literal at EOF at line 1, column 1 (while parsing 'FAKEGIVEN')",
		 "fromjson: no JSON"},
		{"FAKEGIVEN FAKEFAMILY", "it raised an error"},
		{"", "it raised an error"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(text_of(rows[i][0]), rows[i][1]);
}

/* whatever a message holds, its text is a constant that does not hold it */
static void test_no_byte_of_a_message_goes_on(void **state)
{
	static const char secret[] = "FAKEGIVEN";
	static const char *const frames[] = {
		"Cannot index string with \"%s\"",
		"string (\"%s\") and null (null) cannot be added",
		"%s",
		"Cannot iterate over %s",
		"date \"%s\" does not match",
		"%s cannot be added",
		"%s has no keys",
		"(while parsing '%s')",
	};
	char message[200];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(frames); i++) {
		const char *at = strstr(frames[i], "%s");

		(void)snprintf(message, sizeof(message), "%.*s%s%s", (int)(at - frames[i]),
			       frames[i], secret, at + 2);
		assert_null(strstr(text_of(message), secret));
	}
}

/* a reason must fit struct route's `failure`, with "filter: " before it */
static void test_texts_are_short(void **state)
{
	(void)state;
	for (int fault = -2; fault < 200; fault++) {
		assert_non_null(fault_text(fault));
		assert_in_range(strlen(fault_text(fault)), 1, 60);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sentences),
		cmocka_unit_test(test_no_byte_of_a_message_goes_on),
		cmocka_unit_test(test_texts_are_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
