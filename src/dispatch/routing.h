/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routing: from committed events to deliveries
 *
 * Reads the events behind `routed_seq`, asks the router about each handler, and commits their
 * deliveries together with the new `routed_seq`. A crash at any moment leaves either all of a batch
 * or nothing of it, so the next start goes on with the ordinary query.
 *
 * Threads: the reader's.
 */
#pragma once

#include <stdbool.h>

#include "core/config.h"
#include "util/macros.h"

struct reader;
struct store;

#define ROUTING_BATCH 256 /* events in one transaction */

/**
 * routing_run() - route one batch; waits for the commit
 * @is_skipped: one for each handler of @config: those that get nothing now, because their history
 *              comes first (dispatch/history.h)
 *
 * Return: number of events, 0 to ROUTING_BATCH (then there may be more), or a negative errno and
 *         nothing was routed.
 */
int routing_run(const struct config *config, const bool *is_skipped, struct reader *reader,
		struct store *store) MUST_USE;
