/* SPDX-License-Identifier: Apache-2.0 */
#include "wrap.h"

#include <errno.h>
#include <pthread.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

static struct {
	pthread_mutex_t mx;
	enum wrapped call;
	long countdown, left, failed;
} plan = {.mx = PTHREAD_MUTEX_INITIALIZER};

void wrap_fail(enum wrapped call, long nth, long times)
{
	(void)pthread_mutex_lock(&plan.mx);
	plan.call = call;
	plan.countdown = nth;
	plan.left = times;
	plan.failed = 0;
	(void)pthread_mutex_unlock(&plan.mx);
}

long wrap_failed(void)
{
	long n;

	(void)pthread_mutex_lock(&plan.mx);
	n = plan.failed;
	(void)pthread_mutex_unlock(&plan.mx);
	return n;
}

static bool fails(enum wrapped call)
{
	bool now = false;

	(void)pthread_mutex_lock(&plan.mx);
	if (plan.call == call && plan.countdown > 0) {
		if (plan.countdown > 1) {
			plan.countdown--;
		} else if (plan.left > 0) {
			plan.left--;
			plan.failed++;
			now = true;
		}
	}
	(void)pthread_mutex_unlock(&plan.mx);
	return now;
}

static int fail_with(int error)
{
	errno = error;
	return -1;
}

/* The names are the linker's: with --wrap=NAME, NAME() calls __wrap_NAME(). */

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_malloc(size_t n)
{
	return fails(WRAP_MEMORY) ? NULL : __real_malloc(n);
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
	return fails(WRAP_MEMORY) ? NULL : __real_calloc(n, size);
}

void *__real_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n)
{
	return fails(WRAP_MEMORY) ? NULL : __real_realloc(p, n);
}

void *__real_reallocarray(void *p, size_t n, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return fails(WRAP_MEMORY) ? NULL : __real_reallocarray(p, n, size);
}

char *__real_strdup(const char *s);
char *__wrap_strdup(const char *s);
char *__wrap_strdup(const char *s)
{
	return fails(WRAP_MEMORY) ? NULL : __real_strdup(s);
}

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*f)(void *),
			  void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*f)(void *),
			  void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*f)(void *),
			  void *arg)
{
	return fails(WRAP_THREAD) ? EAGAIN : __real_pthread_create(thread, attr, f, arg);
}

int __real_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
		       const posix_spawnattr_t *attr, char *const argv[], char *const envp[]);
int __wrap_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
		       const posix_spawnattr_t *attr, char *const argv[], char *const envp[]);
int __wrap_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
		       const posix_spawnattr_t *attr, char *const argv[], char *const envp[])
{
	if (fails(WRAP_SPAWN))
		return EAGAIN;
	return __real_posix_spawn(pid, path, actions, attr, argv, envp);
}

int __real_pipe2(int fds[2], int flags);
int __wrap_pipe2(int fds[2], int flags);
int __wrap_pipe2(int fds[2], int flags)
{
	return fails(WRAP_PIPE) ? fail_with(EMFILE) : __real_pipe2(fds, flags);
}

int __real_eventfd(unsigned int value, int flags);
int __wrap_eventfd(unsigned int value, int flags);
int __wrap_eventfd(unsigned int value, int flags)
{
	return fails(WRAP_EVENTFD) ? fail_with(EMFILE) : __real_eventfd(value, flags);
}

int __real_pidfd_open(pid_t pid, unsigned int flags);
int __wrap_pidfd_open(pid_t pid, unsigned int flags);
int __wrap_pidfd_open(pid_t pid, unsigned int flags)
{
	return fails(WRAP_PIDFD) ? fail_with(EMFILE) : __real_pidfd_open(pid, flags);
}

int __real_socket(int domain, int type, int protocol);
int __wrap_socket(int domain, int type, int protocol);
int __wrap_socket(int domain, int type, int protocol)
{
	return fails(WRAP_SOCKET) ? fail_with(EMFILE) : __real_socket(domain, type, protocol);
}
