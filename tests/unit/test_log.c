/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/log_render.h"
#include "core/metrics.h"
#include "util/buf.h"

#define NOW_US 1789214400123456LL
#define TIME   "2026-09-12T12:00:00.123Z"

static void assert_line(enum log_format format, const struct log_ids *ids, const char *message,
			const char *expected)
{
	struct buf line = BUF_INIT(16384);

	log_render(format, NOW_US, LOG_LEVEL_INFO, ids, message, &line);
	assert_int_equal(buf_error(&line), 0);
	assert_string_equal(line.p, expected);
	buf_deinit(&line);
}

static void test_text(void **state)
{
	const struct log_ids all = {.seq = 17,
				    .event_id = SLICE("ev-1"),
				    .event_type = SLICE("decision_update"),
				    .eval_id = SLICE("11111111-2222"),
				    .delivery = INT64_MAX,
				    .handler = SLICE("ledger"),
				    .endpoint = SLICE("riskos"),
				    .credential = SLICE("dashboard"),
				    .address = SLICE("2001:db8::1"),
				    .status = 503};
	const struct log_ids none = {0};

	(void)state;
	assert_line(LOG_FORMAT_TEXT, NULL, "hello", TIME " INFO hello");
	assert_line(LOG_FORMAT_TEXT, &none, "hello", TIME " INFO hello");
	assert_line(LOG_FORMAT_TEXT, &all, "stored",
		    TIME " INFO stored seq=17 event_id=ev-1 event_type=decision_update "
			 "eval_id=11111111-2222 delivery=9223372036854775807 handler=ledger "
			 "endpoint=riskos credential=dashboard address=2001:db8::1 status=503");
	/* what is printed when the journal is not there */
	assert_line(LOG_FORMAT_JOURNAL, &all, "",
		    TIME " INFO  seq=17 event_id=ev-1 event_type="
			 "decision_update eval_id=11111111-2222 delivery="
			 "9223372036854775807 handler=ledger endpoint="
			 "riskos credential=dashboard address=2001:db8::1 "
			 "status=503");
}

static void test_json(void **state)
{
	const struct log_ids ids = {.seq = 17, .event_id = SLICE("ev-1"), .status = 200};

	(void)state;
	assert_line(LOG_FORMAT_JSON, NULL, "say \"hello\"",
		    "{\"time\":\"" TIME "\",\"level\":\"info\",\"message\":\"say \\\"hello\\\"\"}");
	assert_line(LOG_FORMAT_JSON, &ids, "stored",
		    "{\"time\":\"" TIME "\",\"level\":\"info\",\"message\":\"stored\","
		    "\"seq\":17,\"event_id\":\"ev-1\",\"status\":200}");
}

