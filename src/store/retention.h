/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Retention: erases what is old enough, a little at a time
 *
 * A thread of its own looks for what may go, on a reading connection, and hands the store thread
 * small transactions, each when no event waits for a commit. After a pass that erased something the
 * WAL is emptied. A step of the clock forwards makes nothing old enough for a day
 * (core/steady_clock). There is no thread when the configuration keeps everything.
 *
 * Threads: from one.
 */
#pragma once

#include "util/cleanup.h"
#include "util/err.h"

struct config;
struct retention;
struct store;

/**
 * retention_start() - start the thread, if there is anything to erase ever
 * @config: read during the call only
 * @store:  borrowed until retention_free()
 *
 * Return: 0, or a negative errno.
 */
int retention_start(const struct config *config, struct store *store,
		    struct retention **ret_retention, struct error *e) MUST_USE;

/* ends the thread; while the store still runs */
void retention_free(struct retention *keeper);
DEFINE_CLEANUP(struct retention *, retention_free)
