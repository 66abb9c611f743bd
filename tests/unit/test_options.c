/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The option table, and that conf/riskhookd.conf says the same. Runs in the top folder of the
 * repository, as `make check` does.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/config.h"
#include "core/config_parts.h"
#include "core/options.h"
#include "util/cleanup.h"
#include "util/fd.h"

#define CONF     "conf/riskhookd.conf"
#define CONF_MAX (256 * 1024)

/* room for any section's struct */
union target {
	struct server_config server;
	struct store_config store;
	struct admin_config admin;
	struct log_config log;
	struct endpoint_config endpoint;
	struct credential_config credential;
	struct handler_config handler;
};

static void test_the_table_is_sound(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_options; i++) {
		const struct option *o = &options[i];

		assert_ptr_equal(option_find(o->section, o->name), o); /* no row twice */
		assert_true(o->offset < sizeof(union target));
		assert_true(o->help && o->help[0]);
		assert_null(strpbrk(o->help, "\t\n"));
		assert_true(o->help[strlen(o->help) - 1] != '.');
		assert_true(o->min <= o->max);
		assert_false(o->required && o->fallback);
		assert_int_equal(o->type == OPTION_ENUM, o->words && o->type != OPTION_WORDS);
	}
	assert_null(option_find("server", "path"));
	assert_null(option_find("", ""));
}

static void test_every_default_is_valid(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_options; i++) {
		union target target = {0};
		struct error e = ERROR_INIT;

		if (!options[i].fallback)
			continue;
		assert_int_equal(
			option_set(&options[i], &target, slice_of(options[i].fallback), "/", &e),
			0);
		options_deinit(options[i].section, &target);
	}
}

/* set one option of one section, which must give @code and, if it fails, @sentence */
static void assert_set(const char *section, const char *name, const char *text, int code,
		       const char *sentence)
{
	const struct option *o = option_find(section, name);
	union target target = {0};
	struct error e = ERROR_INIT;

	assert_non_null(o);
	assert_int_equal(option_set(o, &target, slice_of(text), "/etc/x", &e), code);
	assert_string_equal(e.text, sentence);
	options_deinit(section, &target);
}

static void test_bounds(void **state)
{
	(void)state;
	assert_set("server", "max_body", "1KiB", 0, "");
	assert_set("server", "max_body", "64MiB", 0, "");
	assert_set("server", "max_body", "1023", -ERANGE,
		   "'max_body' is 1023, allowed are 1KiB to 64MiB");
	assert_set("server", "max_body", "67108865", -ERANGE,
		   "'max_body' is 67108865, allowed are 1KiB to 64MiB");
	assert_set("server", "max_body", "10GiB", -ERANGE,
		   "'max_body' is 10GiB, allowed are 1KiB to 64MiB");
	assert_set("server", "request_timeout", "100ms", 0, "");
	assert_set("server", "request_timeout", "99ms", -ERANGE,
		   "'request_timeout' is 99ms, allowed are 100ms to 10m");
	assert_set("server", "request_timeout", "600001ms", -ERANGE,
		   "'request_timeout' is 600001ms, allowed are 100ms to 10m");
	assert_set("server", "stop_timeout", "0s", 0, "");
	assert_set("server", "threads", "64", 0, "");
	assert_set("server", "threads", "65", -ERANGE, "'threads' is 65, allowed are 0 to 64");
	assert_set("server", "max_connections", "0", -ERANGE,
		   "'max_connections' is 0, allowed are 1 to 100000");
	assert_set("handler", "concurrency", "256", 0, "");
	assert_set("handler", "concurrency", "257", -ERANGE,
		   "'concurrency' is 257, allowed are 1 to 256");
	assert_set("handler", "retry_for", "366d", -ERANGE,
		   "'retry_for' is 366d, allowed are 0ms to 365d");
}

static void test_sentences(void **state)
{
	(void)state;
	assert_set("server", "max_body", "", -EINVAL,
		   "'max_body' is empty, expected a size such as 512, 64KiB or 2MiB");
	assert_set("server", "max_body", "much", -EINVAL,
		   "'max_body' is 'much', expected a size such as 512, 64KiB or 2MiB");
	assert_set("server", "idle_timeout", "15", -EINVAL,
		   "'idle_timeout' is '15', expected a duration such as 250ms, 15s, 10m, 24h or "
		   "7d");
	assert_set("server", "threads", "-1", -EINVAL,
		   "'threads' is '-1', expected a whole number");
	assert_set("server", "threads", "99999999999999999999", -EINVAL,
		   "'threads' is '99999999999999999999', expected a whole number");
	assert_set("server", "insecure_http", "maybe", -EINVAL,
		   "'insecure_http' is 'maybe', expected yes or no");
	assert_set("log", "level", "loud", -ERANGE,
		   "'level' is loud, allowed are error, warning, notice, info, debug");
	assert_set("handler", "category", "case,cases", -ERANGE,
		   "'category' is cases, allowed are evaluation, case, watchlist, docv, unknown");
	assert_set("handler", "events", "a,,b", -EINVAL,
		   "'events' is 'a,,b', expected words separated by commas");
	assert_set("handler", "command", "x 'y", -EINVAL,
		   "'command' is 'x 'y', expected a program and arguments with all quotes closed");
	assert_set("credential", "not_after", "tomorrow", -EINVAL,
		   "'not_after' is 'tomorrow', expected a time such as 2027-01-01T00:00:00Z");
	assert_set("endpoint", "allow_from", "192.0.2.1/24", -EINVAL,
		   "'allow_from' is '192.0.2.1/24', expected addresses and prefixes without host "
		   "bits, separated by commas, such as 192.0.2.0/24");
	assert_set("server", "listen", "localhost:8443", -EINVAL,
		   "'listen' is 'localhost:8443', expected a numeric address and a port such as "
		   "0.0.0.0:8443 or [::]:8443");
}

