/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration as text: what is understood, and each sentence that refuses
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/config.h"
#include "core/config_parts.h"
#include "util/macros.h"

#define TLS        "[server]\ntls_certificate = c\ntls_private_key = k\n"          /* 3 lines */
#define ENDPOINT   "[endpoint a]\n"                                                /* line 4 */
#define CREDENTIAL "[credential x]\nendpoint = a\ntype = bearer\ntoken_file = t\n" /* 5 to 8 */
#define GOOD       TLS ENDPOINT CREDENTIAL                                         /* 9 is next */
#define DIGEST     "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

#define TEN     "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static struct config *parse(const char *text)
{
	struct error e = ERROR_INIT;
	struct config *c = NULL;

	if (config_parse_text("/x/a.conf", slice_of(text), &c, &e) < 0)
		fail_msg("%s", e.text);
	return c;
}

static void test_defaults(void **state)
{
	struct config *c = parse(GOOD "[handler h]\ntype = exec\ncommand = /bin/true\n"
				      "[handler u]\ntype = unix\nsocket = u.sock\n");

	(void)state;
	assert_string_equal(c->path, "/x/a.conf");
	assert_string_equal(c->directory, "/x");
	assert_int_equal(c->files.n, 1);
	assert_string_equal(c->server.listen.text, "0.0.0.0:8443");
	assert_int_equal(c->server.listen.port, 8443);
	assert_string_equal(c->server.tls_certificate, "/x/c");
	assert_int_equal(c->server.max_body, 2 << 20);
	assert_int_equal(c->server.request_timeout_ms, 15000);
	assert_int_equal(c->store.max_pending_bytes, 64 << 20);
	assert_string_equal(c->store.path, "/var/lib/riskhookd/events.db");
	assert_string_equal(c->admin.socket, "/run/riskhookd/admin.sock");
	assert_null(c->admin.listen.text);
	assert_int_equal(c->log.level, LOG_LEVEL_INFO);
	assert_int_equal(c->log.format, LOG_FORMAT_JOURNAL);
	assert_ptr_equal(config_endpoint(c, "a"), &c->endpoints[0]);
	assert_null(config_endpoint(c, "b"));
	assert_string_equal(c->endpoints[0].path, "/webhooks/riskos");
	assert_int_equal(c->endpoints[0].dedup, DEDUP_EVENT);
	assert_int_equal(c->endpoints[0].origin.line, 4);
	assert_string_equal(c->endpoints[0].origin.file, "/x/a.conf");
	assert_string_equal(c->credentials[0].token_file, "t");
	assert_null(c->credentials[0].secret);
	assert_int_equal(config_handler(c, "h")->concurrency, 4);
	assert_int_equal(config_handler(c, "u")->concurrency, 1);
	assert_int_equal(config_handler(c, "u")->window, 64);
	assert_string_equal(config_handler(c, "u")->socket, "/x/u.sock");
	assert_int_equal(config_handler(c, "h")->retry_for_ms, 86400000);
	assert_null(config_handler(c, "a"));
	config_free(c);
	config_free(NULL);
}

static void test_spellings(void **state)
{
	struct config *c = parse("\xEF\xBB\xBF; a comment\r\n# another\r\n\r\n"
				 "  [server] ; where it listens\r\n"
				 "\ttls_certificate=/c\r\n  tls_private_key : /k\r\n"
				 "max_body = 1 MiB ; one\n"
				 "trusted_proxies = 10.0.0.0/8, ::1\n"
				 "[ endpoint   a.b-C_1 ]\n"
				 "allow_from = 192.0.2.0/24\nallow_from = 198.51.100.7\n"
				 "[server]\nthreads = 2\n"
				 "[credential x]\nendpoint = a.b-C_1\ntype = BASIC\n"
				 "username = u v\n"
				 "password_hash = scrypt:15:8:1:4e61436c4e61436c:" DIGEST "\n"
				 "not_before = 2026-01-01\nnot_after = 2027-01-01T00:00:00Z\n"
				 "[handler h]\ntype = exec\n"
				 "command = /bin/sh -c 'echo \"$0;x\"' y\n"
				 "env = A=1\nenv = B=2, 3\n"
				 "events = a, b\nevents = c\ncategory = case,DOCV");

	(void)state;
	assert_int_equal(c->server.max_body, 1 << 20);
	assert_int_equal(c->server.threads, 2);
	assert_int_equal(c->server.trusted_proxies.n, 2);
	assert_string_equal(c->endpoints[0].name, "a.b-C_1");
	assert_int_equal(c->endpoints[0].allow_from.n, 2);
	assert_string_equal(c->credentials[0].username, "u v");
	assert_int_equal(c->credentials[0].not_before_us, 1767225600000000LL);
	assert_string_equal(c->handlers[0].command.items[2], "echo \"$0;x\"");
	assert_int_equal(c->handlers[0].env.n, 2);
	assert_string_equal(c->handlers[0].env.items[1], "B=2, 3");
	assert_int_equal(c->handlers[0].events.n, 3);
	assert_int_equal(c->handlers[0].category.n, 2);
	config_free(c);
}

