/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for new events in a store that another process writes
 *
 * Every commit writes the WAL file beside the database, which inotify tells; the commit can be seen
 * a moment after that. So a write is followed by looks at growing distances; the longest one, a
 * second, stands in where inotify does not tell (a network file system). The daemon is not asked
 * and need not run.
 *
 * Threads: one; SIGINT, SIGTERM and SIGHUP are blocked while it is open.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>

#include "util/macros.h"

struct follow {
	int inotify; /* -1: not available, only the bounded wait */
	int signals; /* signalfd */
	sigset_t old_mask;
	int wait_ms; /* until the next look when nothing tells */
};

/**
 * follow_open() - begin
 * @store_path: database file
 *
 * Return: 0, or a negative errno.
 */
int follow_open(struct follow *follow, const char *store_path) MUST_USE;
void follow_close(struct follow *follow);

/**
 * follow_wait() - wait until there may be something new
 *
 * Return: 1 look again; 0 end: a signal asked for it, or nobody reads stdout any more; a negative
 * errno.
 */
int follow_wait(struct follow *follow) MUST_USE;
