/* SPDX-License-Identifier: Apache-2.0 */
#include "dispatch/routing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "dispatch/handler_tally.h"
#include "dispatch/router.h"
#include "jq/fault.h"
#include "jq/host.h"
#include "store/queue.h"

struct routing {
	const struct config *config;
	struct host *host; /* of all filters; NULL: there is none */
	size_t *programs;  /* by handler: number of its filter */
	int64_t passed;    /* events up to here are routed; the store may not have written it yet */
};

struct batch {
	struct routing *routing;
	const bool *is_skipped;
	struct reader *reader;
	struct route *routes;
	size_t n_routes;
	size_t cap;
	int n_events;
	int64_t n_filtered;
	int64_t last_seq;
	int64_t until_ms;
};

/* what visit() returns to end the batch */
enum { ENOUGH = 1 };

static int add_route(struct batch *batch, const struct route *route)
{
	if (batch->n_routes == batch->cap) {
		size_t cap = batch->cap ? batch->cap * 2 : ROUTING_BATCH;
		struct route *routes = reallocarray(batch->routes, cap, sizeof(*routes));

		if (!routes)
			return -ENOMEM;
		batch->routes = routes;
		batch->cap = cap;
	}
	batch->routes[batch->n_routes++] = *route;
	return 0;
}

/* the filters of all handlers for one event, and its body once one of them has asked for it */
struct filtering {
	struct routing *routing;
	struct reader *reader;
	char *body;
	size_t n_body;
	int64_t n_filtered;
};

/* Return: a body_state, or a negative errno */
static int need_body(struct filtering *f, int64_t seq)
{
	int r;

	if (f->body)
		return BODY_THERE;
	r = queue_payload(f->reader, seq, &f->body, &f->n_body);
	if (r == BODY_THERE)
		host_set_body(f->routing->host, slice_make(f->body, f->n_body));
	return r;
}

static void forget_body(struct filtering *f)
{
	if (f->body)
		host_set_body(f->routing->host, SLICE_NULL);
	free(f->body);
}

/* Return: 1 to make @route, which may hold a failure; 0 not to; or a negative errno */
static int ask_filter(struct filtering *f, size_t program, struct route *route)
{
	int fault = 0, r;

	r = need_body(f, route->seq);
	if (r == BODY_ERASED)
		return 0;
	if (r > 0) { /* a fault of this event alone, which must not stop the others */
		(void)snprintf(route->failure, sizeof(route->failure), "%s",
			       body_fault((enum body_state)r));
		return 1;
	}
	if (r == 0)
		r = host_filter(f->routing->host, program, &fault);
	if (r == 0)
		f->n_filtered++;
	if (r != -EBADMSG)
		return r;
	/* fault's texts are short */
	(void)snprintf(route->failure, sizeof(route->failure), "filter: %s", fault_text(fault));
	return 1;
}

/* does the handler at @index want it? Return: as ask_filter() */
static int match(struct filtering *f, size_t index, const struct routable *event,
		 struct route *ret_route)
{
	const struct handler_config *handler = &f->routing->config->handlers[index];

	if (!router_matches(handler, event))
		return 0;
	*ret_route = (struct route){.seq = event->seq, .handler = handler->name};
	return handler->filter ? ask_filter(f, f->routing->programs[index], ret_route) : 1;
}

static int visit(const struct routable *event, void *arg)
{
	struct batch *batch = arg;
	struct filtering f = {.routing = batch->routing, .reader = batch->reader};
	struct route route;
	int r = 0;

	if (batch->n_events > 0 && clock_monotonic_ms() >= batch->until_ms)
		return ENOUGH;
	for (size_t i = 0; r >= 0 && i < batch->routing->config->n_handlers; i++) {
		r = batch->is_skipped[i] ? 0 : match(&f, i, event, &route);
		if (r > 0)
			r = add_route(batch, &route);
	}
	forget_body(&f);
	batch->n_filtered += f.n_filtered;
	if (r < 0)
		return r;
	batch->n_events++;
	batch->last_seq = event->seq;
	return 0;
}

