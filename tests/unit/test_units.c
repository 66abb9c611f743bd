/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "util/units.h"

struct number_case {
	struct slice text;
	int64_t value; /* -1: must be refused */
};

static void test_size(void **state)
{
	static const struct number_case cases[] = {
		{SLICE("0"), 0},
		{SLICE("500"), 500},
		{SLICE("500B"), 500},
		{SLICE("64KiB"), 65536},
		{SLICE("64 kib"), 65536},
		{SLICE("64k"), 65536},
		{SLICE("2MiB"), 2 << 20},
		{SLICE("2M"), 2 << 20},
		{SLICE("1GiB"), 1 << 30},
		{SLICE("9223372036854775807"), INT64_MAX},
		{SLICE("8589934591GiB"), 8589934591LL << 30},
		{SLICE("9223372036854775808"), -1}, /* one more than fits */
		{SLICE("8589934592GiB"), -1},
		{SLICE("99999999999999999999999999999999"), -1},
		{SLICE(""), -1},
		{SLICE("MiB"), -1},
		{SLICE("-1"), -1},
		{SLICE("+1"), -1},
		{SLICE(" 1"), -1},
		{SLICE("1.5MiB"), -1},
		{SLICE("1MB"), -1},
		{SLICE("1TiB"), -1},
		{SLICE("0x10"), -1},
		{SLICE("1\0"), -1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t value = -2;
		int r = size_parse(cases[i].text, &value);

		assert_int_equal(r < 0, cases[i].value < 0);
		assert_int_equal(value, r < 0 ? -2 : cases[i].value); /* untouched on failure */
	}
}

static void test_duration(void **state)
{
	static const struct number_case cases[] = {
		{SLICE("0s"), 0},
		{SLICE("250ms"), 250},
		{SLICE("15s"), 15000},
		{SLICE("15 s"), 15000},
		{SLICE("10m"), 600000},
		{SLICE("10min"), 600000},
		{SLICE("24h"), 86400000},
		{SLICE("365d"), 365 * 86400000LL},
		{SLICE("106751991167d"), 106751991167LL * 86400000},
		{SLICE("106751991168d"), -1},
		{SLICE("9223372036854775808ms"), -1},
		{SLICE("15"), -1}, /* of what? */
		{SLICE("s"), -1},
		{SLICE(""), -1},
		{SLICE("-1s"), -1},
		{SLICE("1s1"), -1},
		{SLICE("1h30m"), -1},
		{SLICE("1y"), -1},
		{SLICE("1s\0"), -1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t value = -2;
		int r = duration_parse(cases[i].text, &value);

		assert_int_equal(r < 0, cases[i].value < 0);
		assert_int_equal(value, r < 0 ? -2 : cases[i].value);
	}
}

static void test_format(void **state)
{
	char text[UNIT_TEXT_SIZE];

	(void)state;
	assert_string_equal(size_format(0, text), "0");
	assert_string_equal(size_format(1023, text), "1023");
	assert_string_equal(size_format(1024, text), "1KiB");
	assert_string_equal(size_format(1536, text), "1536");
	assert_string_equal(size_format(64 << 20, text), "64MiB");
	assert_string_equal(size_format(4LL << 30, text), "4GiB");
	assert_string_equal(size_format(INT64_MAX, text), "9223372036854775807");
	assert_string_equal(duration_format(0, text), "0ms");
	assert_string_equal(duration_format(100, text), "100ms");
	assert_string_equal(duration_format(90000, text), "90s");
	assert_string_equal(duration_format(600000, text), "10m");
	assert_string_equal(duration_format(3600000, text), "1h");
	assert_string_equal(duration_format(365 * 86400000LL, text), "365d");
	assert_string_equal(duration_format(INT64_MAX, text), "9223372036854775807ms");
}

struct time_case {
	struct slice text;
	int64_t us;
};

#define NOON_2026_09_12 1789214400000000LL /* date -u -d 2026-09-12T12:00:00Z +%s */

static void test_time(void **state)
{
	static const struct time_case cases[] = {
		{SLICE("2026-09-12T12:00:00Z"), NOON_2026_09_12},
		{SLICE("2026-09-12t12:00:00z"), NOON_2026_09_12},
		{SLICE("2026-09-12 12:00:00Z"), NOON_2026_09_12},
		{SLICE("2026-09-12T14:30:00+02:30"), NOON_2026_09_12},
		{SLICE("2026-09-12T04:00:00-08:00"), NOON_2026_09_12},
		{SLICE("2026-09-12T12:00:00-00:00"), NOON_2026_09_12},
		{SLICE("2026-09-12"), NOON_2026_09_12 - 12 * 3600 * US_PER_S},
		{SLICE("1970-01-01T00:00:00Z"), 0},
		{SLICE("1969-12-31T23:59:59.999999Z"), -1},
		{SLICE("2000-02-29T00:00:00Z"), 951782400000000LL},
		{SLICE("2024-02-29T00:00:00Z"), 1709164800000000LL},
		{SLICE("2026-12-31T23:59:60Z"), 1798761600000000LL}, /* a leap second */
		{SLICE("0001-01-01T00:00:00Z"), -62135596800000000LL},
		{SLICE("9999-12-31T23:59:59Z"), 253402300799000000LL},
		{SLICE("2026-09-12T12:00:00.1Z"), NOON_2026_09_12 + 100000},
		{SLICE("2026-09-12T12:00:00.12Z"), NOON_2026_09_12 + 120000},
		{SLICE("2026-09-12T12:00:00.123Z"), NOON_2026_09_12 + 123000},
		{SLICE("2026-09-12T12:00:00.1234Z"), NOON_2026_09_12 + 123400},
		{SLICE("2026-09-12T12:00:00.12345Z"), NOON_2026_09_12 + 123450},
		{SLICE("2026-09-12T12:00:00.123456Z"), NOON_2026_09_12 + 123456},
		{SLICE("2026-09-12T12:00:00.1234567Z"), NOON_2026_09_12 + 123456},
		{SLICE("2026-09-12T12:00:00.12345678Z"), NOON_2026_09_12 + 123456},
		{SLICE("2026-09-12T12:00:00.999999999Z"), NOON_2026_09_12 + 999999},
		{SLICE("2026-09-12T12:00:00.000000001+00:00"), NOON_2026_09_12},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t us = 42;

		assert_int_equal(time_parse(cases[i].text, &us), 0);
		assert_int_equal(us, cases[i].us);
	}
}

static void test_time_garbage(void **state)
{
	static const struct slice cases[] = {
		SLICE(""),
		SLICE("2026"),
		SLICE("2026-09"),
		SLICE("2026-9-12"),
		SLICE("20260912"),
		SLICE("2026-00-12"),
		SLICE("2026-13-12"),
		SLICE("2026-09-00"),
		SLICE("2026-09-31"),
		SLICE("2025-02-29"), /* no leap year */
		SLICE("1900-02-29"),
		SLICE("2026-09-12T"),
		SLICE("2026-09-12T12:00:00"), /* which zone? */
		SLICE("2026-09-12T12:00Z"),
		SLICE("2026-09-12T24:00:00Z"),
		SLICE("2026-09-12T12:60:00Z"),
		SLICE("2026-09-12T12:00:61Z"),
		SLICE("2026-09-12T12:00:00.Z"),
		SLICE("2026-09-12T12:00:00.1234567890Z"), /* ten digits */
		SLICE("2026-09-12T12:00:00,5Z"),
		SLICE("2026-09-12T12:00:00+0200"),
		SLICE("2026-09-12T12:00:00+24:00"),
		SLICE("2026-09-12T12:00:00+02:60"),
		SLICE("2026-09-12T12:00:00+02"),
		SLICE("2026-09-12T12:00:00Zx"),
		SLICE("2026-09-12T12:00:00Z\0"),
		SLICE(" 2026-09-12"),
		SLICE("2026-09-12 "),
		SLICE("+026-09-12"),
		SLICE("2026\0"
		      "09\0"
		      "12"), /* a NUL is not a dash */
		SLICE("yesterday"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t us = 42;

		assert_true(time_parse(cases[i], &us) < 0);
		assert_int_equal(us, 42);
	}
}

static void test_number_format(void **state)
{
	char text[NUMBER_TEXT_SIZE];

	(void)state;
	assert_string_equal(number_format(0, text), "0");
	assert_string_equal(number_format(-7, text), "-7");
	assert_string_equal(number_format(10, text), "10");
	assert_string_equal(number_format(INT64_MAX, text), "9223372036854775807");
	assert_string_equal(number_format(INT64_MIN, text), "-9223372036854775808");
}

static void test_time_format(void **state)
{
	char text[TIME_TEXT_SIZE];
	int64_t us;

	(void)state;
	assert_string_equal(time_format(NOON_2026_09_12 + 123999, text),
			    "2026-09-12T12:00:00.123Z");
	assert_string_equal(time_format(0, text), "1970-01-01T00:00:00.000Z");
	assert_string_equal(time_format(-1, text), "1969-12-31T23:59:59.999Z");
	assert_string_equal(time_format(-62135596800000000LL, text), "0001-01-01T00:00:00.000Z");
	assert_string_equal(time_format(253402300799999999LL, text), "9999-12-31T23:59:59.999Z");
	assert_string_equal(time_format(253402300800000000LL, text), "10000-01-01T00:00:00.000Z");
	assert_string_equal(time_format(INT64_MAX, text), "294247-01-10T04:00:54.775Z");
	assert_string_equal(time_format(INT64_MIN, text), "-290308-12-21T19:59:05.224Z");
	assert_int_equal(time_parse(slice_of(time_format(951782400000000LL, text)), &us), 0);
	assert_int_equal(us, 951782400000000LL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_size),         cmocka_unit_test(test_duration),
		cmocka_unit_test(test_format),       cmocka_unit_test(test_time),
		cmocka_unit_test(test_time_garbage), cmocka_unit_test(test_number_format),
		cmocka_unit_test(test_time_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
