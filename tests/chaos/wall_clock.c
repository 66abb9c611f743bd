/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For LD_PRELOAD: the wall clock is wrong by as many seconds as the file that RISKHOOK_CLOCK names
 * says, an int64_t that the test changes while the program runs. The monotonic clock is left alone.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *offset_s; /* shared with the test */
static int (*real_clock_gettime)(clockid_t, struct timespec *);

static __attribute__((constructor)) void open_offset(void)
{
	const char *path = getenv("RISKHOOK_CLOCK");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *p;

	if (fd < 0)
		return;
	p = mmap(NULL, sizeof(*offset_s), PROT_READ, MAP_SHARED, fd, 0);
	(void)close(fd);
	if (p != MAP_FAILED)
		offset_s = p;
}

int clock_gettime(clockid_t clock_id, struct timespec *tp)
{
	int r;

	if (!real_clock_gettime)
		*(void **)&real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
	if (!real_clock_gettime)
		abort();
	r = real_clock_gettime(clock_id, tp);
	if (r == 0 && offset_s && (clock_id == CLOCK_REALTIME || clock_id == CLOCK_REALTIME_COARSE))
		tp->tv_sec += *offset_s;
	return r;
}

time_t time(time_t *timer)
{
	struct timespec ts = {0};

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	if (timer)
		*timer = ts.tv_sec;
	return ts.tv_sec;
}

int gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
	struct timespec ts = {0};

	(void)tz; /* obsolete; nobody gives one */
	(void)clock_gettime(CLOCK_REALTIME, &ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}
