/* SPDX-License-Identifier: Apache-2.0 */
#include "dispatch/protocol.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <jansson.h>

#include "dispatch/retry.h"
#include "util/cleanup.h"

static char none[] = "";
static char event_id[] = "id \"quoted\"\n\xff";
static char event_type[] = "evaluation_completed";
static char category[] = "evaluation";
static char eval_id[] = "e-1";

static struct job a_job(char *payload)
{
	return (struct job){
		.delivery = 812,
		.seq = 17,
		.attempt = 2,
		.received_at = 1789201800123000,
		.event_id = event_id,
		.event_type = event_type,
		.category = category,
		.eval_id = eval_id,
		.customer_id = none,
		.payload = payload,
		.payload_n = strlen(payload),
	};
}

static void test_request_is_one_line_of_json(void **state)
{
	char payload[] = "{\r\n\t\"b\": 1.10,\n\t\"a\": \"x\\ny\"\r\n}\n";
	const struct job job = a_job(payload);
	_cleanup_(buf_deinit)
	struct buf out = BUF_INIT(sizeof(payload) + PROTOCOL_HEAD_MAX);
	_cleanup_(json_decrefp)
	json_t *root = NULL;

	(void)state;
	assert_int_equal(protocol_append_request(&job, &out), 0);
	assert_ptr_equal(strchr(out.p, '\n'), out.p + out.n - 1);
	assert_null(strchr(out.p, '\r'));
	root = json_loadb(out.p, out.n, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(root);
	assert_int_equal(json_object_size(root), 11);
	assert_int_equal(json_integer_value(json_object_get(root, "delivery")), 812);
	assert_int_equal(json_integer_value(json_object_get(root, "attempt")), 2);
	assert_int_equal(json_integer_value(json_object_get(root, "seq")), 17);
	assert_string_equal(json_string_value(json_object_get(root, "event_id")),
			    "id \"quoted\"\n\xEF\xBF\xBD");
	assert_string_equal(json_string_value(json_object_get(root, "received_at")),
			    "2026-09-12T08:30:00.123Z");
	assert_true(json_is_false(json_object_get(root, "test")));
	assert_true(json_is_false(json_object_get(root, "replay")));
	/* not re-serialised: same digits, same order, same length */
	assert_non_null(strstr(out.p, ",\"payload\":{  \t\"b\": 1.10, \t\"a\": \"x\\ny\"  } }\n"));
}

static void test_request_says_null_for_what_was_not_given(void **state)
{
	char payload[] = "{}";
	struct job job = a_job(payload);
	_cleanup_(buf_deinit)
	struct buf out = BUF_INIT(PROTOCOL_HEAD_MAX);

	(void)state;
	job.eval_id = none;
	job.test = true;
	job.replay = true;
	assert_int_equal(protocol_append_request(&job, &out), 0);
	assert_non_null(strstr(out.p, "\"eval_id\":null,"));
	assert_non_null(strstr(out.p, "\"test\":true,\"replay\":true,"));
}

static void test_request_knows_its_limit(void **state)
{
	char payload[] = "{}";
	const struct job job = a_job(payload);
	_cleanup_(buf_deinit)
	struct buf out = BUF_INIT(64);

	(void)state;
	assert_true(protocol_append_request(&job, &out) < 0);
}

static struct answer parse(const char *line)
{
	struct answer answer;

	assert_int_equal(protocol_parse_answer(slice_of(line), &answer), PROTOCOL_OK);
	return answer;
}

static void test_answers(void **state)
{
	struct answer a;

	(void)state;
	a = parse("{\"delivery\":812,\"status\":\"ok\"}");
	assert_int_equal(a.delivery, 812);
	assert_int_equal(a.status, ANSWER_OK);
	assert_int_equal(a.after_ms, RETRY_AFTER_NONE);
	assert_string_equal(a.reason, "");
	a = parse("{\"status\":\"retry\", \"after\":30, \"delivery\":9223372036854775807}\r");
	assert_int_equal(a.delivery, INT64_MAX);
	assert_int_equal(a.status, ANSWER_RETRY);
	assert_int_equal(a.after_ms, 30000);
	a = parse("{\"delivery\":1,\"status\":\"dead\",\"reason\":\"no such account\",\"x\":[{}]}");
	assert_int_equal(a.status, ANSWER_DEAD);
	assert_string_equal(a.reason, "no such account");
	a = parse("{\"delivery\":1,\"status\":\"retry\",\"after\":0.25,\"reason\":null}");
	assert_int_equal(a.after_ms, 250);
	a = parse("{\"delivery\":1,\"status\":\"retry\",\"after\":1e300}");
	assert_int_equal(a.after_ms, RETRY_AFTER_MAX_MS);
	a = parse("{\"delivery\":1,\"status\":\"retry\",\"after\":null}");
	assert_int_equal(a.after_ms, RETRY_AFTER_NONE);
}

static void test_reason_is_one_clean_line(void **state)
{
	char line[2048] = "{\"delivery\":1,\"status\":\"dead\",\"reason\":\"";
	size_t n = strlen(line);
	struct answer a;

	(void)state;
	a = parse("{\"delivery\":1,\"status\":\"dead\",\"reason\":\"a\\nb\\u001bc\\u007fd\"}");
	assert_string_equal(a.reason, "a b c d");
	/* 3-byte characters, cut between two of them */
	for (int i = 0; i < 100; i++)
		n += (size_t)snprintf(line + n, sizeof(line) - n, "\xE2\x82\xAC");
	(void)snprintf(line + n, sizeof(line) - n, "\"}");
	a = parse(line);
	assert_int_equal(strlen(a.reason), PROTOCOL_REASON_MAX / 3 * 3);
}

static void test_hostile_lines(void **state)
{
	static const char *const lines[] = {
		"",
		" ",
		"ok",
		"null",
		"[]",
		"42",
		"{}",
		"{\"delivery\":1}",
		"{\"status\":\"ok\"}",
		"{\"delivery\":0,\"status\":\"ok\"}",
		"{\"delivery\":-1,\"status\":\"ok\"}",
		"{\"delivery\":1.0,\"status\":\"ok\"}",
		"{\"delivery\":\"1\",\"status\":\"ok\"}",
		"{\"delivery\":9223372036854775808,\"status\":\"ok\"}",
		"{\"delivery\":true,\"status\":\"ok\"}",
		"{\"delivery\":1,\"status\":\"OK\"}",
		"{\"delivery\":1,\"status\":\"okay\"}",
		"{\"delivery\":1,\"status\":0}",
		"{\"delivery\":1,\"status\":\"ok\\u0000\"}",
		"{\"delivery\":1,\"status\":\"ok\"",
		"{\"delivery\":1,\"status\":\"ok\"} trailing",
		"{\"delivery\":1,\"status\":\"ok\"}{\"delivery\":2,\"status\":\"ok\"}",
		"{\"delivery\":1,\"delivery\":2,\"status\":\"ok\"}",
		"{\"delivery\":1,\"status\":\"retry\",\"after\":-1}",
		"{\"delivery\":1,\"status\":\"retry\",\"after\":\"30\"}",
		"{\"delivery\":1,\"status\":\"retry\",\"after\":1e999}",
		"{\"delivery\":1,\"status\":\"dead\",\"reason\":7}",
		"{\"delivery\":1,\"status\":\"dead\",\"reason\":\"\xff\"}",
		"\xEF\xBB\xBF{\"delivery\":1,\"status\":\"ok\"}",
	};
	struct answer answer;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		assert_int_equal(protocol_parse_answer(slice_of(lines[i]), &answer),
				 PROTOCOL_E_MALFORMED);
	assert_int_equal(protocol_parse_answer(SLICE("\0\0"), &answer), PROTOCOL_E_MALFORMED);
	assert_int_equal(protocol_parse_answer(SLICE_NULL, &answer), PROTOCOL_E_MALFORMED);
}

static void test_long_and_deep_lines(void **state)
{
	static char line[PROTOCOL_LINE_MAX + 1];
	static const char good[] = "{\"delivery\":1,\"status\":\"ok\"}";
	struct answer answer;

	(void)state;
	memset(line, ' ', sizeof(line));
	memcpy(line, good, sizeof(good) - 1);
	assert_int_equal(protocol_parse_answer(slice_make(line, PROTOCOL_LINE_MAX), &answer),
			 PROTOCOL_OK);
	assert_int_equal(protocol_parse_answer(slice_make(line, sizeof(line)), &answer),
			 PROTOCOL_E_MALFORMED);
	memset(line, '[', sizeof(line));
	assert_int_equal(protocol_parse_answer(slice_make(line, PROTOCOL_LINE_MAX), &answer),
			 PROTOCOL_E_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_is_one_line_of_json),
		cmocka_unit_test(test_request_says_null_for_what_was_not_given),
		cmocka_unit_test(test_request_knows_its_limit),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_reason_is_one_clean_line),
		cmocka_unit_test(test_hostile_lines),
		cmocka_unit_test(test_long_and_deep_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