struct error_case {
	struct slice text;
	const char *error; /* after "/x/a.conf" */
};

static void assert_errors(const struct error_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct error e = ERROR_INIT;
		struct config *c = NULL;

		assert_true(config_parse_text("/x/a.conf", cases[i].text, &c, &e) < 0);
		assert_null(c);
		assert_memory_equal(e.text, "/x/a.conf", 9);
		assert_string_equal(e.text + 9, cases[i].error);
		/* nobody needs to want the sentence */
		assert_true(config_parse_text("/x/a.conf", cases[i].text, &c, NULL) < 0);
	}
}

static void test_errors_of_lines(void **state)
{
	static const struct error_case cases[] = {
		{SLICE("threads = 1\n"), ":1: 'threads' stands before the first section"},
		{SLICE("[server]\n\nwhat\n"), ":3: expected 'option = value' or '[section]'"},
		{SLICE("[server]\nwhat\nfoo = 1\n"),
		 ":2: expected 'option = value' or '[section]'"},
		{SLICE("[server]\nfoo = 1\nwhat\n"),
		 ":2: unknown option 'foo' in section [server]"},
		{SLICE("[server\n"), ":1: a section needs a closing ']'"},
		{SLICE("[server] threads = 1\n"),
		 ":1: nothing but a comment (;) may follow the ']' of a section"},
		{SLICE("\n[sever]\n"), ":2: unknown section 'sever' (did you mean 'server'?)"},
		{SLICE("[webhooks]\n"), ":1: unknown section 'webhooks'"},
		{SLICE("[]\n"), ":1: unknown section ''"},
		{SLICE("[ ]\n"), ":1: unknown section ''"},
		{SLICE("[server a]\n"), ":1: section [server] takes no name"},
		{SLICE("[endpoint]\n"), ":1: a section [endpoint NAME] needs a name of 1 to 32 "
					"letters, digits and _ . -"},
		{SLICE("[handler a b]\n"), ":1: a section [handler NAME] needs a name of 1 to 32 "
					   "letters, digits and _ . -"},
		{SLICE("[handler \xc3\xa4]\n"),
		 ":1: a section [handler NAME] needs a name of 1 to 32 letters, digits and _ . -"},
		{SLICE("[handler " TEN TEN TEN "123]\n"),
		 ":1: a section [handler NAME] needs a name of 1 to 32 letters, digits and _ . -"},
		{SLICE("[server]\nthread = 1\n"),
		 ":2: unknown option 'thread' in section [server] (did you mean 'threads'?)"},
		{SLICE("[server]\nlisten = 127.0.0.1:1\nbanana = 1\n"),
		 ":3: unknown option 'banana' in section [server]"},
		{SLICE("[log]\nthreads = 1\n"), ":2: unknown option 'threads' in section [log]"},
		{SLICE("[log]\n= 1\n"), ":2: unknown option '' in section [log]"},
		{SLICE("[log]\nlevel =\n"), ":2: 'level' is empty, expected one word"},
		{SLICE("[log]\nlevel = ; info\n"), ":2: 'level' is empty, expected one word"},
		{SLICE("[log]\nlevel = info\n\nlevel = info\n"),
		 ":4: 'level' was already given in line 2"},
		{SLICE("[log]\nlevel = info\n[log]\nlevel = info\n"),
		 ":4: 'level' was already given in line 2"},
		{SLICE("[log]\nlevel = \x01\n"), ":2: the line holds a control character"},
		{SLICE("[log]\nlevel = a\0b\n"), ":2: the line holds a control character"},
		{SLICE("[log]\n\rlevel = info\n"), ":2: the line holds a control character"},
		{SLICE("[server]\n\nmax_body = 10GiB\n"),
		 ":3: 'max_body' is 10GiB, allowed are 1KiB to 64MiB"},
	};

	(void)state;
	assert_errors(cases, ARRAY_SIZE(cases));
	/* the longest line that is accepted */
	config_free(parse(GOOD ";" HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN "012345\n"));
}

