/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies of the store, and making its file smaller
 *
 * Threads: any; none of the daemon's connections is used.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "util/err.h"

/* called now and then; @done and @total in pages */
typedef void (*backup_progress)(int64_t done, int64_t total, void *arg);

struct backup_request {
	const char *store; /* path */
	const char *file;  /* path of the copy */
	bool overwrite;
	backup_progress progress; /* or NULL */
	void *arg;
};

struct backup_facts {
	int64_t bytes;
	int64_t events;
	int64_t last_seq;
};

/**
 * backup_make() - copy the store into one file while the daemon writes
 *
 * The copy is what one read transaction sees. It is written beside its name with mode 0600, synced,
 * checked (integrity, and as many events, deliveries and attempts as that transaction saw), and
 * only then given its name: a file of that name is a good copy, or the one that was there before.
 *
 * Return: 0; -EEXIST when the file is there and not to be overwritten; -EINVAL when it is the store
 * or has a WAL beside it, whatever @overwrite says; another negative errno. The sentence is in @e.
 */
int backup_make(const struct backup_request *request, struct backup_facts *ret,
		struct error *e) MUST_USE;

struct vacuum_facts {
	int64_t before, after; /* bytes */
};

/**
 * vacuum_store() - give the space of erased events back to the file system
 * @force: also when less than a quarter of the file is free
 *
 * Only while no daemon has the store: the whole file is written anew.
 *
 * Return: 0; -EBUSY while the daemon runs; -EALREADY when it would not pay; another negative errno.
 * The sentence is in @e.
 */
int vacuum_store(const char *path, bool force, struct vacuum_facts *ret, struct error *e) MUST_USE;
