/* SPDX-License-Identifier: Apache-2.0 */
#include "store/checkpoint.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "util/thread.h"

#ifndef WAL_PAGES_BULK       /* the power-loss test wants checkpoints from small files, too */
#define WAL_PAGES_BULK 24000 /* 94 MiB: the thread begins to copy */
#endif
#define WAL_PAGES_AGAIN (WAL_PAGES_BULK / 24)

/* bytes: a commit waits behind no more in the disk's queue. Under a load that fills the WAL within
 * HURRY_MS the copying must end soon, and takes larger portions. */
#define SYNC_EVERY          (256 * 1024)
#define SYNC_EVERY_IN_HURRY (1024 * 1024)
#define HURRY_MS            2000

#define REST_PAGES    64  /* so few are left to the store thread: about a millisecond */
#define EMPTY_WAIT_MS 100 /* for readers, while no commit can begin */

#define ROUNDS_MAX 8 /* with a reader that stays, or a disk that is slower than the commits */

enum stage {
	IDLE,      /* the WAL is short */
	BULK,      /* the thread copies */
	BULK_DONE, /* the store thread copies the rest */
	BULK_FAILED,
	STOPPING,
};

struct checkpointer {
	/* constant after new */
	sqlite3 *store_db; /* used by the store thread alone */
	pthread_t thread;

	_Atomic int wal_pages; /* after the last commit; set by the store thread */

	/* owned by the store thread */
	int begin_at; /* WAL pages with which a checkpoint begins */
	bool is_over; /* one has ended since the last commit */

	/* owned by the checkpoint thread */
	sqlite3 *db;
	sqlite3_file *file;             /* the database's of @db; NULL: not known */
	const sqlite3_io_methods *real; /* of @file */
	sqlite3_io_methods paced;       /* the same, with paced_write() */
	int unsynced, sync_every;       /* bytes */
	int64_t began_at_ms;            /* the last checkpoint */

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
	atomic_store_explicit(&c->wal_pages, pages, memory_order_relaxed);
	return SQLITE_OK;
}

/* What the wal-index says of frames that are in the database already: none is. SQLite has no call
 * for it; the format is promised, https://www.sqlite.org/walformat.html, "WAL-Index File Format".
 */
static void copy_all_again(sqlite3 *db)
{
	const int checkpoint_lock = 1, n_backfill_at = 96, size = 32768;
	volatile void *index = NULL;
	sqlite3_file *file = NULL;

	if (sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK ||
	    !file || !file->pMethods || file->pMethods->iVersion < 2 ||
	    file->pMethods->xShmMap(file, 0, size, 0, &index) != SQLITE_OK || !index ||
	    file->pMethods->xShmLock(file, checkpoint_lock, 1,
				     SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE) != SQLITE_OK) {
		log_error("the store's log cannot be copied anew; restart riskhookd");
		return;
	}
	__atomic_store_n((volatile uint32_t *)index + n_backfill_at / sizeof(uint32_t), 0,
			 __ATOMIC_SEQ_CST);
	(void)file->pMethods->xShmLock(file, checkpoint_lock, 1,
				       SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE);
}

/* The system tells once of pages that it could not write, and counts them as written from then on
 * (fsync(2)). SQLite counts frames as copied when it has passed them to the system, and syncs with
 * the last. So whenever one of the two fails, all is copied again. */
static void note_failure(sqlite3 *db, int rc)
{
	log_error("the store's log cannot be copied into the database: %s; it is kept and all of "
		  "it copied again",
		  error_name(db_errno(rc)));
	copy_all_again(db);
}

/* Errors are no reason to stop: the WAL stays valid and the next round tries again.
 * @ret_n: pages of the WAL that are copied. Return: false when it failed */
static bool checkpoint(sqlite3 *db, int *ret_n)
{
	int rc = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, ret_n);

	if (rc != SQLITE_OK)
		*ret_n = 0;
	if (rc == SQLITE_OK || rc == SQLITE_BUSY)
		return true;
	note_failure(db, rc);
	return false;
}

static _Thread_local struct checkpointer *checkpointer_of_thread;

/* SQLite syncs the database with the last page alone, which would be in the store thread. */
static int sync_database(struct checkpointer *c)
{
	c->unsynced = 0;
	return c->file ? c->real->xSync(c->file, SQLITE_SYNC_NORMAL) : SQLITE_OK;
}

static int paced_write(sqlite3_file *file, const void *p, int n, sqlite3_int64 at)
{
	struct checkpointer *c = checkpointer_of_thread;
	int rc = c->real->xWrite(file, p, n, at);

	c->unsynced += n;
	if (rc == SQLITE_OK && c->unsynced >= c->sync_every)
		rc = sync_database(c);
	return rc;
}

