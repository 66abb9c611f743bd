/* SPDX-License-Identifier: Apache-2.0 */
#include "jq/evaluator.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jq.h>

#include "jq/fault.h"
#include "jq/wire.h"
#include "util/buf.h"
#include "util/cleanup.h"
#include "util/thread.h"

/* the sanitizers reserve terabytes of address space */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CAN_LIMIT_MEMORY 0
#else
#define CAN_LIMIT_MEMORY 1
#endif

struct program {
	jq_state *jq;
	bool is_transform;
};

/* shared by the process and its fork: is a run under way? */
struct shared {
	volatile bool is_running;
};

struct evaluator {
	struct program *programs;
	size_t n_programs;
	struct shared *shared;
	bool has_body;
	char *body; /* as it came; NULL: there was no memory for it */
	size_t body_n;
	bool is_parsed;
	jv parsed; /* once it is; invalid: jq cannot read it */
};

/* --- pipes --- */

/* Return: 0; 1 at the end of the input; a negative errno */
static int read_all(void *p, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t k = read(STDIN_FILENO, (char *)p + done, n - done);

		if (k == 0)
			return 1;
		if (k < 0 && errno != EINTR)
			return -errno;
		if (k > 0)
			done += (size_t)k;
	}
	return 0;
}

static int reply(const struct wire *wire, const void *p)
{
	int r = fd_write_all(STDOUT_FILENO, wire, sizeof(*wire));

	return r < 0 || wire->n == 0 ? r : fd_write_all(STDOUT_FILENO, p, wire->n);
}

/* Return: @wire's bytes with a NUL behind them, which the caller frees; NULL: cannot go on */
static char *read_bytes(const struct wire *wire)
{
	char *p = malloc((size_t)wire->n + 1);

	if (!p || read_all(p, wire->n) != 0) {
		free(p);
		return NULL;
	}
	p[wire->n] = '\0';
	return p;
}

/* --- compiling --- */

/* keep the first message */
static void on_compile_error(void *arg, jv message)
{
	struct buf *text = arg;

	if (text->n == 0 && jv_get_kind(message) == JV_KIND_STRING)
		buf_append_str(text, jv_string_value(message));
	jv_free(message);
}

static int refuse(struct buf *message)
{
	struct slice text = buf_slice(message);

	text.n = MIN_OF(text.n, WIRE_REFUSED_MAX);
	return reply(&(struct wire){.kind = WIRE_REFUSED, .n = (uint32_t)text.n}, text.p);
}

static int compile(struct evaluator *e, const struct wire *wire, const char *text)
{
	struct program *programs =
		reallocarray(e->programs, e->n_programs + 1, sizeof(*e->programs));
	struct buf message = BUF_INIT(8 * 1024);
	struct program *program;
	int r;

	if (!programs)
		return -ENOMEM;
	e->programs = programs;
	program = &programs[e->n_programs];
	*program = (struct program){.jq = jq_init(), .is_transform = wire->b};
	if (!program->jq)
		return -ENOMEM;
	jq_set_error_cb(program->jq, on_compile_error, &message);
	/* jq_init() of 1.6 leaves these as malloc() finds them */
	jq_set_input_cb(program->jq, NULL, NULL);
	jq_set_debug_cb(program->jq, NULL, NULL);
	/* `import` finds nothing, instead of ending the process */
	jq_set_attr(program->jq, jv_string("JQ_LIBRARY_PATH"), jv_array());
	jq_set_attr(program->jq, jv_string("JQ_ORIGIN"), jv_string("/nonexistent"));
	if (jq_compile(program->jq, text)) {
		e->n_programs++;
		r = reply(&(struct wire){.kind = WIRE_COMPILED}, NULL);
	} else {
		jq_teardown(&program->jq);
		r = refuse(&message);
	}
	if (r == 0 && program->jq)
		jq_set_error_cb(program->jq, NULL, NULL);
	buf_deinit(&message);
	return r;
}

/* --- running --- */

static void limit_time(uint32_t ms)
{
	struct itimerval timer = {
		.it_value = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000}};

	(void)setitimer(ITIMER_PROF, &timer, NULL); /* the arguments are right */
}

static int fault_of(jq_state *jq, jv message)
{
	int fault = FAULT_ERROR;

	if (jq_halted(jq))
		fault = FAULT_HALT;
	else if (jv_get_kind(message) == JV_KIND_STRING)
		fault = fault_of_message(
			slice_make(jv_string_value(message),
				   (size_t)jv_string_length_bytes(jv_copy(message))));
	jv_free(message);
	return fault;
}

/* the first output, which may be none. Return: a fault; then nothing is to be freed. */
static int run_program(struct evaluator *e, struct program *program, jv *ret_output)
{
	jv output;

	if (!e->is_parsed)
		e->parsed = e->body ? jv_parse_sized(e->body, (int)e->body_n) : jv_invalid();
	e->is_parsed = true;
	if (!jv_is_valid(e->parsed))
		return FAULT_BODY;
	jq_start(program->jq, jv_copy(e->parsed), 0);
	output = jq_next(program->jq);
	if (jv_is_valid(output) ||
	    (!jq_halted(program->jq) && !jv_invalid_has_msg(jv_copy(output)))) {
		*ret_output = output;
		return FAULT_NONE;
	}
	return fault_of(program->jq, jv_invalid_get_msg(output));
}

/* what a run leaves: a fault, a filter's value or a transform's text */
struct result {
	struct wire wire;
	jv text;
};

