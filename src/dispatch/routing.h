/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routing: from committed events to deliveries
 *
 * Reads the events behind `routed_seq`, asks the router about each handler and then, when that says
 * yes, the handler's jq `filter`, and commits their deliveries together with the new `routed_seq`.
 * A crash at any moment leaves either all of a batch or nothing of it, so the next start goes on
 * with the ordinary query. A batch that nobody wants is not worth a commit, for which the next
 * event would wait: the store is told and writes `routed_seq` a little later.
 *
 * A body is read and parsed only when a filter asks, and then once for all filters. A filter that
 * does not yield exactly true as its first output makes no delivery; one that fails, or cannot be
 * asked because the stored body is damaged or missing, makes a delivery that is dead, with the
 * reason. Filters run in a process of their own with limits
 * (jq/host.h). The one thread that routes waits for it, so a batch ends early when it has taken
 * ROUTING_MS.
 *
 * Threads: the reader's.
 */
#pragma once

#include <stdbool.h>

#include "core/config.h"
#include "util/cleanup.h"
#include "util/err.h"

struct reader;
struct routable;
struct route;
struct routing;
struct store;

#define ROUTING_BATCH 64 /* events in one transaction */
#define ROUTING_MS    100

/**
 * routing_new() - for the handlers of @config, which is borrowed until routing_free()
 *
 * Return: 0, or a negative errno.
 */
int routing_new(const struct config *config, struct routing **ret_routing,
		struct error *e) MUST_USE;
void routing_free(struct routing *routing);
DEFINE_CLEANUP(struct routing *, routing_free)

/**
 * routing_match() - does one handler want one event? Its filter is asked last
 * @index:     of the handler in the configuration
 * @ret_route: on 1, the delivery to write; it may hold a filter's failure
 *
 * Return: 1, 0, or a negative errno.
 */
int routing_match(struct routing *routing, size_t index, const struct routable *event,
		  struct reader *reader, struct route *ret_route) MUST_USE;

/* count and log the failures among routes that were committed */
void routing_report(const struct route *routes, size_t n);

/**
 * routing_run() - route one batch; waits for the commit of its deliveries
 * @is_skipped: one for each handler of the configuration: those that get nothing now, because their
 * history comes first (dispatch/replay.h)
 * @ret_more: there may be more
 *
 * Return: number of events, or a negative errno and nothing was routed.
 */
int routing_run(struct routing *routing, const bool *is_skipped, struct reader *reader,
		struct store *store, bool *ret_more) MUST_USE;
