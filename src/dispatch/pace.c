/* SPDX-License-Identifier: Apache-2.0 */
#include "dispatch/pace.h"

#include "core/clock.h"
#include "core/log.h"
#include "util/err.h"
#include "util/units.h"

#define TIMER_MAX_MS 60000 /* due times follow the wall clock, which may be set meanwhile */

void pace_wake_at(struct pace *pace, int64_t at_ms)
{
	pace->next_ms = MIN_OF(pace->next_ms, at_ms);
}

void pace_wake_when_due(struct pace *pace, int64_t due_at)
{
	int64_t left_ms;

	if (due_at == INT64_MAX)
		return;
	left_ms = (due_at - clock_now_us()) / US_PER_MS + 1;
	pace_wake_at(pace, clock_monotonic_ms() + MAX_OF(MIN_OF(left_ms, TIMER_MAX_MS), 0));
}

bool pace_clock_went_back(struct pace *pace)
{
	int64_t set_us = steady_look(&pace->clock, clock_read());

	if (set_us >= 0)
		return false;
	log_notice("the clock was set back by %lld s, deliveries that waited are due now",
		   (long long)(-set_us / US_PER_S));
	return true;
}

void pace_store_failed(struct pace *pace, const char *what, int error)
{
	if (pace->store_retry_at_ms == 0)
		log_error("cannot %s: %s; will try again", what, error_name(error));
	pace->store_retry_at_ms = clock_monotonic_ms() + PACE_STORE_RETRY_MS;
}

void pace_store_worked(struct pace *pace)
{
	if (pace->store_retry_at_ms != 0)
		log_notice("the store works again, deliveries go on");
	pace->store_retry_at_ms = 0;
}

bool pace_must_spare_store(const struct pace *pace)
{
	return clock_monotonic_ms() < pace->store_retry_at_ms;
}
