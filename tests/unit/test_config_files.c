/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration as files: where they are looked for, drop-ins, secrets
 */
#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/config_parts.h"
#include "dispatch/exec_env.h"
#include "util/buf.h"

#define TLS        "[server]\ntls_certificate = c\ntls_private_key = k\n"          /* 3 lines */
#define ENDPOINT   "[endpoint a]\n"                                                /* line 4 */
#define CREDENTIAL "[credential x]\nendpoint = a\ntype = bearer\ntoken_file = t\n" /* 5 to 8 */
#define GOOD       TLS ENDPOINT CREDENTIAL                                         /* 9 is next */

struct folder {
	char path[64];
};

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int set_up(void **state)
{
	struct folder *f = calloc(1, sizeof(*f));

	if (!f || snprintf(f->path, sizeof(f->path), "/tmp/test_config.XXXXXX") < 0 ||
	    !mkdtemp(f->path))
		return -1;
	unsetenv("CREDENTIALS_DIRECTORY");
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct folder *f = *state;
	int r = nftw(f->path, remove_one, 8, FTW_DEPTH | FTW_PHYS);

	unsetenv("CREDENTIALS_DIRECTORY");
	free(f);
	return r;
}

static char *in_folder(const struct folder *f, const char *name)
{
	struct buf path = BUF_INIT(1024);

	assert_int_equal(buf_printf(&path, "%s/%s", f->path, name), 0);
	return buf_steal(&path);
}

static void put(const struct folder *f, const char *name, struct slice text, mode_t mode)
{
	char *path = in_folder(f, name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text.p ? text.p : "", 1, text.n, file), text.n);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, mode), 0);
	free(path);
}

static void put_folder(const struct folder *f, const char *name)
{
	char *path = in_folder(f, name);

	assert_int_equal(mkdir(path, 0700), 0);
	free(path);
}

static struct config *load(const struct folder *f, int flags)
{
	char *path = in_folder(f, "main.conf");
	struct error e = ERROR_INIT;
	struct config *c = NULL;

	if (config_load(path, flags, &c, &e) < 0)
		fail_msg("%s", e.text);
	free(path);
	return c;
}

/* loading must fail; @fmt is what the sentence must be, %s in it stands for the folder, each time
 */
static void assert_load_fails(const struct folder *f, int flags, const char *fmt)
{
	char *path = in_folder(f, "main.conf");
	struct buf expected = BUF_INIT(2048);
	struct error e = ERROR_INIT;
	struct slice rest = slice_of(fmt), piece;
	struct config *c = NULL;

	assert_true(config_load(path, flags, &c, &e) < 0);
	assert_null(c);
	assert_true(slice_split(&rest, '@', &piece));
	assert_int_equal(buf_append_slice(&expected, piece), 0);
	while (slice_split(&rest, '@', &piece)) {
		assert_int_equal(buf_append_str(&expected, f->path), 0);
		assert_int_equal(buf_append_slice(&expected, piece), 0);
	}
	assert_string_equal(e.text, expected.p);
	buf_deinit(&expected);
	free(path);
}

static void test_missing_file(void **state)
{
	assert_load_fails(*state, 0,
			  "@/main.conf: cannot read the configuration: No such file or directory");
}

