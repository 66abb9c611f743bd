/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What disk.c (the VFS) and disk_syscalls.c (the system calls below it) share
 */
#pragma once

#include <stdbool.h>

struct sqlite3_vfs;

/* put ours in place of the system calls that the "unix" VFS uses */
void disk_syscalls_install(struct sqlite3_vfs *unix_vfs);

/* around a call that may sync the folder. end: did this thread open it to do so? */
void disk_syscalls_begin_sync(void);
bool disk_syscalls_end_sync(void);

/* Return: SQLITE_OK, or what the real xSync would return */
int disk_syscalls_sync_fault(void);
