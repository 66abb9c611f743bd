/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handler type `exec` with real programs
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "handler_bench.h"
#include "util/cleanup.h"

static char sh[] = "/bin/sh";
static char minus_c[] = "-c";

static void bench_start(struct bench *b, char **words, size_t n_words)
{
	b->config.type = HANDLER_EXEC;
	b->config.command = (struct string_list){words, n_words};
	b->config.concurrency = 2;
	bench_init(b);
	assert_int_equal(handler_capacity(b->handler), 2);
}

/* run one program on one payload; the caller deinits the result */
static struct attempt_result run_words(struct bench *b, char **words, size_t n_words,
				       struct slice payload)
{
	struct job job = a_job(payload.p, payload.n);
	struct attempt attempt = an_attempt(&job);

	bench_start(b, words, n_words);
	handler_submit(b->handler, &attempt);
	assert_ptr_equal(wait_done(b), &attempt);
	bench_stop(b);
	return attempt.result;
}

static struct attempt_result run_script(const char *script, struct slice payload)
{
	char *words[] = {sh, minus_c, (char *)(uintptr_t)script};
	struct bench b = {.handler = NULL};

	return run_words(&b, words, ARRAY_SIZE(words), payload);
}

static void assert_output(const struct attempt_result *result, const char *text)
{
	assert_int_equal(result->outcome, ATTEMPT_OK);
	assert_non_null(result->output.p);
	assert_string_equal(result->output.p, text);
}

static void test_payload_comes_on_stdin(void **state)
{
	struct attempt_result result = run_script("cat; echo end >&2", SLICE("{\"a\":1}"));

	(void)state;
	assert_output(&result, "{\"a\":1}end\n");
	assert_int_equal(result.code, 0);
	assert_int_equal(result.signal, 0);
	assert_false(result.output_cut);
	attempt_result_deinit(&result);
}

static void test_exit_codes(void **state)
{
	static const struct {
		const char *script;
		int code;
		enum attempt_outcome outcome;
	} rows[] = {
		{"exit 0", 0, ATTEMPT_OK},      {"exit 1", 1, ATTEMPT_RETRY},
		{"exit 64", 64, ATTEMPT_DEAD},  {"exit 65", 65, ATTEMPT_DEAD},
		{"exit 75", 75, ATTEMPT_RETRY}, {"exit 255", 255, ATTEMPT_RETRY},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct attempt_result result = run_script(rows[i].script, SLICE("{}"));

		assert_int_equal(result.outcome, rows[i].outcome);
		assert_int_equal(result.code, rows[i].code);
		attempt_result_deinit(&result);
	}
}

static void test_end_by_signal_is_retried(void **state)
{
	struct attempt_result result = run_script("kill -USR1 $$", SLICE("{}"));

	(void)state;
	assert_int_equal(result.outcome, ATTEMPT_RETRY);
	assert_int_equal(result.code, -1);
	assert_int_equal(result.signal, SIGUSR1);
	assert_string_equal(result.reason, "ended by signal 10 (SIGUSR1)");
	attempt_result_deinit(&result);
}

static void test_program_that_cannot_be_started(void **state)
{
	static char missing[] = "/nonexistent/hook";
	static char unknown[] = "no-such-program-anywhere";
	static char folder[] = "/etc";
	char *const programs[] = {missing, unknown, folder};
	static const char *const reasons[] = {
		"cannot start '/nonexistent/hook': No such file or directory",
		"cannot start 'no-such-program-anywhere': No such file or directory",
		"cannot start '/etc': Permission denied",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		char *words[] = {programs[i]};
		struct bench b = {.handler = NULL};
		struct attempt_result result = run_words(&b, words, 1, SLICE("{}"));

		assert_int_equal(result.outcome, ATTEMPT_FAILED);
		assert_string_equal(result.reason, reasons[i]);
		attempt_result_deinit(&result);
	}
}

static void test_programs_are_looked_up_in_path(void **state)
{
	static char name[] = "true";
	char *words[] = {name};
	struct bench b = {.handler = NULL};
	struct attempt_result result = run_words(&b, words, 1, SLICE("{}"));

	(void)state;
	assert_int_equal(result.outcome, ATTEMPT_OK);
	attempt_result_deinit(&result);
}