static void test_errors_between_options(void **state)
{
	static const struct error_case cases[] = {
		{SLICE(""), ": [server]: 'tls_certificate' is missing"},
		{SLICE("\n[server]\ntls_certificate = c\n"),
		 ":2: [server]: 'tls_private_key' is missing"},
		{SLICE(TLS), ": there is no endpoint; add a section [endpoint NAME]"},
		{SLICE("[server]\ninsecure_http = yes\n"),
		 ":2: [server]: 'insecure_http' needs a loopback 'listen' such as 127.0.0.1:8080; "
		 "it is 0.0.0.0:8443"},
		{SLICE("[admin]\n\nlisten = 0.0.0.0:9464\n" TLS),
		 ":3: [admin]: 'listen' must be a loopback address such as 127.0.0.1:9464; it is "
		 "0.0.0.0:9464"},
		{SLICE(TLS "[admin]\nsocket = /" HUNDRED TEN "\n"),
		 ":5: [admin]: 'socket' is longer than 107 bytes"},
		{SLICE(TLS ENDPOINT),
		 ":4: [endpoint a]: no credential lets anybody in; add a section [credential NAME] "
		 "with 'endpoint = a'"},
		{SLICE(GOOD "[endpoint b]\n"),
		 ":9: [endpoint b]: 'path' is /webhooks/riskos, which [endpoint a] has already"},
		{SLICE(GOOD "[endpoint b]\n\npath = /webhooks/riskos\n"),
		 ":11: [endpoint b]: 'path' is /webhooks/riskos, which [endpoint a] has already"},
		{SLICE("[endpoint a]\npath = b\n"),
		 ":2: 'path' is 'b', expected a path that begins with / and has no query and no "
		 "blank"},
	};

	(void)state;
	assert_errors(cases, ARRAY_SIZE(cases));
}

