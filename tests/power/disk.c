/* SPDX-License-Identifier: Apache-2.0 */
#include "disk.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "disk_private.h"
#include "util/fd.h"
#include "util/thread.h"

const char *const disk_suffixes[DISK_NAMES] = {"", "-wal", "-journal"};

static struct {
	/* constant after disk_install() */
	sqlite3_vfs vfs;
	sqlite3_vfs *real;

	/* shared, under mx */
	pthread_mutex_t mx;
	bool is_recording;
	bool has_wal; /* DISK_FAILS_DATABASE_SYNC: from here on it fails */
	long n_database_syncs;
	enum disk_honesty honesty;
	char paths[DISK_NAMES][256];
	int inodes[DISK_NAMES]; /* -1: there is no such file */
	int n_inodes;
	struct disk_record *records;
	size_t n, capacity;
} disk = {.mx = PTHREAD_MUTEX_INITIALIZER};

struct file {
	sqlite3_file base;
	int name; /* -1: not of the store */
	int inode;
	sqlite3_file *real;
};

static sqlite3_file *real_of(sqlite3_file *file)
{
	return ((struct file *)file)->real;
}

/* ---- the log; all under mx ---- */

static void append(struct disk_record record)
{
	if (!disk.is_recording)
		return;
	if (disk.n == disk.capacity) {
		disk.capacity = disk.capacity ? 2 * disk.capacity : 1024;
		disk.records = realloc(disk.records, disk.capacity * sizeof(*disk.records));
		if (!disk.records)
			abort();
	}
	disk.records[disk.n++] = record;
}

static void append_write(int inode, int64_t offset, const void *bytes, size_t n)
{
	struct disk_record record = {.event = DISK_WRITE, .inode = inode, .offset = offset, .n = n};

	if (!disk.is_recording)
		return;
	record.bytes = malloc(n ? n : 1);
	if (!record.bytes)
		abort();
	memcpy(record.bytes, bytes, n);
	append(record);
}

static int name_of(const char *path)
{
	for (int i = 0; path && i < DISK_NAMES; i++)
		if (strcmp(path, disk.paths[i]) == 0)
			return i;
	return -1;
}

static void create(int name)
{
	disk.inodes[name] = disk.n_inodes++;
	append((struct disk_record){
		.event = DISK_CREATE, .name = name, .inode = disk.inodes[name]});
}

static size_t log_length(void)
{
	size_t n;

	mutex_lock(&disk.mx);
	n = disk.n;
	mutex_unlock(&disk.mx);
	return n;
}

/* ---- methods of a file ---- */

static int file_close(sqlite3_file *file)
{
	return real_of(file)->pMethods->xClose(real_of(file));
}

static int file_read(sqlite3_file *file, void *p, int n, sqlite3_int64 offset)
{
	return real_of(file)->pMethods->xRead(real_of(file), p, n, offset);
}

static int file_write(sqlite3_file *file, const void *p, int n, sqlite3_int64 offset)
{
	struct file *f = (struct file *)file;
	int rc;

	if (f->name < 0)
		return f->real->pMethods->xWrite(f->real, p, n, offset);
	mutex_lock(&disk.mx); /* so that the log has the order of the file */
	rc = f->real->pMethods->xWrite(f->real, p, n, offset);
	if (rc == SQLITE_OK)
		append_write(f->inode, offset, p, (size_t)n);
	mutex_unlock(&disk.mx);
	return rc;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	struct file *f = (struct file *)file;
	int rc;

	mutex_lock(&disk.mx);
	rc = f->real->pMethods->xTruncate(f->real, size);
	if (rc == SQLITE_OK && f->name >= 0)
		append((struct disk_record){
			.event = DISK_TRUNCATE, .inode = f->inode, .offset = size});
	mutex_unlock(&disk.mx);
	return rc;
}

static bool is_wal(const struct file *f)
{
	return strcmp(disk_suffixes[f->name], "-wal") == 0;
}

static bool is_honoured(const struct file *f)
{
	if (disk.honesty == DISK_IGNORES_WAL_SYNC)
		return !is_wal(f);
	return disk.honesty != DISK_IGNORES_SYNC;
}

/* Return: SQLITE_OK, or what is to be said of a sync that the log has as failed */
static int fail_sometimes(const struct file *f, size_t since)
{
	int rc = SQLITE_OK;

	if (disk.honesty != DISK_FAILS_DATABASE_SYNC || f->name < 0 || !disk.is_recording)
		return rc;
	mutex_lock(&disk.mx);
	if (is_wal(f)) {
		disk.has_wal = true;
	} else if (disk.has_wal && ++disk.n_database_syncs % 4 == 0) {
		append((struct disk_record){
			.event = DISK_SYNC_FAILED, .inode = f->inode, .since = since});
		rc = SQLITE_IOERR_FSYNC;
	}
	mutex_unlock(&disk.mx);
	return rc;
}

