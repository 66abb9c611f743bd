/* SPDX-License-Identifier: Apache-2.0 */
#include "dispatch/child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "dispatch/exec_env.h"
#include "util/cleanup.h"
#include "util/spawn.h"
#include "util/thread.h"

/* --- limits --- */

#define GROUPS_MAX   65536
#define PASSWD_BYTES (64 * 1024)

/* Return: 0, or a negative errno */
static int read_groups(const char *user, struct child_limits *limits)
{
	int n = 16;

	for (;;) {
		gid_t *groups = reallocarray(limits->groups, (size_t)n, sizeof(*groups));
		int room = n;

		if (!groups)
			return -ENOMEM;
		limits->groups = groups;
		if (getgrouplist(user, limits->gid, groups, &n) >= 0) {
			limits->n_groups = n;
			return 0;
		}
		if (n <= room || n > GROUPS_MAX)
			return -E2BIG;
	}
}

static int find_user(const char *name, struct child_limits *limits, struct error *e)
{
	_cleanup_(freep)
	char *room = malloc(PASSWD_BYTES);
	struct passwd entry, *found = NULL;
	int r;

	if (!room)
		return error_set(e, -ENOMEM, "out of memory");
	r = -getpwnam_r(name, &entry, room, PASSWD_BYTES, &found);
	if (r == 0 && !found)
		r = -ENOENT;
	if (r < 0)
		return error_set(e, r, "there is no user '%s'", name);
	limits->has_user = true;
	limits->uid = entry.pw_uid;
	limits->gid = entry.pw_gid;
	r = read_groups(name, limits);
	if (r < 0)
		return error_set(e, r, "cannot read the groups of '%s': %s", name, error_name(r));
	return 0;
}

int child_limits_init(const struct handler_config *config, struct child_limits *ret_limits,
		      struct error *e)
{
	struct child_limits limits = {
		.nice = (int)config->nice,
		.cpu_s = (config->limit_cpu_ms + 999) / 1000,
		.memory = config->limit_memory,
		.files = config->limit_files,
		.processes = config->limit_processes,
	};
	int r = 0;

	if (config->user)
		r = find_user(config->user, &limits, e);
	if (r < 0)
		child_limits_deinit(&limits);
	else
		*ret_limits = limits;
	return r;
}

void child_limits_deinit(struct child_limits *limits)
{
	free(limits->groups);
	*limits = (struct child_limits){0};
}

static bool has_limits(const struct child_limits *limits)
{
	return limits && (limits->cpu_s || limits->memory || limits->files || limits->processes ||
			  limits->has_user);
}

/* --- without limits --- */

static int start_plain(const struct child_request *request, const char *path, pid_t *ret_pid)
{
	const struct spawn_request plain = {.path = path,
					    .argv = request->argv,
					    .envp = request->envp,
					    .in_fd = request->in_fd,
					    .out_fd = request->out_fd,
					    .err_fd = request->err_fd,
					    .folder = "/"};

	return spawn(&plain, ret_pid);
}

/* --- with limits: these functions run between fork() and execve() --- */

static bool set_default_signals(void)
{
	struct sigaction action = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &action, NULL); /* KILL, STOP and libc's own cannot be set */
	(void)sigemptyset(&none);                    /* cannot fail */
	return sigprocmask(SIG_SETMASK, &none, NULL) == 0;
}

/* the descriptors are above 2: the daemon keeps its own three open */
static bool set_descriptors(const struct child_request *request, int status_fd)
{
	if (dup2(request->in_fd, STDIN_FILENO) < 0 || dup2(request->out_fd, STDOUT_FILENO) < 0 ||
	    dup2(request->err_fd, STDERR_FILENO) < 0)
		return false;
	if (status_fd > STDERR_FILENO + 1 &&
	    syscall(SYS_close_range, STDERR_FILENO + 1, status_fd - 1, 0) < 0)
		return false;
	return syscall(SYS_close_range, status_fd + 1, ~0U, 0) == 0;
}

static bool set_limit(int resource, int64_t value, int64_t more)
{
	struct rlimit limit = {(rlim_t)value, (rlim_t)(value + more)};

	return value == 0 || setrlimit((__rlimit_resource_t)resource, &limit) == 0;
}

