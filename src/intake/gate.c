/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/gate.h"

#include <errno.h>
#include <stdlib.h>

#include "core/metrics.h"
#include "intake/intake.h"
#include "intake/key_source.h"
#include "util/thread.h"

int gate_new(const struct config *config, struct store *store, struct tokens *tokens,
	     struct gate **ret, struct error *e)
{
	_cleanup_(gate_freep)
	struct gate *gate = calloc(1, sizeof(*gate));
	int r;

	if (!gate)
		return error_set(e, -ENOMEM, "out of memory");
	(void)pthread_mutex_init(&gate->mx,
				 NULL); /* cannot fail with default attributes on Linux */
	cond_init(&gate->changed);
	gate->store = store;
	gate->tokens = tokens;
	gate->max_pending = config->store.max_pending;
	gate->max_pending_bytes = config->store.max_pending_bytes;
	r = throttle_new(config->server.auth_failures_max, config->server.auth_failures_window_ms,
			 &gate->throttle);
	if (r == 0)
		r = watch_new(&gate->watch);
	if (r == 0)
		r = outbound_new(&gate->outbound);
	if (r == 0)
		r = key_sources_new(gate->outbound, &gate->key_sources);
	if (r < 0)
		return error_set(e, r, "out of memory");
	*ret = steal_ptr(&gate);
	return 0;
}

void gate_free(struct gate *gate)
{
	if (!gate)
		return;
	if (gate->current)
		gate_unref(gate, gate->current);
	key_sources_free(gate->key_sources);
	outbound_free(gate->outbound);
	watch_free(gate->watch);
	throttle_free(gate->throttle);
	pthread_cond_destroy(&gate->changed);
	pthread_mutex_destroy(&gate->mx);
	free(gate);
}

void gate_open(struct gate *gate, struct intake *in)
{
	const struct server_config *server = &in->config->server;
	struct intake *old;

	throttle_set_limits(gate->throttle, server->auth_failures_max,
			    server->auth_failures_window_ms);
	mutex_lock(&gate->mx);
	old = gate->current;
	gate->current = in;
	mutex_unlock(&gate->mx);
	if (old)
		gate_unref(gate, old);
}

struct intake *gate_enter(struct gate *gate)
{
	struct intake *in;

	mutex_lock(&gate->mx);
	gate->requests++;
	in = gate->current;
	in->refs++;
	mutex_unlock(&gate->mx);
	return in;
}

void gate_leave(struct gate *gate, struct intake *in)
{
	bool is_last;

	mutex_lock(&gate->mx);
	in->refs--;
	is_last = in->refs == 0;
	gate->requests--;
	if (gate->requests == 0)
		pthread_cond_signal(&gate->changed);
	mutex_unlock(&gate->mx);
	if (is_last)
		intake_free(in);
}

struct intake *gate_ref(struct gate *gate)
{
	struct intake *in;

	mutex_lock(&gate->mx);
	in = gate->current;
	in->refs++;
	mutex_unlock(&gate->mx);
	return in;
}

void gate_unref(struct gate *gate, struct intake *in)
{
	bool is_last;

	mutex_lock(&gate->mx);
	in->refs--;
	is_last = in->refs == 0;
	mutex_unlock(&gate->mx);
	if (is_last)
		intake_free(in);
}

void gate_stop_asking(struct gate *gate)
{
	outbound_stop(gate->outbound);
}

void gate_stop(struct gate *gate)
{
	atomic_store(&gate->stopping, true);
}

bool gate_drain(struct gate *gate, int64_t deadline_ms)
{
	bool in_time = true, empty;

	mutex_lock(&gate->mx);
	while (gate->requests > 0 && in_time)
		in_time = cond_wait_until(&gate->changed, &gate->mx, deadline_ms);
	empty = gate->requests == 0;
	mutex_unlock(&gate->mx);
	return empty;
}

static bool reserve(_Atomic int64_t *counter, int64_t n, int64_t max, enum metric gauge)
{
	if (atomic_fetch_add_explicit(counter, n, memory_order_relaxed) + n > max) {
		atomic_fetch_sub_explicit(counter, n, memory_order_relaxed);
		return false;
	}
	metric_add(gauge, n);
	return true;
}

static void release(_Atomic int64_t *counter, int64_t n, enum metric gauge)
{
	atomic_fetch_sub_explicit(counter, n, memory_order_relaxed);
	metric_add(gauge, -n);
}

bool gate_reserve(struct gate *gate, size_t n)
{
	return reserve(&gate->pending_bytes, (int64_t)n, gate->max_pending_bytes,
		       METRIC_PENDING_BYTES);
}

void gate_release(struct gate *gate, size_t n)
{
	release(&gate->pending_bytes, (int64_t)n, METRIC_PENDING_BYTES);
}

bool gate_reserve_event(struct gate *gate)
{
	return reserve(&gate->pending_events, 1, gate->max_pending, METRIC_PENDING_EVENTS);
}

void gate_release_event(struct gate *gate)
{
	release(&gate->pending_events, 1, METRIC_PENDING_EVENTS);
}