static struct result make_result(const struct program *program, int fault, jv output)
{
	struct result result = {.wire = {.kind = WIRE_RESULT, .b = (uint32_t)fault},
				.text = jv_invalid()};

	if (fault != FAULT_NONE)
		return result;
	if (!program->is_transform) {
		result.wire.a = jv_get_kind(output) == JV_KIND_TRUE;
		jv_free(output);
	} else if (!jv_is_valid(output)) {
		result.wire.b = FAULT_EMPTY;
		jv_free(output);
	} else {
		result.text = jv_dump_string(output, 0);
		result.wire.n = (uint32_t)jv_string_length_bytes(jv_copy(result.text));
	}
	if (result.wire.n > WIRE_OUTPUT_MAX) {
		result.wire.n = 0;
		result.wire.b = FAULT_TOO_LARGE;
	}
	return result;
}

static int run(struct evaluator *e, const struct wire *wire)
{
	struct result result;
	jv output = jv_invalid();
	int fault, r;

	if (wire->a >= e->n_programs || !e->has_body)
		return -EINVAL;
	e->shared->is_running = true;
	limit_time(wire->c);
	fault = run_program(e, &e->programs[wire->a], &output);
	result = make_result(&e->programs[wire->a], fault, output);
	/* from here on nothing can end this process and have it answered for */
	limit_time(0);
	e->shared->is_running = false;
	r = reply(&result.wire, result.wire.n ? jv_string_value(result.text) : NULL);
	jv_free(result.text);
	return r;
}

/* Return: 0, or a negative errno: the input has ended */
static int skip_bytes(size_t n)
{
	char chunk[4096];

	for (size_t k; n > 0; n -= k) {
		k = MIN_OF(n, sizeof(chunk));
		if (read_all(chunk, k) != 0)
			return -EPIPE;
	}
	return 0;
}

static int take_body(struct evaluator *e, const struct wire *wire)
{
	free(e->body);
	jv_free(e->parsed);
	e->parsed = jv_invalid();
	e->is_parsed = false;
	e->has_body = true;
	e->body_n = wire->n;
	e->body = malloc((size_t)wire->n + 1);
	if (!e->body)
		return skip_bytes(wire->n);
	return read_all(e->body, wire->n) == 0 ? 0 : -EPIPE;
}

/* the fork: serve the input to its end, or to what cannot be understood */
static void serve_runs(struct evaluator *e)
{
	struct wire wire;
	int r = 0;

	while (r == 0 && read_all(&wire, sizeof(wire)) == 0) {
		if (wire.kind == WIRE_BODY)
			r = take_body(e, &wire);
		else
			r = wire.kind == WIRE_RUN ? run(e, &wire) : -EINVAL;
	}
}

/* --- life --- */

/* Return: the wait status of a fork that has served; -1: none could be made */
static int serve_in_fork(struct evaluator *e)
{
	pid_t parent = getpid();
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == parent)
			serve_runs(e);
		_exit(0);
	}
	if (pid < 0)
		return -1;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return status;
}

/* a fork was ended in a run */
static int answer_for(int status)
{
	int fault = WTERMSIG(status) == SIGPROF ? FAULT_TIME : FAULT_CRASH;

	return reply(&(struct wire){.kind = WIRE_RESULT, .b = (uint32_t)fault}, NULL);
}

/* Return: 0 when there is no more to do, 1 when it cannot go on */
static int serve(struct evaluator *e)
{
	for (;;) {
		int status = serve_in_fork(e);

		if (status < 0)
			return 1;
		if (WIFEXITED(status))
			return 0;
		if (e->shared->is_running && answer_for(status) < 0)
			return 1;
		e->shared->is_running = false;
	}
}

static int read_programs(struct evaluator *e, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct wire wire;
		_cleanup_(freep)
		char *text = NULL;

		if (read_all(&wire, sizeof(wire)) != 0 || wire.kind != WIRE_PROGRAM)
			return -EPIPE;
		text = read_bytes(&wire);
		if (!text || compile(e, &wire, text) < 0)
			return -EPIPE;
	}
	return 0;
}

static void limit_memory(int64_t bytes)
{
	struct rlimit limit = {(rlim_t)bytes, (rlim_t)bytes};
	struct rlimit no_core = {0, 0}; /* it would hold the event */

	(void)setrlimit(RLIMIT_CORE, &no_core); /* lowering cannot fail */
	if (CAN_LIMIT_MEMORY)
		(void)setrlimit(RLIMIT_AS, &limit);
}

bool evaluator_is_meant(int argc, char *const *argv)
{
	return argc == 4 && strcmp(argv[1], WIRE_ARGUMENT) == 0;
}

static void *shared_memory(size_t n)
{
	const int flags = MAP_SHARED | MAP_ANONYMOUS;
	const int none = -1; /* what an anonymous mapping wants for a descriptor */

	/* cppcheck-suppress invalidFunctionArg */
	return mmap(NULL, n, PROT_READ | PROT_WRITE, flags, none, 0);
}

int evaluator_main(int argc, char *const *argv)
{
	struct evaluator e = {.parsed = jv_invalid()};

	(void)argc;
	(void)signal(SIGPIPE, SIG_IGN); /* the end of the daemon is seen by the write's result */
	limit_memory(strtoll(argv[3], NULL, 10));
	thread_yield_to_others(THREAD_NICE);
	e.shared = shared_memory(sizeof(*e.shared));
	if (e.shared == MAP_FAILED)
		return 1;
	if (read_programs(&e, strtoull(argv[2], NULL, 10)) < 0)
		return 1;
	return serve(&e);
}
