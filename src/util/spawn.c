/* SPDX-License-Identifier: Apache-2.0 */
#include "util/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/slice.h"

int spawn_find(const char *name, const char *path, char out[PATH_MAX])
{
	struct slice rest = slice_of(path), folder;
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

static int set_actions(posix_spawn_file_actions_t *actions, const struct spawn_request *request)
{
	int r;

	r = posix_spawn_file_actions_adddup2(actions, request->in_fd, STDIN_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(actions, request->out_fd, STDOUT_FILENO);
	if (r == 0 && request->err_fd >= 0)
		r = posix_spawn_file_actions_adddup2(actions, request->err_fd, STDERR_FILENO);
	else if (r == 0)
		r = posix_spawn_file_actions_addopen(actions, STDERR_FILENO, "/dev/null", O_WRONLY,
						     0);
	if (r == 0)
		r = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
	if (r == 0 && request->folder)
		r = posix_spawn_file_actions_addchdir_np(actions, request->folder);
	return r;
}

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

int spawn(const struct spawn_request *request, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int r;

	r = posix_spawn_file_actions_init(&actions);
	if (r != 0)
		return -r;
	r = posix_spawnattr_init(&attr);
	if (r == 0) {
		r = set_actions(&actions, request);
		if (r == 0)
			r = set_attributes(&attr);
		if (r == 0)
			r = posix_spawn(ret_pid, request->path, &actions, &attr, request->argv,
					request->envp);
		(void)posix_spawnattr_destroy(&attr); /* always 0 */
	}
	(void)posix_spawn_file_actions_destroy(&actions); /* always 0 */
	return -r;
}
