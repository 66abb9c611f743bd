/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/throttle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define LIMIT     3
#define WINDOW_MS 1000

static struct address address(const char *text)
{
	struct address a;

	assert_int_equal(address_parse(slice_of(text), &a), 0);
	return a;
}

static int make(void **state)
{
	struct throttle *t = NULL;

	assert_int_equal(throttle_new(LIMIT, WINDOW_MS, &t), 0);
	*state = t;
	return 0;
}

static int unmake(void **state)
{
	throttle_free(*state);
	return 0;
}

static void test_limit_within_the_window(void **state)
{
	struct throttle *t = *state;
	struct address a = address("192.0.2.1"), other = address("192.0.2.2");

	throttle_note_failure(t, &a, 5000);
	throttle_note_failure(t, &a, 5400);
	assert_int_equal(throttle_wait_ms(t, &a, 5400), 0);
	throttle_note_failure(t, &a, 5500);
	assert_int_equal(throttle_wait_ms(t, &a, 5500), 500); /* the window began at 5000 */
	assert_int_equal(throttle_wait_ms(t, &a, 5999), 1);
	assert_int_equal(throttle_wait_ms(t, &other, 5500), 0);
	assert_int_equal(throttle_wait_ms(t, &a, 6000), 0);
}

static void test_failures_in_two_windows_do_not_add_up(void **state)
{
	struct throttle *t = *state;
	struct address a = address("192.0.2.1");

	throttle_note_failure(t, &a, 1000);
	throttle_note_failure(t, &a, 1999);
	throttle_note_failure(t, &a, 2000);
	throttle_note_failure(t, &a, 2001);
	assert_int_equal(throttle_wait_ms(t, &a, 2001), 0);
	throttle_note_failure(t, &a, 2002);
	assert_int_equal(throttle_wait_ms(t, &a, 2002), 998);
}

static void test_more_failures_do_not_extend(void **state)
{
	struct throttle *t = *state;
	struct address a = address("192.0.2.1");

	for (int64_t now = 0; now < 900; now++)
		throttle_note_failure(t, &a, now);
	assert_int_equal(throttle_wait_ms(t, &a, 900), 100);
	assert_int_equal(throttle_wait_ms(t, &a, 1000), 0);
}

static void test_one_ipv6_network_is_one_sender(void **state)
{
	struct throttle *t = *state;
	struct address a = address("2001:db8::1"), b = address("2001:db8::ffff:2"),
		       c = address("2001:db8:0:1::1");

	throttle_note_failure(t, &a, 0);
	throttle_note_failure(t, &b, 0);
	throttle_note_failure(t, &a, 0);
	assert_int_equal(throttle_wait_ms(t, &b, 1), 999);
	assert_int_equal(throttle_wait_ms(t, &c, 1), 0);
}

/* The table has a fixed size, so this costs time alone; who fails again and again is still found.
 */
static void test_flood_of_addresses(void **state)
{
	struct throttle *t = *state;
	struct address flood = address("10.0.0.0"), a = address("192.0.2.1");

	for (uint32_t i = 0; i < 200000; i++) {
		memcpy(flood.bytes + 12, &i, sizeof(i));
		throttle_note_failure(t, &flood, 10);
		assert_int_equal(throttle_wait_ms(t, &flood, 10), 0);
	}
	for (int i = 0; i < LIMIT; i++)
		throttle_note_failure(t, &a, 11);
	assert_int_equal(throttle_wait_ms(t, &a, 11), 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_limit_within_the_window, make, unmake),
		cmocka_unit_test_setup_teardown(test_failures_in_two_windows_do_not_add_up, make,
						unmake),
		cmocka_unit_test_setup_teardown(test_more_failures_do_not_extend, make, unmake),
		cmocka_unit_test_setup_teardown(test_one_ipv6_network_is_one_sender, make, unmake),
		cmocka_unit_test_setup_teardown(test_flood_of_addresses, make, unmake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
