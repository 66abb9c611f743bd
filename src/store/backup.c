/* SPDX-License-Identifier: Apache-2.0 */
#include "store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/check.h"
#include "store/db.h"
#include "store/reader_private.h"
#include "util/fd.h"

#define STEP_PAGES  2048 /* 8 MiB between two calls of progress */
#define BACKUP_MODE 0600

struct counts {
	int64_t events, last_seq, deliveries, attempts;
};

static int count(sqlite3 *db, struct counts *ret)
{
	const struct {
		const char *sql;
		int64_t *at;
	} rows[] = {
		{"SELECT count(*) FROM events", &ret->events},
		{"SELECT coalesce(max(seq), 0) FROM events", &ret->last_seq},
		{"SELECT count(*) FROM deliveries", &ret->deliveries},
		{"SELECT count(*) FROM attempts", &ret->attempts},
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(rows); i++)
		r = db_integer(db, rows[i].sql, rows[i].at);
	return r;
}

static int copy_pages(sqlite3 *to, sqlite3 *from, const struct backup_request *request)
{
	sqlite3_backup *copy = sqlite3_backup_init(to, "main", from, "main");
	int rc;

	if (!copy)
		return db_errno(sqlite3_extended_errcode(to));
	do {
		rc = sqlite3_backup_step(copy, STEP_PAGES);
		if (request->progress) {
			int total = sqlite3_backup_pagecount(copy);

			request->progress(total - sqlite3_backup_remaining(copy), total,
					  request->arg);
		}
	} while (rc == SQLITE_OK);
	rc = sqlite3_backup_finish(copy);
	return db_errno(rc);
}

static int open_new(const char *path, sqlite3 **ret_db)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, BACKUP_MODE);

	if (fd < 0)
		return -errno;
	fd_close(fd);
	return db_open(path, SQLITE_OPEN_READWRITE, ret_db, NULL);
}

/* is it whole, and all there? */
static int verify(sqlite3 *db, const struct counts *wanted, const char *path, struct error *e)
{
	struct counts got = {.events = -1};
	int r = count(db, &got);

	if (r < 0)
		return error_set(e, r, "cannot read the copy '%s': %s", path, error_name(r));
	if (got.events != wanted->events || got.last_seq != wanted->last_seq ||
	    got.deliveries != wanted->deliveries || got.attempts != wanted->attempts)
		return error_set(e, -EUCLEAN, "the copy '%s' has not as many rows as the store",
				 path);
	return check_integrity(db, path, false, e);
}

/* Everything that a reader of the copy needs is in one file: no WAL beside it. */
static int write_copy(sqlite3 *from, const char *path, const struct backup_request *request,
		      const struct counts *wanted, struct error *e)
{
	_cleanup_(sqlite3_closep)
	sqlite3 *to = NULL;
	int r;

	r = open_new(path, &to);
	if (r < 0)
		return error_set(e, r, "cannot create '%s': %s", path, error_name(r));
	r = copy_pages(to, from, request);
	if (r == 0)
		r = db_exec(to, "PRAGMA journal_mode=DELETE; PRAGMA locking_mode=EXCLUSIVE");
	if (r < 0)
		return error_set(e, r, "cannot copy the store to '%s': %s", path, error_name(r));
	return verify(to, wanted, path, e);
}

static int sync_path(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC), r;

	if (fd < 0)
		return -errno;
	r = fsync(fd) < 0 ? -errno : 0;
	fd_close(fd);
	return r;
}

/* sync, give it its name, sync the folder */
static int publish(const char *path, const struct backup_request *request, struct error *e)
{
	_cleanup_(freep)
	char *folder = strdup(request->file);
	int r = folder ? sync_path(path, O_RDONLY) : -ENOMEM;

	/* link() fails when somebody was quicker; rename() would not */
	if (r == 0 && request->overwrite)
		r = rename(path, request->file) < 0 ? -errno : 0;
	else if (r == 0)
		r = link(path, request->file) < 0 ? -errno : 0;
	if (r == 0)
		r = sync_path(dirname(folder), O_RDONLY | O_DIRECTORY);
	if (r == -EEXIST)
		return error_set(e, r, "'%s' is there already; --force replaces it", request->file);
	if (r < 0)
		return error_set(e, r, "cannot write '%s': %s", request->file, error_name(r));
	return 0;
}

static bool is_same_file(const char *a, const char *b)
{
	struct stat of_a, of_b;

	return stat(a, &of_a) == 0 && stat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev &&
	       of_a.st_ino == of_b.st_ino;
}

/* A store that is in use must not get another file under its name, nor a copy a WAL that is not
 * its own. */
static int check_target(const struct backup_request *request, struct error *e)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
	char path[4096];

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", request->store, suffixes[i]);
		if (is_same_file(path, request->file))
			return error_set(e, -EINVAL, "'%s' is the store itself; name another file",
					 request->file);
	}
	(void)snprintf(path, sizeof(path), "%s-wal", request->file);
	if (access(path, F_OK) == 0)
		return error_set(e, -EINVAL,
				 "'%s' is there, so '%s' is a store in use or what is left of one; "
				 "name another file",
				 path, request->file);
	if (!request->overwrite && access(request->file, F_OK) == 0)
		return error_set(e, -EEXIST, "'%s' is there already; --force replaces it",
				 request->file);
	return 0;
}

static int copy_store(const struct backup_request *request, const char *path,
		      struct backup_facts *ret, struct error *e)
{
	_cleanup_(reader_closep)
	struct reader *reader = NULL;
	struct counts counts = {.events = 0};
	struct stat st;
	int r;

	r = reader_open(request->store, &reader, e);
	if (r < 0)
		return r;
	/* from here on it sees one state of the store, whatever is written meanwhile */
	r = db_exec(reader->db, "BEGIN");
	if (r == 0)
		r = count(reader->db, &counts);
	if (r < 0)
		return error_set(e, r, "cannot read '%s': %s", request->store, error_name(r));
	r = write_copy(reader->db, path, request, &counts, e);
	if (r == 0)
		r = publish(path, request, e);
	if (r == 0 && stat(request->file, &st) == 0)
		*ret = (struct backup_facts){st.st_size, counts.events, counts.last_seq};
	return r;
}

int backup_make(const struct backup_request *request, struct backup_facts *ret, struct error *e)
{
	char path[4096];
	int n, r;

	n = snprintf(path, sizeof(path), "%s.%d.tmp", request->file, (int)getpid());
	if (n < 0 || (size_t)n >= sizeof(path))
		return error_set(e, -ENAMETOOLONG, "the file's name is too long");
	r = check_target(request, e);
	if (r < 0)
		return r;
	r = copy_store(request, path, ret, e);
	(void)unlink(path); /* it has its name, or is of no use */
	return r;
}
