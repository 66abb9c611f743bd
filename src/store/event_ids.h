/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ids of events, in runs (sql/008_event_ids.sql, sql/009_longer_runs.sql)
 *
 * An index over random ids costs a page for each event. Written once for 4096 events, in order,
 * they cost fifty bytes each; a question by event_id asks run by run, a few microseconds each, and
 * looks through the events that are behind the last run.
 *
 * Private to store/.   Threads: the store thread alone; the text is constant.
 */
#pragma once

#include <stdint.h>

#include "util/macros.h"

struct writer;

#define EVENT_IDS_RUN_N 4096 /* events */
#define EVENT_IDS_RUN   STRING_OF(EVENT_IDS_RUN_N)

/* the first seq that may be in no run */
#define EVENT_IDS_BEHIND "(SELECT coalesce(max(run) + 1, 0) * " EVENT_IDS_RUN " FROM event_ids)"

/* ?1: an event_id; rows: seq */
#define EVENT_IDS_FIND                                                                             \
	"WITH RECURSIVE runs (run) AS (SELECT max(run) FROM event_ids UNION ALL"                   \
	" SELECT run - 1 FROM runs WHERE run > 0)"                                                 \
	" SELECT seq FROM runs CROSS JOIN event_ids AS i ON i.run = runs.run AND i.event_id = ?1"  \
	" UNION ALL SELECT seq FROM events WHERE seq >= " EVENT_IDS_BEHIND " AND event_id = ?1"

/* ?1: a seq; what is in a run before its own, and not written yet. OR IGNORE: nothing can be in the
 * way, and SQLite need not keep a journal of the statement for that case. */
#define EVENT_IDS_WRITE                                                                            \
	"INSERT OR IGNORE INTO event_ids (run, event_id, seq)"                                     \
	" SELECT seq / " EVENT_IDS_RUN ", event_id, seq FROM events"                               \
	"  WHERE seq >= " EVENT_IDS_BEHIND "    AND seq < ?1 / " EVENT_IDS_RUN " * " EVENT_IDS_RUN \
	" ORDER BY 1, 2"

/**
 * event_ids_write() - write what runs are complete
 * @seq: of the newest event, which has just been written
 *
 * Costs nothing but a look at the number until a run is complete, then a few milliseconds. If the
 * transaction fails, the next run takes these events along.
 *
 * Return: 0, or a negative errno.
 */
int event_ids_write(struct writer *w, int64_t seq) MUST_USE;