static void test_errors_of_credentials(void **state)
{
#define BASIC  "[credential y]\nendpoint = a\ntype = basic\n" /* 9 to 11 */
#define BEARER "[credential y]\nendpoint = a\ntype = bearer\n"
	static const struct error_case cases[] = {
		{SLICE(GOOD "[credential y]\ntype = basic\n"),
		 ":9: [credential y]: 'endpoint' is missing"},
		{SLICE(GOOD "[credential y]\nendpoint = a\n"),
		 ":9: [credential y]: 'type' is missing"},
		{SLICE(TLS "[endpoint riskos]\n[credential y]\ntype = basic\nendpoint = riskso\n"
			   "[credential x]\nendpoint = riskos\ntype = bearer\ntoken_file = t\n"),
		 ":7: [credential y]: there is no [endpoint riskso] (did you mean 'riskos'?)"},
		{SLICE(GOOD "[credential y]\nendpoint = a\ntype = digest\n"),
		 ":11: 'type' is digest, allowed are basic, bearer, oauth_client, jwt, "
		 "introspection"},
		{SLICE(GOOD BASIC "password_file = p\n"),
		 ":9: [credential y]: 'username' is missing"},
		{SLICE(GOOD BASIC "username = a:b\npassword_file = p\n"),
		 ":12: [credential y]: 'username' may not contain a colon"},
		{SLICE(GOOD BASIC "username = u\n"),
		 ":9: [credential y]: exactly one of 'password_file' and 'password_hash' must be "
		 "given"},
		{SLICE(GOOD BASIC "username = u\npassword_file = p\npassword_hash = scrypt:x\n"),
		 ":9: [credential y]: exactly one of 'password_file' and 'password_hash' must be "
		 "given"},
		{SLICE(GOOD BASIC "username = u\npassword_hash = scrypt:15:8:1:00:" DIGEST "\n"),
		 ":13: [credential y]: 'password_hash' is not of the form "
		 "scrypt:LOG2N:R:P:HEXSALT:HEXDIGEST; make one with: riskhookctl hash-secret"},
		{SLICE(GOOD BEARER),
		 ":9: [credential y]: exactly one of 'token_file' and 'token_hash' must be given"},
		{SLICE(GOOD BEARER "token_file = t\ntoken_hash = sha256:" DIGEST "\n"),
		 ":9: [credential y]: exactly one of 'token_file' and 'token_hash' must be given"},
		{SLICE(GOOD BEARER "token_hash = sha256:" DIGEST "0\n"),
		 ":12: [credential y]: 'token_hash' is not sha256: and 64 hexadecimal digits; make "
		 "one with: riskhookctl hash-secret"},
		{SLICE(GOOD BEARER "token_hash = " DIGEST "\n"),
		 ":12: [credential y]: 'token_hash' is not sha256: and 64 hexadecimal digits; make "
		 "one with: riskhookctl hash-secret"},
		{SLICE(GOOD BEARER "token_file = t\nnot_before = 2027-01-01\n"
				   "not_after = 2027-01-01\n"),
		 ":14: [credential y]: 'not_after' is not after 'not_before'"},
		{SLICE(GOOD BEARER "token_file = t\nusername = u\n"),
		 ":13: [credential y]: 'username' has no meaning for this type of credential"},
		{SLICE(GOOD BASIC "username = u\npassword_file = p\nlenient = no\n"),
		 ":14: [credential y]: 'lenient' has no meaning for this type of credential"},
	};

	(void)state;
	assert_errors(cases, ARRAY_SIZE(cases));
}

static void test_errors_of_provided_credentials(void **state)
{
#define JWT "[credential y]\nendpoint = a\ntype = jwt\n" /* 9 to 11 */
#define ASK "[credential y]\nendpoint = a\ntype = introspection\n"
#define IDP "issuer = i\naudience = a\n"
	static const struct error_case cases[] = {
		{SLICE(GOOD JWT), ":9: [credential y]: 'issuer' is missing"},
		{SLICE(GOOD JWT "issuer = i\n"), ":9: [credential y]: 'audience' is missing"},
		{SLICE(GOOD JWT IDP),
		 ":9: [credential y]: exactly one of 'jwks_uri' and 'jwks_file' must be given"},
		{SLICE(GOOD JWT IDP "jwks_uri = http://idp.example.com/keys\n"),
		 ":14: [credential y]: 'jwks_uri' is not a URL of the form https://HOST/PATH"},
		{SLICE(GOOD JWT IDP "jwks_uri = https:///keys\n"),
		 ":14: [credential y]: 'jwks_uri' is not a URL of the form https://HOST/PATH"},
		{SLICE(GOOD JWT IDP "jwks_uri = https://u@idp.example.com/keys\n"),
		 ":14: [credential y]: 'jwks_uri' is not a URL of the form https://HOST/PATH"},
		{SLICE(GOOD JWT IDP "jwks_file = k\nalgorithms = RS256, HS256\n"),
		 ":15: 'algorithms' is HS256, allowed are RS256, RS384, RS512, PS256, PS384, "
		 "PS512, ES256, ES384, ES512"},
		{SLICE(GOOD JWT IDP "jwks_file = k\nrequired_scope = a\"b\n"),
		 ":15: [credential y]: 'required_scope' may hold printable ASCII without \" and "
		 "\\; several are separated by blanks"},
		{SLICE(GOOD JWT IDP "jwks_file = k\nleeway = 6m\n"),
		 ":15: 'leeway' is 6m, allowed are 0ms to 5m"},
		{SLICE(GOOD JWT IDP "jwks_file = k\nclient_id = c\n"),
		 ":15: [credential y]: 'client_id' has no meaning for this type of credential"},
		{SLICE(GOOD ASK), ":9: [credential y]: 'introspection_uri' is missing"},
		{SLICE(GOOD ASK "introspection_uri = https://i\n"),
		 ":9: [credential y]: 'client_id' is missing"},
		{SLICE(GOOD ASK "introspection_uri = https://i\nclient_id = c\n"),
		 ":9: [credential y]: 'client_secret_file' is missing"},
		{SLICE(GOOD ASK "introspection_uri = ftp://i\nclient_id = c\n"
				"client_secret_file = s\n"),
		 ":12: [credential y]: 'introspection_uri' is not a URL of the form "
		 "https://HOST/PATH"},
	};

	(void)state;
	assert_errors(cases, ARRAY_SIZE(cases));
	config_free(parse(GOOD BEARER "token_hash = sha256:" DIGEST "\nlenient = yes\n"));
}

