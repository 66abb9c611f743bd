/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoints: moving the WAL's pages into the database, off the commit path
 *
 * The bulk is copied and synced by a thread of its own on a connection of its own while commits go
 * on, again and again until it has nearly caught up. A passive checkpoint never reaches the end of
 * a WAL that keeps growing, so the store thread copies the short rest itself, between two commits;
 * after that the next commit starts the WAL anew.
 *
 * When the database cannot be written or synced, the WAL is kept and all of it copied again: the
 * system tells only once of pages that it could not write (fsync(2)).
 *
 * Private to store/.   Threads: checkpointer_after_commit() from the store thread, the rest from
 * its maker.
 */
#pragma once

#include "store/db.h"

struct checkpointer;

/* @db is the store thread's connection, borrowed until checkpointer_free() */
int checkpointer_new(const char *path, sqlite3 *db, struct checkpointer **ret_checkpointer,
		     struct error *e) MUST_USE;

/* after a commit, outside a transaction: do what is due. Never fails: a full disk is met again by
 * the next commit. */
void checkpointer_after_commit(struct checkpointer *c);

/**
 * checkpoint_empty_wal() - copy the whole WAL and leave a file of no bytes
 *
 * What was erased is in the WAL until then, and a WAL that starts anew is overwritten bit by bit.
 * Commits may have to wait for a moment, 0.1 s at most.   Threads: any.
 *
 * Return: 0; -EBUSY when a reader or another checkpoint is in the way; another negative errno.
 */
int checkpoint_empty_wal(const char *path) MUST_USE;

void checkpointer_free(struct checkpointer *c);
DEFINE_CLEANUP(struct checkpointer *, checkpointer_free)
