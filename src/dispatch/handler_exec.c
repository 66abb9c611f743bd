/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handler type `exec`: one run of a program for each attempt, `concurrency` of them at once
 */
#include "dispatch/handler.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "core/clock.h"
#include "dispatch/exec.h"
#include "dispatch/exec_env.h"
#include "dispatch/worker.h"
#include "util/thread.h"

/* Programs that end sooner would leave their workers idle while the next beginnings are committed:
 * as many again wait in the pool's queue. With longer ones that would gain nothing, and a delivery
 * would look as if it ran. */
#define SHORT_RUN_MS 50

struct exec_handler {
	struct handler base;
	_Atomic int64_t mean_ms;  /* of the last runs, roughly */
	char **argv;              /* NULL-terminated; the words belong to the configuration */
	struct worker_pool *pool; /* NULL: not started */
	int abort_fd;
	struct child_limits limits;
};

static struct exec_handler *of(struct handler *handler)
{
	return container_of(handler, struct exec_handler, base);
}

static void free_handler(struct handler *handler)
{
	struct exec_handler *h = of(handler);

	worker_pool_free(h->pool);
	h->abort_fd = fd_close(h->abort_fd);
	child_limits_deinit(&h->limits);
	free(h->argv);
	free(h);
}

static int make(const struct handler_config *config, struct handler **ret_handler, struct error *e)
{
	struct exec_handler *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return error_set(e, -ENOMEM, "out of memory");
	h->abort_fd = wakeup_open();
	if (h->abort_fd < 0) {
		r = error_set(e, h->abort_fd, "cannot make an eventfd: %s",
			      error_name(h->abort_fd));
		free_handler(&h->base);
		return r;
	}
	h->argv = calloc(config->command.n + 1, sizeof(*h->argv));
	if (!h->argv) {
		free_handler(&h->base);
		return error_set(e, -ENOMEM, "out of memory");
	}
	for (size_t i = 0; i < config->command.n; i++)
		h->argv[i] = config->command.items[i];
	atomic_init(&h->mean_ms, SHORT_RUN_MS);
	r = child_limits_init(config, &h->limits, e);
	if (r < 0) {
		free_handler(&h->base);
		return r;
	}
	*ret_handler = &h->base;
	return 0;
}

/* a worker that overwrites another one's figure does no harm */
static void note_run(struct exec_handler *h, int64_t ms)
{
	int64_t mean_ms = atomic_load_explicit(&h->mean_ms, memory_order_relaxed);

	atomic_store_explicit(&h->mean_ms, (7 * mean_ms + ms) / 8, memory_order_relaxed);
}

static void run_program(struct exec_handler *h, struct attempt *attempt)
{
	const struct handler_config *config = h->base.config;
	char **envp;
	int r;

	r = exec_env_new(config, attempt->job, &envp);
	if (r < 0) {
		attempt_result_set(&attempt->result, ATTEMPT_FAILED, "cannot start '%s': %s",
				   h->argv[0], error_name(r));
		return;
	}
	exec_run(&(struct exec_request){.argv = h->argv,
					.envp = envp,
					.input = slice_make(attempt->job->payload,
							    attempt->job->payload_n),
					.timeout_ms = config->timeout_ms,
					.limits = &h->limits,
					.abort_fd = h->abort_fd},
		 &attempt->result);
	exec_env_free(envp);
}

static void run(struct attempt *attempt, void *arg)
{
	struct exec_handler *h = arg;
	int64_t began_ms = clock_monotonic_ms();

	if (transform_apply(h->base.transform, attempt)) {
		run_program(h, attempt);
		note_run(h, clock_monotonic_ms() - began_ms);
	}
	h->base.callbacks.on_done(attempt, h->base.callbacks.arg);
}

static int start(struct handler *handler, struct error *e)
{
	struct exec_handler *h = of(handler);
	int r;

	r = worker_pool_new("exec", (size_t)handler->config->concurrency, run, h, &h->pool);
	if (r < 0)
		return error_set(e, r, "cannot start %d threads: %s",
				 (int)handler->config->concurrency, error_name(r));
	return 0;
}

static size_t capacity(struct handler *handler)
{
	size_t n = (size_t)handler->config->concurrency;
	int64_t mean_ms = atomic_load_explicit(&of(handler)->mean_ms, memory_order_relaxed);

	return mean_ms < SHORT_RUN_MS ? 2 * n : n;
}

static void submit(struct handler *handler, struct attempt *attempt)
{
	worker_pool_submit(of(handler)->pool, attempt);
}

/* the descriptor stays readable, so that programs started from now on are ended, too */
static void abort_all(struct handler *handler)
{
	wakeup_signal(of(handler)->abort_fd);
}

static void stop(struct handler *handler)
{
	struct exec_handler *h = of(handler);

	worker_pool_free(h->pool);
	h->pool = NULL;
}

const struct handler_ops handler_exec_ops = {
	.make = make,
	.start = start,
	.capacity = capacity,
	.submit = submit,
	.abort = abort_all,
	.stop = stop,
	.free = free_handler,
};