static void test_errors_of_oauth_clients(void **state)
{
#define CLIENT "[credential y]\nendpoint = a\ntype = oauth_client\n" /* 9 to 11 */
#define ID     "client_id = c\n"
	static const struct error_case cases[] = {
		{SLICE(GOOD CLIENT "client_secret_file = f\n"),
		 ":9: [credential y]: 'client_id' is missing"},
		{SLICE(GOOD CLIENT ID),
		 ":9: [credential y]: exactly one of 'client_secret_file' and "
		 "'client_secret_hash' must be given"},
		{SLICE(GOOD CLIENT ID "client_secret_hash = x\n"),
		 ":13: [credential y]: 'client_secret_hash' is not of the form "
		 "scrypt:LOG2N:R:P:HEXSALT:HEXDIGEST; make one with: riskhookctl hash-secret"},
		{SLICE(GOOD CLIENT ID "client_secret_file = f\ntoken_ttl = 59s\n"),
		 ":14: 'token_ttl' is 59s, allowed are 1m to 30d"},
		{SLICE(GOOD CLIENT ID "client_secret_file = f\ntoken_ttl = 31d\n"),
		 ":14: 'token_ttl' is 31d, allowed are 1m to 30d"},
		{SLICE(GOOD BEARER "token_file = t\ntoken_ttl = 1h\n"),
		 ":13: [credential y]: 'token_ttl' has no meaning for this type of credential"},
		{SLICE(GOOD CLIENT ID "client_secret_file = f\n"
				      "[endpoint b]\npath = /b\n[credential z]\nendpoint = b\n"
				      "type = oauth_client\n" ID "client_secret_file = g\n"),
		 ":19: [credential z]: 'client_id' is that of [credential y], which is for another "
		 "endpoint; give each endpoint a client of its own"},
		{SLICE(GOOD "[endpoint b]\npath = /oauth/token\n"),
		 ":10: [endpoint b]: 'path' is /oauth/token, which is the token endpoint's; choose "
		 "another one"},
	};

	(void)state;
	assert_errors(cases, ARRAY_SIZE(cases));
	/* a new secret beside the old one */
	config_free(parse(GOOD CLIENT ID "client_secret_file = f\n"
					 "[credential z]\nendpoint = a\ntype = oauth_client\n" ID
					 "client_secret_file = g\ntoken_ttl = 30d\n"));
}

