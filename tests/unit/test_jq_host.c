/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The jq process, which is this very program
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "jq/evaluator.h"
#include "jq/fault.h"
#include "jq/host.h"
#include "util/macros.h"

static struct host *new_host(const struct host_program *programs, size_t n)
{
	struct host *host;

	assert_int_equal(host_new(programs, n, &host), 0);
	return host;
}

static int filter_once(const char *text, const char *body, int *ret_fault)
{
	const struct host_program program = {text, false};
	struct host *host = new_host(&program, 1);
	int r;

	host_set_body(host, slice_of(body));
	r = host_filter(host, 0, ret_fault);
	host_free(host);
	return r;
}

static void test_filters(void **state)
{
	static const struct {
		const char *text, *body;
		int result, fault;
	} rows[] = {
		{".a == 1", "{\"a\":1}", 1, 0},
		{".a == 1", "{\"a\":2}", 0, 0},
		{"empty", "{}", 0, 0},
		{"1", "{}", 0, 0},
		{"halt", "{}", -EBADMSG, FAULT_HALT},
		{"true", "{", -EBADMSG, FAULT_BODY},
		{"true", "", -EBADMSG, FAULT_BODY},
		{"error(\"x\")", "{}", -EBADMSG, FAULT_ERROR},
		{"def f: f; f", "{}", -EBADMSG, FAULT_TIME},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int fault = 0;

		assert_int_equal(filter_once(rows[i].text, rows[i].body, &fault), rows[i].result);
		assert_int_equal(fault, rows[i].fault);
	}
}

static void test_one_body_for_several_programs(void **state)
{
	const struct host_program programs[] = {
		{".a", false}, {".b", false}, {"def f: f; f", false}};
	struct host *host = new_host(programs, ARRAY_SIZE(programs));
	int fault;

	(void)state;
	host_set_body(host, SLICE("{\"a\":true,\"b\":false}"));
	assert_int_equal(host_filter(host, 0, &fault), 1);
	assert_int_equal(host_filter(host, 1, &fault), 0);
	/* the next ones get the body again, after the process that had it is gone */
	assert_int_equal(host_filter(host, 2, &fault), -EBADMSG);
	assert_int_equal(host_filter(host, 0, &fault), 1);
	host_set_body(host, SLICE("{\"a\":false,\"b\":true}"));
	assert_int_equal(host_filter(host, 0, &fault), 0);
	assert_int_equal(host_filter(host, 1, &fault), 1);
	host_free(host);
}

static void test_transforms(void **state)
{
	static const struct {
		const char *text, *output;
		int fault;
	} rows[] = {
		{"{b: .a, c: 1.50}", "{\"b\":\"x\",\"c\":1.5}", 0},
		{".a, 2", "\"x\"", 0},
		{"null", "null", 0},
		{"empty", NULL, FAULT_EMPTY},
		{".a.b", NULL, -1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct host_program program = {rows[i].text, true};
		struct host *host = new_host(&program, 1);
		struct buf out = BUF_INIT(1000);
		int fault = 0, r;

		r = host_transform(host, 0, SLICE("{\"a\":\"x\"}"), &out, &fault);
		assert_int_equal(r, rows[i].output ? 0 : -EBADMSG);
		if (rows[i].output)
			assert_string_equal(out.p, rows[i].output);
		else if (rows[i].fault > 0)
			assert_int_equal(fault, rows[i].fault);
		buf_deinit(&out);
		host_free(host);
	}
}

static void test_large_bodies_and_outputs(void **state)
{
	const size_t n = 3 * 1024 * 1024;
	const struct host_program program = {".", true};
	struct host *host = new_host(&program, 1);
	struct buf body = BUF_INIT(n + 10), out = BUF_INIT(2 * n);
	int fault;

	(void)state;
	buf_append_char(&body, '"');
	for (size_t i = 0; i < n; i++)
		buf_append_char(&body, 'x');
	buf_append_char(&body, '"');
	assert_int_equal(host_transform(host, 0, buf_slice(&body), &out, &fault), 0);
	assert_true(slice_eq(buf_slice(&out), buf_slice(&body)));
	/* no room: the process is ended in the middle of its answer, and the next run is right */
	out.max = 100;
	buf_clear(&out);
	buf_deinit(&out);
	assert_int_equal(host_transform(host, 0, buf_slice(&body), &out, &fault), -EFBIG);
	buf_deinit(&out);
	assert_int_equal(host_transform(host, 0, SLICE("1"), &out, &fault), 0);
	assert_string_equal(out.p, "1");
	buf_deinit(&out);
	buf_deinit(&body);
	host_free(host);
}

static void test_compile(void **state)
{
	const struct host_program programs[] = {{".", false}, {". | foo", true}, {"(", false}};
	struct error e = ERROR_INIT;
	struct host *host = new_host(programs, ARRAY_SIZE(programs));
	size_t index;

	(void)state;
	assert_int_equal(host_compile(host, &index, &e), -EINVAL);
	assert_int_equal(index, 1);
	assert_string_equal(e.text, "foo/0 is not defined at <top-level>, line 1:");
	host_free(host);
}

/* each time-out halves what it gets; others are not touched */
static void test_a_runaway_program_gets_less_and_less(void **state)
{
	const struct host_program programs[] = {{"def f: f; f", false}, {"true", false}};
	struct host *host = new_host(programs, ARRAY_SIZE(programs));
	int fault;

	(void)state;
	host_set_body(host, SLICE("{}"));
	for (int i = 0; i < 12; i++) {
		assert_int_equal(host_filter(host, 0, &fault), -EBADMSG);
		assert_int_equal(fault, FAULT_TIME);
		assert_int_equal(host_filter(host, 1, &fault), 1);
	}
	host_free(host);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_one_body_for_several_programs),
		cmocka_unit_test(test_transforms),
		cmocka_unit_test(test_large_bodies_and_outputs),
		cmocka_unit_test(test_compile),
		cmocka_unit_test(test_a_runaway_program_gets_less_and_less),
	};

	if (evaluator_is_meant(argc, argv))
		return evaluator_main(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
