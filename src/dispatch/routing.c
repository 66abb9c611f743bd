/* SPDX-License-Identifier: Apache-2.0 */
#include "dispatch/routing.h"

#include <errno.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/metrics.h"
#include "dispatch/router.h"
#include "store/queue.h"

struct batch {
	const struct config *config;
	const bool *is_skipped;
	struct route *routes;
	size_t n_routes;
	size_t cap;
	int n_events;
	int64_t last_seq;
};

static int add_route(struct batch *batch, int64_t seq, const char *handler)
{
	if (batch->n_routes == batch->cap) {
		size_t cap = batch->cap ? batch->cap * 2 : ROUTING_BATCH;
		struct route *routes = reallocarray(batch->routes, cap, sizeof(*routes));

		if (!routes)
			return -ENOMEM;
		batch->routes = routes;
		batch->cap = cap;
	}
	batch->routes[batch->n_routes++] = (struct route){.seq = seq, .handler = handler};
	return 0;
}

static int visit(const struct routable *event, void *arg)
{
	struct batch *batch = arg;

	for (size_t i = 0; i < batch->config->n_handlers; i++) {
		const struct handler_config *handler = &batch->config->handlers[i];
		int r = 0;

		if (!batch->is_skipped[i] && router_matches(handler, event))
			r = add_route(batch, event->seq, handler->name);
		if (r < 0)
			return r;
	}
	batch->n_events++;
	batch->last_seq = event->seq;
	return 0;
}

static int commit(const struct batch *batch, struct store *store)
{
	struct route_op op = {
		.op = {.kind = STORE_OP_ROUTE},
		.routes = batch->routes,
		.n_routes = batch->n_routes,
		.routed_seq = batch->last_seq,
		.now = clock_now_us(),
	};
	int r = store_submit_wait(store, &op.op);

	if (r < 0)
		return r;
	metric_add(METRIC_EVENTS_ROUTED, batch->n_events);
	metric_add(METRIC_DELIVERIES_CREATED, (int64_t)batch->n_routes);
	return batch->n_events;
}

int routing_run(const struct config *config, const bool *is_skipped, struct reader *reader,
		struct store *store)
{
	struct batch batch = {.config = config, .is_skipped = is_skipped};
	int r;

	r = queue_unrouted(reader, ROUTING_BATCH, visit, &batch);
	if (r == 0 && batch.n_events > 0)
		r = commit(&batch, store);
	free(batch.routes);
	return r;
}