static char *filler(size_t n)
{
	char *p = malloc(n);

	assert_non_null(p);
	memset(p, 'x', n);
	return p;
}

static void test_payload_larger_than_a_pipe(void **state)
{
	const size_t n = 8 * 1024 * 1024;
	_cleanup_(freep)
	char *payload = filler(n);
	struct attempt_result result;

	(void)state;
	result = run_script("wc -c", slice_make(payload, n));
	assert_output(&result, "8388608\n");
	attempt_result_deinit(&result);
	/* both pipes busy at once */
	result = run_script("cat", slice_make(payload, n));
	assert_int_equal(result.outcome, ATTEMPT_OK);
	assert_int_equal(result.n_output, n);
	assert_true(result.output_cut);
	attempt_result_deinit(&result);
}

static void test_payload_need_not_be_read(void **state)
{
	const size_t n = 8 * 1024 * 1024;
	_cleanup_(freep)
	char *payload = filler(n);
	static const char *const scripts[] = {
		"exit 0",
		"exec 0<&-; echo closed",
		"head -c 10 >/dev/null",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(scripts); i++) {
		struct attempt_result result = run_script(scripts[i], slice_make(payload, n));

		assert_int_equal(result.outcome, ATTEMPT_OK);
		attempt_result_deinit(&result);
	}
}

static void test_empty_payload(void **state)
{
	struct attempt_result result = run_script("wc -c", SLICE_NULL);

	(void)state;
	assert_output(&result, "0\n");
	attempt_result_deinit(&result);
}

static struct attempt_result run_limited(struct handler_config limits, const char *script)
{
	char *words[] = {sh, minus_c, (char *)(uintptr_t)script};
	struct bench b = {.config = limits};

	return run_words(&b, words, ARRAY_SIZE(words), SLICE("{}"));
}

