/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "util/macros.h"

static struct address address(const char *text)
{
	struct address a;

	assert_int_equal(address_parse(slice_of(text), &a), 0);
	return a;
}

static void test_parse(void **state)
{
	static const struct {
		const char *text, *canonical; /* NULL: refused */
	} cases[] = {
		{"192.0.2.1", "192.0.2.1"},
		{" \t192.0.2.1 ", "192.0.2.1"},
		{"::ffff:192.0.2.1", "192.0.2.1"}, /* the same address */
		{"[2001:DB8::1]", "2001:db8::1"},
		{"2001:0db8:0:0::1", "2001:db8::1"},
		{"::1", "::1"},
		{"", NULL},
		{"[]", NULL},
		{"[::1", NULL},
		{"192.0.2.1:443", NULL},
		{"192.0.2", NULL},
		{"192.0.2.01x", NULL},
		{"localhost", NULL},
		{"fe80::1%eth0", NULL},
		{"2001:db8:1111:2222:3333:4444:5555:6666:7777:8888:9999", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct address a;
		int r = address_parse(slice_of(cases[i].text), &a);

		assert_int_equal(r, cases[i].canonical ? 0 : -EINVAL);
		if (r == 0)
			assert_string_equal(a.text, cases[i].canonical);
	}
	assert_int_equal(address_parse(SLICE("::1\0"), &(struct address){.text = ""}), -EINVAL);
	assert_int_equal(address_parse(SLICE_NULL, &(struct address){.text = ""}), -EINVAL);
}

static void test_from_sockaddr(void **state)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	struct sockaddr un = {.sa_family = AF_UNIX};
	struct address a, b = address("192.0.2.1");

	(void)state;
	assert_int_equal(inet_pton(AF_INET, "192.0.2.1", &in.sin_addr), 1);
	address_from_sockaddr((struct sockaddr *)&in, &a);
	assert_string_equal(a.text, "192.0.2.1");
	assert_memory_equal(a.bytes, b.bytes, 16);
	/* what a dual-stack socket says of the same peer */
	assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.1", &in6.sin6_addr), 1);
	address_from_sockaddr((struct sockaddr *)&in6, &a);
	assert_memory_equal(a.bytes, b.bytes, 16);
	assert_string_equal(a.text, "192.0.2.1");
	address_from_sockaddr(&un, &a);
	assert_string_equal(a.text, "::1");
	address_from_sockaddr(NULL, &a);
	assert_string_equal(a.text, "::1");
}

static void test_client_behind_proxies(void **state)
{
	static const struct {
		const char *peer, *forwarded_for, *client;
	} cases[] = {
		{"10.0.0.1", "", "10.0.0.1"},
		{"10.0.0.1", "203.0.113.7", "203.0.113.7"},
		{"10.0.0.1", "203.0.113.7, 10.0.0.2", "203.0.113.7"},
		{"10.0.0.1", "10.0.0.3,10.0.0.2", "10.0.0.3"},
		{"10.0.0.1", "::ffff:203.0.113.7", "203.0.113.7"},
		{"10.0.0.1", "[2001:db8::7]", "2001:db8::7"},
		/* what a client puts in front is not believed */
		{"10.0.0.1", "192.0.2.66, 203.0.113.7", "203.0.113.7"},
		{"10.0.0.1", "10.0.0.9, 203.0.113.7, 10.0.0.2", "203.0.113.7"},
		{"203.0.113.7", "192.0.2.66", "203.0.113.7"},
		{"203.0.113.7", "192.0.2.66, 10.0.0.1", "203.0.113.7"},
		/* what is no address ends the walk */
		{"10.0.0.1", "192.0.2.66, unknown", "10.0.0.1"},
		{"10.0.0.1", "192.0.2.66, unknown, 10.0.0.2", "10.0.0.2"},
		{"10.0.0.1", "192.0.2.66,", "10.0.0.1"},
		{"10.0.0.1", ",,,,", "10.0.0.1"},
		{"10.0.0.1", "\"192.0.2.66\"", "10.0.0.1"},
	};
	struct prefix ten;
	struct prefix_list trusted = {.items = &ten, .n = 1};

	(void)state;
	assert_int_equal(prefix_parse(SLICE("10.0.0.0/8"), &ten), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct address peer = address(cases[i].peer);
		struct address client =
			address_of_client(&peer, &trusted, slice_of(cases[i].forwarded_for));

		assert_string_equal(client.text, cases[i].client);
	}
}

static void test_nobody_is_trusted_by_default(void **state)
{
	const struct prefix_list nobody = {.n = 0};
	struct address peer = address("127.0.0.1"), client;

	(void)state;
	client = address_of_client(&peer, &nobody, SLICE("192.0.2.66"));
	assert_string_equal(client.text, "127.0.0.1");
}

static bool same_network(const char *one, const char *two)
{
	struct address a = address(one), b = address(two);
	unsigned char x[16], y[16];

	address_network(&a, x);
	address_network(&b, y);
	return memcmp(x, y, sizeof(x)) == 0;
}

static void test_network(void **state)
{
	(void)state;
	assert_true(same_network("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff"));
	assert_false(same_network("2001:db8::1", "2001:db8:0:1::1"));
	assert_false(same_network("192.0.2.1", "192.0.2.2"));
	assert_true(same_network("192.0.2.1", "::ffff:192.0.2.1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_from_sockaddr),
		cmocka_unit_test(test_client_behind_proxies),
		cmocka_unit_test(test_nobody_is_trusted_by_default),
		cmocka_unit_test(test_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
