/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is kept of a program's output
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dispatch/attempt.h"
#include "util/cleanup.h"

#define HALF (ATTEMPT_OUTPUT_MAX / 2)

/* byte @i of an output whose every stretch differs */
static char byte_at(size_t i)
{
	return (char)('a' + (i ^ (i >> 7) ^ (i >> 13)) % 26);
}

static void check(size_t n, size_t piece)
{
	_cleanup_(freep)
	char *output = malloc(n + 1);
	struct attempt_result result;
	char marker[100];
	size_t length;

	assert_non_null(output);
	for (size_t i = 0; i < n; i++)
		output[i] = byte_at(i);
	attempt_result_init(&result);
	for (size_t i = 0; i < n; i += piece)
		attempt_result_add_output(&result, output + i, MIN_OF(piece, n - i));
	attempt_result_end_output(&result);
	assert_int_equal(result.output_cut, n > ATTEMPT_OUTPUT_MAX);
	if (n <= ATTEMPT_OUTPUT_MAX) {
		assert_int_equal(result.output.n, n);
		if (n > 0)
			assert_memory_equal(result.output.p, output, n);
		attempt_result_deinit(&result);
		return;
	}
	(void)snprintf(marker, sizeof(marker), "\n[%zu bytes left out]\n", n - ATTEMPT_OUTPUT_MAX);
	length = strlen(marker);
	assert_int_equal(result.output.n, ATTEMPT_OUTPUT_MAX + length);
	assert_memory_equal(result.output.p, output, HALF);
	assert_memory_equal(result.output.p + HALF, marker, length);
	assert_memory_equal(result.output.p + HALF + length, output + n - HALF, HALF);
	attempt_result_deinit(&result);
}

static void test_beginning_and_end_are_kept(void **state)
{
	static const size_t sizes[] = {
		0,
		1,
		HALF - 1,
		HALF,
		HALF + 1,
		2 * HALF - 1,
		2 * HALF,
		2 * HALF + 1,
		3 * HALF - 1,
		3 * HALF,
		3 * HALF + 1,
		5 * HALF + 77,
		1000000,
	};
	static const size_t pieces[] = {1, 100, HALF - 1, HALF, 16384, 16385, 70000};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		for (size_t k = 0; k < ARRAY_SIZE(pieces); k++)
			check(sizes[i], pieces[k]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_beginning_and_end_are_kept)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
