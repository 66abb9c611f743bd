/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an eval_id to its evaluation's number (sql/010_evaluation_keys.sql, sql/011_key_runs.sql)
 *
 * An index over eval_ids, which are random, costs a page for each new evaluation: one that is read,
 * written to the WAL, and copied by the checkpoint. So new evaluations are found another way until
 * there are enough of them to share pages:
 *
 *	evaluation_keys	the index, over digests, of all evaluations up to `merged`. Once 131072 are
 *			not in it they go there in the order of their keys, a few with each new
 *			one, so that those which share a page come together.
 *	evaluation_runs	for who reads: the keys of 1024 evaluations in a row, as soon as they are
 *			complete; what is behind the last run is found by looking at the
 *			evaluations themselves
 *	key_table	for the store thread: all that is not merged, in memory
 *
 * Whatever has the right key may still be another evaluation: only its eval_id tells. So an entry
 * too many does no harm, wherever it is, and merging may begin anew after a crash. The start merges
 * at once what has become enough over many short lives of the daemon. All of it can be made anew
 * from the evaluations: empty both tables, set `merged` to 0, and start.
 *
 * A sender who seeks eval_ids with digests alike makes the look-ups slow; senders have a
 * credential, and are trusted with that.
 *
 * Private to store/.   Threads: the store thread alone; the text is constant.
 */
#pragma once

#include <sqlite3.h>
#include <stdint.h>

#include "store/key_table.h"
#include "util/macros.h"
#include "util/slice.h"

struct writer;

/* evaluations: 8 keys a page when the index has 16,000 pages */
#define EVALUATION_MERGE_N 131072

#define EVALUATION_RUN_N 1024 /* evaluations */
#define EVALUATION_RUN   STRING_OF(EVALUATION_RUN_N)

/* the first evaluation that may be in no run, and is not merged */
#define EVALUATIONS_BEHIND                                                                         \
	"max((SELECT merged + 1 FROM evaluation_merge),"                                           \
	" (SELECT coalesce(max(run) + 1, 0) * " EVALUATION_RUN " FROM evaluation_runs))"

/* @eval_id: SQL, for a text that no row of the question around it decides. A scalar: the number of
 * its evaluation, or NULL. */
#define EVALUATION_OF(eval_id)                                                                     \
	"(SELECT v.evaluation FROM (SELECT " eval_id " AS wanted) CROSS JOIN evaluations AS v"     \
	" ON v.evaluation IN ("                                                                    \
	"SELECT evaluation FROM evaluation_keys WHERE key = evaluation_key(wanted)"                \
	" UNION ALL SELECT run * " EVALUATION_RUN " + place.value FROM evaluation_runs"            \
	" CROSS JOIN json_each(evaluation_places(keys, evaluation_key(wanted))) AS place"          \
	" WHERE run >= (SELECT (merged + 1) / " EVALUATION_RUN " FROM evaluation_merge)"           \
	" UNION ALL SELECT evaluation FROM evaluations WHERE evaluation >= " EVALUATIONS_BEHIND    \
	" AND eval_id = wanted) AND v.eval_id = wanted)"

/* how far it has come; what a transaction changes is undone with it */
struct evaluation_progress {
	int64_t last;      /* the newest evaluation */
	int64_t run;       /* its run: those before are complete, and written */
	int64_t first_run; /* the oldest that is still there */
	int64_t merged;    /* up to here they are in the index */
	int64_t merging;   /* up to here they go there now; 0: none */
	size_t at;         /* the table's slot that merging has come to */
};

/* as in the file: the key of each evaluation of a run, its highest byte first */
struct evaluation_run {
	unsigned char keys[EVALUATION_RUN_N][8];
};

struct evaluation_keys {
	struct key_table table; /* what is not merged */
	struct evaluation_progress now, committed;
	/* of now.run, as far as it goes; and of committed.run, if that is another one */
	struct evaluation_run run, committed_run;
	int64_t merge_n; /* so many make it worth while */
};

/* the first 64 bits of the SHA-256 of @eval_id */
int64_t evaluation_key(struct slice eval_id);

/* The SQL functions evaluation_key(eval_id), and evaluation_places(keys, key): where a run has a
 * key, from 0, as a JSON array, or NULL. Return: an SQLite code. */
int evaluation_keys_register(sqlite3 *db) MUST_USE;

/* Read what is not merged; evaluation_keys_recover() must follow. A file whose newest evaluations
 * were lost will give their numbers again, so what is known of those is left out. Return: 0, or a
 * negative errno. */
int evaluation_keys_load(struct writer *w) MUST_USE;

/**
 * evaluation_keys_find() - which evaluation is it?
 * @key: evaluation_key(@eval_id)
 *
 * Return: 0, or a negative errno; *@ret_evaluation is 0 when there is none.
 */
int evaluation_keys_find(struct writer *w, int64_t key, struct slice eval_id,
			 int64_t *ret_evaluation) MUST_USE;

/**
 * evaluation_keys_add() - note a new evaluation, which has just been written
 *
 * Merges a few others, and writes a run when one is complete.
 *
 * Return: 0, or a negative errno; then the transaction must be rolled back.
 */
int evaluation_keys_add(struct writer *w, int64_t key, int64_t evaluation) MUST_USE;

/**
 * evaluation_keys_recover() - at the start: write what runs are complete and missing, or merge
 * them if they are enough; and remove what is known of evaluations that were lost
 *
 * Return: 0, or a negative errno; then the transaction must be rolled back.
 */
int evaluation_keys_recover(struct writer *w) MUST_USE;

/* what was added since the last of these calls is there for good, or was never there */
void evaluation_keys_commit(struct evaluation_keys *k);
void evaluation_keys_roll_back(struct evaluation_keys *k);