static void test_drop_ins(void **state)
{
	const struct folder *f = *state;
	struct config *c;

	put(f, "main.conf", SLICE(GOOD "allow_from = 192.0.2.1\n"), 0644);
	assert_load_fails(f, 0,
			  "@/main.conf:9: unknown option 'allow_from' in section [credential]");
	put(f, "main.conf",
	    SLICE(GOOD "[endpoint a]\nallow_from = 192.0.2.1\n[server]\nthreads=1\n"), 0644);
	put_folder(f, "conf.d");
	put(f, "conf.d/20.conf", SLICE("[server]\nthreads = 20\n[endpoint a]\nallow_from = ::2\n"),
	    0644);
	put(f, "conf.d/10.conf", SLICE("[server]\nthreads = 10\n[log]\nlevel = debug\n"), 0644);
	put(f, "conf.d/.hidden.conf", SLICE("bad\n"), 0644);
	put(f, "conf.d/30.conf.bak", SLICE("bad\n"), 0644);
	put(f, "conf.d/.conf", SLICE("bad\n"), 0644);
	c = load(f, 0);
	assert_int_equal(c->server.threads, 20);           /* the last one wins */
	assert_int_equal(c->log.level, LOG_LEVEL_DEBUG);   /* what was a default is set */
	assert_int_equal(c->endpoints[0].allow_from.n, 2); /* a list grows */
	assert_int_equal(c->n_endpoints, 1);
	assert_int_equal(c->files.n, 3);
	assert_non_null(strstr(c->files.items[1], "/conf.d/10.conf"));
	config_free(c);

	put(f, "conf.d/30.conf", SLICE("\n[log]\nlevel = loud\n"), 0644);
	assert_load_fails(f, 0,
			  "@/conf.d/30.conf:3: 'level' is loud, allowed are error, warning, "
			  "notice, info, debug");
	put(f, "conf.d/30.conf", SLICE("\n[handler h]\ntype = unix\n"), 0644);
	assert_load_fails(f, 0, "@/conf.d/30.conf:2: [handler h]: type unix needs 'socket'");
}

static void test_relative_path(void **state)
{
	const struct folder *f = *state;
	char *saved = getcwd(NULL, 0);
	struct config *c = NULL;

	put(f, "main.conf", SLICE(GOOD), 0644);
	assert_int_equal(chdir(f->path), 0);
	assert_int_equal(config_load("./main.conf", 0, &c, NULL), 0);
	assert_int_equal(chdir(saved), 0);
	free(saved);
	assert_string_equal(c->directory, f->path);
	assert_string_equal(c->path + strlen(f->path), "/main.conf");
	config_free(c);
}

static void assert_secret(const struct folder *f, struct slice file, const char *secret)
{
	struct config *c;

	put(f, "t", file, 0600);
	c = load(f, CONFIG_WITH_SECRETS);
	assert_string_equal(c->credentials[0].secret, secret);
	assert_int_equal(c->credentials[0].secret_n, strlen(secret));
	assert_string_equal(c->credentials[0].secret_path + strlen(f->path), "/t");
	config_free(c);
}

static void test_secrets(void **state)
{
	const struct folder *f = *state;
	char *large = calloc(1, 4100);
	struct config *c;

	put(f, "main.conf", SLICE(GOOD), 0644);
	c = load(f, 0); /* the file is not looked at */
	assert_null(c->credentials[0].secret);
	config_free(c);

	assert_secret(f, SLICE("0123456789abcdef"), "0123456789abcdef");
	assert_secret(f, SLICE("0123456789abcdef\n"), "0123456789abcdef");
	assert_secret(f, SLICE("0123456789abcdef\r\n"), "0123456789abcdef");
	assert_secret(f, SLICE(" 0123456789abcde "), " 0123456789abcde ");
	assert_secret(f, SLICE("p\xc3\xa4ssword 123456\n"), "p\xc3\xa4ssword 123456");

	assert_non_null(large);
	memset(large, 'x', 4097);
	put(f, "t", slice_make(large, 4097), 0600);
	assert_load_fails(f, CONFIG_WITH_SECRETS,
			  "@/main.conf:8: [credential x]: secret file '@/t' is larger than 4096 "
			  "bytes");
	large[4096] = '\0';
	assert_secret(f, slice_make(large, 4096), large);
	free(large);
}