static int file_sync(sqlite3_file *file, int flags)
{
	struct file *f = (struct file *)file;
	size_t since = log_length(); /* what comes while it runs is not promised */
	bool with_folder;
	int rc;

	disk_syscalls_begin_sync();
	rc = disk_syscalls_sync_fault();
	if (rc == SQLITE_OK)
		rc = fail_sometimes(f, since);
	if (rc == SQLITE_OK && disk.is_recording)              /* the power is not cut for real, */
		rc = f->real->pMethods->xSync(f->real, flags); /* this tells of the folder */
	with_folder = disk_syscalls_end_sync();
	if (rc != SQLITE_OK || f->name < 0)
		return rc;
	mutex_lock(&disk.mx);
	if (is_honoured(f)) {
		append((struct disk_record){.event = DISK_SYNC, .inode = f->inode, .since = since});
		if (with_folder)
			append((struct disk_record){.event = DISK_SYNC_FOLDER, .since = since});
	}
	mutex_unlock(&disk.mx);
	return rc;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size)
{
	return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int file_lock(sqlite3_file *file, int level)
{
	return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int file_unlock(sqlite3_file *file, int level)
{
	return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int file_is_reserved(sqlite3_file *file, int *ret)
{
	return real_of(file)->pMethods->xCheckReservedLock(real_of(file), ret);
}

static int file_control(sqlite3_file *file, int op, void *arg)
{
	return real_of(file)->pMethods->xFileControl(real_of(file), op, arg);
}

static int file_sector_size(sqlite3_file *file)
{
	return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int file_characteristics(sqlite3_file *file)
{
	return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int file_shm_map(sqlite3_file *file, int page, int n, int extend, void volatile **ret)
{
	return real_of(file)->pMethods->xShmMap(real_of(file), page, n, extend, ret);
}

static int file_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
	return real_of(file)->pMethods->xShmLock(real_of(file), offset, n, flags);
}

static void file_shm_barrier(sqlite3_file *file)
{
	real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int file_shm_unmap(sqlite3_file *file, int delete)
{
	return real_of(file)->pMethods->xShmUnmap(real_of(file), delete);
}

static const sqlite3_io_methods file_methods = {
	.iVersion = 2,
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_unlock,
	.xCheckReservedLock = file_is_reserved,
	.xFileControl = file_control,
	.xSectorSize = file_sector_size,
	.xDeviceCharacteristics = file_characteristics,
	.xShmMap = file_shm_map,
	.xShmLock = file_shm_lock,
	.xShmBarrier = file_shm_barrier,
	.xShmUnmap = file_shm_unmap,
};

/* ---- methods of the VFS ---- */

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *ret)
{
	struct file *f = (struct file *)file;
	int rc;

	(void)vfs;
	f->base.pMethods = NULL;
	f->real = (sqlite3_file *)(f + 1);
	rc = disk.real->xOpen(disk.real, path, f->real, flags, ret);
	if (rc != SQLITE_OK)
		return rc;
	f->base.pMethods = &file_methods;
	mutex_lock(&disk.mx);
	f->name = name_of(path);
	if (f->name >= 0 && disk.inodes[f->name] < 0)
		create(f->name);
	f->inode = f->name >= 0 ? disk.inodes[f->name] : -1;
	mutex_unlock(&disk.mx);
	return rc;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int sync_folder)
{
	bool with_folder;
	int name, rc;

	(void)vfs;
	disk_syscalls_begin_sync();
	rc = disk.real->xDelete(disk.real, path, sync_folder);
	with_folder = disk_syscalls_end_sync();
	if (rc != SQLITE_OK)
		return rc;
	mutex_lock(&disk.mx);
	name = name_of(path);
	if (name >= 0) {
		disk.inodes[name] = -1;
		append((struct disk_record){.event = DISK_DELETE, .name = name});
		if (with_folder && disk.honesty == DISK_HONEST)
			append((struct disk_record){.event = DISK_SYNC_FOLDER, .since = disk.n});
	}
	mutex_unlock(&disk.mx);
	return rc;
}

void disk_install(void)
{
	disk.real = sqlite3_vfs_find("unix");
	if (!disk.real)
		abort();
	for (int i = 0; i < DISK_NAMES; i++)
		disk.inodes[i] = -1;
	disk.vfs = *disk.real; /* the rest passes the VFS on to nobody who would mind */
	disk.vfs.zName = "disk";
	disk.vfs.pNext = NULL;
	disk.vfs.szOsFile = (int)sizeof(struct file) + disk.real->szOsFile;
	disk.vfs.xOpen = vfs_open;
	disk.vfs.xDelete = vfs_delete;
	disk_syscalls_install(disk.real);
	if (sqlite3_vfs_register(&disk.vfs, 1) != SQLITE_OK)
		abort();
}

/* ---- recording ---- */

void disk_forget(void)
{
	for (size_t i = 0; i < disk.n; i++)
		free(disk.records[i].bytes);
	free(disk.records);
	disk.records = NULL;
	disk.n = disk.capacity = 0;
	disk.is_recording = false;
	for (int i = 0; i < DISK_NAMES; i++) {
		disk.paths[i][0] = '\0';
		disk.inodes[i] = -1;
	}
}

/* what is there already: created, written and synced */
static void take_over(int name)
{
	char *bytes;
	size_t n;

	if (fd_read_file(disk.paths[name], 1 << 30, &bytes, &n) < 0)
		return; /* not there */
	create(name);
	append_write(disk.inodes[name], 0, bytes, n);
	append((struct disk_record){
		.event = DISK_SYNC, .inode = disk.inodes[name], .since = disk.n});
	free(bytes);
}

size_t disk_record(const char *path, enum disk_honesty honesty)
{
	disk_forget();
	disk.n_inodes = 0;
	disk.honesty = honesty;
	disk.has_wal = false;
	disk.is_recording = true;
	for (int i = 0; i < DISK_NAMES; i++) {
		(void)snprintf(disk.paths[i], sizeof(disk.paths[i]), "%s%s", path,
			       disk_suffixes[i]);
		take_over(i);
	}
	append((struct disk_record){.event = DISK_SYNC_FOLDER, .since = disk.n});
	return disk.n;
}

const struct disk_record *disk_stop_recording(size_t *ret_n)
{
	mutex_lock(&disk.mx);
	disk.is_recording = false;
	*ret_n = disk.n;
	mutex_unlock(&disk.mx);
	return disk.records;
}

void disk_note(int note, int64_t number)
{
	mutex_lock(&disk.mx);
	append((struct disk_record){.event = DISK_NOTE, .note = note, .number = number});
	mutex_unlock(&disk.mx);
}
