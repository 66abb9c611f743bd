/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An id's key, and the keys of 1024 rows in one
 *
 * Ids are eval_ids and event_ids: random texts. Their keys are digests, so that they are short and
 * evenly spread whatever the ids are. Two ids may have the same key.
 *
 * Private to store/.   Threads: any; pure functions.
 */
#pragma once

#include <sqlite3.h>
#include <stdint.h>

#include "util/macros.h"
#include "util/slice.h"

#define ID_RUN_N 1024 /* rows */
#define ID_RUN   STRING_OF(ID_RUN_N)

/* The keys of rows run * 1024 to run * 1024 + 1023 as they are in the file, the highest byte of
 * each first. Where there is no row, 0 is; where one is found elsewhere, anything may be. */
struct id_run {
	unsigned char keys[ID_RUN_N][8];
};

/* the first 64 bits of the SHA-256 of @id, but 1 instead of 0 */
int64_t id_key(struct slice id);

/* @number: of the row */
void id_run_put(struct id_run *run, int64_t number, int64_t key);

/* @i: from 0 */
int64_t id_run_key(const struct id_run *run, int i);

/* Return: @bytes, or NULL when that has another size than a run */
const struct id_run *id_run_of(const void *bytes, int n);

/* The SQL functions id_key(id), and id_places(keys, key): where a run has a key, from 0, as a JSON
 * array, or NULL. Return: an SQLite code. */
int id_key_register(sqlite3 *db) MUST_USE;
