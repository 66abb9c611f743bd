/* SPDX-License-Identifier: Apache-2.0 */
#include "riskhookctl/follow.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/slice.h"

#define WAIT_MIN_MS 5
#define WAIT_MAX_MS 1000

/* watch the folder: the WAL file comes and goes with the daemon */
static int open_inotify(const char *store_path)
{
	const char *slash = strrchr(store_path, '/');
	_cleanup_(freep)
	char *folder = NULL;
	int fd;

	folder = slash ? slice_dup(slice_make(store_path, (size_t)(slash - store_path) + 1))
		       : slice_dup(SLICE("."));
	fd = folder ? inotify_init1(IN_CLOEXEC | IN_NONBLOCK) : -1;
	if (fd < 0)
		return -1;
	if (inotify_add_watch(fd, folder, IN_MODIFY | IN_ONLYDIR) < 0)
		return fd_close(fd);
	return fd;
}

int follow_open(struct follow *follow, const char *store_path)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &mask, &follow->old_mask) < 0)
		return -errno;
	follow->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (follow->signals < 0)
		return -errno;
	follow->inotify = open_inotify(store_path);
	follow->wait_ms = WAIT_MIN_MS;
	return 0;
}

void follow_close(struct follow *follow)
{
	follow->inotify = fd_close(follow->inotify);
	follow->signals = fd_close(follow->signals);
	(void)sigprocmask(SIG_SETMASK, &follow->old_mask, NULL); /* a valid mask cannot fail */
}

static void drain(int fd)
{
	char events[4096];

	while (read(fd, events, sizeof(events)) > 0)
		; /* which file or signal it was does not matter */
}

int follow_wait(struct follow *follow)
{
	struct pollfd fds[] = {
		{.fd = follow->signals, .events = POLLIN},
		{.fd = STDOUT_FILENO}, /* POLLERR alone: the reader of a pipe has gone */
		{.fd = follow->inotify, .events = POLLIN},
	};
	int n = poll(fds, ARRAY_SIZE(fds), follow->wait_ms);

	if (n < 0)
		return errno == EINTR ? 1 : -errno;
	if (fds[0].revents)
		drain(follow->signals); /* or the signal would strike when it is unblocked */
	if (fds[0].revents || fds[1].revents)
		return 0;
	follow->wait_ms = MIN_OF(2 * follow->wait_ms, WAIT_MAX_MS);
	if (fds[2].revents) {
		drain(follow->inotify);
		follow->wait_ms = WAIT_MIN_MS;
	}
	return 1;
}
