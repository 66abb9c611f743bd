/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/log_limit.h"

static struct log_line line(const char *message, const char *endpoint)
{
	return log_line_of(4, message, slice_of(endpoint), SLICE_NULL);
}

/* say it @n times; returns how often it was allowed */
static int say(struct log_limiter *limiter, const struct log_line *l, int n, int64_t now_ms)
{
	int allowed = 0;

	for (int i = 0; i < n; i++)
		allowed += log_limit_allows(limiter, l, now_ms);
	return allowed;
}

static void test_repeats_are_held_back_and_counted(void **state)
{
	struct log_limiter limiter = {0};
	struct log_line a = line("no endpoint", ""), told;
	int64_t n;

	(void)state;
	assert_int_equal(say(&limiter, &a, 100, 1000), LOG_LIMIT_LINES);
	assert_false(log_limit_next(&limiter, 1000 + LOG_LIMIT_WINDOW_MS - 1, &told, &n));
	assert_int_equal(log_limit_next_ms(&limiter), 1000 + LOG_LIMIT_WINDOW_MS);
	assert_true(log_limit_next(&limiter, 1000 + LOG_LIMIT_WINDOW_MS, &told, &n));
	assert_int_equal(n, 100 - LOG_LIMIT_LINES);
	assert_string_equal(told.message, "no endpoint");
	assert_false(log_limit_next(&limiter, INT64_MAX, &told, &n));
	assert_int_equal(log_limit_next_ms(&limiter), INT64_MAX);
}

static void test_a_new_window_starts_anew(void **state)
{
	struct log_limiter limiter = {0};
	struct log_line a = line("no endpoint", "");

	(void)state;
	assert_int_equal(say(&limiter, &a, LOG_LIMIT_LINES, 0), LOG_LIMIT_LINES);
	assert_int_equal(say(&limiter, &a, LOG_LIMIT_LINES, LOG_LIMIT_WINDOW_MS), LOG_LIMIT_LINES);
}

static void test_other_messages_and_endpoints_are_not_touched(void **state)
{
	struct log_limiter limiter = {0};
	struct log_line a = line("wrong credential", "one"), b = line("wrong credential", "two"),
			c = line("no credential", "one");

	(void)state;
	assert_int_equal(say(&limiter, &a, 50, 0), LOG_LIMIT_LINES);
	assert_int_equal(say(&limiter, &b, 1, 0), 1);
	assert_int_equal(say(&limiter, &c, 1, 0), 1);
}

static void test_too_many_messages_are_not_limited(void **state)
{
	struct log_limiter limiter = {0};
	int allowed = 0;

	(void)state;
	for (int i = 0; i < 2 * LOG_LIMIT_SLOTS; i++) {
		char text[32];
		struct log_line l;

		(void)snprintf(text, sizeof(text), "message %d", i);
		l = line(text, "");
		allowed += say(&limiter, &l, 1, 0);
	}
	assert_int_equal(allowed, 2 * LOG_LIMIT_SLOTS);
}

static void test_the_end_tells_all(void **state)
{
	struct log_limiter limiter = {0};
	struct log_line a = line("a", ""), b = line("b", "e"), told;
	int64_t n;

	(void)state;
	(void)say(&limiter, &a, 30, 5);
	(void)say(&limiter, &b, 31, 5);
	assert_true(log_limit_next(&limiter, INT64_MAX, &told, &n));
	assert_true(log_limit_next(&limiter, INT64_MAX, &told, &n));
	assert_false(log_limit_next(&limiter, INT64_MAX, &told, &n));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_repeats_are_held_back_and_counted),
		cmocka_unit_test(test_a_new_window_starts_anew),
		cmocka_unit_test(test_other_messages_and_endpoints_are_not_touched),
		cmocka_unit_test(test_too_many_messages_are_not_limited),
		cmocka_unit_test(test_the_end_tells_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
