/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting a program: posix_spawn() with what each child of a daemon needs.
 *
 * Threads: any.   Ownership: nothing is kept; the descriptors stay the caller's.
 */
#pragma once

#include <limits.h>
#include <sys/types.h>

#include "util/macros.h"

/* where programs are looked up that have no other PATH */
#define SPAWN_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/**
 * spawn_find() - the path of a program
 * @name: one with a slash is its own path, whether it is there or not
 * @path: folders with colons between them
 *
 * Return: 0, -ENOENT or -ENAMETOOLONG.
 */
int spawn_find(const char *name, const char *path, char out[PATH_MAX]) MUST_USE;

struct spawn_request {
	const char *path;
	char *const *argv, *const *envp; /* NULL-terminated */
	int in_fd, out_fd;               /* its standard input and output */
	int err_fd;                      /* its standard error, or -1: /dev/null */
	const char *folder;              /* it starts there, or NULL: where we are */
};

/**
 * spawn() - start a program in a process group of its own
 * @request: what, and with which three descriptors; all others are closed in the child
 * @ret_pid: the child, for the caller to wait for
 *
 * No signal is blocked or ignored in the child, whatever the caller does.
 *
 * Return: 0, or a negative errno of the spawn or of execve() in the child.
 */
int spawn(const struct spawn_request *request, pid_t *ret_pid) MUST_USE;
