/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time
 *
 * Every time that the daemon reads comes from here. Pure modules take the time as an argument.
 *
 * Threads: any.
 */
#pragma once

#include <stdint.h>

/* wall clock, microseconds since the epoch (UTC): for what is stored and shown */
int64_t clock_now_us(void);

/* the wall clock, and one that nobody sets and that goes on while the machine is suspended */
struct clock_reading {
	int64_t wall_us;
	int64_t boot_us;
};

struct clock_reading clock_read(void);

/* monotonic clock, milliseconds: for time-outs */
int64_t clock_monotonic_ms(void);

/* monotonic clock, microseconds: for measured durations */
int64_t clock_monotonic_us(void);
