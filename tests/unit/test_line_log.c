/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker's standard error on its way into the log, which is this program's own
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/log.h"
#include "dispatch/line_log.h"
#include "util/cleanup.h"

struct capture {
	FILE *file;
	int stderr_fd;
	char text[65536];
};

static void capture_begin(struct capture *c)
{
	c->file = tmpfile();
	assert_non_null(c->file);
	c->stderr_fd = dup(STDERR_FILENO);
	assert_true(dup2(fileno(c->file), STDERR_FILENO) >= 0);
}

static const char *capture_end(struct capture *c)
{
	size_t n;

	assert_true(dup2(c->stderr_fd, STDERR_FILENO) >= 0);
	(void)fd_close(c->stderr_fd);
	rewind(c->file);
	n = fread(c->text, 1, sizeof(c->text) - 1, c->file);
	c->text[n] = '\0';
	assert_int_equal(fclose(c->file), 0);
	return c->text;
}

static int count(const char *text, const char *what)
{
	int n = 0;

	for (; (text = strstr(text, what)) != NULL; text += strlen(what))
		n++;
	return n;
}

static void test_lines_come_in_pieces(void **state)
{
	struct capture c;
	struct line_log log;
	const char *text;

	(void)state;
	capture_begin(&c);
	line_log_init(&log, "h", 0);
	line_log_add(&log, SLICE("fir"), 0);
	line_log_add(&log, SLICE("st\nsec\0nd\x1b[1m\n\nlast"), 0);
	line_log_end(&log, 0);
	text = capture_end(&c);
	assert_non_null(strstr(text, "INFO h: first handler=h\n"));
	assert_non_null(strstr(text, "h: sec?nd\\x1b[1m handler=h\n"));
	assert_non_null(strstr(text, "h: last handler=h\n"));
}

static void test_long_lines_are_cut(void **state)
{
	char line[LINE_LOG_MAX + 2];
	struct capture c;
	struct line_log log;

	(void)state;
	memset(line, 'x', sizeof(line));
	capture_begin(&c);
	line_log_init(&log, "h", 0);
	line_log_add(&log, slice_make(line, LINE_LOG_MAX), 0);
	line_log_add(&log, SLICE("\n"), 0);
	line_log_add(&log, slice_make(line, LINE_LOG_MAX + 1), 0);
	line_log_add(&log, SLICE("yyy\n"), 0);
	line_log_end(&log, 0);
	capture_end(&c);
	assert_int_equal(count(c.text, "x... handler="), 1);
	assert_int_equal(count(c.text, "x handler="), 1);
	assert_null(strchr(c.text, 'y'));
}

static void test_a_flood_is_bounded_and_counted(void **state)
{
	struct capture c;
	struct line_log log;

	(void)state;
	capture_begin(&c);
	line_log_init(&log, "h", 0);
	for (int i = 0; i < LINE_LOG_BURST + 30; i++)
		line_log_add(&log, SLICE("a\n"), 0);
	line_log_add(&log, SLICE("b\nb\nb\n"), 1000 / LINE_LOG_RATE);
	line_log_end(&log, 1000);
	capture_end(&c);
	assert_int_equal(count(c.text, "h: a "), LINE_LOG_BURST);
	assert_int_equal(count(c.text, "(30 lines of its standard error left out)"), 1);
	assert_int_equal(count(c.text, "h: b "), 1);
	assert_int_equal(count(c.text, "(2 lines of its standard error left out)"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_come_in_pieces),
		cmocka_unit_test(test_long_lines_are_cut),
		cmocka_unit_test(test_a_flood_is_bounded_and_counted),
	};

	log_init(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