static void test_limits(void **state)
{
	static const struct {
		struct handler_config limits;
		const char *script, *output;
	} rows[] = {
		{{.limit_cpu_ms = 1500}, "ulimit -S -t; ulimit -H -t", "2\n3\n"},
		{{.limit_memory = 256 << 20}, "ulimit -v", "262144\n"},
		{{.limit_files = 10}, "ulimit -n", "10\n"},
		{{.limit_files = 10}, "pwd; ls /proc/self/fd", "/\n0\n1\n2\n3\n"},
		{{.limit_files = 10},
		 "grep -h SigBlk /proc/self/status",
		 "SigBlk:\t0000000000000000\n"},
		{{.limit_files = 10}, "cut -d' ' -f 5 /proc/$$/stat | sed s/^$$$/own/", "own\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct attempt_result result = run_limited(rows[i].limits, rows[i].script);

		assert_output(&result, rows[i].output);
		attempt_result_deinit(&result);
	}
}

static void test_limit_of_processor_time_is_applied(void **state)
{
	struct attempt_result result =
		run_limited((struct handler_config){.limit_cpu_ms = 1000}, "while :; do :; done");

	(void)state;
	assert_int_equal(result.outcome, ATTEMPT_RETRY);
	assert_int_equal(result.signal, SIGXCPU);
	attempt_result_deinit(&result);
}

static void test_program_with_limits_that_cannot_be_started(void **state)
{
	static char missing[] = "/nonexistent/hook";
	char *words[] = {missing};
	struct bench b = {.config.limit_files = 10};
	struct attempt_result result = run_words(&b, words, 1, SLICE("{}"));

	(void)state;
	assert_int_equal(result.outcome, ATTEMPT_FAILED);
	assert_string_equal(result.reason,
			    "cannot start '/nonexistent/hook': No such file or directory");
	attempt_result_deinit(&result);
}

static void test_user(void **state)
{
	static char nobody[] = "nobody";
	struct attempt_result result;

	(void)state;
	if (geteuid() != 0)
		skip();
	result = run_limited((struct handler_config){.user = nobody},
			     "id -un; id -Gn; grep -c '0000000000000000' /proc/self/status");
	assert_memory_equal(result.output.p, "nobody\nnogroup\n", 15);
	attempt_result_deinit(&result);
}

static void test_output_is_bounded(void **state)
{
	struct attempt_result result;

	(void)state;
	result = run_script("echo first; head -c 100000000 /dev/zero | tr '\\0' x; echo last >&2;"
			    "exit 1",
			    SLICE("{}"));
	assert_int_equal(result.outcome, ATTEMPT_RETRY);
	assert_int_equal(result.n_output, 100000011);
	assert_in_range(result.output.n, ATTEMPT_OUTPUT_MAX,
			ATTEMPT_OUTPUT_MAX + ATTEMPT_MARKER_MAX);
	assert_true(result.output_cut);
	assert_memory_equal(result.output.p, "first\nxxx", 9);
	assert_non_null(strstr(result.output.p, "x\n[99983627 bytes left out]\nx"));
	assert_string_equal(result.output.p + result.output.n - 8, "xxxlast\n");
	attempt_result_deinit(&result);
	result = run_script("head -c 16384 /dev/zero", SLICE("{}"));
	assert_int_equal(result.output.n, ATTEMPT_OUTPUT_MAX);
	assert_false(result.output_cut);
	attempt_result_deinit(&result);
}

static pid_t pid_from(const struct attempt_result *result)
{
	long pid = strtol(result->output.p, NULL, 10);

	assert_true(pid > 1);
	return (pid_t)pid;
}

static void test_grandchild_cannot_hang_a_worker(void **state)
{
	struct attempt_result result = run_script("sleep 1000 & echo $!", SLICE("{}"));

	(void)state;
	assert_int_equal(result.outcome, ATTEMPT_OK);
	/* it lives on: what a hook leaves behind on purpose is not ours to end */
	assert_int_equal(kill(pid_from(&result), SIGKILL), 0);
	attempt_result_deinit(&result);
}

static void test_grandchild_that_writes_for_ever(void **state)
{
	struct attempt_result result = run_script("yes & echo $! >&2", SLICE("{}"));
	const char *line = result.output.p;

	(void)state;
	assert_int_equal(result.outcome, ATTEMPT_OK);
	while (line && (*line == 'y' || *line == '\n'))
		line++;
	/* its pipe is closed now, so it ends by SIGPIPE; make sure where the pid is known */
	if (line && *line >= '1' && *line <= '9')
		(void)kill((pid_t)strtol(line, NULL, 10), SIGKILL);
	attempt_result_deinit(&result);
}

/* a FIFO in a folder of its own, to see when processes come and go */
struct fifo {
	char folder[32];
	char path[64];
	char script[256];
};

static void fifo_init(struct fifo *f)
{
	(void)snprintf(f->folder, sizeof(f->folder), "/tmp/riskhook-test.XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	(void)snprintf(f->path, sizeof(f->path), "%s/fifo", f->folder);
	assert_int_equal(mkfifo(f->path, 0600), 0);
}

static void fifo_deinit(struct fifo *f)
{
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(rmdir(f->folder), 0);
}

static void test_timeout_ends_the_whole_group(void **state)
{
	struct bench b = {.config.timeout_ms = 300};
	struct attempt_result result;
	struct fifo f;
	char *words[] = {sh, minus_c, f.script};
	char byte;
	int fd;

	(void)state;
	fifo_init(&f);
	/* two descendants hold the FIFO; one of them is deaf to TERM */
	(void)snprintf(f.script, sizeof(f.script),
		       "exec 7<>%s; (trap '' TERM; exec sleep 1000) & sleep 1000 & wait", f.path);
	fd = open(f.path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(fd >= 0);
	result = run_words(&b, words, ARRAY_SIZE(words), SLICE("{}"));
	assert_int_equal(result.outcome, ATTEMPT_TIMEOUT);
	assert_string_equal(result.reason, "no result within 300 ms");
	assert_int_equal(result.signal, SIGTERM);
	attempt_result_deinit(&result);
	/* end of file: nobody holds it any more */
	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
	assert_int_equal(read(fd, &byte, 1), 0);
	(void)fd_close(fd);
	fifo_deinit(&f);
}

static void test_kill_follows_term(void **state)
{
	char script[] = "trap '' TERM; echo ready; while :; do sleep 1000; done";
	char *words[] = {sh, minus_c, script};
	struct bench b = {.config.timeout_ms = 1500}; /* enough for the trap to be set */
	struct attempt_result result = run_words(&b, words, ARRAY_SIZE(words), SLICE("{}"));

	(void)state;
	assert_int_equal(result.outcome, ATTEMPT_TIMEOUT);
	assert_int_equal(result.signal, SIGKILL);
	attempt_result_deinit(&result);
}

static void test_abort_interrupts(void **state)
{
	char script[] = "trap '' TERM; while :; do sleep 1000; done";
	char *words[] = {sh, minus_c, script};
	struct bench b = {.handler = NULL};
	struct job job = a_job("{}", 2);
	struct attempt first = an_attempt(&job), second = an_attempt(&job);

	(void)state;
	bench_start(&b, words, ARRAY_SIZE(words));
	handler_submit(b.handler, &first);
	handler_submit(b.handler, &second);
	handler_abort(b.handler);
	(void)wait_done(&b);
	(void)wait_done(&b);
	assert_int_equal(first.result.outcome, ATTEMPT_INTERRUPTED);
	assert_int_equal(second.result.outcome, ATTEMPT_INTERRUPTED);
	attempt_result_deinit(&first.result);
	attempt_result_deinit(&second.result);
	bench_stop(&b);
}

/* `cat`, which would succeed, is not run */
static void test_no_program_runs_without_a_body(void **state)
{
	static const enum body_state bodies[] = {BODY_DAMAGED, BODY_MISSING};
	static char cat[] = "/bin/cat";
	char *words[] = {cat};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		struct bench b = {.handler = NULL};
		struct job job = a_job("", 0);
		struct attempt attempt = an_attempt(&job);

		job.body = bodies[i];
		bench_start(&b, words, ARRAY_SIZE(words));
		handler_submit(b.handler, &attempt);
		assert_ptr_equal(wait_done(&b), &attempt);
		assert_int_equal(attempt.result.outcome, ATTEMPT_DEAD);
		assert_string_equal(attempt.result.reason, body_fault(bodies[i]));
		assert_int_equal(attempt.result.code, -1);
		attempt_result_deinit(&attempt.result);
		bench_stop(&b);
	}
}

static void test_programs_run_side_by_side(void **state)
{
	struct bench b = {.handler = NULL};
	struct fifo f;
	char *words[] = {sh, minus_c, f.script};
	struct job reader = a_job("cat", 3), writer = a_job("echo hello", 10);
	struct attempt first = an_attempt(&reader), second = an_attempt(&writer);

	(void)state;
	fifo_init(&f);
	/* opening either end waits for the other one */
	(void)snprintf(f.script, sizeof(f.script),
		       "read -r what; case $what in cat) cat <%s;; *) $what >%s;; esac", f.path,
		       f.path);
	bench_start(&b, words, ARRAY_SIZE(words));
	handler_submit(b.handler, &first);
	handler_submit(b.handler, &second);
	(void)wait_done(&b);
	(void)wait_done(&b);
	bench_stop(&b);
	fifo_deinit(&f);
	assert_output(&first.result, "hello\n");
	assert_int_equal(second.result.outcome, ATTEMPT_OK);
	attempt_result_deinit(&first.result);
	attempt_result_deinit(&second.result);
}

static void set_hostile_values(struct job *job)
{
	static char event_id[] = "$(reboot)\n'; --x";
	static char decision[] = "REJ\xC3\x89"
				 "CT\x7f\x01";
	static char customer[2001];
	static char type[] = "evaluation_completed";

	memset(customer, 'c', sizeof(customer) - 1);
	job->event_id = event_id;
	job->event_type = type;
	job->decision = decision;
	job->customer_id = customer;
}

static void test_environment_is_clean_and_complete(void **state)
{
	static char env[] = "/usr/bin/env";
	static char lang[] = "LANG=de_DE.UTF-8";
	static char extra[] = "QUEUE=a b=c";
	static char expected[4096];
	char *words[] = {env};
	char *lines[] = {lang, extra};
	struct bench b = {.config.env = {lines, 2}};
	struct job job = a_job("{}", 2);
	struct attempt attempt = an_attempt(&job);

	(void)state;
	assert_int_equal(setenv("RISKHOOK_LEAK", "must not be seen", 1), 0);
	set_hostile_values(&job);
	bench_start(&b, words, 1);
	handler_submit(b.handler, &attempt);
	(void)wait_done(&b);
	bench_stop(&b);
	assert_true(snprintf(expected, sizeof(expected),
			     "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
			     "LANG=de_DE.UTF-8\n"
			     "HOME=/\n"
			     "RISKHOOK_HANDLER=hook\n"
			     "RISKHOOK_SEQ=17\n"
			     "RISKHOOK_EVENT_ID=$(reboot)?'; --x\n"
			     "RISKHOOK_EVENT_TYPE=evaluation_completed\n"
			     "RISKHOOK_CATEGORY=\n"
			     "RISKHOOK_EVAL_ID=\n"
			     "RISKHOOK_CUSTOMER_ID=%.1024s\n"
			     "RISKHOOK_DECISION=REJ??CT??\n"
			     "RISKHOOK_WORKFLOW=\n"
			     "RISKHOOK_ENVIRONMENT=\n"
			     "RISKHOOK_ENDPOINT=\n"
			     "RISKHOOK_DELIVERY_ID=812\n"
			     "RISKHOOK_ATTEMPT=3\n"
			     "RISKHOOK_RECEIVED_AT=2026-09-12T08:30:00.123Z\n"
			     "RISKHOOK_TEST=0\n"
			     "RISKHOOK_REPLAY=0\n"
			     "QUEUE=a b=c\n",
			     job.customer_id) < (int)sizeof(expected));
	assert_output(&attempt.result, expected);
	attempt_result_deinit(&attempt.result);
}

static void test_only_stdio_is_inherited(void **state)
{
	int leak = open("/dev/null", O_RDONLY); /* on purpose without O_CLOEXEC */
	struct attempt_result result;

	(void)state;
	assert_true(leak >= 0);
	/* the 3 is ls's own, for the folder */
	result = run_script("exec ls /proc/self/fd", SLICE("{}"));
	assert_output(&result, "0\n1\n2\n3\n");
	attempt_result_deinit(&result);
	(void)fd_close(leak);
}

static void test_folder_group_and_signals(void **state)
{
	struct attempt_result result;

	(void)state;
	result = run_script("pwd", SLICE("{}"));
	assert_output(&result, "/\n");
	attempt_result_deinit(&result);
	result = run_script("set -- $(cat /proc/$$/stat); test $1 = $5 && echo own group",
			    SLICE("{}"));
	assert_output(&result, "own group\n");
	attempt_result_deinit(&result);
	/* ignored here and blocked in the worker's thread, but not there */
	assert_true(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	result = run_script("kill -PIPE $$; exit 1", SLICE("{}"));
	assert_int_equal(result.signal, SIGPIPE);
	attempt_result_deinit(&result);
	assert_true(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_payload_comes_on_stdin),
		cmocka_unit_test(test_exit_codes),
		cmocka_unit_test(test_end_by_signal_is_retried),
		cmocka_unit_test(test_program_that_cannot_be_started),
		cmocka_unit_test(test_programs_are_looked_up_in_path),
		cmocka_unit_test(test_payload_larger_than_a_pipe),
		cmocka_unit_test(test_payload_need_not_be_read),
		cmocka_unit_test(test_empty_payload),
		cmocka_unit_test(test_output_is_bounded),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_limit_of_processor_time_is_applied),
		cmocka_unit_test(test_program_with_limits_that_cannot_be_started),
		cmocka_unit_test(test_user),
		cmocka_unit_test(test_grandchild_cannot_hang_a_worker),
		cmocka_unit_test(test_grandchild_that_writes_for_ever),
		cmocka_unit_test(test_timeout_ends_the_whole_group),
		cmocka_unit_test(test_kill_follows_term),
		cmocka_unit_test(test_abort_interrupts),
		cmocka_unit_test(test_no_program_runs_without_a_body),
		cmocka_unit_test(test_programs_run_side_by_side),
		cmocka_unit_test(test_environment_is_clean_and_complete),
		cmocka_unit_test(test_only_stdio_is_inherited),
		cmocka_unit_test(test_folder_group_and_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