static void test_url_path(void **state)
{
	static const char sentence[] = "expected a path that begins with / and has no query and "
				       "no blank";
	static const char *const bad[] = {"webhooks", "/a?b=c", "/a#b", "/a b", "/a%20b", "/\xc3"};

	(void)state;
	assert_set("endpoint", "path", "/", 0, "");
	assert_set("endpoint", "path", "/a/b-c_d.e~f", 0, "");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char text[200];

		assert_true(snprintf(text, sizeof(text), "'path' is '%s', %s", bad[i], sentence) >
			    0);
		assert_set("endpoint", "path", bad[i], -EINVAL, text);
	}
}

static void test_values(void **state)
{
	static const char *const yes[] = {"yes", "true", "on", "1", "YES"};
	union target target = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		target.server.insecure_http = false;
		assert_int_equal(option_set(option_find("server", "insecure_http"), &target,
					    slice_of(yes[i]), "/", NULL),
				 0);
		assert_true(target.server.insecure_http);
	}
	assert_int_equal(option_set(option_find("server", "tls_certificate"), &target,
				    SLICE("a.pem"), "/etc/x", NULL),
			 0);
	assert_string_equal(target.server.tls_certificate, "/etc/x/a.pem");
	assert_int_equal(option_set(option_find("server", "tls_certificate"), &target,
				    SLICE("/b.pem"), "/etc/x", NULL),
			 0); /* a single value is replaced */
	assert_string_equal(target.server.tls_certificate, "/b.pem");
	options_deinit("server", &target);
	assert_null(target.server.tls_certificate);

	target = (union target){0};
	assert_int_equal(
		option_set(option_find("log", "level"), &target, SLICE("Debug"), "/", NULL), 0);
	assert_int_equal(target.log.level, LOG_LEVEL_DEBUG);

	target = (union target){0};
	assert_int_equal(
		option_set(option_find("handler", "events"), &target, SLICE(" a , b c"), "/", NULL),
		0);
	assert_int_equal(
		option_set(option_find("handler", "events"), &target, SLICE("d"), "/", NULL),
		0); /* a list grows */
	assert_int_equal(target.handler.events.n, 3);
	assert_string_equal(target.handler.events.items[1], "b c");
	assert_string_equal(target.handler.events.items[2], "d");
	options_deinit("handler", &target);
}

static void test_dump(void **state)
{
	char *text = NULL;
	size_t n = 0, n_lines = 0;
	FILE *out = open_memstream(&text, &n);
	struct slice rest, line, cell;

	(void)state;
	assert_non_null(out);
	options_dump(out);
	assert_int_equal(fclose(out), 0);
	for (rest = slice_make(text, n - 1); slice_split(&rest, '\n', &line); n_lines++) {
		size_t n_cells = 0;

		while (slice_split(&line, '\t', &cell)) {
			assert_false(slice_is_empty(cell));
			n_cells++;
		}
		assert_int_equal(n_cells, 7);
	}
	assert_int_equal(n_lines, n_options);
	assert_non_null(strstr(text, "server\tmax_body\tsize\t2MiB\t1KiB to 64MiB\tyes\t"));
	assert_non_null(strstr(text, "admin\tlisten\taddress\t-\t-\tno\t"));
	assert_non_null(
		strstr(text, "log\tlevel\tenum\tinfo\terror, warning, notice, info, debug\tyes\t"));
	free(text);
}

/* ---- conf/riskhookd.conf ---- */

static char *conf_text(size_t *ret_n)
{
	char *text = NULL;

	assert_int_equal(fd_read_file(CONF, CONF_MAX, &text, ret_n), 0);
	return text;
}

/* a line of the file: what it would be if its ';' were taken away */
struct conf_line {
	bool is_commented_out;
	struct slice section; /* "[word" or "[word name" inside, or empty */
	struct slice name, value;
};

static bool is_option_name(struct slice s)
{
	return s.n && strspn(s.p, "abcdefghijklmnopqrstuvwxyz_") >= s.n;
}

