/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writer: the store thread's transactions, and what each kind of op writes in one
 *
 * Private to store/.   Threads: the store thread alone.
 */
#pragma once

#include "store/db.h"
#include "store/store.h"

struct writer;

/**
 * writer_new() - prepare every statement on the writing connection
 * @db: borrowed until writer_free()
 */
int writer_new(sqlite3 *db, int64_t quarantine_max, struct writer **ret_writer,
	       struct error *e) MUST_USE;
void writer_free(struct writer *w);
DEFINE_CLEANUP(struct writer *, writer_free)

int writer_begin(struct writer *w) MUST_USE;
int writer_commit(struct writer *w) MUST_USE;
/* leave a transaction, if one is open. When that fails, writer_begin() tries again. */
int writer_rollback(struct writer *w);

/**
 * writer_run() - write one op
 *
 * Fills the op's results. Return: 0, or a negative errno; then the transaction must be rolled back.
 */
int writer_run(struct writer *w, struct store_op *op) MUST_USE;

/* every event up to @seq is routed */
int writer_move_router(struct writer *w, int64_t seq) MUST_USE;

/* what a crash left behind: running becomes pending, open attempts become interrupted; ids
 * that are in no index yet are put where they belong (store/id_index.h) */
int writer_recover(struct writer *w, int64_t now) MUST_USE;
