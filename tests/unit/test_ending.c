/* SPDX-License-Identifier: Apache-2.0 */
#include "core/ending.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "util/macros.h"
#include "util/units.h"

#define DAY_US (24 * 3600 * US_PER_S)
#define END    (1000 * DAY_US)

static void test_endings(void **state)
{
	static const struct {
		int64_t left_us;
		enum ending ending;
		int64_t days;
	} cases[] = {
		{100 * DAY_US, ENDING_FAR, 100},
		{14 * DAY_US + 1, ENDING_FAR, 14},
		{14 * DAY_US, ENDING_IN_14_DAYS, 14},
		{14 * DAY_US - 1, ENDING_IN_14_DAYS, 13},
		{3 * DAY_US + 1, ENDING_IN_14_DAYS, 3},
		{3 * DAY_US, ENDING_IN_3_DAYS, 3},
		{1 * DAY_US, ENDING_IN_1_DAY, 1},
		{1, ENDING_IN_1_DAY, 0},
		{0, ENDED, 0},
		{-1, ENDED, -1},
		{-DAY_US - 1, ENDED, -2},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(ending_of(END - cases[i].left_us, END), cases[i].ending);
		assert_int_equal(ending_days_left(END - cases[i].left_us, END), cases[i].days);
	}
	assert_int_equal(ending_of(END, 0), ENDING_FAR); /* never */
}

static void test_each_warning_once(void **state)
{
	struct ending_memory memory = {0};
	int n = 0;

	(void)state;
	for (int64_t now = END - 30 * DAY_US; now < END + 30 * DAY_US; now += DAY_US / 24)
		n += ending_warning(&memory, now, END) != ENDING_FAR;
	assert_int_equal(n, 4);
	assert_int_equal(memory.warned, ENDED);
}

static void test_only_the_most_urgent_after_a_long_sleep(void **state)
{
	struct ending_memory memory = {0};

	(void)state;
	assert_int_equal(ending_warning(&memory, END - DAY_US / 2, END), ENDING_IN_1_DAY);
	assert_int_equal(ending_warning(&memory, END - DAY_US / 3, END), ENDING_FAR);
	/* a clock that is set back repeats nothing */
	assert_int_equal(ending_warning(&memory, END - 10 * DAY_US, END), ENDING_FAR);
	assert_int_equal(ending_warning(&memory, END, END), ENDED);
}

static void test_another_end_begins_anew(void **state)
{
	struct ending_memory memory = {0};

	(void)state;
	assert_int_equal(ending_warning(&memory, END, END), ENDED);
	assert_int_equal(ending_warning(&memory, END, END + 100 * DAY_US), ENDING_FAR);
	assert_int_equal(ending_warning(&memory, END, END + 2 * DAY_US), ENDING_IN_3_DAYS);
	assert_int_equal(ending_warning(&memory, END, 0), ENDING_FAR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_endings),
		cmocka_unit_test(test_each_warning_once),
		cmocka_unit_test(test_only_the_most_urgent_after_a_long_sleep),
		cmocka_unit_test(test_another_end_begins_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
