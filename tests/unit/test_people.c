/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What riskhookctl makes of numbers and times for people
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "riskhookctl/bar.h"
#include "riskhookctl/print_time.h"
#include "riskhookctl/progress.h"
#include "util/macros.h"

static void test_bars(void **state)
{
	static const struct {
		int64_t n, max;
		size_t width;
	} cases[] = {{0, 10, 0},      {10, 10, BAR_WIDTH}, {5, 10, BAR_WIDTH / 2},
		     {1, 1000000, 1}, {0, 0, 0},           {20, 10, BAR_WIDTH},
		     {-3, 10, 0}};
	char bar[BAR_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(strlen(bar_text(cases[i].n, cases[i].max, false, bar)),
				 cases[i].width);
		assert_int_equal(strlen(bar_text(cases[i].n, cases[i].max, true, bar)),
				 3 * cases[i].width);
	}
}

static void test_sizes_ages_rates(void **state)
{
	char text[NUMBER_SIZE];

	(void)state;
	assert_string_equal(bytes_text(0, text), "0 B");
	assert_string_equal(bytes_text(1023, text), "1023 B");
	assert_string_equal(bytes_text(1536, text), "1.5 KiB");
	assert_string_equal(bytes_text(INT64_C(5) << 40, text), "5.0 TiB");
	assert_string_equal(age_text(0, text), "0 s");
	assert_string_equal(age_text(59, text), "59 s");
	assert_string_equal(age_text(61, text), "1 min");
	assert_string_equal(age_text(3600, text), "1 h");
	assert_string_equal(age_text(3661, text), "1 h 1 min");
	assert_string_equal(age_text(90000, text), "1 d 1 h");
	assert_string_equal(rate_text(36, 3600, text), "36.0 /h");
	assert_string_equal(rate_text(7200, 3600, text), "2.0 /s");
	assert_string_equal(rate_text(5, 0, text), "0.0 /h");
}

static void set_zone(const char *zone, bool utc)
{
	assert_int_equal(setenv("TZ", zone, 1), 0);
	print_time_use_utc(utc);
}

static void test_times(void **state)
{
	static const struct slice t = SLICE("2026-07-01T12:00:00.250Z");
	char text[PRINT_TIME_SIZE];

	(void)state;
	set_zone("CET-1CEST,M3.5.0,M10.5.0/3", false);
	assert_string_equal(print_time(t, false, text), "2026-07-01T14:00:00.250+02:00");
	assert_string_equal(print_time(t, true, text), "2026-07-01 14:00:00");
	set_zone("NST3:30", false);
	assert_string_equal(print_time(t, false, text), "2026-07-01T08:30:00.250-03:30");
	set_zone("UTC0", false);
	assert_string_equal(print_time(t, false, text), "2026-07-01T12:00:00.250Z");
	set_zone("NST3:30", true);
	assert_string_equal(print_time(t, false, text), "2026-07-01T12:00:00.250Z");
	assert_string_equal(print_time(t, true, text), "2026-07-01T12:00:00Z");
	assert_null(print_time(SLICE("yesterday"), false, text));
	set_zone("UTC0", false);
}

static void test_time_columns(void **state)
{
	(void)state;
	assert_true(print_time_is_column(SLICE("received_at")));
	assert_true(print_time_is_column(SLICE("first_seen")));
	assert_true(print_time_is_column(SLICE("last_seen")));
	assert_false(print_time_is_column(SLICE("_at")));
	assert_false(print_time_is_column(SLICE("state")));
	assert_false(print_time_is_column(SLICE("")));
}

static void test_progress_text(void **state)
{
	char text[128];

	(void)state;
	progress_text("pages copied", 45, 180, text);
	assert_string_equal(text, " 25%  45 of 180 pages copied");
	progress_text("events posted", 7, 0, text);
	assert_string_equal(text, "7 events posted");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bars),          cmocka_unit_test(test_sizes_ages_rates),
		cmocka_unit_test(test_times),         cmocka_unit_test(test_time_columns),
		cmocka_unit_test(test_progress_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
