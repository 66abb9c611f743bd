/* SPDX-License-Identifier: Apache-2.0 */
#include "store/checkpoint.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "util/thread.h"

#ifndef WAL_PAGES_BULK      /* the power-loss test wants checkpoints from small files, too */
#define WAL_PAGES_BULK 4000 /* 16 MiB: the thread begins to copy */
#endif

enum stage {
	IDLE,      /* the WAL is short */
	BULK,      /* the thread copies */
	BULK_DONE, /* the store thread copies the rest */
	STOPPING,
};

struct checkpointer {
	/* constant after new */
	sqlite3 *store_db; /* used by the store thread alone */
	pthread_t thread;

	/* owned by the store thread */
	int wal_pages; /* after the last commit */

	/* owned by the checkpoint thread */
	sqlite3 *db;

	/* shared, under mx */
	pthread_mutex_t mx;
	pthread_cond_t changed;
	enum stage stage;
};

static int on_wal_commit(void *arg, sqlite3 *db, const char *name, int pages)
{
	struct checkpointer *c = arg;

	(void)db;
	(void)name;
	c->wal_pages = pages;
	return SQLITE_OK;
}

/* Busy and I/O errors are no reason to stop: the WAL stays valid and the next round tries again. */
static void checkpoint(sqlite3 *db)
{
	(void)sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

static void *checkpointer_run(void *arg)
{
	struct checkpointer *c = arg;

	mutex_lock(&c->mx);
	while (c->stage != STOPPING) {
		if (c->stage != BULK) {
			cond_wait(&c->changed, &c->mx);
			continue;
		}
		mutex_unlock(&c->mx);
		checkpoint(c->db);
		mutex_lock(&c->mx);
		if (c->stage == BULK)
			c->stage = BULK_DONE;
	}
	mutex_unlock(&c->mx);
	return NULL;
}

static int open_connection(const char *path, sqlite3 **ret_db)
{
	int r;

	r = db_open(path, SQLITE_OPEN_READWRITE, ret_db, NULL);
	if (r == 0)
		r = db_exec(*ret_db, "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0");
	return r;
}

int checkpointer_new(const char *path, sqlite3 *db, struct checkpointer **ret_checkpointer,
		     struct error *e)
{
	struct checkpointer *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return error_set(e, -ENOMEM, "out of memory");
	c->store_db = db;
	(void)pthread_mutex_init(&c->mx, NULL); /* cannot fail with default attributes on Linux */
	cond_init(&c->changed);
	r = open_connection(path, &c->db);
	if (r == 0)
		r = thread_start(&c->thread, "checkpoint", checkpointer_run, c);
	if (r < 0) {
		sqlite3_close_v2(c->db);
		free(c);
		return error_set(e, r, "cannot start the checkpoint thread: %s", error_name(r));
	}
	(void)sqlite3_wal_hook(db, on_wal_commit, c); /* returns the hook before: none */
	*ret_checkpointer = c;
	return 0;
}

void checkpointer_after_commit(struct checkpointer *c)
{
	bool rest = false;

	if (c->wal_pages < WAL_PAGES_BULK)
		return;
	mutex_lock(&c->mx);
	if (c->stage == IDLE) {
		c->stage = BULK;
		pthread_cond_signal(&c->changed);
	} else if (c->stage == BULK_DONE) {
		c->stage = IDLE;
		rest = true;
	}
	mutex_unlock(&c->mx);
	if (rest) {
		checkpoint(c->store_db);
		c->wal_pages = 0; /* the next commit tells the new length */
	}
}

void checkpointer_free(struct checkpointer *c)
{
	if (!c)
		return;
	mutex_lock(&c->mx);
	c->stage = STOPPING;
	pthread_cond_signal(&c->changed);
	mutex_unlock(&c->mx);
	thread_join(c->thread);
	sqlite3_close_v2(c->db);
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->mx);
	free(c);
}
