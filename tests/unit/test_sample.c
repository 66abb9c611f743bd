/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/clock.h"
#include "intake/event.h"
#include "riskhookctl/sample.h"
#include "riskhookctl/sample_fill.h"

static char *set(const char *json, const char *assignment)
{
	json_t *root = json_loads(json, 0, NULL);
	struct error e = ERROR_INIT;
	char *text = NULL;

	assert_non_null(root);
	if (sample_set(root, assignment, &e) == 0)
		text = json_dumps(root, JSON_COMPACT);
	else
		assert_true(strlen(e.text) > 0);
	json_decref(root);
	return text;
}

static void test_set(void **state)
{
	static const struct {
		const char *json, *assignment, *result; /* NULL: refused */
	} cases[] = {
		{"{}", "a=b", "{\"a\":\"b\"}"},
		{"{}", "a=", "{\"a\":\"\"}"},
		{"{}", "a=b=c", "{\"a\":\"b=c\"}"},
		{"{}", "a=7", "{\"a\":7}"},
		{"{}", "a=\"7\"", "{\"a\":\"7\"}"},
		{"{\"a\":1}", "a=null", "{\"a\":null}"},
		{"{\"a\":1}", "a=true", "{\"a\":true}"},
		{"{}", "a={\"b\":[1]}", "{\"a\":{\"b\":[1]}}"},
		{"{}", "a={b", "{\"a\":\"{b\"}"},
		{"{\"d\":{\"x\":1}}", "d.y=ON HOLD", "{\"d\":{\"x\":1,\"y\":\"ON HOLD\"}}"},
		{"{}", "a.b.c=1", "{\"a\":{\"b\":{\"c\":1}}}"},
		{"{\"a\":\"text\"}", "a.b=1", "{\"a\":{\"b\":1}}"},
		{"{\"t\":[]}", "t.0=x", "{\"t\":[\"x\"]}"},
		{"{\"t\":[1,2]}", "t.1=x", "{\"t\":[1,\"x\"]}"},
		{"{\"t\":[1]}", "t.1.n=x", "{\"t\":[1,{\"n\":\"x\"}]}"},
		{"{\"t\":[{\"n\":1}]}", "t.0.n=2", "{\"t\":[{\"n\":2}]}"},
		{"{\"t\":[1]}", "t.2=x", NULL},
		{"{\"t\":[1]}", "t.-1=x", NULL},
		{"{\"t\":[1]}", "t.n=x", NULL},
		{"{\"t\":[1]}", "t.9999999=x", NULL},
		{"{}", "a", NULL},
		{"{}", "=1", NULL},
		{"{}", ".=1", NULL},
		{"{}", "a..b=1", NULL},
		{"{}", "a.=1", NULL},
		{"{}", "a=\xff", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *result = set(cases[i].json, cases[i].assignment);

		if (cases[i].result)
			assert_string_equal(result, cases[i].result);
		else
			assert_null(result);
		free(result);
	}
}

static void test_find(void **state)
{
	static const char *const cases[][2] = {
		{"evaluation_completed", "evaluation_completed"},
		{"Evaluation Completed", "evaluation_completed"},
		{"case-closure", "case_closure"},
		{"Decision Updated", "decision_update"},
		{"Case Assigned", "case_assigned"},
		{"APP_OPENED", "docv_app_opened"},
		{"docv_session_expired", "docv_session_expired"},
		{"ping", "test_ping"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct sample_type *type = sample_find(cases[i][0]);

		assert_non_null(type);
		assert_string_equal(type->name, cases[i][1]);
	}
	assert_null(sample_find("no_such_type"));
	assert_null(sample_find(""));
	assert_string_equal(sample_nearest("evaluation_complete")->name, "evaluation_completed");
	assert_null(sample_nearest("xyzzy"));
}

/* the receiver recognises every sample, and no two bodies are the same event */
static void test_every_type_is_recognised(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_sample_types; i++) {
		json_t *one = sample_make(&sample_types[i], clock_now_us());
		json_t *two = sample_make(&sample_types[i], clock_now_us());
		char *first = json_dumps(one, JSON_COMPACT),
		     *second = json_dumps(two, JSON_COMPACT);
		struct event a, b;

		assert_non_null(first);
		assert_non_null(second);
		assert_null(strstr(first, "{{"));
		assert_int_equal(event_recognize(slice_of(first), &a), EVENT_OK);
		assert_int_equal(event_recognize(slice_of(second), &b), EVENT_OK);
		assert_int_not_equal(a.category, CATEGORY_UNKNOWN);
		assert_false(slice_eq_str(a.event_type, "unknown"));
		assert_false(slice_eq(a.event_id, b.event_id));
		assert_int_equal(a.test, strncmp(sample_types[i].name, "test_ping", 9) == 0);
		free(first);
		free(second);
		json_decref(one);
		json_decref(two);
	}
}

static void test_ids_agree_within_a_body(void **state)
{
	json_t *body = sample_make(sample_find("docv_app_opened"), clock_now_us());

	(void)state;
	assert_non_null(body);
	assert_string_equal(sample_text(body, "origId"), sample_text(body, "event.referenceId"));
	assert_string_not_equal(sample_text(body, "origId"), sample_text(body, "id"));
	assert_null(sample_text(body, "event.none"));
	assert_null(sample_text(body, "event"));
	json_decref(body);
}

static void test_uuid(void **state)
{
	char one[UUID_TEXT_SIZE], two[UUID_TEXT_SIZE];

	(void)state;
	uuid_make(one);
	uuid_make(two);
	assert_int_equal(strlen(one), UUID_TEXT_SIZE - 1);
	assert_int_equal(one[14], '4');
	assert_non_null(strchr("89ab", one[19]));
	assert_int_equal(one[8], '-');
	assert_int_equal(one[23], '-');
	assert_string_not_equal(one, two);
}

static void test_go_time(void **state)
{
	char out[GO_TIME_SIZE];

	(void)state;
	go_time_format(0, 0, out);
	assert_string_equal(out, "1970-01-01T00:00:00Z");
	go_time_format(1500000, 0, out);
	assert_string_equal(out, "1970-01-01T00:00:01.5Z");
	go_time_format(1000001, 20, out);
	assert_string_equal(out, "1970-01-01T00:00:01.00000102Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_every_type_is_recognised),
		cmocka_unit_test(test_ids_agree_within_a_body),
		cmocka_unit_test(test_uuid),
		cmocka_unit_test(test_go_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
