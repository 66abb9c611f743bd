/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When each credential and endpoint was last used, across restarts
 *
 * Threads: the reader's; writing goes through the store.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

struct reader;

enum use_kind {
	USE_CREDENTIAL, /* it let somebody in */
	USE_ENDPOINT,   /* an event came */
	USE_KINDS
};

struct use {
	enum use_kind kind;
	const char *name; /* borrowed */
	int64_t used_at;  /* us */
};

struct use_op {
	struct store_op op;
	const struct use *uses;
	size_t n_uses;
};

/* "credential", "endpoint" */
const char *use_kind_name(enum use_kind kind);

/**
 * uses_read() - all that is known
 * @visit: called for each; the name dies with the call; non-zero stops and is returned
 *
 * Return: 0, what @visit returned, or a negative errno.
 */
int uses_read(struct reader *reader, int (*visit)(const struct use *use, void *arg),
	      void *arg) MUST_USE;
