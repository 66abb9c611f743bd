/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an id to the number of its row: an eval_id to its evaluation, an event_id to the seqs of its
 * events (sql/010_evaluation_keys.sql, sql/011_key_runs.sql, sql/012_event_keys.sql)
 *
 * An index over ids, which are random, costs a page for each new row: one that is read, written to
 * the WAL, and copied by the checkpoint. So new rows are found another way until there are enough
 * of them to share pages. There are two of each, `evaluation_` and `event_`:
 *
 *	_keys		the index, over keys (store/id_key.h), of all rows up to `merged`. Once a
 *			portion of 131072 evaluations or 65536 events is complete they go there in
 *			the order of their keys, a few with each new one, so that those which share
 *			a page come together.
 *	_runs		for who reads: the keys of 1024 rows in a row, as soon as they are complete;
 *			what is behind the last run is found by looking at the rows themselves
 *	key_table	all that is not merged, in memory
 *
 * The store thread must know the evaluation of each event, so those have one index. Events are only
 * found by who reads, so each portion of theirs stays for itself, one behind the other: no page is
 * written again, and a question looks into each. Smaller portions would be more of them, and
 * larger ones more runs.
 *
 * Whatever has the right key may still be another row: only its id tells. So an entry too many does
 * no harm, wherever it is, and merging may begin anew after a crash. The start merges at once what
 * has become enough over many short lives of the daemon. All of it can be made anew from the rows:
 * empty both tables, set `merged` to 0, and start.
 *
 * A sender who seeks ids with digests alike makes the look-ups slow; senders have a credential, and
 * are trusted with that.
 *
 * Private to store/.   Threads: the store thread alone; the text is constant.
 */
#pragma once

#include <stdint.h>

#include "store/id_key.h"
#include "store/key_table.h"
#include "util/macros.h"
#include "util/slice.h"

struct writer;

#define EVENT_PORTION_N 65536
#define EVENT_PORTION   STRING_OF(EVENT_PORTION_N)

/* of which table? What a question asks of one of them has its name, "evaluation" or "event". */
enum id_kind { ID_EVALUATION, ID_EVENT, ID_KINDS };

/* SQL: the first number that may be in no run, and is not merged */
#define IDS_BEHIND(name)                                                                           \
	"max((SELECT merged + 1 FROM " name "_merge),"                                             \
	" (SELECT coalesce(max(run) + 1, 0) * " ID_RUN " FROM " name "_runs))"

/* SQL, rows: what is in runs and may be `wanted` */
#define IDS_IN_RUNS(name)                                                                          \
	"SELECT run * " ID_RUN " + place.value FROM " name "_runs"                                 \
	" CROSS JOIN json_each(id_places(keys, id_key(wanted))) AS place"                          \
	" WHERE run >= (SELECT (merged + 1) / " ID_RUN " FROM " name "_merge)"

/* clang-format off */
/* SQL, rows: what is in no run and not merged, and is `wanted` */
#define IDS_BEHIND_RUNS(name, rows, number, id)                                                    \
	"SELECT " number " FROM " rows " WHERE " number " >= " IDS_BEHIND(name)                    \
	" AND " id " = wanted"

/* @eval_id: SQL, for a text that no row of the question around it decides. A scalar: the number of
 * its evaluation, or NULL. */
#define EVALUATION_OF(eval_id)                                                                     \
	"(SELECT v.evaluation FROM (SELECT " eval_id " AS wanted) CROSS JOIN evaluations AS v"     \
	" ON v.evaluation IN ("                                                                    \
	"SELECT evaluation FROM evaluation_keys WHERE key = id_key(wanted)"                        \
	" UNION ALL " IDS_IN_RUNS("evaluation")                                                    \
	" UNION ALL " IDS_BEHIND_RUNS("evaluation", "evaluations", "evaluation", "eval_id")        \
	") AND v.eval_id = wanted)"

/* @event_id: the same. Rows: the seqs of its events, as `seq`. */
#define EVENTS_OF(event_id)                                                                        \
	"(WITH RECURSIVE portions (portion) AS (SELECT merged / " EVENT_PORTION                    \
	" FROM event_merge UNION ALL SELECT portion - 1 FROM portions WHERE portion > 0)"          \
	" SELECT e.seq FROM (SELECT " event_id " AS wanted) CROSS JOIN events AS e"                \
	" ON e.seq IN ("                                                                           \
	"SELECT k.seq FROM portions CROSS JOIN event_keys AS k"                                    \
	" ON k.portion = portions.portion AND k.key = id_key(wanted)"                              \
	" UNION ALL " IDS_IN_RUNS("event")                                                         \
	" UNION ALL " IDS_BEHIND_RUNS("event", "events", "seq", "event_id")                        \
	") AND e.event_id = wanted)"
/* clang-format on */

/* how far it has come; what a transaction changes is undone with it */
struct id_progress {
	int64_t last;       /* the newest row */
	int64_t run;        /* its run: those before are complete, and written */
	int64_t first_run;  /* the oldest that is still there */
	int64_t merged;     /* up to here they are in the index */
	int64_t merging;    /* up to here they go there now; 0: none */
	size_t at;          /* the table's slot that merging has come to, */
	unsigned int moves; /* if its entries have moved as often as then */
};

struct id_index {
	struct key_table table; /* what is not merged */
	struct id_progress now, committed;
	struct id_run run; /* now.run, as far as it goes */
	int64_t merge_n;   /* rows of a portion: a multiple of ID_RUN_N */
};

/* Read what is not merged; id_index_recover() must follow. A file whose newest rows were lost will
 * give their numbers again, so what is known of those is left out. Return: 0, or a negative errno.
 */
int id_index_load(struct writer *w, enum id_kind kind) MUST_USE;

/**
 * id_index_recover() - at the start: write what runs are complete and missing, or merge them if
 * they are enough; and remove what is known of rows that were lost
 *
 * Return: 0, or a negative errno; then the transaction must be rolled back.
 */
int id_index_recover(struct writer *w, enum id_kind kind) MUST_USE;

/**
 * id_index_find_evaluation() - which evaluation is it?
 * @key: id_key(@eval_id)
 *
 * Return: 0, or a negative errno; *@ret_evaluation is 0 when there is none.
 */
int id_index_find_evaluation(struct writer *w, int64_t key, struct slice eval_id,
			     int64_t *ret_evaluation) MUST_USE;

/**
 * id_index_add() - note a new row, which has just been written
 *
 * Merges a few others, and writes a run when one is complete.
 *
 * Return: 0, or a negative errno; then the transaction must be rolled back.
 */
int id_index_add(struct writer *w, enum id_kind kind, int64_t key, int64_t number) MUST_USE;

/* what was added since the last of these calls is there for good, or was never there */
void id_index_commit(struct id_index *x);
void id_index_roll_back(struct id_index *x);

void id_index_deinit(struct id_index *x);