static void test_levels(void **state)
{
	static const struct {
		enum log_level level;
		const char *text, *json;
	} cases[] = {
		{LOG_LEVEL_ERROR, " ERROR ", "\"error\""},
		{LOG_LEVEL_WARNING, " WARNING ", "\"warning\""},
		{LOG_LEVEL_NOTICE, " NOTICE ", "\"notice\""},
		{LOG_LEVEL_INFO, " INFO ", "\"info\""},
		{LOG_LEVEL_DEBUG, " DEBUG ", "\"debug\""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buf text = BUF_INIT(1000), json = BUF_INIT(1000);

		log_render(LOG_FORMAT_TEXT, NOW_US, cases[i].level, NULL, "x", &text);
		log_render(LOG_FORMAT_JSON, NOW_US, cases[i].level, NULL, "x", &json);
		assert_non_null(strstr(text.p, cases[i].text));
		assert_non_null(strstr(json.p, cases[i].json));
		buf_deinit(&text);
		buf_deinit(&json);
	}
}

static void test_values_are_escaped(void **state)
{
	static const struct {
		struct slice value;
		const char *text;
	} cases[] = {
		{SLICE("a\nb\r\t\0z"), " event_id=a\\x0ab\\x0d\\x09\\x00z"},
		{SLICE("\x1b[2J\x7f"), " event_id=\\x1b[2J\\x7f"},
		{SLICE("\xc3\xa4\xff"), " event_id=\\xc3\\xa4\\xff"},
		{SLICE("x seq=99"), " event_id=\"x seq=99\""}, /* no second id */
		{SLICE("x\" seq=99"), " event_id=\"x\\x22 seq=99\""},
		{SLICE("\\x0a"), " event_id=\\x5cx0a"}, /* no false escape */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct log_ids ids = {.event_id = cases[i].value};
		struct buf expected = BUF_INIT(1000);

		assert_int_equal(buf_printf(&expected, TIME " INFO stored%s", cases[i].text), 0);
		assert_line(LOG_FORMAT_TEXT, &ids, "stored", expected.p);
		buf_deinit(&expected);
	}
	assert_line(LOG_FORMAT_JSON, &(struct log_ids){.handler = SLICE("a\n\"\\\xc3\xa4 b")},
		    "x\ny",
		    "{\"time\":\"" TIME "\",\"level\":\"info\",\"message\":\"x\\\\x0ay\","
		    "\"handler\":\"a\\\\x0a\\\\x22\\\\x5c\\\\xc3\\\\xa4 b\"}");
	assert_line(LOG_FORMAT_TEXT, NULL, "forged\n2026 ERROR \x1b[0m\xc3\xa4",
		    TIME " INFO forged\\x0a2026 ERROR \\x1b[0m\\xc3\\xa4");
}

static void test_values_are_cut(void **state)
{
	char value[129], expected[300];
	struct log_ids ids = {.eval_id = slice_make(value, 128)};

	(void)state;
	memset(value, 'v', sizeof(value));
	assert_true(snprintf(expected, sizeof(expected), TIME " INFO x eval_id=%.128s", value) > 0);
	assert_line(LOG_FORMAT_TEXT, &ids, "x", expected);
	ids.eval_id.n = 129;
	assert_true(snprintf(expected, sizeof(expected), TIME " INFO x eval_id=%.128s...", value) >
		    0);
	assert_line(LOG_FORMAT_TEXT, &ids, "x", expected);
}

/* What log_with() writes to stderr while @say runs, as one text; the caller frees it */
static char *captured(void (*say)(void))
{
	int ends[2], saved = dup(STDERR_FILENO);
	struct buf text = BUF_INIT(65536);
	char bytes[4096];
	ssize_t n;

	assert_true(saved >= 0);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
	close(ends[1]);
	say();
	assert_true(dup2(saved, STDERR_FILENO) >= 0); /* closes the last writing end */
	close(saved);
	while ((n = read(ends[0], bytes, sizeof(bytes))) > 0)
		assert_int_equal(buf_append(&text, bytes, (size_t)n), 0);
	close(ends[0]);
	return buf_steal(&text);
}

static void say_at_all_levels(void)
{
	log_error("number %d", 1);
	log_warning("number %d", 2);
	log_notice("number %d", 3);
	log_info("number %d", 4);
	log_debug("number %d", 5);
}

static void test_level_filters(void **state)
{
	char *text;

	(void)state;
	unsetenv("JOURNAL_STREAM");
	log_init(LOG_FORMAT_JOURNAL, LOG_LEVEL_NOTICE);
	assert_true(log_wants(LOG_LEVEL_ERROR));
	assert_true(log_wants(LOG_LEVEL_NOTICE));
	assert_false(log_wants(LOG_LEVEL_INFO));
	text = captured(say_at_all_levels);
	assert_non_null(strstr(text, "Z ERROR number 1\n"));
	assert_non_null(strstr(text, "Z WARNING number 2\n"));
	assert_non_null(strstr(text, "Z NOTICE number 3\n"));
	assert_null(strstr(text, "number 4"));
	free(text);
	log_set_level(LOG_LEVEL_DEBUG);
	text = captured(say_at_all_levels);
	assert_non_null(strstr(text, "Z DEBUG number 5\n"));
	free(text);
}

static void say_much(void)
{
	char much[5000];

	memset(much, '\n', sizeof(much) - 1);
	much[sizeof(much) - 1] = '\0';
	log_info("%s", much);
}

static void test_a_long_message_is_one_line(void **state)
{
	char *text;

	(void)state;
	log_init(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	text = captured(say_much);
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	assert_true(strlen(text) > 1000 && strlen(text) < 5000);
	free(text);
}

/* A stream of the journal that is not ours must not be believed, whatever it looks like. */
static void test_false_journal_streams(void **state)
{
	static const char *const streams[] = {
		"",    ":",   "1",     "1:",
		"1:1", "x:y", "1:1:1", "99999999999999999999:99999999999999999999"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(streams); i++) {
		char *text;

		assert_int_equal(setenv("JOURNAL_STREAM", streams[i], 1), 0);
		log_init(LOG_FORMAT_JOURNAL, LOG_LEVEL_ERROR);
		text = captured(say_at_all_levels);
		assert_non_null(strstr(text, "number 1\n"));
		free(text);
	}
	unsetenv("JOURNAL_STREAM");
}

static void test_metrics(void **state)
{
	struct buf text = BUF_INIT(65536);

	(void)state;
	metric_inc(METRIC_REQUESTS);
	metric_add(METRIC_REQUESTS, 41);
	metric_add(METRIC_CONNECTIONS, 2);
	metric_add(METRIC_CONNECTIONS, -1);
	assert_int_equal(metric_value(METRIC_REQUESTS), 42);
	metrics_render(&text);
	assert_int_equal(buf_error(&text), 0);
	assert_non_null(strstr(text.p,
			       "# HELP riskhook_requests_total HTTP requests on the intake side\n"
			       "# TYPE riskhook_requests_total counter\n"
			       "riskhook_requests_total 42\n"));
	assert_non_null(strstr(text.p, "# TYPE riskhook_connections gauge\n"
				       "riskhook_connections 1\n"));
	assert_non_null(strstr(text.p, "\nriskhook_attempts_failed_total 0\n"));
	assert_int_equal(text.p[text.n - 1], '\n');
	buf_deinit(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_values_are_escaped),
		cmocka_unit_test(test_values_are_cut),
		cmocka_unit_test(test_level_filters),
		cmocka_unit_test(test_a_long_message_is_one_line),
		cmocka_unit_test(test_false_journal_streams),
		cmocka_unit_test(test_metrics),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
