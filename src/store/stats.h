/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts over a window of time: what `riskhookctl stats` prints
 *
 * Threads: as the reader.
 */
#pragma once

#include <stdint.h>

#include "store/reader.h"

struct stats_row {
	const char *group; /* "type", "category", "decision", "handler", "post" */
	const char *name; /* of the group's member; dies with the call. Of handlers: "NAME STATE" */
	int64_t count;
};

typedef int (*stats_visit)(const struct stats_row *row, void *arg);

/**
 * stats_count() - events by type, category and decision, posts by what became of them, deliveries
 *                 by handler and state
 * @since, @until: received_at of the events, us
 *
 * Groups one after the other, each with its largest count first. Test events are counted as posts
 * alone.
 *
 * Return: 0, what @visit returned when it was not 0, or a negative errno.
 */
int stats_count(struct reader *reader, int64_t since, int64_t until, stats_visit visit,
		void *arg) MUST_USE;
