/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log's way to stderr
 *
 * In a flood a line for each event costs its thread a system call, and a reader of the log that is
 * stuck would stop the intake. So lines that may wait are queued, and a thread writes all that has
 * gathered, 5 ms after the first; other lines are written at once, behind what is queued. A queue
 * that is full, because stderr takes nothing, drops what may wait and counts it. What is queued
 * is lost when the process is killed.
 *
 * Threads: log_writer_start() and log_writer_stop() from one, the rest from any. Without a thread
 * every line is written at once.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "util/macros.h"
#include "util/slice.h"

/**
 * log_writer_start() - start the thread
 * @tell_dropped: called in it, outside its locks, when lines were dropped: it may log
 *
 * Return: 0, or a negative errno.
 */
int log_writer_start(void (*tell_dropped)(int64_t n)) MUST_USE;

/* write what is queued and end the thread; nothing without one */
void log_writer_stop(void);

/* @line ends with a newline and is whole: lines of several threads do not mix */
void log_writer_put(struct slice line, bool may_wait);