static void test_bad_secret_files(void **state)
{
	const struct folder *f = *state;
	int flags = CONFIG_WITH_SECRETS;

	put(f, "main.conf", SLICE(GOOD), 0644);
	assert_load_fails(f, flags,
			  "@/main.conf:8: [credential x]: cannot open secret file '@/t': No such "
			  "file or directory; write the secret into it and run: chmod 600 @/t");
	put(f, "t", SLICE("0123456789abcdef\n"), 0640);
	assert_load_fails(f, flags,
			  "@/main.conf:8: [credential x]: secret file '@/t' is open to other "
			  "users; run: chmod 600 @/t");
	put(f, "t", SLICE("0123456789abcdef\n"), 0601);
	assert_load_fails(f, flags,
			  "@/main.conf:8: [credential x]: secret file '@/t' is open to other "
			  "users; run: chmod 600 @/t");
	put(f, "t", SLICE(""), 0600);
	assert_load_fails(f, flags,
			  "@/main.conf:8: [credential x]: secret file '@/t' is empty; write the "
			  "secret into it");
	put(f, "t", SLICE("\n"), 0600);
	assert_load_fails(f, flags,
			  "@/main.conf:8: [credential x]: secret file '@/t' is empty; write the "
			  "secret into it");
	put(f, "t", SLICE("one\ntwo\n"), 0600);
	assert_load_fails(f, flags,
			  "@/main.conf:8: [credential x]: secret file '@/t' holds a control "
			  "character or a second line; it must hold the secret alone");
	put(f, "t", SLICE("one\0two"), 0600);
	assert_load_fails(f, flags,
			  "@/main.conf:8: [credential x]: secret file '@/t' holds a control "
			  "character or a second line; it must hold the secret alone");
}

static void test_secret_is_no_regular_file(void **state)
{
	const struct folder *f = *state;
	char *path = in_folder(f, "t");

	put(f, "main.conf", SLICE(GOOD), 0644);
	assert_int_equal(mkfifo(path, 0600), 0); /* must not block */
	free(path);
	assert_load_fails(f, CONFIG_WITH_SECRETS,
			  "@/main.conf:8: [credential x]: '@/t' is not a regular file");
}

static void test_credentials_directory(void **state)
{
	const struct folder *f = *state;
	char *directory = in_folder(f, "credentials");
	struct config *c;

	put(f, "main.conf", SLICE(GOOD), 0644);
	put_folder(f, "credentials");
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", directory, 1), 0);
	free(directory);
	put(f, "t", SLICE("beside-the-configuration"), 0600);
	c = load(f, CONFIG_WITH_SECRETS); /* not in the directory: beside the file */
	assert_string_equal(c->credentials[0].secret, "beside-the-configuration");
	config_free(c);
	put(f, "credentials/t", SLICE("in-the-credentials-directory"), 0440);
	c = load(f, CONFIG_WITH_SECRETS); /* there the service manager sets the mode */
	assert_string_equal(c->credentials[0].secret, "in-the-credentials-directory");
	config_free(c);
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", "relative", 1), 0);
	c = load(f, CONFIG_WITH_SECRETS);
	assert_string_equal(c->credentials[0].secret, "beside-the-configuration");
	config_free(c);
}

/* what is logged while @f is loaded; the caller frees it */
static char *warnings(const struct folder *f)
{
	int saved = dup(STDERR_FILENO);
	char *path = in_folder(f, "log"), *text = NULL;
	FILE *log = fopen(path, "w+");
	size_t n = 0;

	assert_non_null(log);
	assert_true(saved >= 0);
	assert_true(dup2(fileno(log), STDERR_FILENO) >= 0);
	config_free(load(f, CONFIG_WITH_SECRETS));
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	rewind(log);
	if (getdelim(&text, &n, '\0', log) < 0) {
		free(text);
		text = strdup("");
	}
	assert_int_equal(fclose(log), 0);
	free(path);
	return text;
}

