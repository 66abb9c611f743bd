/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What outlives a reload: the way to the current configuration, and everything that is counted
 *
 * A request enters by the gate, which hands it the configuration that is valid now (a struct
 * intake) and keeps that alive until the request leaves. A reload puts another one in its place:
 * what is under way ends by the old one, what comes begins with the new one. Throttle, budgets and
 * the drain count all of it together, and keys of identity providers pass from one to the next.
 *
 * Threads: gate_new() and gate_free() from one; everything else from any.
 * Ownership: owns throttle, watch, the outbound thread, the list of key sources and the current
 * intake; borrows store and tokens.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/config.h"
#include "intake/outbound.h"
#include "intake/throttle.h"
#include "intake/tokens.h"
#include "intake/watch.h"
#include "store/store.h"

struct intake;

struct gate {
	/* constant after new */
	struct store *store;
	struct throttle *throttle;
	struct watch *watch;
	struct outbound *outbound; /* to identity providers */
	struct key_sources *key_sources;
	struct tokens *tokens;
	int64_t max_pending, max_pending_bytes;

	atomic_bool stopping;
	_Atomic int64_t pending_events; /* handed to the store, not committed yet */
	_Atomic int64_t pending_bytes;  /* of bodies that are received or wait */

	/* shared, under mx */
	pthread_mutex_t mx;
	pthread_cond_t changed;
	int64_t requests; /* between their headers and their answer's last byte */
	struct intake *current;
};

/* @config: read during the call only. No request may enter before the first gate_open(). */
int gate_new(const struct config *config, struct store *store, struct tokens *tokens,
	     struct gate **ret, struct error *e) MUST_USE;
void gate_free(struct gate *gate);
DEFINE_CLEANUP(struct gate *, gate_free)

/* from now on requests get @in, which the gate takes over */
void gate_open(struct gate *gate, struct intake *in);

/* count a request in; Return: what it works with until gate_leave() */
struct intake *gate_enter(struct gate *gate);
/* count it out; the drain waits for none to be left */
void gate_leave(struct gate *gate, struct intake *in);

/* look at the current one without being counted; Return: a reference for gate_unref() */
struct intake *gate_ref(struct gate *gate);
void gate_unref(struct gate *gate, struct intake *in);

/* nobody waits for an identity provider from now on: who does wakes, and gets 503 */
void gate_stop_asking(struct gate *gate);

/* answer 503 from now on to what has not been handed to the store */
void gate_stop(struct gate *gate);

/**
 * gate_drain() - wait until every request has its answer
 * @deadline_ms: clock_monotonic_ms() until which to wait
 *
 * Return: false when some are left.
 */
bool gate_drain(struct gate *gate, int64_t deadline_ms);

/* take @n bytes out of max_pending_bytes. Return: false when they are not there. */
bool gate_reserve(struct gate *gate, size_t n);
void gate_release(struct gate *gate, size_t n);

/* count an event in or out of max_pending */
bool gate_reserve_event(struct gate *gate);
void gate_release_event(struct gate *gate);
