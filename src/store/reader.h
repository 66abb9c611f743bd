/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A read-only connection
 *
 * Threads: one at a time for each reader.   Ownership: owns its connection and statements.
 */
#pragma once

#include "util/cleanup.h"
#include "util/err.h"

struct reader;

/**
 * reader_open() - open an existing store for reading; works with the daemon running or not
 * @e: on failure: what is wrong and what to do; names the file
 *
 * Return: 0, -ENOENT (no store yet), -EACCES, or another negative errno.
 */
int reader_open(const char *path, struct reader **ret_reader, struct error *e) MUST_USE;

/* Keep 256 KiB of pages instead of SQLite's 2 MB, for who asks once and ends: the kernel takes
 * longer to hand out memory for a new page than to fill one that is there. Return: 0, or a negative
 * errno.
 */
int reader_keep_few_pages(struct reader *reader) MUST_USE;

void reader_close(struct reader *reader);
DEFINE_CLEANUP(struct reader *, reader_close)
