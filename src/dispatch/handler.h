/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handlers: what takes deliveries
 *
 * A type of handler is one file with one `struct handler_ops`, and one row in handler.c. The
 * dispatcher knows nothing else of it. An attempt belongs to the handler from handler_submit()
 * until `on_done`, which comes exactly once for each, whatever happens.
 *
 * Threads: all handler_ functions are for the dispatcher's thread and the one that made it, one at
 * a time; the callbacks come from the handler's own threads or from within handler_submit().
 */
#pragma once

#include <stddef.h>

#include "core/config.h"
#include "dispatch/attempt.h"
#include "dispatch/transform.h"
#include "util/cleanup.h"
#include "util/err.h"

struct handler;

/* must not block, and must not call the handler */
struct handler_callbacks {
	void (*on_done)(struct attempt *attempt, void *arg); /* the result is there */
	void (*on_room)(void *arg);                          /* handler_capacity() has grown */
	void *arg;
};

struct handler_ops {
	int (*make)(const struct handler_config *config, struct handler **ret_handler,
		    struct error *e);
	int (*start)(struct handler *handler, struct error *e);
	size_t (*capacity)(struct handler *handler);
	void (*expect)(struct handler *handler); /* may be NULL */
	void (*submit)(struct handler *handler, struct attempt *attempt);
	void (*abort)(struct handler *handler);
	void (*stop)(struct handler *handler);
	void (*free)(struct handler *handler);
};

/* the head of every handler's own struct; constant after handler_new() */
struct handler {
	const struct handler_ops *ops;
	const struct handler_config *config; /* borrowed */
	struct handler_callbacks callbacks;
	struct transform *transform; /* NULL: none */
};

extern const struct handler_ops handler_exec_ops;
extern const struct handler_ops handler_unix_ops;
extern const struct handler_ops handler_worker_ops;

/**
 * handler_new() - make a handler of the type that @config names; it does nothing before
 *                 handler_start()
 * @config: borrowed until handler_free()
 * @e:      on failure: names the handler
 *
 * Return: 0, or a negative errno.
 */
int handler_new(const struct handler_config *config, const struct handler_callbacks *callbacks,
		struct handler **ret_handler, struct error *e) MUST_USE;
int handler_start(struct handler *handler, struct error *e) MUST_USE;

/* how many attempts it can hold at once just now; 0 while its consumer cannot be reached */
size_t handler_capacity(struct handler *handler);

/* a delivery is due: make ready, if that takes anything. Cheap; may be called again and again. */
void handler_expect(struct handler *handler);

/* hand over one attempt; the caller sees to it that there is room. One without a body to hand out
 * comes back as ATTEMPT_DEAD, and nothing runs. */
void handler_submit(struct handler *handler, struct attempt *attempt);

/* end what is under way, and what only waits for more: each attempt is done as ATTEMPT_INTERRUPTED,
 * and programs have little time to clean up (dispatch/exec.h) */
void handler_abort(struct handler *handler);

/* join the threads; nothing may be under way. Does nothing when it was not started. */
void handler_stop(struct handler *handler);
void handler_free(struct handler *handler);
DEFINE_CLEANUP(struct handler *, handler_free)
