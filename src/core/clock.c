/* SPDX-License-Identifier: Apache-2.0 */
#include "core/clock.h"

#include <time.h>

#include "util/units.h"

/* clock_gettime() cannot fail for these clocks on Linux */
static int64_t read_us(clockid_t clock)
{
	struct timespec ts = {0};

	(void)clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * US_PER_S + ts.tv_nsec / 1000;
}

int64_t clock_now_us(void)
{
	return read_us(CLOCK_REALTIME);
}

struct clock_reading clock_read(void)
{
	return (struct clock_reading){read_us(CLOCK_REALTIME), read_us(CLOCK_BOOTTIME)};
}

int64_t clock_monotonic_ms(void)
{
	return read_us(CLOCK_MONOTONIC) / US_PER_MS;
}

int64_t clock_monotonic_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}
