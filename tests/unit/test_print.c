/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "riskhookctl/print.h"

static void test_escape(void **state)
{
	static const struct {
		struct slice text;
		const char *result;
	} cases[] = {
		{SLICE("plain"), "plain"},
		{SLICE("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f"},
		{SLICE("a\nb\r\tc"), "a\\nb\\r\\tc"},
		{SLICE("\033[2J"), "\\x1b[2J"},
		{SLICE("a\0b"), "a\\x00b"},
		{SLICE("\x7f"), "\\x7f"},
		{SLICE("\xc2\x9b[2J"), "\\u{9b}[2J"},
		/* NOLINTNEXTLINE(misc-misleading-bidirectional): that is the point */
		{SLICE("\xe2\x80\xae"), "\\u{202e}"},
		{SLICE("\xe2\x80\xa8"), "\\u{2028}"},
		{SLICE("\xff"), "\\xff"},
		{SLICE("\xc0\x80"), "\\xc0\\x80"},
		{SLICE("\\n"), "\\\\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buf out = BUF_INIT(1024);

		print_escape(&out, cases[i].text);
		assert_string_equal(out.p, cases[i].result);
		buf_deinit(&out);
	}
}

static char *print_rows(enum print_format format, int width, bool colour)
{
	const struct value rows[][5] = {
		{{"seq", VALUE_INTEGER, 7, SLICE_NULL},
		 {"decision", VALUE_TEXT, 0, SLICE("REVIEW")},
		 {"event_id", VALUE_TEXT, 0, SLICE("11111111-2222-4333-8444-555555555555")},
		 {"test", VALUE_BOOL, 1, SLICE_NULL},
		 {"received_at", VALUE_TEXT, 0, SLICE("2026-01-02T03:04:05.678Z")}},
		{{"seq", VALUE_INTEGER, 1234, SLICE_NULL},
		 {"decision", VALUE_NULL, 0, SLICE_NULL},
		 {"event_id", VALUE_TEXT, 0, SLICE("a\n\xc2\x9b")},
		 {"test", VALUE_BOOL, 0, SLICE_NULL},
		 {"received_at", VALUE_NULL, 0, SLICE_NULL}},
	};
	struct print_target target = {.width = width, .colour = colour};
	struct printer *printer;
	char *text = NULL;
	size_t n = 0;

	target.out = open_memstream(&text, &n);
	assert_non_null(target.out);
	printer = printer_new(&target, format, "seq decision event_id received_at test");
	assert_non_null(printer);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(printer_row(rows[i], 5, printer), 0);
	assert_int_equal(printer_flush(printer), 0);
	assert_int_equal(printer_rows(printer), 2);
	printer_free(printer);
	assert_int_equal(fclose(target.out), 0);
	return text;
}

static void test_table_in_a_pipe_is_not_cut(void **state)
{
	char *text = print_rows(PRINT_TABLE, 0, false);

	(void)state;
	assert_string_equal(text, " SEQ  DECISION  EVENT_ID                              "
				  "RECEIVED_AT               TEST\n"
				  "   7  REVIEW    11111111-2222-4333-8444-555555555555  "
				  "2026-01-02T03:04:05.678Z  yes\n"
				  "1234  -         a\\n\\u{9b}                             "
				  "-                         no\n");
	free(text);
}

static void test_table_on_a_terminal_is_cut(void **state)
{
	char *text = print_rows(PRINT_TABLE, 53, false);

	(void)state;
	assert_non_null(strstr(text, "   7  REVIEW    11111111~  2026-01-02T03:04:05Z  yes\n"));
	assert_non_null(strstr(text, "1234  -         a\\n\\u{9b}  "));
	free(text);
}

static void test_colour_only_when_wanted(void **state)
{
	char *plain = print_rows(PRINT_TABLE, 200, false);
	char *coloured = print_rows(PRINT_TABLE, 200, true);

	(void)state;
	assert_null(strchr(plain, '\033'));
	assert_non_null(strstr(coloured, "\033[33mREVIEW\033[0m"));
	free(plain);
	free(coloured);
}

static void test_json(void **state)
{
	char *text = print_rows(PRINT_JSON, 0, false);

	(void)state;
	assert_string_equal(
		text, "{\"seq\":7,\"decision\":\"REVIEW\","
		      "\"event_id\":\"11111111-2222-4333-8444-555555555555\",\"test\":true,"
		      "\"received_at\":\"2026-01-02T03:04:05.678Z\"}\n"
		      "{\"seq\":1234,\"decision\":null,\"event_id\":\"a\\n\\u009b\",\"test\":false,"
		      "\"received_at\":null}\n");
	free(text);
}

static void test_record_with_output(void **state)
{
	const struct value row[] = {
		{"code", VALUE_INTEGER, 75, SLICE_NULL},
		{"output", VALUE_BYTES, 0, SLICE("one\n\033two\n")},
		{"reason", VALUE_NULL, 0, SLICE_NULL},
	};
	struct print_target target = {.width = 0};
	struct printer *printer;
	char *text = NULL;
	size_t n = 0;

	(void)state;
	target.out = open_memstream(&text, &n);
	assert_non_null(target.out);
	printer = printer_new(&target, PRINT_RECORD, NULL);
	assert_int_equal(printer_row(row, ARRAY_SIZE(row), printer), 0);
	assert_int_equal(printer_flush(printer), 0);
	printer_free(printer);
	assert_int_equal(fclose(target.out), 0);
	assert_string_equal(text, "code              75\n"
				  "output            \n"
				  "    one\n"
				  "    \\x1btwo\n"
				  "reason            -\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_table_in_a_pipe_is_not_cut),
		cmocka_unit_test(test_table_on_a_terminal_is_cut),
		cmocka_unit_test(test_colour_only_when_wanted),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_record_with_output),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
