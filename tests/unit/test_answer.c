/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "manual.h"

#define MANUAL              "src/intake/riskhook-http.7"
#define WEBHOOK_STATUSES_OK 3

static bool is_success(enum outcome outcome)
{
	return outcome == OUTCOME_STORED || outcome == OUTCOME_DUPLICATE ||
	       outcome == OUTCOME_CONFLICT;
}

static void test_every_outcome_has_a_rule(void **state)
{
	int n_ok = 0;

	(void)state;
	for (int i = 0; i < OUTCOMES; i++) {
		const struct outcome_rule *rule = outcome_rule((enum outcome)i);

		assert_non_null(rule->word);
		assert_true(rule->status >= 200 && rule->status < 600);
		assert_int_not_equal(rule->status, 500);
		assert_true(rule->level >= LOG_LEVEL_ERROR && rule->level <= LOG_LEVEL_DEBUG);
		assert_int_equal(rule->status == 200, is_success((enum outcome)i));
		assert_int_equal(rule->title == NULL, is_success((enum outcome)i));
		assert_int_equal(rule->detail == NULL, is_success((enum outcome)i));
		/* the sender is told when to come again, exactly where it should */
		assert_int_equal(rule->retry_after_s > 0, rule->status == 503);
		n_ok += rule->status == 200;
	}
	assert_int_equal(n_ok, WEBHOOK_STATUSES_OK);
}

static void test_statuses(void **state)
{
	static const struct {
		enum outcome outcome;
		unsigned int status;
	} cases[] = {
		{OUTCOME_NOT_FOUND, 404},          {OUTCOME_METHOD_NOT_ALLOWED, 405},
		{OUTCOME_ADDRESS_FORBIDDEN, 403},  {OUTCOME_THROTTLED, 429},
		{OUTCOME_NO_CREDENTIAL, 401},      {OUTCOME_WRONG_CREDENTIAL, 401},
		{OUTCOME_EXPIRED_CREDENTIAL, 401}, {OUTCOME_TOO_LARGE, 413},
		{OUTCOME_MEDIA_TYPE, 415},         {OUTCOME_NOT_JSON, 400},
		{OUTCOME_NOT_OBJECT, 400},         {OUTCOME_BUSY, 503},
		{OUTCOME_STOPPING, 503},           {OUTCOME_NOT_STORED, 503},
		{OUTCOME_NO_MEMORY, 503},          {OUTCOME_INSUFFICIENT_SCOPE, 403},
		{OUTCOME_PROVIDER_DOWN, 503},
	};

	(void)state;
	assert_int_equal(ARRAY_SIZE(cases) + WEBHOOK_STATUSES_OK, OUTCOMES);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(outcome_rule(cases[i].outcome)->status, cases[i].status);
}