static void begin_pacing(struct checkpointer *c)
{
	checkpointer_of_thread = c;
	if (sqlite3_file_control(c->db, "main", SQLITE_FCNTL_FILE_POINTER, &c->file) != SQLITE_OK ||
	    !c->file || !c->file->pMethods) {
		c->file = NULL;
		return;
	}
	c->real = c->file->pMethods;
	c->paced = *c->real;
	c->paced.xWrite = paced_write;
	c->file->pMethods = &c->paced;
}

static void end_pacing(struct checkpointer *c)
{
	if (c->file)
		c->file->pMethods = c->real;
}

static bool copy_round(struct checkpointer *c, int *ret_n)
{
	int rc;

	if (!checkpoint(c->db, ret_n))
		return false;
	rc = sync_database(c);
	if (rc != SQLITE_OK)
		note_failure(c->db, rc);
	return rc == SQLITE_OK;
}

/* until few pages are left; Return: false when something failed */
static bool copy_bulk(struct checkpointer *c)
{
	int64_t now_ms = clock_monotonic_ms();

	c->sync_every = now_ms - c->began_at_ms < HURRY_MS ? SYNC_EVERY_IN_HURRY : SYNC_EVERY;
	c->began_at_ms = now_ms;
	for (int round = 0; round < ROUNDS_MAX; round++) {
		int n_copied;

		if (!copy_round(c, &n_copied))
			return false;
		if (atomic_load_explicit(&c->wal_pages, memory_order_relaxed) - n_copied <=
		    REST_PAGES)
			break;
	}
	return true;
}

static void *checkpointer_run(void *arg)
{
	struct checkpointer *c = arg;
	bool done;

	thread_yield_to_others(THREAD_NICE);
	begin_pacing(c);
	mutex_lock(&c->mx);
	while (c->stage != STOPPING) {
		if (c->stage != BULK) {
			cond_wait(&c->changed, &c->mx);
			continue;
		}
		mutex_unlock(&c->mx);
		done = copy_bulk(c);
		mutex_lock(&c->mx);
		if (c->stage == BULK)
			c->stage = done ? BULK_DONE : BULK_FAILED;
	}
	mutex_unlock(&c->mx);
	end_pacing(c);
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

int checkpoint_empty_wal(const char *path)
{
	_cleanup_(sqlite3_closep)
	sqlite3 *db = NULL;
	int r, rc, n_copied;

	r = open_connection(path, &db);
	if (r < 0)
		return r;
	if (!checkpoint(db, &n_copied)) /* the bulk, while commits go on */
		return -EIO;
	(void)sqlite3_busy_timeout(db, EMPTY_WAIT_MS); /* fails only for a closed connection */
	rc = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	if (rc != SQLITE_OK && rc != SQLITE_BUSY)
		note_failure(db, rc);
	return db_errno(rc);
}

int checkpointer_new(const char *path, sqlite3 *db, struct checkpointer **ret_checkpointer,
		     struct error *e)
{
	struct checkpointer *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return error_set(e, -ENOMEM, "out of memory");
	c->store_db = db;
	c->begin_at = WAL_PAGES_BULK;
	c->began_at_ms = clock_monotonic_ms();
	atomic_init(&c->wal_pages, 0);
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

/* A reader that stays, or a failure, keeps the WAL from starting anew: try again with some more
 * pages. */
static void plan_next(struct checkpointer *c, int wal_pages)
{
	c->begin_at = wal_pages < WAL_PAGES_BULK ? WAL_PAGES_BULK : wal_pages + WAL_PAGES_AGAIN;
	c->is_over = false;
}

void checkpointer_after_commit(struct checkpointer *c)
{
	int wal_pages = atomic_load_explicit(&c->wal_pages, memory_order_relaxed);
	bool is_rest_due = false;
	int n_copied;

	if (c->is_over)
		plan_next(c, wal_pages);
	if (wal_pages < c->begin_at)
		return;
	mutex_lock(&c->mx);
	if (c->stage == IDLE) {
		c->stage = BULK;
		pthread_cond_signal(&c->changed);
	} else if (c->stage == BULK_DONE || c->stage == BULK_FAILED) {
		is_rest_due = c->stage == BULK_DONE;
		c->stage = IDLE;
		c->is_over = true;
	}
	mutex_unlock(&c->mx);
	if (is_rest_due)
		(void)checkpoint(c->store_db, &n_copied); /* has told of a failure */
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
