/* SPDX-License-Identifier: Apache-2.0 */
#include "dispatch/replay.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "dispatch/routing.h"
#include "store/drive.h"

#define BATCH  256   /* deliveries in one transaction */
#define WINDOW 10000 /* events looked through for them: a rare type must not hold up the others */

/* --- which replays go on --- */

struct search {
	const struct config *config;
	bool *flags; /* NULL: only find the first */
	int n;
	struct replay_state first;
};

static int visit_replay(const struct replay_state *replay, void *arg)
{
	struct search *search = arg;
	const struct handler_config *handler = config_handler(search->config, replay->handler);

	if (!handler)
		return 0; /* it waits until its handler is configured again */
	if (search->n++ == 0)
		search->first = *replay;
	if (search->flags && replay->is_history)
		search->flags[handler - search->config->handlers] = true;
	return 0;
}

int replay_catching_up(const struct config *config, struct reader *reader, bool *ret_flags)
{
	struct search search = {.config = config, .flags = ret_flags};
	int r;

	for (size_t i = 0; i < config->n_handlers; i++)
		ret_flags[i] = false;
	r = drive_open_replays(reader, visit_replay, &search);
	return r < 0 ? r : search.n;
}

/* --- one batch --- */

struct batch {
	struct routing *routing;
	struct reader *reader;
	size_t index; /* of the handler */
	const struct handler_config *handler;
	struct route routes[BATCH];
	size_t n_routes;
	size_t n_events;
	int64_t at_seq;
};

static int visit_event(const struct routable *event, void *arg)
{
	struct batch *batch = arg;
	int r = routing_match(batch->routing, batch->index, event, batch->reader,
			      &batch->routes[batch->n_routes]);

	if (r < 0)
		return r;
	batch->at_seq = event->seq;
	batch->n_events++;
	batch->n_routes += (size_t)r;
	return 0;
}

static int commit(const struct replay_state *replay, const struct batch *batch, struct store *store)
{
	struct route_op op = {
		.op = {.kind = STORE_OP_ROUTE},
		.routes = batch->routes,
		.n_routes = batch->n_routes,
		.routed_seq = batch->at_seq,
		.now = clock_now_us(),
		.replay = replay->replay,
		.is_history = replay->is_history,
		.is_end = batch->at_seq >= replay->last_seq,
	};
	struct log_ids ids = {.handler = slice_of(batch->handler->name)};
	int r = store_submit_wait(store, &op.op);

	if (r < 0)
		return r;
	metric_add(METRIC_DELIVERIES_CREATED, (int64_t)op.n_written);
	routing_report(batch->routes, batch->n_routes);
	if (op.is_end)
		log_with(LOG_LEVEL_NOTICE, &ids, "%s %lld has come to its end",
			 replay->is_history ? "history" : "replay", (long long)replay->replay);
	return op.is_end ? REPLAY_ENDED : REPLAY_MORE;
}

int replay_run(const struct config *config, struct routing *routing, struct reader *reader,
	       struct store *store)
{
	struct search search = {.config = config};
	struct replay_state *replay = &search.first;
	struct batch batch = {.routing = routing, .reader = reader};
	int r;

	r = drive_open_replays(reader, visit_replay, &search);
	if (r < 0 || search.n == 0)
		return r < 0 ? r : REPLAY_NONE;
	batch.handler = config_handler(config, replay->handler);
	batch.index = (size_t)(batch.handler - config->handlers);
	batch.at_seq = replay->at_seq;
	r = drive_replay_events(reader, replay, WINDOW, BATCH, visit_event, &batch);
	if (r < 0)
		return r;
	if (batch.n_events < BATCH) /* the window's end was reached */
		batch.at_seq =
			MAX_OF(batch.at_seq, MIN_OF(replay->last_seq, replay->at_seq + WINDOW));
	return commit(replay, &batch, store);
}
