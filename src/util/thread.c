/* SPDX-License-Identifier: Apache-2.0 */
#include "util/thread.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static void must(int r)
{
	if (r != 0)
		abort();
}

/* A new thread does not inherit SCHED_BATCH. Nothing is said where its maker has another policy: a
 * sandbox may forbid to say it, and then there would be no thread. */
static void set_policy(pthread_attr_t *attr)
{
	if (sched_getscheduler(0) != SCHED_BATCH)
		return;
	must(pthread_attr_setinheritsched(attr, PTHREAD_EXPLICIT_SCHED));
	must(pthread_attr_setschedpolicy(attr, SCHED_OTHER));
}

int thread_start(pthread_t *ret_thread, const char *name, void *(*func)(void *), void *arg)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int r;

	must(pthread_attr_init(&attr));
	set_policy(&attr);
	(void)sigfillset(&all);
	must(pthread_sigmask(SIG_SETMASK, &all, &old));
	r = pthread_create(ret_thread, &attr, func, arg);
	must(pthread_sigmask(SIG_SETMASK, &old, NULL));
	must(pthread_attr_destroy(&attr));
	if (r != 0)
		return -r;
	(void)pthread_setname_np(*ret_thread, name); /* the name is for people only */
	return 0;
}

void thread_join(pthread_t thread)
{
	must(pthread_join(thread, NULL));
}

static void become(int policy)
{
	const struct sched_param no_priority = {0};

	(void)sched_setscheduler(0, policy, &no_priority); /* a hint */
}

void thread_does_not_preempt(void)
{
	become(SCHED_BATCH);
}

void thread_preempts(void)
{
	become(SCHED_OTHER);
}

void thread_yield_to_others(int nice_value)
{
	id_t self = (id_t)gettid();

	if (getpriority(PRIO_PROCESS, self) < nice_value)
		(void)setpriority(PRIO_PROCESS, self, nice_value); /* cannot fail upwards */
}

void mutex_lock(pthread_mutex_t *mx)
{
	must(pthread_mutex_lock(mx));
}

void mutex_unlock(pthread_mutex_t *mx)
{
	must(pthread_mutex_unlock(mx));
}

void cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	must(pthread_condattr_init(&attr));
	must(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC));
	must(pthread_cond_init(cond, &attr));
	must(pthread_condattr_destroy(&attr));
}

void cond_wait(pthread_cond_t *cond, pthread_mutex_t *mx)
{
	must(pthread_cond_wait(cond, mx));
}

bool cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *mx, int64_t until_ms)
{
	struct timespec ts = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
	int r;

	if (until_ms == INT64_MAX) {
		cond_wait(cond, mx);
		return true;
	}
	r = pthread_cond_timedwait(cond, mx, &ts);
	if (r == ETIMEDOUT)
		return false;
	must(r);
	return true;
}

int wakeup_open(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

void wakeup_signal(int fd)
{
	(void)eventfd_write(fd, 1); /* fails only when 2^64-2 wake-ups are already pending */
}

void wakeup_drain(int fd)
{
	eventfd_t value;

	(void)eventfd_read(fd, &value); /* EAGAIN: nothing was pending */
}