static struct conf_line parse_conf_line(struct slice text)
{
	struct conf_line line = {.is_commented_out = text.n && text.p[0] == ';'};
	struct slice name;

	if (line.is_commented_out)
		text = slice_trim(slice_make(text.p + 1, text.n - 1));
	if (text.n > 2 && text.p[0] == '[' && text.p[text.n - 1] == ']')
		line.section = slice_make(text.p + 1, text.n - 2);
	else if (text.n && text.p[0] != '#' && slice_split(&text, '=', &name) &&
		 is_option_name(slice_trim(name))) {
		line.name = slice_trim(name);
		line.value = slice_trim(text);
	}
	return line;
}

/* Return: the option's row; its value must be a valid one, and the default if it is not set */
static const struct option *check_conf_option(const char *section, const struct conf_line *line)
{
	char *name = slice_dup(line->name);
	const struct option *o = option_find(section, name);
	union target target = {0};

	if (!o)
		fail_msg("%s names '%s' in section [%s], the table does not", CONF, name, section);
	if (line->is_commented_out && o && o->fallback && !slice_eq_str(line->value, o->fallback))
		fail_msg("%s shows '%s = %.*s', the default is %s", CONF, name,
			 SLICE_ARG(line->value), o->fallback);
	/* a hash is shown by its form only; anything else is an example that works */
	assert_int_equal(option_set(o, &target, line->value, "/", NULL), 0);
	options_deinit(section, &target);
	free(name);
	return o;
}

static void test_conf_names_every_option(void **state)
{
	bool *seen = calloc(n_options, sizeof(*seen));
	char *text, section[32] = "";
	struct slice rest, line_text;
	size_t n;

	(void)state;
	assert_non_null(seen);
	text = conf_text(&n);
	rest = slice_make(text, n);
	while (slice_split(&rest, '\n', &line_text)) {
		struct conf_line line = parse_conf_line(line_text);

		assert_true(line_text.n <= 100);
		if (!slice_is_empty(line.section)) {
			struct slice word = SLICE_NULL;

			assert_true(slice_split(&line.section, ' ', &word));
			assert_true(word.n < sizeof(section));
			memcpy(section, word.p, word.n);
			section[word.n] = '\0';
		} else if (!slice_is_empty(line.name)) {
			seen[check_conf_option(section, &line) - options] = true;
		}
	}
	for (size_t i = 0; i < n_options; i++)
		if (!seen[i])
			fail_msg("%s does not name '%s' in section [%s]", CONF, options[i].name,
				 options[i].section);
	free(text);
	free(seen);
}

/* What is set there may not repeat a default, except the one that everybody looks for first. */
static void test_conf_sets_no_defaults(void **state)
{
	char *text;
	struct slice rest, line_text;
	size_t n;

	(void)state;
	text = conf_text(&n);
	rest = slice_make(text, n);
	while (slice_split(&rest, '\n', &line_text)) {
		struct conf_line line = parse_conf_line(line_text);

		if (line.is_commented_out || slice_eq_str(line.name, "listen"))
			continue;
		for (size_t i = 0; i < n_options; i++)
			if (options[i].fallback && slice_eq_str(line.name, options[i].name))
				assert_false(slice_eq_str(line.value, options[i].fallback));
	}
	free(text);
}

static void test_conf_is_valid(void **state)
{
	_cleanup_(config_freep)
	struct config *c = NULL;
	struct error e = ERROR_INIT;
	char *text;
	size_t n;

	(void)state;
	text = conf_text(&n);
	if (config_parse_text("/etc/riskhookd/riskhookd.conf", slice_make(text, n), &c, &e) < 0)
		fail_msg("%s", e.text);
	free(text);
	assert_string_equal(c->server.listen.text, "0.0.0.0:8443");
	assert_string_equal(c->server.tls_private_key, "/etc/riskhookd/tls/privkey.pem");
	assert_int_equal(c->n_endpoints, 1);
	assert_string_equal(c->endpoints[0].path, "/webhooks/riskos");
	assert_int_equal(c->n_credentials, 3);
	assert_int_equal(c->credentials[0].type, CREDENTIAL_BASIC);
	assert_string_equal(c->credentials[1].token_file, "riskos-token");
	assert_int_equal(c->credentials[2].type, CREDENTIAL_OAUTH_CLIENT);
	assert_int_equal(c->credentials[2].token_ttl_ms, 3600 * 1000);
	assert_int_equal(c->n_handlers, 1);
	assert_int_equal(c->handlers[0].command.n, 5);
	assert_int_equal(c->handlers[0].events.n, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_table_is_sound),
		cmocka_unit_test(test_every_default_is_valid),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_sentences),
		cmocka_unit_test(test_url_path),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_dump),
		cmocka_unit_test(test_conf_names_every_option),
		cmocka_unit_test(test_conf_sets_no_defaults),
		cmocka_unit_test(test_conf_is_valid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
