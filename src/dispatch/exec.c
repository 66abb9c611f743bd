/* SPDX-License-Identifier: Apache-2.0 */
#include "dispatch/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>

#include "core/clock.h"
#include "dispatch/retry.h"
#include "util/cleanup.h"
#include "util/err.h"

#define CHUNK (16 * 1024)

#define PIPE_USUAL (64 * 1024)   /* pipe(7) */
#define PIPE_MAX   (1024 * 1024) /* without privileges: /proc/sys/fs/pipe-max-size */

/* More than is kept, so that `output_cut` is right; and a bound, because a descendant that lives on
 * could write for ever. */
#define DRAIN_MAX (4 * CHUNK)

enum ended_by {
	ENDED_BY_ITSELF,
	ENDED_BY_TIMEOUT,
	ENDED_BY_ABORT,
};

/* What is done to a program that does not end, one step after the other; then it is given up. */
static const struct {
	int signal;
	int64_t wait_ms;
} steps[] = {
	{SIGTERM, EXEC_KILL_AFTER_MS},
	{SIGKILL, EXEC_KILL_AFTER_MS},
};

struct run {
	const struct exec_request *request;
	struct attempt_result *result;
	struct child child;
	int in_fd;     /* we write; -1: closed */
	int out_fd;    /* we read; -1: closed */
	size_t n_sent; /* bytes of the input */
	int64_t deadline_ms;
	size_t step; /* the next one */
	enum ended_by ended_by;
	bool is_abandoned;
};

static void feed(struct run *run)
{
	struct slice input = run->request->input;
	ssize_t n = 0;

	if (run->n_sent < input.n)
		n = write(run->in_fd, input.p + run->n_sent, input.n - run->n_sent);
	if (n > 0)
		run->n_sent += (size_t)n;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* done; or EPIPE: a program that does not want the rest */
	if (n < 0 || run->n_sent == input.n)
		run->in_fd = fd_close(run->in_fd);
}

/* The input is in the pipe before the program begins, so that it does not take half of it for all
 * of it when we are killed meanwhile. What is larger than a pipe may be follows while it reads. */
static void fill_pipe(struct run *run)
{
	size_t n = run->request->input.n;

	if (n > PIPE_USUAL) /* refused to who has too many already */
		(void)fcntl(run->in_fd, F_SETPIPE_SZ, (int)MIN_OF(n, PIPE_MAX));
	feed(run);
}

static int start(struct run *run)
{
	_cleanup_(fd_closep)
	int child_in = -1;
	_cleanup_(fd_closep)
	int child_out = -1;
	int fds[2];
	int r;

	r = child_pipe(fds, 1);
	if (r < 0)
		return r;
	child_in = fds[0];
	run->in_fd = fds[1];
	fill_pipe(run);
	r = child_pipe(fds, 0);
	if (r < 0)
		return r;
	run->out_fd = fds[0];
	child_out = fds[1];
	return child_start(&(struct child_request){.argv = run->request->argv,
						   .envp = run->request->envp,
						   .in_fd = child_in,
						   .out_fd = child_out,
						   .err_fd = child_out,
						   .limits = run->request->limits},
			   &run->child);
}

static void on_deadline(struct run *run)
{
	if (run->ended_by == ENDED_BY_ITSELF)
		run->ended_by = ENDED_BY_TIMEOUT;
	if (run->step == ARRAY_SIZE(steps)) {
		run->is_abandoned = true;
		return;
	}
	child_kill(&run->child, steps[run->step].signal);
	run->deadline_ms = clock_monotonic_ms() + steps[run->step].wait_ms;
	run->step++;
}

static void on_abort(struct run *run)
{
	run->ended_by = ENDED_BY_ABORT;
	on_deadline(run);
	run->deadline_ms =
		MIN_OF(run->deadline_ms, clock_monotonic_ms() + EXEC_ABORT_KILL_AFTER_MS);
}

