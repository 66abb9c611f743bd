/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A wall clock that does not jump ahead: for what is lost for good once its time is over
 *
 * Who sets the clock a year ahead by mistake sets it back soon; what was erased or given up in
 * between does not come back. So a step forwards counts only when the clock has stayed so for a
 * day; a step backwards counts at once, since to be late loses nothing. The start believes the
 * clock. CLOCK_BOOTTIME tells a step from time that has passed, be it while the machine slept.
 *
 * Threads: pure; whoever owns it.
 */
#pragma once

#include <stdint.h>

#include "core/clock.h"

#define STEADY_STEP_US  1000000LL               /* less is followed at once */
#define STEADY_DOUBT_US (24 * 3600 * 1000000LL) /* from the last step on */

struct steady_clock {
	int64_t seen_us;     /* so far is the wall clock ahead of CLOCK_BOOTTIME */
	int64_t believed_us; /* the same, but for steps forwards that are not believed yet */
	int64_t set_at_us;   /* CLOCK_BOOTTIME; when the wall clock was last seen to be set */
};

/* believes the wall clock */
void steady_init(struct steady_clock *c, struct clock_reading now);

/**
 * steady_look() - has the clock been set? Now and then, so that a step is noticed while it lasts
 *
 * Return: by how much since the last look, negative for backwards; 0: not by STEADY_STEP_US.
 */
int64_t steady_look(struct steady_clock *c, struct clock_reading now);

/* the wall clock as it is believed, us since the epoch */
int64_t steady_now(const struct steady_clock *c, struct clock_reading now);

/* What has passed since @then, at least 0; @then was read off the wall clock, perhaps while that
 * was already ahead. */
int64_t steady_passed(const struct steady_clock *c, int64_t then_us, struct clock_reading now);
