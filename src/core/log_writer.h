/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log's way to stderr or to the journal
 *
 * In a flood a line for each event costs its thread a system call, and a reader of the log that is
 * stuck would stop the intake. So records that may wait are queued, and a thread writes all that
 * has gathered, 5 ms after the first; others are written at once, behind what is queued. A queue
 * that is full, because nobody takes anything, drops what may wait and counts it. What is queued is
 * lost when the process is killed.
 *
 * Threads: log_writer_put() from any, the rest from one. Without a thread every record is written
 * at once.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "util/macros.h"
#include "util/slice.h"

/* where whole records go, one after the other, by one thread at a time; NULL: to stderr. Before
 * there is a second thread. */
void log_writer_to(void (*write)(const char *records, size_t n));

/**
 * log_writer_start() - start the thread
 * @tell_dropped: called outside the locks when records were dropped: it may log
 *
 * Return: 0, or a negative errno.
 */
int log_writer_start(void (*tell_dropped)(int64_t n)) MUST_USE;

/* write what is queued and end the thread; nothing without one */
void log_writer_stop(void);

/* a whole record, such as a line with its newline: those of several threads do not mix */
void log_writer_put(struct slice record, bool may_wait);
