/* SPDX-License-Identifier: Apache-2.0 */
#include "dispatch/handler_tally.h"

#include "core/metric_family.h"
#include "util/macros.h"

static struct series *deliveries_of(const char *handler, enum delivery_state state)
{
	return series_of(FAMILY_HANDLER_DELIVERIES, handler, delivery_state_name(state));
}

static struct series *attempts_of(const char *handler, enum attempt_outcome outcome)
{
	return series_of(FAMILY_HANDLER_ATTEMPTS, handler, attempt_outcome_name(outcome));
}

void handler_tally_open(const char *handler)
{
	(void)deliveries_of(handler, DELIVERY_DONE); /* each shows as 0 until it is counted */
	(void)deliveries_of(handler, DELIVERY_DEAD);
	for (int i = ATTEMPT_OK; i <= ATTEMPT_INTERRUPTED; i++)
		(void)attempts_of(handler, (enum attempt_outcome)i);
	(void)series_of(FAMILY_HANDLER_DURATION, handler, NULL);
}

void handler_tally_dead(const char *handler)
{
	series_add(deliveries_of(handler, DELIVERY_DEAD), 1);
}

void handler_tally_attempt(const char *handler, enum attempt_outcome outcome,
			   enum delivery_state state, int64_t took_us)
{
	series_add(attempts_of(handler, outcome), 1);
	/* by the wall clock, which may be set back meanwhile */
	series_observe(series_of(FAMILY_HANDLER_DURATION, handler, NULL), MAX_OF(took_us, 0));
	if (state == DELIVERY_DONE || state == DELIVERY_DEAD)
		series_add(deliveries_of(handler, state), 1);
}
