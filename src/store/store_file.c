/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>

#include "store/schema.h"
#include "util/cleanup.h"
#include "util/fd.h"

#define STORE_MODE    0640 /* personal data: never for others */
#define LOCK_WAIT_MS  1000
#define LOCK_PAUSE_MS 10

/* A program that a killed daemon was about to start has its descriptors until exec, a moment after
 * the daemon's end. */
static int wait_for_lock(int fd)
{
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000L};
	int left_ms = LOCK_WAIT_MS;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK || left_ms <= 0)
			return -errno;
		(void)nanosleep(&pause, NULL); /* cut short is as good */
		left_ms -= LOCK_PAUSE_MS;
	}
	return 0;
}

/* SQLite would create it readable by everybody */
static int create_private(const char *path, struct error *e)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, STORE_MODE);
	int r = fd < 0 ? -errno : 0;

	fd_close(fd);
	if (r < 0)
		return error_set(e, r, "cannot open '%s': %s%s", path, error_name(r),
				 r == -ENOENT ? "; its folder must exist" : db_advice(r));
	return 0;
}

int store_file_open_lock(const char *path, int *ret_fd, struct error *e)
{
	_cleanup_(freep)
	char *real = realpath(path, NULL);
	char lock_path[4096];
	int n;

	if (!real)
		return error_set(e, -errno, "cannot find '%s': %s", path, error_name(errno));
	n = snprintf(lock_path, sizeof(lock_path), "%s.lock", real);
	if (n < 0 || (size_t)n >= sizeof(lock_path))
		return error_set(e, -ENAMETOOLONG, "[store] path is too long");
	*ret_fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, STORE_MODE);
	if (*ret_fd < 0)
		return error_set(e, -errno,
				 "cannot create '%s': %s; its folder must exist and be writable",
				 lock_path, error_name(errno));
	return 0;
}

/* a second daemon on the same store would deliver everything twice */
int store_file_lock(const char *path, int *ret_fd, struct error *e)
{
	int r = create_private(path, e);

	if (r == 0)
		r = store_file_open_lock(path, ret_fd, e);
	if (r < 0)
		return r;
	r = wait_for_lock(*ret_fd);
	if (r < 0)
		return error_set(e, r, "another riskhookd is using '%s'; stop it first", path);
	return 0;
}

static int set_up(sqlite3 *db, const char *path, struct error *e)
{
	int keep_wal = 1;
	int r;

	/* readers without write permission need the WAL's files to be there */
	(void)sqlite3_file_control(db, "main", SQLITE_FCNTL_PERSIST_WAL, &keep_wal);
	r = schema_migrate(db, path, e);
	if (r < 0)
		return r;
	/* what is erased must not stay in free parts of pages, nor where it was moved from before.
	 * References are by construction; checking each would cost an index look-up a row */
	r = db_exec(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
			"PRAGMA wal_autocheckpoint=0; PRAGMA journal_size_limit=201326592;"
			"PRAGMA foreign_keys=OFF; PRAGMA secure_delete=ON;"
			"PRAGMA cache_size=-4096; PRAGMA temp_store=MEMORY");
	if (r < 0)
		return error_set(e, r, "cannot set up '%s': %s%s", path, db_message(db),
				 db_advice(r));
	return 0;
}

static int check_modes(sqlite3 *db, const char *path, struct error *e)
{
	int64_t synchronous = 0, is_wal = 0;
	int r;

	r = db_integer(db, "SELECT journal_mode = 'wal' FROM pragma_journal_mode", &is_wal);
	if (r < 0 || !is_wal) /* a file system without shared memory */
		return error_set(
			e, r < 0 ? r : -ENOTSUP,
			"'%s' cannot be written in WAL mode; put it on a local file system", path);
	r = db_integer(db, "PRAGMA synchronous", &synchronous);
	if (r < 0 || synchronous < 2) /* FULL */
		return error_set(e, r < 0 ? r : -ENOTSUP,
				 "'%s' cannot be written with synchronous=FULL", path);
	return 0;
}

int store_file_open(const char *path, sqlite3 **ret_db, struct error *e)
{
	int r = db_open(path, SQLITE_OPEN_READWRITE, ret_db, e);

	if (r == 0)
		r = set_up(*ret_db, path, e);
	return r < 0 ? r : check_modes(*ret_db, path, e);
}

bool store_file_is_lost(sqlite3 *db)
{
	int has_moved = 0;

	return sqlite3_file_control(db, "main", SQLITE_FCNTL_HAS_MOVED, &has_moved) == SQLITE_OK &&
	       has_moved;
}
