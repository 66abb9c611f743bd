/* SPDX-License-Identifier: Apache-2.0 */
/*
 * History: replays that an operator asked for, and what a new handler with `start = all` missed
 *
 * A replay is a row of the store. Each batch commits its deliveries together with how far it has
 * come, so a crash neither loses nor repeats any. An event goes to the handler only if its filters
 * match, as when it was new.
 *
 * A new handler with `start = all` gets its events from here alone until it has caught up with the
 * router: so it sees each evaluation in order of arrival.
 *
 * Threads: the reader's.
 */
#pragma once

#include <stdbool.h>

#include "core/config.h"
#include "util/macros.h"

struct reader;
struct routing;
struct store;

/**
 * history_catching_up() - which handlers get their events from here alone
 * @ret_flags: one for each handler of @config
 *
 * Return: how many replays of these handlers go on, or a negative errno.
 */
int history_catching_up(const struct config *config, struct reader *reader,
			bool *ret_flags) MUST_USE;

enum history_outcome {
	HISTORY_NONE = 0, /* nothing to replay */
	HISTORY_MORE,     /* a batch was written; there is more */
	HISTORY_ENDED,    /* a batch was written, and its replay has ended */
};

/**
 * history_run() - write one batch of the oldest replay; waits for the commit
 *
 * Return: a history_outcome, or a negative errno and nothing was written.
 */
int history_run(const struct config *config, struct routing *routing, struct reader *reader,
		struct store *store) MUST_USE;