int routing_match(struct routing *routing, size_t index, const struct routable *event,
		  struct reader *reader, struct route *ret_route)
{
	struct filtering f = {.routing = routing, .reader = reader};
	int r = match(&f, index, event, ret_route);

	forget_body(&f);
	metric_add(METRIC_FILTERED, f.n_filtered);
	return r;
}

void routing_report(const struct route *routes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct route *route = &routes[i];
		struct log_ids ids = {.seq = route->seq, .handler = slice_of(route->handler)};

		if (route->failure[0] == '\0')
			continue;
		metric_inc(METRIC_FILTER_FAILURES);
		metric_inc(METRIC_DELIVERIES_DEAD);
		handler_tally_dead(route->handler);
		log_with(LOG_LEVEL_WARNING, &ids, "delivery is dead: %s", route->failure);
	}
}

/* after the commit */
static void report(const struct batch *batch)
{
	metric_add(METRIC_EVENTS_ROUTED, batch->n_events);
	metric_add(METRIC_DELIVERIES_CREATED, (int64_t)batch->n_routes);
	metric_add(METRIC_FILTERED, batch->n_filtered);
	routing_report(batch->routes, batch->n_routes);
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
	report(batch);
	return batch->n_events;
}

/* While a history is caught up with, what is routed decides where it ends. */
static bool may_be_late(const struct batch *batch)
{
	for (size_t i = 0; i < batch->routing->config->n_handlers; i++)
		if (batch->is_skipped[i])
			return false;
	return batch->n_routes == 0;
}

static int finish(const struct batch *batch, struct store *store)
{
	if (!may_be_late(batch))
		return commit(batch, store);
	batch->routing->passed = batch->last_seq;
	store_note_routed(store, batch->last_seq);
	report(batch);
	return batch->n_events;
}

int routing_run(struct routing *routing, const bool *is_skipped, struct reader *reader,
		struct store *store, bool *ret_more)
{
	struct batch batch = {
		.routing = routing,
		.is_skipped = is_skipped,
		.reader = reader,
		.until_ms = clock_monotonic_ms() + ROUTING_MS,
	};
	int r;

	r = queue_unrouted(reader, routing->passed, ROUTING_BATCH, visit, &batch);
	*ret_more = r == ENOUGH || batch.n_events == ROUTING_BATCH;
	if (r >= 0)
		r = batch.n_events > 0 ? finish(&batch, store) : 0;
	free(batch.routes);
	return r;
}

/* one host for all filters, so that a body is parsed once */
static int make_host(struct routing *routing)
{
	const struct config *config = routing->config;
	struct host_program *programs = calloc(config->n_handlers + 1, sizeof(*programs));
	size_t n = 0;
	int r = 0;

	routing->programs = calloc(config->n_handlers + 1, sizeof(*routing->programs));
	if (!programs || !routing->programs)
		r = -ENOMEM;
	for (size_t i = 0; r == 0 && i < config->n_handlers; i++) {
		if (!config->handlers[i].filter)
			continue;
		routing->programs[i] = n;
		programs[n++].text = config->handlers[i].filter;
	}
	if (r == 0 && n > 0)
		r = host_new(programs, n, &routing->host);
	free(programs);
	return r;
}

int routing_new(const struct config *config, struct routing **ret_routing, struct error *e)
{
	struct routing *routing = calloc(1, sizeof(*routing));
	int r = -ENOMEM;

	if (routing) {
		routing->config = config;
		r = make_host(routing);
	}
	if (r < 0) {
		routing_free(routing);
		return error_set(e, r, "out of memory");
	}
	*ret_routing = routing;
	return 0;
}

void routing_free(struct routing *routing)
{
	if (!routing)
		return;
	host_free(routing->host);
	free(routing->programs);
	free(routing);
}
