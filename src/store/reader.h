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
 * Return: 0, -ENOENT (no store yet), or another negative errno.
 */
int reader_open(const char *path, struct reader **ret_reader, struct error *e) MUST_USE;
void reader_close(struct reader *reader);
DEFINE_CLEANUP(struct reader *, reader_close)
