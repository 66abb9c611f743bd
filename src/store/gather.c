/* SPDX-License-Identifier: Apache-2.0 */
#include "store/gather.h"

#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "util/macros.h"

/* The Unix VFS writes no more than 2^17 - 1 bytes at once and takes 0 of a multiple for a full disk
 * (os_unix.c, seekAndWriteFd()). */
#define ROOM (120 * 1024)

struct gather_file {
	sqlite3_file base;
	sqlite3_file *real; /* behind this struct */
	char *held;         /* bytes that are not written yet; NULL: nothing was ever written */
	int n;
	sqlite3_int64 at; /* where they go */
};

/* constant once registered */
static sqlite3_vfs *real_vfs;
static sqlite3_vfs vfs;

static struct gather_file *file_of(sqlite3_file *base)
{
	return container_of(base, struct gather_file, base);
}

/* Return: SQLITE_OK, or what the write said; then the bytes are gone, as of any write that fails */
static int flush(struct gather_file *f)
{
	int n = f->n;

	f->n = 0;
	return n > 0 ? f->real->pMethods->xWrite(f->real, f->held, n, f->at) : SQLITE_OK;
}

static int file_write(sqlite3_file *base, const void *p, int n, sqlite3_int64 at)
{
	struct gather_file *f = file_of(base);
	int rc = SQLITE_OK;

	if (!f->held)
		f->held = malloc(ROOM);
	if (at != f->at + f->n || n > ROOM - f->n)
		rc = flush(f);
	if (rc != SQLITE_OK)
		return rc;
	if (!f->held || n > ROOM)
		return f->real->pMethods->xWrite(f->real, p, n, at);
	if (f->n == 0)
		f->at = at;
	memcpy(f->held + f->n, p, (size_t)n);
	f->n += n;
	return SQLITE_OK;
}

static int file_read(sqlite3_file *base, void *p, int n, sqlite3_int64 at)
{
	struct gather_file *f = file_of(base);
	int rc = flush(f);

	return rc == SQLITE_OK ? f->real->pMethods->xRead(f->real, p, n, at) : rc;
}

static int file_sync(sqlite3_file *base, int flags)
{
	struct gather_file *f = file_of(base);
	int rc = flush(f);

	return rc == SQLITE_OK ? f->real->pMethods->xSync(f->real, flags) : rc;
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size)
{
	struct gather_file *f = file_of(base);
	int rc = flush(f);

	return rc == SQLITE_OK ? f->real->pMethods->xTruncate(f->real, size) : rc;
}

static int file_size(sqlite3_file *base, sqlite3_int64 *ret)
{
	struct gather_file *f = file_of(base);
	int rc = flush(f);

	return rc == SQLITE_OK ? f->real->pMethods->xFileSize(f->real, ret) : rc;
}

static int file_control(sqlite3_file *base, int op, void *arg)
{
	struct gather_file *f = file_of(base);
	int rc = flush(f);

	return rc == SQLITE_OK ? f->real->pMethods->xFileControl(f->real, op, arg) : rc;
}

static int file_close(sqlite3_file *base)
{
	struct gather_file *f = file_of(base);

	(void)flush(f); /* what was not synced was not promised */
	free(f->held);
	return f->real->pMethods->xClose(f->real);
}

/* The WAL's locks are the database's. */

static int file_lock(sqlite3_file *base, int level)
{
	struct gather_file *f = file_of(base);

	return f->real->pMethods->xLock(f->real, level);
}

static int file_unlock(sqlite3_file *base, int level)
{
	struct gather_file *f = file_of(base);

	return f->real->pMethods->xUnlock(f->real, level);
}

static int file_check_reserved(sqlite3_file *base, int *ret)
{
	struct gather_file *f = file_of(base);

	return f->real->pMethods->xCheckReservedLock(f->real, ret);
}

static int file_sector_size(sqlite3_file *base)
{
	struct gather_file *f = file_of(base);

	return f->real->pMethods->xSectorSize(f->real);
}

static int file_characteristics(sqlite3_file *base)
{
	struct gather_file *f = file_of(base);

	return f->real->pMethods->xDeviceCharacteristics(f->real);
}

static const sqlite3_io_methods methods = {
	.iVersion = 1, /* the WAL needs neither shared memory nor mapping */
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_unlock,
	.xCheckReservedLock = file_check_reserved,
	.xFileControl = file_control,
	.xSectorSize = file_sector_size,
	.xDeviceCharacteristics = file_characteristics,
};

static int open_wal(const char *path, struct gather_file *f, int flags, int *ret_flags)
{
	int rc;

	memset(f, 0, sizeof(*f));
	f->real = (sqlite3_file *)(f + 1);
	rc = real_vfs->xOpen(real_vfs, path, f->real, flags, ret_flags);
	if (f->real->pMethods) /* also when it failed: then SQLite closes it */
		f->base.pMethods = &methods;
	return rc;
}

static int vfs_open(sqlite3_vfs *self, const char *path, sqlite3_file *file, int flags,
		    int *ret_flags)
{
	(void)self;
	if (flags & SQLITE_OPEN_WAL)
		return open_wal(path, (struct gather_file *)file, flags, ret_flags);
	return real_vfs->xOpen(real_vfs, path, file, flags, ret_flags);
}

static void make_vfs(void)
{
	real_vfs = sqlite3_vfs_find(NULL);
	if (!real_vfs)
		return;
	vfs = *real_vfs; /* whose other functions do not mind */
	vfs.zName = "riskhook";
	vfs.pNext = NULL;
	vfs.szOsFile = (int)sizeof(struct gather_file) + real_vfs->szOsFile;
	vfs.xOpen = vfs_open;
	if (sqlite3_vfs_register(&vfs, 0) != SQLITE_OK)
		vfs.zName = NULL;
}

const char *gather_vfs(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, make_vfs); /* cannot fail with a valid once */
	return vfs.zName;
}
