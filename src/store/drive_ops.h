/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the ops of store/drive.h write
 *
 * Private to store/.   Threads: the store thread alone.
 */
#pragma once

#include "store/db.h"
#include "store/drive.h"

/* ?1, which was live, has ended: it passes its turn (sql/004_drive.sql) */
#define SQL_PASS_TURN                                                                              \
	"UPDATE deliveries SET ready = 1 WHERE delivery = ("                                       \
	" SELECT live.delivery FROM deliveries AS ended, deliveries AS live"                       \
	"  WHERE ended.delivery = ?1 AND ended.ready AND live.handler = ended.handler"             \
	"    AND live.evaluation = ended.evaluation AND live.evaluation <> 0"                      \
	"    AND live.state IN ('pending', 'running', 'held')"                                     \
	"  ORDER BY live.delivery LIMIT 1)"

struct drive_writer;

/* @db: borrowed until drive_writer_free() */
int drive_writer_new(sqlite3 *db, struct drive_writer **ret_writer, struct error *e) MUST_USE;
void drive_writer_free(struct drive_writer *w);

/* as writer_run() */
int drive_run_handlers(struct drive_writer *w, struct handlers_op *op) MUST_USE;
int drive_run_pause(struct drive_writer *w, struct pause_op *op) MUST_USE;
int drive_run_change(struct drive_writer *w, struct change_op *op) MUST_USE;
int drive_run_replay(struct drive_writer *w, struct replay_op *op) MUST_USE;

/* the replay that @op names has come so far */
int drive_move_replay(struct drive_writer *w, const struct route_op *op) MUST_USE;
