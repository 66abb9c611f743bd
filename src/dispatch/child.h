/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting a program
 *
 * It gets the three descriptors that the caller names and no other, an own process group, `/` as
 * directory, default signal handling, and the limits and the user of its handler.
 *
 * Two ways, because neither serves for all. Without limits: posix_spawn(), which shares memory with
 * the child until execve(), so that its cost does not grow with the daemon's. posix_spawn() knows
 * neither limits nor users, though, and prlimit() on a child that runs already is a race. With
 * them: fork(), where between fork and execve() only async-signal-safe functions and bare system
 * calls are used (the daemon has many threads, whose locks stay locked in the child for ever); all
 * that needs memory or a look-up is made before. vfork() would be cheaper but shares memory with a
 * process of another user.
 *
 * Threads: any.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "core/config.h"
#include "util/err.h"

/* what a handler's options say, looked up; all zero: nothing */
struct child_limits {
	int nice;          /* nice value, at least */
	int64_t cpu_s;     /* processor time of one process; 0: no limit */
	int64_t memory;    /* bytes of address space; 0: no limit */
	int64_t files;     /* open descriptors; 0: no limit */
	int64_t processes; /* of the user; 0: no limit */
	bool has_user;
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	int n_groups;
};

/**
 * child_limits_init() - look up what @config asks for
 *
 * Return: 0, or a negative errno: no such user (any more).
 */
int child_limits_init(const struct handler_config *config, struct child_limits *ret_limits,
		      struct error *e) MUST_USE;
void child_limits_deinit(struct child_limits *limits);

struct child_request {
	char *const *argv; /* argv[0]: absolute, or a name that is looked up in PATH of @envp */
	char *const *envp;
	int in_fd, out_fd, err_fd; /* borrowed; become 0, 1 and 2 */
	const struct child_limits *limits;
};

struct child {
	pid_t pid; /* also its process group; 0: none */
	int pidfd; /* readable when it has ended; -1: none */
};

#define CHILD_NULL ((struct child){.pidfd = -1})

/**
 * child_start() - start it
 *
 * The calling thread gets the nice value of the limits, too, for good: what it starts inherits it.
 *
 * Return: 0, or a negative errno of the start or of execve(); then nothing runs.
 */
int child_start(const struct child_request *request, struct child *ret_child) MUST_USE;

/* a signal for its whole group. EPERM (a process of another user) and ESRCH leave nothing to do. */
void child_kill(const struct child *child, int sig);

/* the end of one that has ended */
struct child_end {
	int code;   /* exit code; -1: none */
	int signal; /* 0: none */
};

/**
 * child_collect() - wait for its end, and close the pidfd
 *
 * Return: 0, or a negative errno: somebody else has collected it.
 */
int child_collect(struct child *child, struct child_end *ret_end) MUST_USE;

/* leave it to itself: close the pidfd. For one that survives even SIGKILL. */
void child_abandon(struct child *child);

/* a pipe, close-on-exec, whose end for us, @ours (0 reads, 1 writes), does not block */
int child_pipe(int fds[2], int ours) MUST_USE;