/* the body of an answer, which must be JSON */
static json_t *answer(enum outcome outcome, int64_t seq, struct slice event_id)
{
	struct buf out = BUF_INIT(ANSWER_MAX);
	json_error_t error;
	json_t *json;

	answer_render(outcome, seq, event_id, &out);
	assert_int_equal(buf_error(&out), 0);
	json = json_loadb(out.p, out.n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
	if (!json)
		fail_msg("%s: %.*s", error.text, (int)out.n, out.p);
	buf_deinit(&out);
	return json;
}

static const char *text_at(json_t *json, const char *key)
{
	return json_string_value(json_object_get(json, key));
}

static void test_success(void **state)
{
	json_t *json = answer(OUTCOME_DUPLICATE, INT64_MAX, SLICE("evt-1"));

	(void)state;
	assert_string_equal(text_at(json, "result"), "duplicate");
	assert_true(json_integer_value(json_object_get(json, "seq")) == INT64_MAX);
	assert_string_equal(text_at(json, "event_id"), "evt-1");
	assert_int_equal(json_object_size(json), 3);
	json_decref(json);
}

static void test_problems(void **state)
{
	(void)state;
	for (int i = 0; i < OUTCOMES; i++) {
		json_t *json = answer((enum outcome)i, 7, SLICE("evt-secret"));

		if (!is_success((enum outcome)i)) {
			assert_string_equal(text_at(json, "type"), "about:blank");
			assert_int_equal(json_integer_value(json_object_get(json, "status")),
					 outcome_rule((enum outcome)i)->status);
			assert_null(json_object_get(json, "event_id"));
			assert_int_equal(json_object_size(json), 4);
		}
		json_decref(json);
	}
}

/* no reason for 401: the three cannot be told apart */
static void test_401_gives_no_reason(void **state)
{
	json_t *no = answer(OUTCOME_NO_CREDENTIAL, 0, SLICE_NULL);
	json_t *wrong = answer(OUTCOME_WRONG_CREDENTIAL, 0, SLICE_NULL);
	json_t *expired = answer(OUTCOME_EXPIRED_CREDENTIAL, 0, SLICE_NULL);

	(void)state;
	assert_true(json_equal(no, wrong));
	assert_true(json_equal(wrong, expired));
	json_decref(no);
	json_decref(wrong);
	json_decref(expired);
}

static void test_hostile_event_ids(void **state)
{
	const struct slice ids[] = {
		SLICE("\"},\"seq\":99,\"x\":{\""),
		SLICE("\\"),
		SLICE("\x01\x1f\x7f\r\n\t"),
		SLICE("a\0b"),
		SLICE("\xff\xfe\xc3("),
		SLICE("\xed\xa0\x80"),
		SLICE("</script>\xe2\x80\xa8"),
		SLICE("\xf0\x9f\x92\xa3"),
		SLICE_NULL,
	};
	char longest[512]; /* EVENT_TEXT_MAX, each byte six times as long in JSON */

	(void)state;
	memset(longest, 1, sizeof(longest));
	json_decref(answer(OUTCOME_STORED, 1, slice_make(longest, sizeof(longest))));
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		json_t *json = answer(OUTCOME_STORED, 17, ids[i]);

		assert_int_equal(json_object_size(json), 3);
		assert_int_equal(json_integer_value(json_object_get(json, "seq")), 17);
		json_decref(json);
	}
}

/* the text by which the manual names an answer */
static const char *name_of(enum outcome outcome)
{
	const struct outcome_rule *rule = outcome_rule(outcome);

	return rule->detail ? rule->detail : rule->word;
}

/* the three of 401 are one answer to the sender */
static bool is_named_before(enum outcome outcome)
{
	for (int i = 0; i < (int)outcome; i++)
		if (outcome_rule((enum outcome)i)->status == outcome_rule(outcome)->status &&
		    strcmp(name_of((enum outcome)i), name_of(outcome)) == 0)
			return true;
	return false;
}

static void test_the_manual_lists_every_answer_and_no_other(void **state)
{
	struct manual manual = manual_open(MANUAL, "ANSWERS");
	size_t n = 0;

	(void)state;
	for (int i = 0; i < OUTCOMES; i++) {
		const struct outcome_rule *rule = outcome_rule((enum outcome)i);
		const char *below = manual_item(&manual, rule->status, name_of((enum outcome)i));
		bool is_retried = rule->status == 429 || rule->status == 503;

		manual_check_headers(&manual, below, rule->retry_after_s, rule->close);
		assert_int_equal(strstr(below, "\nTried again.\n") != NULL, is_retried);
		assert_int_equal(strstr(below, "\nNot tried again.\n") != NULL,
				 !is_retried && rule->status != 200);
		n += !is_named_before((enum outcome)i);
	}
	assert_int_equal(manual_count(&manual), n);
	manual_close(&manual);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_outcome_has_a_rule),
		cmocka_unit_test(test_statuses),
		cmocka_unit_test(test_success),
		cmocka_unit_test(test_problems),
		cmocka_unit_test(test_401_gives_no_reason),
		cmocka_unit_test(test_hostile_event_ids),
		cmocka_unit_test(test_the_manual_lists_every_answer_and_no_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