/* Return: bytes read; 0 when there is nothing (more) just now */
static size_t collect(struct run *run)
{
	char chunk[CHUNK];
	ssize_t n;

	if (run->out_fd < 0)
		return 0;
	n = read(run->out_fd, chunk, sizeof(chunk));
	if (n > 0) {
		attempt_result_add_output(run->result, chunk, (size_t)n);
		return (size_t)n;
	}
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		run->out_fd = fd_close(run->out_fd);
	return 0;
}

static int time_left(const struct run *run)
{
	int64_t left = run->deadline_ms - clock_monotonic_ms();

	return (int)MAX_OF(MIN_OF(left, INT_MAX), 0);
}

/* Return: true when the program has ended */
static bool step_once(struct run *run)
{
	struct pollfd fds[] = {
		{.fd = run->child.pidfd, .events = POLLIN},
		{.fd = run->in_fd, .events = POLLOUT},
		{.fd = run->out_fd, .events = POLLIN},
		{.fd = run->request->abort_fd, .events = POLLIN},
	};

	if (run->ended_by == ENDED_BY_ABORT)
		fds[3].fd = -1; /* stays readable; we know */
	if (poll(fds, ARRAY_SIZE(fds), time_left(run)) < 0)
		return false; /* EINTR, or short of memory: try again */
	if (fds[0].revents)
		return true;
	if (fds[1].revents)
		feed(run);
	if (fds[2].revents)
		(void)collect(run); /* one piece a turn, so that the rest gets its turn */
	if (fds[3].revents)
		on_abort(run);
	if (time_left(run) == 0)
		on_deadline(run);
	return false;
}

static void describe_exit(struct attempt_result *result, const struct child_end *end)
{
	const char *name = sigabbrev_np(end->signal); /* NULL: a real-time signal */

	result->code = end->code;
	result->signal = end->signal;
	if (end->signal)
		attempt_result_set(result, ATTEMPT_RETRY, "ended by signal %d (SIG%s)", end->signal,
				   name ? name : "RT");
	else
		attempt_result_set(result, retry_outcome_of_exit(end->code), "exit code %d",
				   end->code);
	if (end->code == 0)
		result->reason[0] = '\0'; /* nothing to explain */
}

static void reap(struct run *run)
{
	struct child_end end;
	int r;

	/* Before its end is collected, while nobody else can have its number: */
	if (run->ended_by != ENDED_BY_ITSELF)
		child_kill(&run->child, SIGKILL);
	r = child_collect(&run->child, &end);
	if (r < 0)
		attempt_result_set(run->result, ATTEMPT_FAILED, "cannot wait for '%s': %s",
				   run->request->argv[0], error_name(r));
	else
		describe_exit(run->result, &end);
}

static void finish(struct run *run)
{
	size_t n = 1;

	for (size_t drained = 0; n > 0 && drained < DRAIN_MAX; drained += n)
		n = collect(run);
	attempt_result_end_output(run->result);
	if (!run->is_abandoned)
		reap(run);
	if (run->ended_by == ENDED_BY_TIMEOUT)
		attempt_result_set_timeout(run->result, run->request->timeout_ms);
	if (run->ended_by == ENDED_BY_ABORT)
		attempt_result_set(run->result, ATTEMPT_INTERRUPTED, "riskhookd stopped");
}

void exec_run(const struct exec_request *request, struct attempt_result *result)
{
	struct run run = {
		.request = request,
		.result = result,
		.child = CHILD_NULL,
		.in_fd = -1,
		.out_fd = -1,
		.deadline_ms = clock_monotonic_ms() + request->timeout_ms,
	};
	int r;

	r = start(&run);
	if (r < 0) {
		attempt_result_set(result, ATTEMPT_FAILED, "cannot start '%s': %s",
				   request->argv[0], error_name(r));
	} else {
		while (!run.is_abandoned && !step_once(&run))
			;
		finish(&run);
	}
	run.in_fd = fd_close(run.in_fd);
	run.out_fd = fd_close(run.out_fd);
	child_abandon(&run.child); /* nothing is left of it, or nothing can be done */
}
