/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When the dispatcher wakes by itself, and how it treats a store that fails
 *
 * Threads: the dispatcher's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/steady_clock.h"

#define PACE_STORE_RETRY_MS 1000 /* after the store has failed */

struct pace {
	struct steady_clock clock;
	int64_t next_ms;           /* the next round comes no later */
	int64_t store_retry_at_ms; /* do not ask the store before; 0: it works */
};

/* clock_monotonic_ms(); 0: at once */
void pace_wake_at(struct pace *pace, int64_t at_ms);

/* @due_at: wall clock, us; INT64_MAX: never */
void pace_wake_when_due(struct pace *pace, int64_t due_at);

/* Was the wall clock set back since this was last asked? Then due times of before are wrong. */
bool pace_clock_went_back(struct pace *pace);

/* leave it alone for PACE_STORE_RETRY_MS; says so once */
void pace_store_failed(struct pace *pace, const char *what, int error);

/* after a commit */
void pace_store_worked(struct pace *pace);
bool pace_must_spare_store(const struct pace *pace);