/* Bare system calls: glibc's functions would change the user of all threads, as POSIX wants it, and
 * take a lock for that. The child has one thread. */
static bool set_user(const struct child_limits *limits)
{
	if (!limits->has_user)
		return true;
	return syscall(SYS_setgroups, limits->n_groups, limits->groups) == 0 &&
	       syscall(SYS_setresgid, limits->gid, limits->gid, limits->gid) == 0 &&
	       syscall(SYS_setresuid, limits->uid, limits->uid, limits->uid) == 0;
}

static bool set_limits(const struct child_limits *limits)
{
	/* a second between SIGXCPU, which a program may catch, and SIGKILL */
	return set_limit(RLIMIT_CPU, limits->cpu_s, 1) && set_limit(RLIMIT_AS, limits->memory, 0) &&
	       set_limit(RLIMIT_NOFILE, limits->files, 0) &&
	       set_limit(RLIMIT_NPROC, limits->processes, 0);
}

_Noreturn static void become(const struct child_request *request, const char *path, int status_fd)
{
	int error;

	if (set_default_signals() && setpgid(0, 0) == 0 && set_descriptors(request, status_fd) &&
	    chdir("/") == 0 && set_limits(request->limits) && set_user(request->limits))
		(void)execve(path, request->argv, request->envp); /* returns only on failure */
	error = errno;
	/* if even this fails, the parent sees the end of a program with this code */
	(void)!write(status_fd, &error, sizeof(error));
	_exit(127);
}

/* Return: 0, or a negative errno of the fork or of anything before execve() has succeeded */
static int fork_limited(const struct child_request *request, const char *path, pid_t *ret_pid)
{
	int fds[2], error = 0, status;
	ssize_t n;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		become(request, path, fds[1]);
	error = pid < 0 ? errno : 0;
	(void)fd_close(fds[1]);
	do
		n = pid < 0 ? 0 : read(fds[0], &error, sizeof(error));
	while (n < 0 && errno == EINTR);
	(void)fd_close(fds[0]);
	if (error == 0) {
		*ret_pid = pid;
		return 0;
	}
	if (pid > 0)
		(void)waitpid(pid, &status, 0); /* only to leave no zombie */
	return -error;
}

/* --- both --- */

int child_start(const struct child_request *request, struct child *ret_child)
{
	struct child child = CHILD_NULL;
	const char *folders = exec_env_value(request->envp, "PATH");
	char path[PATH_MAX];
	int r;

	r = spawn_find(request->argv[0], folders ? folders : EXEC_ENV_PATH, path);
	if (r < 0)
		return r;
	if (request->limits && request->limits->nice)
		thread_yield_to_others(request->limits->nice);
	if (has_limits(request->limits))
		r = fork_limited(request, path, &child.pid);
	else
		r = start_plain(request, path, &child.pid);
	if (r < 0)
		return r;
	/* it cannot be gone before we wait for it, so the number is still its own */
	child.pidfd = pidfd_open(child.pid, 0);
	if (child.pidfd < 0) { /* it runs, but it cannot be watched */
		r = -errno;
		child_kill(&child, SIGKILL);
		(void)waitpid(child.pid, NULL, 0); /* only to leave no zombie */
		return r;
	}
	*ret_child = child;
	return 0;
}

void child_kill(const struct child *child, int sig)
{
	(void)kill(-child->pid, sig); /* see the header */
}

int child_collect(struct child *child, struct child_end *ret_end)
{
	siginfo_t info = {.si_code = 0};
	int r;

	do
		r = waitid(P_PIDFD, (id_t)child->pidfd, &info, WEXITED);
	while (r < 0 && errno == EINTR);
	r = r < 0 ? -errno : 0;
	if (r == 0 && info.si_code == CLD_EXITED)
		*ret_end = (struct child_end){.code = info.si_status};
	else if (r == 0)
		*ret_end = (struct child_end){.code = -1, .signal = info.si_status};
	child_abandon(child);
	return r;
}

void child_abandon(struct child *child)
{
	child->pidfd = fd_close(child->pidfd);
	child->pid = 0;
}

int child_pipe(int fds[2], int ours)
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