static void test_errors_of_handlers(void **state)
{
#define EXEC "[handler h]\ntype = exec\n" /* 9 and 10 */
#define UNIX "[handler h]\ntype = unix\n"
	static const struct error_case cases[] = {
		{SLICE(GOOD "[handler h]\ncommand = x\n"), ":9: [handler h]: 'type' is missing"},
		{SLICE(GOOD EXEC), ":9: [handler h]: type exec needs 'command'"},
		{SLICE(GOOD EXEC "command = '' x\n"),
		 ":11: [handler h]: 'command' begins with an empty word"},
		{SLICE(GOOD EXEC "command = 'x\n"),
		 ":11: 'command' is ''x', expected a program and arguments with all quotes closed"},
		{SLICE(GOOD EXEC "command = x\nsocket = s\n"),
		 ":12: [handler h]: 'socket' has no meaning for this type of handler"},
		{SLICE(GOOD EXEC "command = x\nwindow = 1\n"),
		 ":12: [handler h]: 'window' needs 'mode = worker'"},
		{SLICE(GOOD EXEC "command = x\nenv = A\n"),
		 ":12: [handler h]: 'env' is not of the form NAME=value, or takes a name that "
		 "begins with RISKHOOK_"},
		{SLICE(GOOD EXEC "command = x\nenv = 1A=x\n"),
		 ":12: [handler h]: 'env' is not of the form NAME=value, or takes a name that "
		 "begins with RISKHOOK_"},
		{SLICE(GOOD EXEC "command = x\nenv = RISKHOOK_SEQ=1\n"),
		 ":12: [handler h]: 'env' is not of the form NAME=value, or takes a name that "
		 "begins with RISKHOOK_"},
		{SLICE(GOOD UNIX), ":9: [handler h]: type unix needs 'socket'"},
		{SLICE(GOOD UNIX "socket = s\ncommand = x\n"),
		 ":12: [handler h]: 'command' has no meaning for this type of handler"},
		{SLICE(GOOD UNIX "socket = s\nenv = A=1\n"),
		 ":12: [handler h]: 'env' has no meaning for this type of handler"},
		{SLICE(GOOD UNIX "socket = /" HUNDRED TEN "\n"),
		 ":11: [handler h]: 'socket' is longer than 107 bytes"},
		{SLICE(GOOD UNIX "socket = s\nretry_initial = 2s\nretry_max = 1s\n"),
		 ":13: [handler h]: 'retry_max' is shorter than 'retry_initial'"},
		{SLICE(GOOD UNIX "socket = s\nretry_initial = 11m\n"),
		 ":12: [handler h]: 'retry_max' is shorter than 'retry_initial'"},
		{SLICE(GOOD UNIX "socket = s\nendpoint = a, zebra\n"),
		 ":12: [handler h]: there is no [endpoint zebra]"},
		{SLICE(GOOD UNIX "socket = s\ncategory = kyc\n"),
		 ":12: 'category' is kyc, allowed are evaluation, case, watchlist, docv, unknown"},
		{SLICE(GOOD UNIX "socket = s\nconcurrency = 0\n"),
		 ":12: 'concurrency' is 0, allowed are 1 to 256"},
	};

	(void)state;
	assert_errors(cases, ARRAY_SIZE(cases));
}

/* Whatever the bytes are, there is a snapshot or a sentence. */
static void test_cut_and_changed_text(void **state)
{
	static const char text[] = GOOD "[handler h]\ntype = exec\ncommand = /bin/sh -c 'x y'\n"
					"env = A=1\nevents = a, b\ncategory = case\n";
	static const char strange[] = "\0\n\xff[]=;'\",/";
	char bytes[sizeof(text)];

	(void)state;
	for (size_t n = 0; n < sizeof(text); n++) {
		struct error e = ERROR_INIT;
		struct config *c = NULL;
		int r;

		memcpy(bytes, text, sizeof(text));
		r = config_parse_text("/x/a.conf", slice_make(bytes, n), &c, &e);
		assert_int_equal(r < 0, e.text[0] != '\0');
		config_free(c);
		for (size_t i = 0; i < sizeof(strange) - 1; i++) {
			c = NULL;
			e.text[0] = '\0';
			bytes[n] = strange[i];
			r = config_parse_text("/x/a.conf", slice_make(bytes, sizeof(text) - 1), &c,
					      &e);
			assert_int_equal(r < 0, e.text[0] != '\0');
			config_free(c);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_spellings),
		cmocka_unit_test(test_errors_of_lines),
		cmocka_unit_test(test_errors_between_options),
		cmocka_unit_test(test_errors_of_credentials),
		cmocka_unit_test(test_errors_of_oauth_clients),
		cmocka_unit_test(test_errors_of_provided_credentials),
		cmocka_unit_test(test_errors_of_handlers),
		cmocka_unit_test(test_cut_and_changed_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
