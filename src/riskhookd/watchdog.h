/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The watchdog: tells the service manager that the daemon is alive (sd_watchdog_enabled(3))
 *
 * A thread of its own nudges the threads that everything depends on, a few times in each interval,
 * and sends WATCHDOG=1 only when all of them have gone round since the last time. A thread that
 * hangs therefore gets the daemon restarted; a disk that is full, which a restart would not mend,
 * does not: its transactions end, if badly.
 *
 * Threads: made and freed by one.   Ownership: borrows what it watches.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "util/cleanup.h"
#include "util/err.h"

struct watchdog;

/* a thread that must go round */
struct pulse {
	const char *name;
	uint64_t (*nudge)(void *subject); /* Return: rounds until now; never blocks */
	void *subject;
};

#define WATCHDOG_PULSES_MAX 4

/**
 * watchdog_new() - start to watch, if the service manager wants to know
 * @pulses: copied; at most WATCHDOG_PULSES_MAX
 *
 * @ret is NULL when no watchdog was asked for; the other functions accept that.
 *
 * Return: 0, or a negative errno.
 */
int watchdog_new(const struct pulse *pulses, size_t n, struct watchdog **ret) MUST_USE;
void watchdog_free(struct watchdog *w);
DEFINE_CLEANUP(struct watchdog *, watchdog_free)
