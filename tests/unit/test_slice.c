/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "util/slice.h"

static void test_equality(void **state)
{
	(void)state;
	assert_true(slice_eq(SLICE("a"), SLICE("a")));
	assert_false(slice_eq(SLICE("a"), SLICE("A")));
	assert_false(slice_eq(SLICE("a"), SLICE("ab")));
	assert_true(slice_eq(SLICE_NULL, SLICE("")));
	assert_true(slice_eq(SLICE("a\0b"), slice_make("a\0b", 3)));
	assert_false(slice_eq(SLICE("a\0b"), SLICE("a\0c")));
	assert_true(slice_eq_str(SLICE("abc"), "abc"));
	assert_false(slice_eq_str(SLICE("abc"), "abcd"));
	assert_true(slice_eq_str(SLICE_NULL, ""));
}

static void test_case(void **state)
{
	(void)state;
	assert_true(slice_eq_nocase(SLICE("Bearer"), SLICE("bEARER")));
	assert_false(slice_eq_nocase(SLICE("Bearer"), SLICE("Bearer ")));
	assert_true(slice_starts_nocase(SLICE("BEARER x"), SLICE("Bearer ")));
	assert_true(slice_starts_nocase(SLICE("x"), SLICE("")));
	assert_false(slice_starts_nocase(SLICE("Bear"), SLICE("Bearer")));
	assert_false(slice_starts_nocase(SLICE_NULL, SLICE("x")));
}

static void test_trim(void **state)
{
	(void)state;
	assert_true(slice_eq(slice_trim(SLICE(" \t a b\t ")), SLICE("a b")));
	assert_true(slice_is_empty(slice_trim(SLICE(" \t "))));
	assert_true(slice_is_empty(slice_trim(SLICE_NULL)));
	assert_true(slice_eq(slice_trim(SLICE("\na")), SLICE("\na")));
}

static void test_split(void **state)
{
	struct slice rest = SLICE("a,,b,"), piece;
	const char *const pieces[] = {"a", "", "b", ""};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		assert_true(slice_split(&rest, ',', &piece));
		assert_true(slice_eq_str(piece, pieces[i]));
	}
	assert_false(slice_split(&rest, ',', &piece));
	rest = SLICE_NULL;
	assert_false(slice_split(&rest, ',', &piece));
}

static void test_dup(void **state)
{
	char *copy = slice_dup(slice_make("abcdef", 3));
	char *empty = slice_dup(SLICE_NULL);

	(void)state;
	assert_non_null(copy);
	assert_non_null(empty);
	assert_string_equal(copy, "abc");
	assert_string_equal(empty, "");
	free(copy);
	free(empty);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equality), cmocka_unit_test(test_case),
		cmocka_unit_test(test_trim),     cmocka_unit_test(test_split),
		cmocka_unit_test(test_dup),
	};

	return cmocka_run_group_tests_name("slice", tests, NULL, NULL);
}
