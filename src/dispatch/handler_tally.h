/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the metrics tell of a handler's work
 *
 * Threads: any.
 */
#pragma once

#include <stdint.h>

#include "store/model.h"

/* from now on the handler is in the metrics, with nothing done yet */
void handler_tally_open(const char *handler);

/* count a delivery that is dead without an attempt of the handler: its filter has failed */
void handler_tally_dead(const char *handler);

/**
 * handler_tally_attempt() - count an attempt whose end is committed
 * @state:   the delivery's, now
 * @took_us: from its beginning to its result
 */
void handler_tally_attempt(const char *handler, enum attempt_outcome outcome,
			   enum delivery_state state, int64_t took_us);
