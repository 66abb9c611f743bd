/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making the file of a store that no daemon has smaller (backup.h)
 */
#include <errno.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/backup.h"
#include "store/db.h"
#include "store/gauge.h"
#include "store/schema.h"
#include "store/store_file.h"
#include "util/fd.h"

#define WORTH_PERCENT 25

/* the daemon's own lock, so that it cannot start meanwhile. Return: descriptor or negative errno.
 */
static int take_lock(const char *path, struct error *e)
{
	int fd, r;

	r = store_file_open_lock(path, &fd, e);
	if (r < 0)
		return r;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	fd_close(fd);
	return error_set(e, -EBUSY,
			 "riskhookd is using '%s'; stop it first (it reuses free space by itself)",
			 path);
}

static int64_t size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_size : 0;
}

static int check_worth(sqlite3 *db, const char *path, bool force, struct error *e)
{
	struct file_gauge files = {.free = 0};
	int64_t pages = 0, unused = 0;
	int r;

	r = db_integer(db, "PRAGMA page_count", &pages);
	if (r == 0)
		r = db_integer(db, "PRAGMA freelist_count", &unused);
	if (r == 0)
		r = gauge_files(path, &files);
	if (r < 0)
		return error_set(e, r, "cannot read '%s': %s", path, error_name(r));
	if (!force && unused * 100 < pages * WORTH_PERCENT)
		return error_set(e, -EALREADY,
				 "only %lld%% of '%s' are free, which new events will use; --force "
				 "does it all the same",
				 (long long)(pages ? unused * 100 / pages : 0), path);
	if (files.free < files.database)
		return error_set(e, -ENOSPC,
				 "the disk has too little space for a second copy of '%s'", path);
	return 0;
}

static int vacuum(const char *path, bool force, struct error *e)
{
	_cleanup_(sqlite3_closep)
	sqlite3 *db = NULL;
	int r;

	r = db_open(path, SQLITE_OPEN_READWRITE, &db, e);
	if (r == 0)
		r = schema_check(db, path, e);
	if (r == 0)
		r = check_worth(db, path, force, e);
	if (r < 0)
		return r;
	r = db_exec(db, "PRAGMA synchronous=FULL; VACUUM; PRAGMA wal_checkpoint(TRUNCATE)");
	if (r < 0)
		return error_set(e, r, "cannot vacuum '%s': %s", path, db_message(db));
	return 0;
}

int vacuum_store(const char *path, bool force, struct vacuum_facts *ret, struct error *e)
{
	int lock, r;

	if (access(path, F_OK) < 0)
		return error_set(e, -errno, "no store at '%s': %s", path, error_name(errno));
	lock = take_lock(path, e);
	if (lock < 0)
		return lock;
	ret->before = size_of(path);
	r = vacuum(path, force, e);
	ret->after = size_of(path);
	fd_close(lock);
	return r;
}
