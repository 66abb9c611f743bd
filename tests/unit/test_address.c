/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What options are made of: addresses, prefixes, command lines, lists of words
 */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/config.h"
#include "util/macros.h"

#define TEN     "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static void test_command_split(void **state)
{
	static const struct {
		const char *text;
		const char *argv[5]; /* the first NULL: must be refused */
	} cases[] = {
		{"/bin/true", {"/bin/true"}},
		{" \t a  b\tc ", {"a", "b", "c"}},
		{"a 'b c' \"d e\"", {"a", "b c", "d e"}},
		{"a'b'\"c\"d", {"abcd"}},
		{"'' \"\"", {"", ""}},
		{"'a\\b\"c'", {"a\\b\"c"}},
		{"\"a\\\"b\\\\c\\d'e\"", {"a\"b\\c\\d'e"}},
		{"a\\ b \\' \\\\ \\n", {"a b", "'", "\\", "n"}},
		{"echo $HOME * ~ `x`;|&>", {"echo", "$HOME", "*", "~", "`x`;|&>"}},
		{"\xc3\xa4 #x", {"\xc3\xa4", "#x"}},
		{"", {NULL}},
		{" \t ", {NULL}},
		{"a 'b", {NULL}},
		{"a \"b", {NULL}},
		{"a \"b\\\"", {NULL}},
		{"a \\", {NULL}},
		{"'", {NULL}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct string_list argv = {0};
		int r = command_split(slice_of(cases[i].text), &argv);

		assert_int_equal(r, cases[i].argv[0] ? 0 : -EINVAL);
		for (size_t k = 0; k < argv.n; k++)
			assert_string_equal(argv.items[k], cases[i].argv[k]);
		assert_true(argv.n <= 5 && (argv.n == 5 || !cases[i].argv[argv.n]));
		assert_true(r < 0 || !argv.items[argv.n]); /* fit for execv() */
		string_list_deinit(&argv);
	}
	assert_int_equal(command_split(SLICE("a\0b"), &(struct string_list){0}), -EINVAL);
	assert_int_equal(command_split(SLICE_NULL, &(struct string_list){0}), -EINVAL);
}

static void test_string_list(void **state)
{
	struct string_list list = {0};

	(void)state;
	assert_false(string_list_has_nocase(&list, SLICE("")));
	assert_int_equal(string_list_append(&list, SLICE("Decision_Update")), 0);
	assert_true(string_list_has_nocase(&list, SLICE("decision_update")));
	assert_false(string_list_has_nocase(&list, SLICE("decision_updat")));
	string_list_deinit(&list);
	assert_int_equal(list.n, 0);
}

static void mapped(const char *text, unsigned char out[16])
{
	static const unsigned char prefix[12] = {[10] = 0xff, [11] = 0xff};

	memcpy(out, prefix, sizeof(prefix));
	if (inet_pton(AF_INET, text, out + 12) != 1)
		assert_int_equal(inet_pton(AF_INET6, text, out), 1);
}

static void test_prefixes(void **state)
{
	static const struct {
		const char *prefix, *address;
		bool inside;
	} cases[] = {
		{"192.0.2.0/24", "192.0.2.0", true},
		{"192.0.2.0/24", "192.0.2.255", true},
		{"192.0.2.0/24", "192.0.3.0", false},
		{"192.0.2.0/24", "2001:db8::1", false},
		{"198.51.100.7", "198.51.100.7", true},
		{"198.51.100.7", "198.51.100.6", false},
		{"198.51.100.4/31", "198.51.100.5", true},
		{"198.51.100.4/31", "198.51.100.6", false},
		{"0.0.0.0/0", "203.0.113.9", true},
		{"0.0.0.0/0", "2001:db8::1", false},
		{"::/0", "203.0.113.9", true},
		{"2001:db8::/32", "2001:db8:ffff::1", true},
		{"2001:db8::/32", "2001:db9::1", false},
		{"2001:db8::/33", "2001:db8:8000::", false},
		{"::1", "::1", true},
		{"::ffff:192.0.2.0/120", "192.0.2.77", true},
		{" 10.0.0.0/8 ", "10.255.255.255", true},
		{"128.0.0.0/1", "127.255.255.255", false},
	};
	struct prefix prefix;
	unsigned char address[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		mapped(cases[i].address, address);
		assert_int_equal(prefix_parse(slice_of(cases[i].prefix), &prefix), 0);
		assert_int_equal(prefix_list_contains(&(struct prefix_list){&prefix, 1}, address),
				 cases[i].inside);
	}
	assert_false(prefix_list_contains(&(struct prefix_list){NULL, 0}, address));
}

static void test_bad_prefixes(void **state)
{
	static const struct slice cases[] = {
		SLICE(""),
		SLICE("/"),
		SLICE("/8"),
		SLICE("10.0.0.0/"),
		SLICE("10.0.0.0/33"),
		SLICE("10.0.0.0/-1"),
		SLICE("10.0.0.0/8/8"),
		SLICE("10.0.0.1/8"),
		SLICE("10.0.0.0/999999999999"),
		SLICE("10.0.0"),
		SLICE("10.0.0.256"),
		SLICE("10.0.0.0/ 8"),
		SLICE("2001:db8::/129"),
		SLICE("2001:db8::1/32"),
		SLICE("[::1]"),
		SLICE("localhost"),
		SLICE("10.0.0.0\0"),
		SLICE("10.0.0.0/8\0"),
		SLICE(HUNDRED),
		SLICE_NULL,
	};
	struct prefix prefix;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(prefix_parse(cases[i], &prefix), -EINVAL);
}

static void test_listen_address(void **state)
{
	static const struct {
		const char *text, *host; /* host NULL: must be refused */
		int port;
		bool is_loopback;
	} cases[] = {
		{"0.0.0.0:8443", "0.0.0.0", 8443, false},
		{"127.0.0.1:0", "127.0.0.1", 0, true},
		{"127.255.0.9:65535", "127.255.0.9", 65535, true},
		{"[::]:8443", "::", 8443, false},
		{"[::1]:8443", "::1", 8443, true},
		{"[::ffff:127.0.0.1]:1", "::ffff:127.0.0.1", 1, true},
		{"[2001:db8::1]:8443", "2001:db8::1", 8443, false},
		{"126.0.0.1:1", "126.0.0.1", 1, false},
		{"8443", NULL, 0, false},
		{":8443", NULL, 0, false},
		{"127.0.0.1", NULL, 0, false},
		{"127.0.0.1:", NULL, 0, false},
		{"127.0.0.1:65536", NULL, 0, false},
		{"127.0.0.1:-1", NULL, 0, false},
		{"127.0.0.1:http", NULL, 0, false},
		{"::1:8443", NULL, 0, false},
		{"[127.0.0.1]:8443", NULL, 0, false},
		{"[::1]8443", NULL, 0, false},
		{"[]:1", NULL, 0, false},
		{"[:]:1", NULL, 0, false},
		{"[fe80::1%lo]:1", NULL, 0, false},
		{"localhost:8443", NULL, 0, false},
		{"*:8443", NULL, 0, false},
		{"", NULL, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct listen_address address = {0};
		int r = listen_address_parse(slice_of(cases[i].text), &address);

		assert_int_equal(r, cases[i].host ? 0 : -EINVAL);
		if (r < 0)
			continue;
		assert_string_equal(address.text, cases[i].text);
		assert_string_equal(address.host, cases[i].host);
		assert_int_equal(address.port, cases[i].port);
		assert_int_equal(listen_address_is_loopback(&address), cases[i].is_loopback);
		listen_address_deinit(&address);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_command_split),  cmocka_unit_test(test_string_list),
		cmocka_unit_test(test_prefixes),       cmocka_unit_test(test_bad_prefixes),
		cmocka_unit_test(test_listen_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
