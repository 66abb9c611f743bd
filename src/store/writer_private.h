/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files that write ops share: the statements of the one writing connection
 *
 * writer.c owns them; event_ops.c writes what was posted, delivery_ops.c what becomes of it, and
 * drive_ops.c what operators do to that.
 *
 * Private to store/.   Threads: the store thread alone.
 */
#pragma once

#include "core/crypto.h"
#include "store/db.h"
#include "store/id_index.h"
#include "store/store.h"
#include "store/store_sql.h"

struct route_op;

struct writer {
	sqlite3 *db;
	int64_t quarantine_max;
	struct id_index ids[ID_KINDS];
	sqlite3_stmt *statements[STATEMENTS];
};

/* run a statement without rows; parameters as for db_bind(). Return: 0, or a negative errno. */
int writer_do(struct writer *w, enum statement id, const char *types, ...) MUST_USE;

/* as writer_do(). Return: how many rows it changed, or a negative errno. */
int writer_change(struct writer *w, enum statement id, const char *types, ...) MUST_USE;

/* a statement with one row, which the caller resets. Return: 0, -ENODATA without a row, another
 * negative errno. */
int writer_find(struct writer *w, enum statement id, const char *types, ...) MUST_USE;

static inline struct slice digest_slice(const struct sha256 *digest)
{
	return slice_make((const char *)digest->bytes, sizeof(digest->bytes));
}

/* Each writes an op of its kind: see writer_run(). */
int event_run(struct writer *w, struct store_op *base) MUST_USE;
int quarantine_run(struct writer *w, struct store_op *base) MUST_USE;
int route_run(struct writer *w, struct store_op *base) MUST_USE;
int begin_run(struct writer *w, struct store_op *base) MUST_USE;
int finish_run(struct writer *w, struct store_op *base) MUST_USE;
int drive_run_handlers(struct writer *w, struct store_op *base) MUST_USE;
int drive_run_pause(struct writer *w, struct store_op *base) MUST_USE;
int drive_run_change(struct writer *w, struct store_op *base) MUST_USE;
int drive_run_replay(struct writer *w, struct store_op *base) MUST_USE;

/* the replay that @op names has come so far */
int drive_move_replay(struct writer *w, const struct route_op *op) MUST_USE;
