/* SPDX-License-Identifier: Apache-2.0 */
#include "core/crypto.h"
#include "dispatch/retry.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "util/macros.h"

#define HOUR_US (3600LL * 1000000)
#define DAY_MS  (24LL * 3600 * 1000)

static const struct handler_config handler = {
	.retry_initial_ms = 1000,
	.retry_max_ms = 600000,
	.retry_for_ms = DAY_MS,
};

/* the longest delay: a random number that gives the remainder `bound` for the right bound alone */
static void assert_delay_range(const struct handler_config *h, int attempt, int64_t most)
{
	assert_int_equal(retry_delay_ms(h, attempt, 0), 0);
	assert_int_equal(retry_delay_ms(h, attempt, (uint64_t)most), most);
	assert_int_equal(retry_delay_ms(h, attempt, (uint64_t)most + 1), 0);
}

static void test_delay_doubles_up_to_the_maximum(void **state)
{
	(void)state;
	assert_delay_range(&handler, 1, 1000);
	assert_delay_range(&handler, 2, 2000);
	assert_delay_range(&handler, 3, 4000);
	assert_delay_range(&handler, 10, 512000);
	assert_delay_range(&handler, 11, 600000);
	assert_delay_range(&handler, 12, 600000);
}

static void test_delay_cannot_overflow(void **state)
{
	const struct handler_config huge = {.retry_initial_ms = 1, .retry_max_ms = INT64_MAX};
	const struct handler_config odd = {.retry_initial_ms = 1000, .retry_max_ms = 10};

	(void)state;
	assert_delay_range(&handler, INT_MAX, 600000);
	assert_delay_range(&huge, 63, 1LL << 62);
	assert_int_equal(retry_delay_ms(&huge, INT_MAX, INT64_MAX), INT64_MAX);
	assert_true(retry_delay_ms(&huge, INT_MAX, UINT64_MAX) >= 0);
	assert_delay_range(&odd, 1, 10);
}

static void test_exit_codes(void **state)
{
	static const int dead[] = {64, 65, 77, 78};

	(void)state;
	for (int code = 0; code < 256; code++) {
		enum attempt_outcome expected = code == 0 ? ATTEMPT_OK : ATTEMPT_RETRY;

		for (size_t i = 0; i < ARRAY_SIZE(dead); i++) {
			if (code == dead[i])
				expected = ATTEMPT_DEAD;
		}
		assert_int_equal(retry_outcome_of_exit(code), expected);
	}
}

static struct retry_question a_question(enum attempt_outcome outcome)
{
	return (struct retry_question){
		.outcome = outcome,
		.attempt = 3,
		.passed_us = HOUR_US,
		.after_ms = RETRY_AFTER_NONE,
		.random = 3999,
	};
}

static void test_states(void **state)
{
	static const struct {
		enum attempt_outcome outcome;
		enum delivery_state state;
		int64_t delay_ms;
	} rows[] = {
		{ATTEMPT_OK, DELIVERY_DONE, 0},
		{ATTEMPT_DEAD, DELIVERY_DEAD, 0},
		{ATTEMPT_INTERRUPTED, DELIVERY_PENDING, 0},
		{ATTEMPT_RETRY, DELIVERY_PENDING, 3999},
		{ATTEMPT_TIMEOUT, DELIVERY_PENDING, 3999},
		{ATTEMPT_LOST, DELIVERY_PENDING, 3999},
		{ATTEMPT_FAILED, DELIVERY_PENDING, 3999},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct retry_question question = a_question(rows[i].outcome);
		const struct retry_verdict verdict = retry_decide(&handler, &question);

		assert_int_equal(verdict.state, rows[i].state);
		assert_int_equal(verdict.delay_ms, rows[i].delay_ms);
		assert_false(verdict.is_given_up);
	}
}

static void test_given_up_when_retry_for_is_over(void **state)
{
	struct retry_question question = a_question(ATTEMPT_RETRY);
	struct retry_verdict verdict;

	(void)state;
	question.passed_us = DAY_MS * 1000 - 1;
	assert_int_equal(retry_decide(&handler, &question).state, DELIVERY_PENDING);
	question.passed_us++;
	verdict = retry_decide(&handler, &question);
	assert_int_equal(verdict.state, DELIVERY_DEAD);
	assert_true(verdict.is_given_up);
	/* what came through after all is done, and an interruption is not the handler's fault */
	question.outcome = ATTEMPT_OK;
	assert_int_equal(retry_decide(&handler, &question).state, DELIVERY_DONE);
	question.outcome = ATTEMPT_INTERRUPTED;
	assert_int_equal(retry_decide(&handler, &question).state, DELIVERY_PENDING);
}

static void test_retry_for_zero_is_one_attempt(void **state)
{
	struct handler_config once = handler;
	struct retry_question question = a_question(ATTEMPT_FAILED);

	(void)state;
	once.retry_for_ms = 0;
	question.attempt = 1;
	question.passed_us = 0;
	assert_int_equal(retry_decide(&once, &question).state, DELIVERY_DEAD);
}

static void test_the_handler_may_name_the_time(void **state)
{
	struct retry_question question = a_question(ATTEMPT_RETRY);

	(void)state;
	question.after_ms = 30000;
	assert_int_equal(retry_decide(&handler, &question).delay_ms, 30000);
	question.after_ms = 0;
	assert_int_equal(retry_decide(&handler, &question).delay_ms, 0);
	question.after_ms = INT64_MAX;
	assert_int_equal(retry_decide(&handler, &question).delay_ms, RETRY_AFTER_MAX_MS);
	question.outcome = ATTEMPT_DEAD;
	assert_int_equal(retry_decide(&handler, &question).state, DELIVERY_DEAD);
}

/* a source that gives the same numbers for the same seed (splitmix64) */
static uint64_t seed;

static void seeded(void *p, size_t n)
{
	uint64_t x = seed += 0x9e3779b97f4a7c15u;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	x ^= x >> 31;
	assert_int_equal(n, sizeof(x));
	memcpy(p, &x, n);
}

/* the delay is spread over all of [0, limit], and the seed decides it */
static void test_full_jitter_from_a_seed(void **state)
{
	const struct handler_config patient = {.retry_initial_ms = 1000, .retry_max_ms = 600000};
	int64_t first[1000], sum = 0;
	int quarters[4] = {0};

	(void)state;
	random_set_source(seeded);
	for (int round = 0; round < 2; round++) {
		seed = 42;
		for (int i = 0; i < 1000; i++) {
			int64_t delay = retry_delay_ms(&patient, 4, random_below(UINT64_MAX));

			assert_in_range(delay, 0, 8000);
			if (round == 0) {
				first[i] = delay;
				sum += delay;
				quarters[MIN_OF(delay / 2000, 3)]++;
			}
			assert_int_equal(delay, first[i]);
		}
	}
	random_set_source(NULL);
	assert_in_range(sum / 1000, 3700, 4300);
	for (int i = 0; i < 4; i++)
		assert_in_range(quarters[i], 200, 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_delay_doubles_up_to_the_maximum),
		cmocka_unit_test(test_delay_cannot_overflow),
		cmocka_unit_test(test_exit_codes),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_given_up_when_retry_for_is_over),
		cmocka_unit_test(test_retry_for_zero_is_one_attempt),
		cmocka_unit_test(test_the_handler_may_name_the_time),
		cmocka_unit_test(test_full_jitter_from_a_seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
