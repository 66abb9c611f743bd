/* SPDX-License-Identifier: Apache-2.0 */
#include "core/steady_clock.h"

#include "util/macros.h"

void steady_init(struct steady_clock *c, struct clock_reading now)
{
	c->seen_us = c->believed_us = now.wall_us - now.boot_us;
	c->set_at_us = now.boot_us;
}

int64_t steady_look(struct steady_clock *c, struct clock_reading now)
{
	int64_t ahead_us = now.wall_us - now.boot_us, step_us = ahead_us - c->seen_us;

	c->seen_us = ahead_us;
	if (step_us > -STEADY_STEP_US && step_us < STEADY_STEP_US)
		step_us = 0;
	else
		c->set_at_us = now.boot_us;
	if (ahead_us < c->believed_us + STEADY_STEP_US ||
	    now.boot_us - c->set_at_us >= STEADY_DOUBT_US)
		c->believed_us = ahead_us;
	return step_us;
}

int64_t steady_now(const struct steady_clock *c, struct clock_reading now)
{
	return now.boot_us + c->believed_us;
}

int64_t steady_passed(const struct steady_clock *c, int64_t then_us, struct clock_reading now)
{
	int64_t passed_us = steady_now(c, now) - then_us;

	return passed_us >= 0 ? passed_us : MAX_OF(now.wall_us - then_us, 0);
}
