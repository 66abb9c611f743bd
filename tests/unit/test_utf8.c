/* SPDX-License-Identifier: Apache-2.0 */
/* utf8_length(): all sequences of up to three bytes, and the edges of those of four. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "util/macros.h"
#include "util/utf8.h"

static size_t length_of(unsigned a, unsigned b, unsigned c, unsigned d)
{
	const char bytes[4] = {(char)a, (char)b, (char)c, (char)d};

	return utf8_length(bytes, sizeof(bytes));
}

static void test_ascii(void **state)
{
	(void)state;
	for (unsigned c = 0; c < 0x80; c++) {
		const char byte = (char)c;

		assert_int_equal(utf8_length(&byte, 1), 1);
	}
}

/* U+0080..U+07FF, U+0800..U+FFFF without surrogates */
static void test_counts_of_two_and_three(void **state)
{
	unsigned n_two = 0, n_three = 0;

	(void)state;
	for (unsigned a = 0x80; a < 0x100; a++)
		for (unsigned b = 0; b < 0x100; b++)
			for (unsigned c = 0; c < 0x100; c++) {
				const char bytes[3] = {(char)a, (char)b, (char)c};
				size_t n = utf8_length(bytes, sizeof(bytes));

				n_two += n == 2 && c == 0;
				n_three += n == 3;
				assert_true(n == 0 || n == 2 || n == 3);
			}
	assert_int_equal(n_two, 0x800 - 0x80);
	assert_int_equal(n_three, 0x10000 - 0x800 - 0x800);
}

static void test_four(void **state)
{
	(void)state;
	assert_int_equal(length_of(0xF0, 0x90, 0x80, 0x80), 4); /* U+10000 */
	assert_int_equal(length_of(0xF4, 0x8F, 0xBF, 0xBF), 4); /* U+10FFFF */
	assert_int_equal(length_of(0xF1, 0x80, 0x80, 0x80), 4);
	assert_int_equal(length_of(0xF3, 0xBF, 0xBF, 0xBF), 4);
	assert_int_equal(length_of(0xF0, 0x8F, 0xBF, 0xBF), 0); /* overlong */
	assert_int_equal(length_of(0xF4, 0x90, 0x80, 0x80), 0); /* U+110000 */
	assert_int_equal(length_of(0xF5, 0x80, 0x80, 0x80), 0);
	assert_int_equal(length_of(0xFF, 0x80, 0x80, 0x80), 0);
	assert_int_equal(length_of(0xF1, 0x80, 0x80, 0x7F), 0);
	assert_int_equal(length_of(0xF1, 0x80, 0xC0, 0x80), 0);
}

/* every character of every length, cut after each of its bytes */
static void test_cut(void **state)
{
	static const char *const characters[] = {"\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(characters); i++) {
		for (size_t n = 1; n < i + 2; n++)
			assert_int_equal(utf8_length(characters[i], n), 0);
		assert_int_equal(utf8_length(characters[i], i + 2), i + 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ascii),
		cmocka_unit_test(test_counts_of_two_and_three),
		cmocka_unit_test(test_four),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
