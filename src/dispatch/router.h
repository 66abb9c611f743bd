/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The router's question: does this event go to this handler?
 *
 * A handler's options `events`, `category`, `decision`, `workflow`, `environment` and `endpoint`
 * are lists of words. An empty list matches every event; otherwise one of its words must be the
 * event's value; all lists must agree. Words compare without regard to ASCII case. In `events` a
 * space or a hyphen stands for an underscore, so that `Evaluation-Completed`, as people write it,
 * matches the canonical `evaluation_completed`.
 *
 * Threads: pure.   Ownership: borrows everything, keeps nothing.
 */
#pragma once

#include <stdbool.h>

#include "core/config.h"
#include "store/model.h"

/**
 * router_matches() - shall @handler get @event?
 *
 * Never when the event has the wrong environment for its endpoint; a test event only when the
 * handler says `test_events = yes`.
 */
bool router_matches(const struct handler_config *handler, const struct routable *event);
