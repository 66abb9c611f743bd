/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What somebody should be reminded of in time: credentials and certificates that end, endpoints
 * that have fallen silent, a clock that was set forward; and the memory of when each was last used
 *
 * Threads: main.
 */
#pragma once

#include <stdint.h>

#include "core/ending.h"
#include "core/steady_clock.h"
#include "util/err.h"

struct gate;
struct listener;
struct store;

struct reminder {
	struct gate *gate; /* borrowed, as all of these */
	struct listener *listener;
	struct store *store;
	struct steady_clock clock;
	struct ending_memory certificate;
	int64_t save_at_ms; /* clock_monotonic_ms(); not before */
};

/**
 * reminder_recall() - read from the store what was last used when; before the first request
 * @path: of the store
 */
int reminder_recall(struct gate *gate, const char *path, struct error *e) MUST_USE;

/* warn of what is due, and save. Return: milliseconds after which to run again, at most a minute */
int64_t reminder_run(struct reminder *r);

/* save what is not saved yet */
void reminder_save(struct reminder *r);
