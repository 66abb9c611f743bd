/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replays: those that an operator asked for, and the history of a new handler with `start = all`
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
 * replay_catching_up() - which handlers get their events from here alone
 * @ret_flags: one for each handler of @config
 *
 * Return: how many replays of these handlers go on, or a negative errno.
 */
int replay_catching_up(const struct config *config, struct reader *reader,
		       bool *ret_flags) MUST_USE;

enum replay_outcome {
	REPLAY_NONE = 0, /* nothing to replay */
	REPLAY_MORE,     /* a batch was written; there is more */
	REPLAY_ENDED,    /* a batch was written, and its replay has ended */
};

/**
 * replay_run() - write one batch of the oldest replay; waits for the commit
 *
 * Return: a replay_outcome, or a negative errno and nothing was written.
 */
int replay_run(const struct config *config, struct routing *routing, struct reader *reader,
	       struct store *store) MUST_USE;
