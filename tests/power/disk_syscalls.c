/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLite's "unix" VFS calls the system through a table that tests may change. fdatasync() alone is
 * not in it: its failure is played one level higher.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#include "disk.h"
#include "disk_private.h"
#include "util/thread.h"

static struct {
	/* constant after install */
	ssize_t (*pwrite)(int, const void *, size_t, off_t);
	ssize_t (*write)(int, const void *, size_t);
	ssize_t (*pread)(int, void *, size_t, off_t);
	ssize_t (*read)(int, void *, size_t);
	int (*ftruncate)(int, off_t);
	int (*open)(const char *, int, int);
	int (*open_directory)(const char *, int *);
	sqlite3_mem_methods memory;

	/* shared, under mx */
	pthread_mutex_t mx;
	enum disk_fault fault;
	long countdown; /* calls until the first failure; 0: none fails */
	long left;      /* failures to come */
	long met;
} calls = {.mx = PTHREAD_MUTEX_INITIALIZER};

static _Thread_local bool folder_was_opened;

/* Is this call to fail? */
static bool meets(enum disk_fault fault)
{
	bool fails = false;

	mutex_lock(&calls.mx);
	if (calls.fault == fault && calls.countdown > 0) {
		if (calls.countdown > 1) {
			calls.countdown--;
		} else if (calls.left > 0) {
			calls.left--;
			calls.met++;
			fails = true;
		}
	}
	mutex_unlock(&calls.mx);
	return fails;
}

void disk_fail(enum disk_fault fault, long nth, long times)
{
	mutex_lock(&calls.mx);
	calls.fault = fault;
	calls.countdown = nth;
	calls.left = fault == FAULT_EINTR ? 1 : times;
	calls.met = 0;
	mutex_unlock(&calls.mx);
}

long disk_faults_met(void)
{
	long n;

	mutex_lock(&calls.mx);
	n = calls.met;
	mutex_unlock(&calls.mx);
	return n;
}

/* ---- writing ---- */

/* Return: 0, or the errno with which a call that changes a file is to fail */
static int change_error(void)
{
	static const struct {
		enum disk_fault fault;
		int error;
	} table[] = {
		{FAULT_EIO, EIO},
		{FAULT_ENOSPC, ENOSPC},
		{FAULT_EDQUOT, EDQUOT},
		{FAULT_EINTR, EINTR},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (meets(table[i].fault))
			return table[i].error;
	return 0;
}

static ssize_t fail(int error)
{
	errno = error;
	return -1;
}

static size_t shortened(size_t n)
{
	return n > 1 && meets(FAULT_SHORT) ? n / 2 : n;
}

static ssize_t my_pwrite(int fd, const void *p, size_t n, off_t offset)
{
	int error = change_error();

	return error ? fail(error) : calls.pwrite(fd, p, shortened(n), offset);
}

static ssize_t my_write(int fd, const void *p, size_t n)
{
	int error = change_error();

	return error ? fail(error) : calls.write(fd, p, shortened(n));
}

static int my_ftruncate(int fd, off_t size)
{
	int error = change_error();

	return error ? (int)fail(error) : calls.ftruncate(fd, size);
}

/* ---- reading and opening ---- */

static ssize_t my_pread(int fd, void *p, size_t n, off_t offset)
{
	return meets(FAULT_READ_EIO) ? fail(EIO) : calls.pread(fd, p, n, offset);
}

static ssize_t my_read(int fd, void *p, size_t n)
{
	return meets(FAULT_READ_EIO) ? fail(EIO) : calls.read(fd, p, n);
}

static int my_open(const char *path, int flags, int mode)
{
	return meets(FAULT_OPEN) ? (int)fail(EMFILE) : calls.open(path, flags, mode);
}

static int my_open_directory(const char *path, int *ret_fd)
{
	folder_was_opened = true;
	return calls.open_directory(path, ret_fd);
}

/* ---- syncing ---- */

void disk_syscalls_begin_sync(void)
{
	folder_was_opened = false;
}

bool disk_syscalls_end_sync(void)
{
	return folder_was_opened;
}

int disk_syscalls_sync_fault(void)
{
	if (meets(FAULT_SYNC_EIO))
		return SQLITE_IOERR_FSYNC;
	if (meets(FAULT_SYNC_SLOW))
		(void)nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL); /* about */
	return SQLITE_OK;
}

/* ---- memory ---- */

static void *my_malloc(int n)
{
	return meets(FAULT_MEMORY) ? NULL : calls.memory.xMalloc(n);
}

static void *my_realloc(void *p, int n)
{
	return meets(FAULT_MEMORY) ? NULL : calls.memory.xRealloc(p, n);
}

static void wrap_memory(void)
{
	sqlite3_mem_methods wrapped;

	if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &calls.memory) != SQLITE_OK)
		abort();
	wrapped = calls.memory;
	wrapped.xMalloc = my_malloc;
	wrapped.xRealloc = my_realloc;
	if (sqlite3_config(SQLITE_CONFIG_MALLOC, &wrapped) != SQLITE_OK)
		abort();
}

/* ---- set-up ---- */

static void replace(sqlite3_vfs *vfs, const char *name, void *ret_theirs, sqlite3_syscall_ptr ours)
{
	sqlite3_syscall_ptr theirs = vfs->xGetSystemCall(vfs, name);

	if (!theirs)
		return; /* this build of SQLite does without */
	*(sqlite3_syscall_ptr *)ret_theirs = theirs;
	if (vfs->xSetSystemCall(vfs, name, ours) != SQLITE_OK)
		abort();
}

#define REPLACE(name, member, ours)                                                                \
	replace(vfs, name, &calls.member, (sqlite3_syscall_ptr)(void (*)(void))(ours))

void disk_syscalls_install(sqlite3_vfs *vfs)
{
	(void)sqlite3_shutdown(); /* always SQLITE_OK; the allocator can be set only now */
	wrap_memory();
	if (sqlite3_initialize() != SQLITE_OK)
		abort();
	REPLACE("pwrite", pwrite, my_pwrite);
	REPLACE("pwrite64", pwrite, my_pwrite);
	REPLACE("write", write, my_write);
	REPLACE("pread", pread, my_pread);
	REPLACE("pread64", pread, my_pread);
	REPLACE("read", read, my_read);
	REPLACE("ftruncate", ftruncate, my_ftruncate);
	REPLACE("open", open, my_open);
	REPLACE("openDirectory", open_directory, my_open_directory);
}
