/* SPDX-License-Identifier: Apache-2.0 */
#include "core/steady_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define S    1000000LL
#define HOUR (3600 * S)
#define YEAR (365 * 24 * HOUR)
#define FROM (56 * YEAR) /* the wall clock at the beginning */

struct clocks {
	struct steady_clock steady;
	struct clock_reading now;
};

static struct clocks begin(void)
{
	struct clocks c = {.now = {.wall_us = FROM, .boot_us = 7 * HOUR}};

	steady_init(&c.steady, c.now);
	return c;
}

static void pass(struct clocks *c, int64_t us)
{
	c->now.wall_us += us;
	c->now.boot_us += us;
}

static int64_t set(struct clocks *c, int64_t us)
{
	c->now.wall_us += us;
	return steady_look(&c->steady, c->now);
}

static void test_it_follows_the_wall_clock(void **state)
{
	struct clocks c = begin();

	(void)state;
	assert_int_equal(steady_now(&c.steady, c.now), FROM);
	pass(&c, 30 * 24 * HOUR); /* be it asleep */
	assert_int_equal(steady_look(&c.steady, c.now), 0);
	assert_int_equal(steady_now(&c.steady, c.now), c.now.wall_us);
	for (int i = 0; i < 100; i++)
		assert_int_equal(set(&c, S / 2), 0);
	assert_int_equal(steady_now(&c.steady, c.now), c.now.wall_us);
}

static void test_a_step_forwards_counts_after_a_day(void **state)
{
	struct clocks c = begin();

	(void)state;
	assert_int_equal(set(&c, YEAR), YEAR);
	assert_int_equal(steady_now(&c.steady, c.now), FROM);
	pass(&c, STEADY_DOUBT_US - 1);
	assert_int_equal(steady_look(&c.steady, c.now), 0);
	assert_int_equal(steady_now(&c.steady, c.now), c.now.wall_us - YEAR);
	pass(&c, 1);
	assert_int_equal(steady_look(&c.steady, c.now), 0);
	assert_int_equal(steady_now(&c.steady, c.now), c.now.wall_us);
}

static void test_each_step_has_a_day_of_its_own(void **state)
{
	struct clocks c = begin();

	(void)state;
	assert_int_equal(set(&c, HOUR), HOUR);
	pass(&c, STEADY_DOUBT_US - S);
	assert_int_equal(set(&c, YEAR), YEAR);
	pass(&c, STEADY_DOUBT_US - S);
	assert_int_equal(set(&c, 0), 0);
	assert_int_equal(steady_now(&c.steady, c.now), c.now.wall_us - YEAR - HOUR);
}

static void test_a_step_back_counts_at_once(void **state)
{
	struct clocks c = begin();

	(void)state;
	(void)set(&c, YEAR);
	assert_int_equal(set(&c, -YEAR), -YEAR);
	assert_int_equal(steady_now(&c.steady, c.now), FROM);
	assert_int_equal(set(&c, -HOUR), -HOUR);
	assert_int_equal(steady_now(&c.steady, c.now), FROM - HOUR);
}

static void test_what_has_passed(void **state)
{
	struct clocks c = begin();

	(void)state;
	pass(&c, HOUR);
	assert_int_equal(steady_passed(&c.steady, FROM, c.now), HOUR);
	c.now.wall_us += YEAR; /* nobody has looked yet */
	assert_int_equal(steady_passed(&c.steady, FROM, c.now), HOUR);
	(void)set(&c, 0);
	pass(&c, HOUR);
	assert_int_equal(steady_passed(&c.steady, FROM, c.now), 2 * HOUR);
	/* what began while the clock was ahead */
	assert_int_equal(steady_passed(&c.steady, c.now.wall_us, c.now), 0);
	assert_int_equal(steady_passed(&c.steady, c.now.wall_us - HOUR, c.now), HOUR);
	(void)set(&c, -YEAR);
	assert_int_equal(steady_passed(&c.steady, c.now.wall_us + YEAR, c.now), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_follows_the_wall_clock),
		cmocka_unit_test(test_a_step_forwards_counts_after_a_day),
		cmocka_unit_test(test_each_step_has_a_day_of_its_own),
		cmocka_unit_test(test_a_step_back_counts_at_once),
		cmocka_unit_test(test_what_has_passed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
