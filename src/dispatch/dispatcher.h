/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dispatcher: from committed events to handlers' results
 *
 * One thread, woken by commits, results and timers, never by polling. Each round it
 *   1. hands over the attempts whose beginning is committed, and takes results from the workers:
 *      done, retry later (retry) or dead, written by finish ops;
 *   2. works off a batch of a replay, if one goes on (replay);
 *   3. routes the events behind `routed_seq`: matches handlers (router), writes their deliveries;
 *   4. for each handler with room that is not paused, begins the deliveries that are due (slot).
 *
 * Everything that it knows is in the store; after kill -9 the next start goes on from there.
 * A store that cannot commit is tried again after a second; results are kept meanwhile.
 *
 * Threads: dispatcher_wake(), dispatcher_refresh() and dispatcher_nudge() from any; the rest from
 * the thread that made it.
 */
#pragma once

#include <stdint.h>

#include "util/cleanup.h"
#include "util/err.h"

struct config;
struct dispatcher;
struct store;

/**
 * dispatcher_new() - make it; dispatcher_start() starts the thread and the workers
 * @config: one more owner
 * @store:  borrowed until dispatcher_free()
 *
 * Return: 0, or a negative errno.
 */
int dispatcher_new(struct config *config, struct store *store, struct dispatcher **ret_dispatcher,
		   struct error *e) MUST_USE;
int dispatcher_start(struct dispatcher *d, struct error *e) MUST_USE;

/**
 * dispatcher_reload() - go on with another configuration, see dispatch/reload.h
 * @config: one more owner
 *
 * Waits until the dispatcher has taken it over, which is at the end of the round that runs; never
 * for an attempt. It must have been started, and not stopped.
 *
 * Return: 0, or a negative errno with a sentence in @e; then nothing has changed.
 */
int dispatcher_reload(struct dispatcher *d, struct config *config, struct error *e) MUST_USE;

/* there may be something to do; cheap, never blocks. The store calls it after each commit. */
void dispatcher_wake(struct dispatcher *d);

/* an operator has paused or resumed a handler, changed deliveries or asked for a replay, and it is
 * committed; as cheap */
void dispatcher_refresh(struct dispatcher *d);

/* Wake it. Return: how many rounds it had begun; when the next call says the same, it is stuck. One
 * that has stopped is not stuck. */
uint64_t dispatcher_nudge(struct dispatcher *d);

/**
 * dispatcher_stop() - begin nothing more; wait for running attempts; end what is left
 * @deadline_ms: clock_monotonic_ms() until which workers may finish. After it, programs are
 *               killed and their attempts become `interrupted`, the deliveries pending.
 *
 * The store must still be running. Joins all threads.
 */
void dispatcher_stop(struct dispatcher *d, int64_t deadline_ms);
void dispatcher_free(struct dispatcher *d);
DEFINE_CLEANUP(struct dispatcher *, dispatcher_free)
