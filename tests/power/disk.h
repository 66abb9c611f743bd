/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk that remembers and fails: an SQLite VFS on top of "unix", for tests
 *
 * It passes everything on to the real VFS. While it records, it also keeps a log of what would
 * matter in a power cut: each write with its bytes, truncate, sync, creation and deletion of a file
 * and sync of the folder, in the order in which they happened. Notes of the test stand in the same
 * log, so that "was acknowledged before the cut" is a comparison of two numbers. (image.h makes
 * disks of the log.)
 *
 * And it makes the n-th system call of a kind fail, below the real VFS, so that SQLite's own
 * handling of short writes, EINTR and the rest is under test as well.
 *
 * There is one, since SQLite has one default VFS.   Threads: any.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/macros.h"

enum disk_event {
	DISK_CREATE,      /* name -> inode */
	DISK_DELETE,      /* name */
	DISK_WRITE,       /* inode, offset, bytes */
	DISK_TRUNCATE,    /* inode, offset: the new size */
	DISK_SYNC,        /* inode: what was written before `since` is on disk */
	DISK_SYNC_FAILED, /* inode: what was written before `since` and not synced is lost */
	DISK_SYNC_FOLDER, /* what was created and deleted before `since` is on disk */
	DISK_NOTE,        /* of the test: note, number */
};

struct disk_record {
	enum disk_event event;
	int name;  /* index of disk_names */
	int inode; /* a file, whatever its name; from 0 */
	int64_t offset;
	size_t n;
	unsigned char *bytes;
	size_t since;
	int note;
	int64_t number;
};

/* what a store consists of; the -shm file is no part of the disk: it may hold anything after a cut
 */
enum { DISK_NAMES = 3 };
extern const char *const disk_suffixes[DISK_NAMES];

/* how the disk treats a sync; all but the first two lose data, and tests must notice */
enum disk_honesty {
	DISK_HONEST,
	/* one of four syncs of the database fails while there is a WAL. The pages then count as
	 * written, so that no later sync writes them: fsync(2), "EIO". */
	DISK_FAILS_DATABASE_SYNC,
	DISK_IGNORES_SYNC,     /* as if PRAGMA synchronous=OFF */
	DISK_IGNORES_WAL_SYNC, /* as if =NORMAL, and worse: nor is it synced before a checkpoint */
};

/* make it SQLite's default VFS; before the first connection */
void disk_install(void);

/* forget the log and begin a new one: the files of the store at @path, as they are now, are on
 * disk. Nobody may have them open. Return: how many records say so; no cut comes before them. */
size_t disk_record(const char *path, enum disk_honesty honesty);
/* Return: the log; it is valid until the next disk_record() */
const struct disk_record *disk_stop_recording(size_t *ret_n);
void disk_forget(void);

void disk_note(int note, int64_t number);

enum disk_fault {
	FAULT_EIO,
	FAULT_ENOSPC,
	FAULT_EDQUOT,
	FAULT_EINTR,     /* once, whatever @times says: SQLite repeats the call */
	FAULT_SHORT,     /* half of the bytes; the next call gets the rest */
	FAULT_SYNC_EIO,  /* fdatasync() fails */
	FAULT_SYNC_SLOW, /* fdatasync() takes 2 ms */
	FAULT_OPEN,      /* open() fails with EMFILE */
	FAULT_READ_EIO,  /* read() fails */
	FAULT_MEMORY,    /* SQLite's own allocation fails */
	DISK_FAULTS
};

/**
 * disk_fail() - make calls fail
 * @nth:   the first one, from 1, among the calls that the fault can meet; 0: none any more
 * @times: how many from there on
 */
void disk_fail(enum disk_fault fault, long nth, long times);

/* Return: how many calls the fault has met since disk_fail() */
long disk_faults_met(void);
