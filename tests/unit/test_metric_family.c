/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/metric_family.h"
#include "util/buf.h"
#include "util/macros.h"

/* all of it as text; the caller frees it */
static char *render(void)
{
	struct buf out = BUF_INIT(4 * 1024 * 1024);
	char *text;

	metric_families_render(&out);
	text = buf_steal(&out);
	assert_non_null(text);
	return text;
}

static void assert_line(const char *line)
{
	char *text = render();

	if (!strstr(text, line))
		fail_msg("no line '%s' in\n%s", line, text);
	free(text);
}

static void test_a_series_is_one_set_of_labels(void **state)
{
	struct series *s = series_of(FAMILY_ENDPOINT_REQUESTS, "a", "200");

	(void)state;
	assert_ptr_equal(series_of(FAMILY_ENDPOINT_REQUESTS, "a", "200"), s);
	assert_ptr_not_equal(series_of(FAMILY_ENDPOINT_REQUESTS, "b", "200"), s);
	assert_ptr_not_equal(series_of(FAMILY_ENDPOINT_REQUESTS, "a", "401"), s);
	series_add(s, 3);
	series_add(s, 4);
	assert_int_equal(series_value(s), 7);
	assert_line("\nriskhook_endpoint_requests_total{endpoint=\"a\",code=\"200\"} 7\n");
	assert_line("\nriskhook_endpoint_requests_total{endpoint=\"b\",code=\"200\"} 0\n");
}

static void test_label_values_are_escaped(void **state)
{
	(void)state;
	(void)series_of(FAMILY_EVENTS, "a\"b\\c\nd", "unknown");
	assert_line("{type=\"a\\\"b\\\\c\\nd\",category=\"unknown\"} 0\n");
}

static void test_a_histogram_is_cumulative(void **state)
{
	struct series *s = series_of(FAMILY_ACK_DURATION, NULL, NULL);

	(void)state;
	series_observe(s, 500); /* the bound itself belongs to its bucket */
	series_observe(s, 501);
	series_observe(s, 400000000); /* beyond the last bound */
	assert_line("\nriskhook_ack_duration_seconds_bucket{le=\"0.0005\"} 1\n");
	assert_line("\nriskhook_ack_duration_seconds_bucket{le=\"0.001\"} 2\n");
	assert_line("\nriskhook_ack_duration_seconds_bucket{le=\"300\"} 2\n");
	assert_line("\nriskhook_ack_duration_seconds_bucket{le=\"+Inf\"} 3\n");
	assert_line("\nriskhook_ack_duration_seconds_sum 400.001001\n");
	assert_line("\nriskhook_ack_duration_seconds_count 3\n");
}

static void test_what_was_never_counted_is_zero(void **state)
{
	(void)state;
	assert_line("\nriskhook_events_erased_total 0\n");
	assert_line("\nriskhook_store_commit_operations_count 0\n");
}

static void test_a_family_is_bounded(void **state)
{
	struct series *last = NULL;
	char name[24];

	(void)state;
	for (int i = 0; i < 2 * SERIES_MAX; i++) {
		(void)snprintf(name, sizeof(name), "h%d", i);
		last = series_of(FAMILY_HANDLER_ATTEMPTS, name, "ok");
	}
	assert_ptr_equal(last, series_of(FAMILY_HANDLER_ATTEMPTS, "other", "other"));
	assert_ptr_not_equal(last, series_of(FAMILY_HANDLER_ATTEMPTS, "h0", "ok"));
}

enum { THREADS = 4, ROUNDS = 2000 };

static void *count_up(void *arg)
{
	char name[24];

	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		(void)snprintf(name, sizeof(name), "t%d", i % 50);
		series_add(series_of(FAMILY_HANDLER_DELIVERIES, name, "done"), 1);
	}
	return NULL;
}

static void test_threads_share_series(void **state)
{
	pthread_t threads[THREADS];
	int64_t total = 0;
	char name[24];

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count_up, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (int i = 0; i < 50; i++) {
		(void)snprintf(name, sizeof(name), "t%d", i);
		total += series_value(series_of(FAMILY_HANDLER_DELIVERIES, name, "done"));
	}
	assert_int_equal(total, THREADS * ROUNDS);
}

static void test_computed_families_are_left_to_others(void **state)
{
	char *text = render();
	struct buf out = BUF_INIT(1024);

	(void)state;
	assert_null(strstr(text, "riskhook_build_info"));
	metric_family_head(&out, FAMILY_BUILD_INFO);
	metric_family_sample(&out, FAMILY_BUILD_INFO, "1.2", NULL, 1);
	assert_string_equal(out.p, "# HELP riskhook_build_info always 1; the version is a label\n"
				   "# TYPE riskhook_build_info gauge\n"
				   "riskhook_build_info{version=\"1.2\"} 1\n");
	buf_deinit(&out);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_series_is_one_set_of_labels),
		cmocka_unit_test(test_label_values_are_escaped),
		cmocka_unit_test(test_a_histogram_is_cumulative),
		cmocka_unit_test(test_what_was_never_counted_is_zero),
		cmocka_unit_test(test_a_family_is_bounded),
		cmocka_unit_test(test_threads_share_series),
		cmocka_unit_test(test_computed_families_are_left_to_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
