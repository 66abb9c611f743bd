/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded pool of threads
 *
 * The threads are started once and wait on a condition. Each takes one attempt at a time from the
 * queue and runs it.
 *
 * Threads: worker_pool_submit() from any; the rest from the one that made it.
 */
#pragma once

#include <stddef.h>

#include "dispatch/attempt.h"
#include "util/macros.h"

struct worker_pool;

/* runs in a worker's thread and may block; hands the attempt on itself */
typedef void (*worker_run)(struct attempt *attempt, void *arg);

/**
 * worker_pool_new() - make and start @n_threads workers
 * @name: the threads' name, cut at 15 characters
 *
 * Return: 0, or a negative errno (then no thread is left behind).
 */
int worker_pool_new(const char *name, size_t n_threads, worker_run run, void *arg,
		    struct worker_pool **ret_pool) MUST_USE;

void worker_pool_submit(struct worker_pool *pool, struct attempt *attempt);

/* run what is queued, then end and join the threads; NULL is fine */
void worker_pool_free(struct worker_pool *pool);