static void test_warnings(void **state)
{
	const struct folder *f = *state;
	char *text;

	put(f, "t", SLICE("0123456789abcdef"), 0600);
	put(f, "main.conf", SLICE(GOOD), 0644);
	text = warnings(f);
	assert_string_equal(text, "");
	free(text);

	put(f, "t", SLICE("0123456789abcde"), 0600);
	put(f, "main.conf",
	    SLICE(GOOD "not_after = 2020-01-01\n[endpoint a]\nenvironment = Production\n"
		       "[handler h]\ntype = unix\nsocket = s\nenvironment = Sandbox\n"),
	    0644);
	text = warnings(f);
	assert_non_null(strstr(text, "main.conf:5: [credential x]: the secret has less than 16 "
				     "bytes"));
	assert_null(strstr(text, "0123456789"));
	assert_non_null(strstr(text, "main.conf:5: [credential x]: expired"));
	assert_non_null(strstr(text, "main.conf:12: [handler h]: no event can match"));
	free(text);
}

/* what is logged for a handler with these lines, behind GOOD */
static char *warnings_of(const struct folder *f, const char *lines)
{
	struct buf text = BUF_INIT(4096);
	char *logged;

	assert_int_equal(buf_printf(&text, GOOD "[handler h]\n%s", lines), 0);
	put(f, "t", SLICE("0123456789abcdef"), 0600);
	put(f, "main.conf", buf_slice(&text), 0644);
	logged = warnings(f);
	buf_deinit(&text);
	return logged;
}

#define UNIX "type = unix\nsocket = s\n"
#define EXEC "type = exec\n"

static void assert_warned(const struct folder *f, const char *lines, const char *wanted)
{
	char *text = warnings_of(f, lines);

	if (wanted ? !strstr(text, wanted) : text[0] != '\0')
		fail_msg("logged: %s", text);
	free(text);
}

static void test_words_that_are_nearly_known(void **state)
{
	assert_warned(*state, UNIX "events = evaluation_complted\n",
		      "main.conf:9: [handler h]: no documented event type is called "
		      "'evaluation_complted' (did you mean 'evaluation_completed'?)");
	assert_warned(*state, UNIX "events = Decision-Updaet\n",
		      "(did you mean 'decision_update'?)");
	assert_warned(*state, UNIX "events = something_else\n",
		      "no documented event type is called 'something_else'\n");
	assert_warned(*state, UNIX "decision = reveiw\n",
		      "main.conf:9: [handler h]: no documented decision is called 'reveiw' (did "
		      "you mean 'REVIEW'?)");
	assert_warned(*state,
		      UNIX "events = unknown, Evaluation Completed, case_decision_changed, "
			   "docv_app_opened, evaluation_archived\n"
			   "decision = review, Manual Review, ACCEPT, escalate\n",
		      NULL);
}

static void test_programs_that_cannot_be_run(void **state)
{
	const struct folder *f = *state;
	char *program = in_folder(f, "hook");
	struct buf lines = BUF_INIT(1024);

	assert_int_equal(buf_printf(&lines, EXEC "command = %s x\n", program), 0);
	assert_warned(f, lines.p, "main.conf:11: [handler h]: '/tmp/test_config."); /* and so on */
	assert_warned(f, lines.p,
		      "/hook' cannot be run: No such file or directory; its deliveries will fail");
	put(f, "hook", SLICE("#!/bin/sh\n"), 0644);
	assert_warned(f, lines.p, "/hook' cannot be run: Permission denied");
	put(f, "hook", SLICE("#!/bin/sh\n"), 0755);
	assert_warned(f, lines.p, NULL);
	assert_warned(f, EXEC "command = /tmp\n", "'/tmp' cannot be run: Permission denied");
	assert_warned(f, EXEC "command = true\n", NULL);
	assert_warned(f, EXEC "command = no-such-program\n",
		      "'no-such-program' cannot be run: No such file or directory");
	assert_warned(f, EXEC "command = true\nenv = PATH=/nowhere\n", "'true' cannot be run");
	if (geteuid() == 0) /* otherwise `user` is an error */
		assert_warned(f, EXEC "command = /no/such\nuser = nobody\n", NULL);
	assert_string_equal(CONFIG_PROGRAM_PATH, EXEC_ENV_PATH);
	buf_deinit(&lines);
	free(program);
}

