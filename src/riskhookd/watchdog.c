/* SPDX-License-Identifier: Apache-2.0 */
#include "riskhookd/watchdog.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <systemd/sd-daemon.h>

#include "core/clock.h"
#include "core/log.h"
#include "util/thread.h"

#define LOOKS_PER_INTERVAL 4 /* a thread may be busy for most of the interval */

struct watched_thread {
	struct pulse pulse;
	uint64_t rounds; /* at the last look */
	bool is_stuck;
};

struct watchdog {
	/* constant after new */
	int64_t look_every_ms;
	pthread_t thread;
	bool started;

	/* owned by the watchdog thread */
	struct watched_thread threads[WATCHDOG_PULSES_MAX];
	size_t n;

	/* shared, under mx */
	pthread_mutex_t mx;
	pthread_cond_t changed;
	bool stopping;
};

static bool is_alive(struct watched_thread *thread)
{
	uint64_t rounds = thread->pulse.nudge(thread->pulse.subject);
	bool is_stuck = rounds == thread->rounds;

	if (is_stuck && !thread->is_stuck)
		log_error("the %s thread is stuck; if it stays so, the service manager restarts "
			  "riskhookd",
			  thread->pulse.name);
	else if (!is_stuck && thread->is_stuck)
		log_notice("the %s thread goes on", thread->pulse.name);
	thread->rounds = rounds;
	thread->is_stuck = is_stuck;
	return !is_stuck;
}

static void look(struct watchdog *w)
{
	bool all_alive = true;

	for (size_t i = 0; i < w->n; i++)
		all_alive &= is_alive(&w->threads[i]);
	if (all_alive)
		(void)sd_notify(0, "WATCHDOG=1"); /* when it gets lost, the next may not */
}

static void *watchdog_run(void *arg)
{
	struct watchdog *w = arg;

	mutex_lock(&w->mx);
	while (!w->stopping) {
		int64_t until_ms = clock_monotonic_ms() + w->look_every_ms;

		while (!w->stopping && cond_wait_until(&w->changed, &w->mx, until_ms))
			;
		if (w->stopping)
			break;
		mutex_unlock(&w->mx);
		look(w);
		mutex_lock(&w->mx);
	}
	mutex_unlock(&w->mx);
	return NULL;
}

int watchdog_new(const struct pulse *pulses, size_t n, struct watchdog **ret)
{
	_cleanup_(watchdog_freep)
	struct watchdog *w = NULL;
	uint64_t interval_us;
	int r = sd_watchdog_enabled(1, &interval_us);

	*ret = NULL;
	if (r <= 0)
		return r;
	if (n > WATCHDOG_PULSES_MAX)
		return -EINVAL;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->look_every_ms = MAX_OF((int64_t)(interval_us / 1000 / LOOKS_PER_INTERVAL), 1);
	for (w->n = 0; w->n < n; w->n++)
		w->threads[w->n] = (struct watched_thread){
			.pulse = pulses[w->n],
			.rounds = pulses[w->n].nudge(pulses[w->n].subject),
		};
	(void)pthread_mutex_init(&w->mx, NULL); /* cannot fail with default attributes on Linux */
	cond_init(&w->changed);
	r = thread_start(&w->thread, "watchdog", watchdog_run, w);
	if (r < 0)
		return r;
	w->started = true;
	*ret = steal_ptr(&w);
	return 0;
}

void watchdog_free(struct watchdog *w)
{
	if (!w)
		return;
	if (w->started) {
		mutex_lock(&w->mx);
		w->stopping = true;
		pthread_cond_signal(&w->changed);
		mutex_unlock(&w->mx);
		thread_join(w->thread);
	}
	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->mx);
	free(w);
}
