/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/config_parts.h"
#include "util/buf.h"

#define TLS  "tls_certificate = c.pem\ntls_private_key = k.pem\n"
#define REST "[endpoint e]\n[credential c]\nendpoint = e\ntype = bearer\ntoken_file = t\n"

/* @server, @handler: lines of those sections */
static struct config *parse(const char *server, const char *handler)
{
	struct error e = ERROR_INIT;
	struct config *config = NULL;
	char text[2048];

	(void)snprintf(text, sizeof(text), "[server]\n" TLS "%s\n" REST "[handler h]\n%s\n", server,
		       handler);
	if (config_parse_text("/etc/riskhookd.conf", slice_of(text), &config, &e) < 0)
		fail_msg("%s", e.text);
	return config;
}

static bool handlers_eq(const char *a, const char *b)
{
	_cleanup_(config_freep)
	struct config *x = parse("", a);
	_cleanup_(config_freep)
	struct config *y = parse("", b);

	return handler_config_eq(&x->handlers[0], &y->handlers[0]);
}

#define EXEC "type = exec\ncommand = /bin/true\n"

static void test_equal_handlers(void **state)
{
	(void)state;
	assert_true(handlers_eq(EXEC, EXEC));
	assert_true(handlers_eq(EXEC "timeout = 60s\n", "timeout = 1m\n" EXEC));
	assert_true(handlers_eq(EXEC "concurrency = 4\n", EXEC)); /* the default */
	assert_true(handlers_eq(EXEC "events = a\nevents = b\n", EXEC "events = a, b\n"));
	assert_true(handlers_eq("type = exec\ncommand = /bin/echo 'a'\n",
				"type = exec\ncommand = /bin/echo a\n"));
}

static void test_every_difference_counts(void **state)
{
	static const char *const lines[] = {
		"command = /bin/true x\n",  "env = A=1\n",         "events = a\n",
		"category = case\n",        "decision = REVIEW\n", "workflow = w\n",
		"environment = Sandbox\n",  "endpoint = e\n",      "test_events = yes\n",
		"timeout = 31s\n",          "concurrency = 5\n",   "order = none\n",
		"retry_initial = 1001ms\n", "retry_max = 601s\n",  "retry_for = 25h\n",
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		(void)snprintf(text, sizeof(text), "type = exec\n%s%s", lines[i],
			       i ? "command = /bin/true\n" : "");
		if (handlers_eq(EXEC, text))
			fail_msg("%s", lines[i]);
	}
	assert_false(handlers_eq(EXEC, "type = unix\nsocket = s\n"));
	assert_false(handlers_eq("type = unix\nsocket = s\n", "type = unix\nsocket = s2\n"));
}

static void assert_fixed(const char *server, const char *expected)
{
	_cleanup_(config_freep)
	struct config *a = parse("", EXEC);
	_cleanup_(config_freep)
	struct config *b = parse(server, EXEC);
	struct buf names = BUF_INIT(1024);

	config_append_fixed(a, b, &names);
	assert_string_equal(names.n ? names.p : "", expected);
	buf_deinit(&names);
}

static void test_what_a_reload_cannot_change(void **state)
{
	(void)state;
	assert_fixed("", "");
	assert_fixed("max_body = 1MiB\nrequest_timeout = 1s\ntrusted_proxies = 10.0.0.0/8\n", "");
	assert_fixed("listen = 127.0.0.1:1\n", "[server] listen");
	assert_fixed("threads = 2\nmax_connections = 5\n[store]\npath = x.db\nmax_pending = 5\n"
		     "[admin]\nsocket = x\n[log]\nlevel = error\nformat = json\n",
		     "[server] max_connections, [server] threads, [store] path, "
		     "[store] max_pending, [admin] socket, [log] format");
}

static void test_owners(void **state)
{
	struct config *config = parse("", EXEC);

	(void)state;
	assert_ptr_equal(config_ref(config), config);
	config_free(config);
	assert_string_equal(config->handlers[0].name, "h"); /* the other one's */
	config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal_handlers),
		cmocka_unit_test(test_every_difference_counts),
		cmocka_unit_test(test_what_a_reload_cannot_change),
		cmocka_unit_test(test_owners),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
