/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How full the store is: for metrics, status and doctor
 *
 * Every question is answered from an index, in the order of the deliveries that are not done.
 *
 * Threads: as the reader.
 */
#pragma once

#include <stdint.h>

#include "store/model.h"
#include "store/reader.h"

/* deliveries of one handler in one state other than done */
struct queue_gauge {
	const char *handler; /* dies with the call */
	enum delivery_state state;
	int64_t n;
	int64_t oldest_at; /* created_at of the oldest, us; of pending deliveries alone */
};

typedef int (*queue_gauge_visit)(const struct queue_gauge *gauge, void *arg);

/* handlers that have nothing of a state are left out. Return: 0, what @visit returned when it was
 * not 0, or a negative errno. */
int gauge_queues(struct reader *reader, queue_gauge_visit visit, void *arg) MUST_USE;

/* events that the router has not passed */
int gauge_unrouted(struct reader *reader, int64_t *ret_n) MUST_USE;

struct file_gauge {
	int64_t database, wal; /* bytes; 0 when there is no file */
	int64_t free;          /* bytes that this user may still write on that disk */
};

/* Return: 0, or a negative errno (the disk cannot be asked) */
int gauge_files(const char *path, struct file_gauge *ret) MUST_USE;
