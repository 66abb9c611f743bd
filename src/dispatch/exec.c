/* SPDX-License-Identifier: Apache-2.0 */
#include "dispatch/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "core/clock.h"
#include "dispatch/exec_env.h"
#include "dispatch/retry.h"
#include "util/cleanup.h"
#include "util/err.h"

#define CHUNK (16 * 1024)

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
#define STEP_KILL 1

struct run {
	const struct exec_request *request;
	struct attempt_result *result;
	pid_t pid; /* also its process group */
	int pidfd;
	int in_fd;     /* we write; -1: closed */
	int out_fd;    /* we read; -1: closed */
	size_t n_sent; /* bytes of the input */
	int64_t deadline_ms;
	size_t step; /* the next one */
	enum ended_by ended_by;
	bool is_abandoned;
};

/* write to @out the path of @name; Return: 0, -ENOENT or -ENAMETOOLONG */
static int find_program(const char *name, const char *path, char out[PATH_MAX])
{
	struct slice rest = slice_of(path ? path : EXEC_ENV_PATH);
	struct slice folder;
	int n;

	if (strchr(name, '/')) {
		n = snprintf(out, PATH_MAX, "%s", name);
		return n < PATH_MAX ? 0 : -ENAMETOOLONG;
	}
	while (slice_split(&rest, ':', &folder)) {
		n = snprintf(out, PATH_MAX, "%.*s/%s", SLICE_ARG(folder), name);
		if (n < PATH_MAX && access(out, X_OK) == 0)
			return 0;
	}
	return -ENOENT;
}

static int set_actions(posix_spawn_file_actions_t *actions, int in_fd, int out_fd)
{
	int r;

	r = posix_spawn_file_actions_adddup2(actions, in_fd, STDIN_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(actions, out_fd, STDOUT_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(actions, out_fd, STDERR_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
	if (r == 0)
		r = posix_spawn_file_actions_addchdir_np(actions, "/");
	return r;
}

/* own process group; nothing blocked and nothing ignored, whatever the daemon does */
static int set_attributes(posix_spawnattr_t *attr)
{
	sigset_t none, all;
	int r;

	(void)sigemptyset(&none); /* these two cannot fail */
	(void)sigfillset(&all);
	r = posix_spawnattr_setpgroup(attr, 0);
	if (r == 0)
		r = posix_spawnattr_setsigmask(attr, &none);
	if (r == 0)
		r = posix_spawnattr_setsigdefault(attr, &all);
	if (r == 0)
		r = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
							   POSIX_SPAWN_SETSIGDEF);
	return r;
}

/* Return: 0, or a negative errno of the spawn or of execve() in the child */
static int spawn(const struct exec_request *request, int in_fd, int out_fd, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	char path[PATH_MAX];
	int r;

	r = find_program(request->argv[0], exec_env_value(request->envp, "PATH"), path);
	if (r < 0)
		return r;
	r = posix_spawn_file_actions_init(&actions);
	if (r != 0)
		return -r;
	r = posix_spawnattr_init(&attr);
	if (r == 0) {
		r = set_actions(&actions, in_fd, out_fd);
		if (r == 0)
			r = set_attributes(&attr);
		if (r == 0)
			r = posix_spawn(ret_pid, path, &actions, &attr, request->argv,
					request->envp);
		(void)posix_spawnattr_destroy(&attr); /* always 0 */
	}
	(void)posix_spawn_file_actions_destroy(&actions); /* always 0 */
	return -r;
}

/* a pipe whose end for us, @ours (0 reads, 1 writes), does not block */
static int open_pipe(int fds[2], int ours)
{
	int r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	r = fd_set_nonblock(fds[ours]);
	if (r < 0) {
		fds[0] = fd_close(fds[0]);
		fds[1] = fd_close(fds[1]);
	}
	return r;
}

static int start(struct run *run)
{
	_cleanup_(fd_closep)
	int child_in = -1;
	_cleanup_(fd_closep)
	int child_out = -1;
	int fds[2];
	int r;

	r = open_pipe(fds, 1);
	if (r < 0)
		return r;
	child_in = fds[0];
	run->in_fd = fds[1];
	r = open_pipe(fds, 0);
	if (r < 0)
		return r;
	run->out_fd = fds[0];
	child_out = fds[1];
	r = spawn(run->request, child_in, child_out, &run->pid);
	if (r < 0)
		return r;
	/* the child cannot be gone before we wait for it, so the number is still its own */
	run->pidfd = pidfd_open(run->pid, 0);
	return run->pidfd < 0 ? -errno : 0;
}

/* EPERM (a process of another user) and ESRCH leave nothing to do but to wait and give up */
static void kill_group(const struct run *run, int sig)
{
	(void)kill(-run->pid, sig);
}

static void on_deadline(struct run *run)
{
	if (run->ended_by == ENDED_BY_ITSELF)
		run->ended_by = ENDED_BY_TIMEOUT;
	if (run->step == ARRAY_SIZE(steps)) {
		run->is_abandoned = true;
		return;
	}
	kill_group(run, steps[run->step].signal);
	run->deadline_ms = clock_monotonic_ms() + steps[run->step].wait_ms;
	run->step++;
}

static void on_abort(struct run *run)
{
	run->ended_by = ENDED_BY_ABORT;
	run->step = MAX_OF(run->step, STEP_KILL);
	on_deadline(run);
}

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
		{.fd = run->pidfd, .events = POLLIN},
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

static void describe_exit(struct run *run, const siginfo_t *info)
{
	struct attempt_result *result = run->result;

	if (info->si_code == CLD_EXITED) {
		result->code = info->si_status;
		attempt_result_set(result, retry_outcome_of_exit(info->si_status), "exit code %d",
				   info->si_status);
		if (info->si_status == 0)
			result->reason[0] = '\0'; /* nothing to explain */
	} else {
		const char *name = sigabbrev_np(info->si_status); /* NULL: a real-time signal */

		result->signal = info->si_status;
		attempt_result_set(result, ATTEMPT_RETRY, "ended by signal %d (SIG%s)",
				   info->si_status, name ? name : "RT");
	}
}

static void reap(struct run *run)
{
	siginfo_t info = {.si_code = 0};
	int r;

	/* Before its end is collected, while nobody else can have its number: */
	if (run->ended_by != ENDED_BY_ITSELF)
		kill_group(run, SIGKILL);
	do
		r = waitid(P_PIDFD, (id_t)run->pidfd, &info, WEXITED);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		attempt_result_set(run->result, ATTEMPT_FAILED, "cannot wait for '%s': %s",
				   run->request->argv[0], error_name(-errno));
	else
		describe_exit(run, &info);
}

static void finish(struct run *run)
{
	size_t n = 1;

	for (size_t drained = 0; n > 0 && drained < DRAIN_MAX; drained += n)
		n = collect(run);
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
		.pidfd = -1,
		.in_fd = -1,
		.out_fd = -1,
		.deadline_ms = clock_monotonic_ms() + request->timeout_ms,
	};
	int r;

	r = start(&run);
	if (r < 0) {
		attempt_result_set(result, ATTEMPT_FAILED, "cannot start '%s': %s",
				   request->argv[0], error_name(r));
		if (run.pid > 0) { /* it runs, but it cannot be watched */
			kill_group(&run, SIGKILL);
			(void)waitpid(run.pid, NULL, 0); /* only to leave no zombie */
		}
	} else {
		while (!run.is_abandoned && !step_once(&run))
			;
		finish(&run);
	}
	run.in_fd = fd_close(run.in_fd);
	run.out_fd = fd_close(run.out_fd);
	run.pidfd = fd_close(run.pidfd);
}
