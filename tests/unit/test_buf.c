/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "util/buf.h"

static void test_append(void **state)
{
	struct buf b = BUF_INIT(100);

	(void)state;
	assert_null(b.p);
	assert_int_equal(buf_append(&b, NULL, 0), 0);
	assert_int_equal(b.n, 0);
	assert_int_equal(buf_append_str(&b, "one"), 0);
	assert_int_equal(buf_append_char(&b, ' '), 0);
	assert_int_equal(buf_append_slice(&b, SLICE("two\0")), 0);
	assert_int_equal(buf_append_slice(&b, SLICE_NULL), 0);
	assert_int_equal(buf_printf(&b, " %s %d", "three", 4), 0);
	assert_int_equal(b.n, 16);
	assert_memory_equal(b.p, "one two\0 three 4", 17); /* with the NUL behind */
	assert_int_equal(buf_slice(&b).n, 16);
	buf_clear(&b);
	assert_int_equal(b.n, 0);
	assert_string_equal(b.p, "");
	buf_deinit(&b);
	assert_null(b.p);
	assert_int_equal(b.max, 100);
}

static void test_maximum(void **state)
{
	struct buf b = BUF_INIT(5);

	(void)state;
	assert_int_equal(buf_append_str(&b, "12345"), 0); /* exactly */
	assert_string_equal(b.p, "12345");
	assert_int_equal(buf_append_char(&b, '6'), -EFBIG);
	assert_int_equal(buf_error(&b), -EFBIG);
	assert_null(b.p);
	assert_int_equal(b.n, 0);
	assert_int_equal(buf_append_str(&b, "1"), -EFBIG); /* stays in error */
	assert_int_equal(buf_printf(&b, "%d", 1), -EFBIG);
	assert_int_equal(buf_append_json(&b, SLICE("a")), -EFBIG);
	assert_null(buf_steal(&b));
	buf_clear(&b); /* until it is cleared */
	assert_int_equal(buf_append_str(&b, "1"), 0);
	assert_int_equal(buf_append(&b, "x", SIZE_MAX), -EFBIG); /* no overflow */
	buf_deinit(&b);
}

static void test_grows_to_the_maximum(void **state)
{
	struct buf b = BUF_INIT(1000);

	(void)state;
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(buf_append_char(&b, (char)('a' + i % 26)), 0);
		assert_true(b.cap <= 1001);
	}
	assert_int_equal(buf_printf(&b, "x"), -EFBIG);
	buf_deinit(&b);
}

static void test_nothing_fits_in_zero(void **state)
{
	struct buf b = BUF_INIT(0);

	(void)state;
	assert_int_equal(buf_append_str(&b, ""), 0);
	assert_string_equal(b.p, "");
	assert_int_equal(buf_append_str(&b, "x"), -EFBIG);
	buf_deinit(&b);
}

static void test_consume(void **state)
{
	struct buf b = BUF_INIT(100);

	(void)state;
	assert_int_equal(buf_append_str(&b, "abcdef"), 0);
	buf_consume(&b, 2);
	assert_string_equal(b.p, "cdef");
	buf_consume(&b, 0);
	assert_string_equal(b.p, "cdef");
	buf_consume(&b, 4);
	assert_int_equal(b.n, 0);
	buf_consume(&b, 99);
	assert_int_equal(b.n, 0);
	buf_deinit(&b);
}

static void test_steal(void **state)
{
	struct buf b = BUF_INIT(100);
	char *p;

	(void)state;
	p = buf_steal(&b); /* of nothing: the empty string */
	assert_string_equal(p, "");
	free(p);
	assert_int_equal(buf_append_str(&b, "mine"), 0);
	p = buf_steal(&b);
	assert_string_equal(p, "mine");
	assert_null(b.p);
	assert_int_equal(b.n, 0);
	assert_int_equal(b.max, 100);
	free(p);
}

static void test_json(void **state)
{
	static const struct {
		struct slice text;
		const char *json;
	} cases[] = {
		{SLICE(""), "\"\""},
		{SLICE_NULL, "\"\""},
		{SLICE("plain / text"), "\"plain / text\""},
		{SLICE("\"\\"), "\"\\\"\\\\\""},
		{SLICE("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\""},
		{SLICE("\0\x01\x1f\x7f"), "\"\\u0000\\u0001\\u001f\\u007f\""},
		{SLICE("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80"),
		 "\"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80\""},
		/* not UTF-8: a lone continuation, a cut character, overlong, a surrogate, too large
		 */
		{SLICE("a\x80z"), "\"a\xef\xbf\xbdz\""},
		{SLICE("\xe2\x82"), "\"\xef\xbf\xbd\xef\xbf\xbd\""},
		{SLICE("\xc0\xaf"), "\"\xef\xbf\xbd\xef\xbf\xbd\""},
		{SLICE("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
		{SLICE("\xf4\x90\x80\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
		{SLICE("\xff\xfe"), "\"\xef\xbf\xbd\xef\xbf\xbd\""},
		{SLICE("\xc3\""), "\"\xef\xbf\xbd\\\"\""}, /* the quote does not escape */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buf b = BUF_INIT(100);

		assert_int_equal(buf_append_json(&b, cases[i].text), 0);
		assert_string_equal(b.p, cases[i].json);
		buf_deinit(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_append),
		cmocka_unit_test(test_maximum),
		cmocka_unit_test(test_grows_to_the_maximum),
		cmocka_unit_test(test_nothing_fits_in_zero),
		cmocka_unit_test(test_consume),
		cmocka_unit_test(test_steal),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