static void test_comments_and_quotes_within_values(void **state)
{
	assert_warned(*state, UNIX "[endpoint a]\nenvironment = Production # ours\n",
		      "main.conf:13: [endpoint a] environment: what follows '#' is part of the "
		      "value");
	assert_warned(*state, UNIX "[endpoint a]\nenvironment = \"Production\"\n",
		      "main.conf:13: [endpoint a] environment: the quotes are part of the value");
	assert_warned(*state, UNIX "[store]\npath = e.db # here\n",
		      "main.conf:13: [store] path: what follows '#'");
	assert_warned(*state,
		      UNIX "filter = \"x\" == \"y\" # jq has comments\ntransform = \"a\"\n"
			   "workflow = \"onboarding\"\n[endpoint a]\nenvironment = #1 a#b \"c\"\n",
		      NULL);
	assert_warned(*state, EXEC "command = \"true\" # x\n", NULL);
}

#define PLACES "[store]\npath = /s\n[admin]\nsocket = /a\n"

/* @text in a drop-in of PLACES. @fault: what is wrong in it behind the file's name; NULL: the
 * places are not known either */
static void assert_places(const struct folder *f, const char *text, const char *fault)
{
	char *path = in_folder(f, "main.conf");
	struct error found = ERROR_INIT, e = ERROR_INIT;
	struct config *c = NULL;

	put(f, "main.conf", SLICE(PLACES), 0600);
	put(f, "conf.d/x.conf", slice_of(text), 0600);
	if (!fault) {
		assert_true(config_load_places(path, &c, &found, &e) < 0);
		assert_non_null(strstr(e.text, "x.conf:"));
	} else {
		assert_int_equal(config_load_places(path, &c, &found, &e), 0);
		assert_string_equal(c->store.path, "/s");
		assert_string_equal(c->admin.socket, "/a");
		assert_non_null(strstr(found.text, fault));
		config_free(c);
	}
	free(path);
}

static void test_places_are_known_in_spite_of_other_errors(void **state)
{
	const struct folder *f = *state;

	put_folder(f, "conf.d");
	assert_places(f, "[server]\nthreads = many\n", "x.conf:2: 'threads'");
	assert_places(f, "[server]\nhreads = 2\n[log]\nlevel = loud\n", "x.conf:2: unknown option");
	assert_places(f, "[credential c]\ntype = basic\n", "x.conf:1: [credential c]");
	assert_places(f, GOOD "[admin]\nlisten = 192.0.2.1:80\n", "x.conf:10: [admin]");
	assert_places(f, GOOD, "");
}

static void test_places_may_be_what_an_error_is_about(void **state)
{
	const struct folder *f = *state;

	put_folder(f, "conf.d");
	assert_places(f, "[store]\npth = /t\n", NULL);
	assert_places(f, "[log]\nlevel = loud\n[store]\nmax_pending = many\n", NULL);
	assert_places(f, "[admin]\nsocket\n", NULL);
	assert_places(f, "[stroe]\npath = /t\n", NULL);
	assert_places(f, "path = /t\n", NULL);
	assert_places(f, "[log]\nlevel loud\n", NULL); /* libinih tells of the first such line */
}

int main(void)
{
#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		WITH_FOLDER(test_missing_file),
		WITH_FOLDER(test_drop_ins),
		WITH_FOLDER(test_relative_path),
		WITH_FOLDER(test_secrets),
		WITH_FOLDER(test_bad_secret_files),
		WITH_FOLDER(test_secret_is_no_regular_file),
		WITH_FOLDER(test_credentials_directory),
		WITH_FOLDER(test_warnings),
		WITH_FOLDER(test_words_that_are_nearly_known),
		WITH_FOLDER(test_programs_that_cannot_be_run),
		WITH_FOLDER(test_comments_and_quotes_within_values),
		WITH_FOLDER(test_places_are_known_in_spite_of_other_errors),
		WITH_FOLDER(test_places_may_be_what_an_error_is_about),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
