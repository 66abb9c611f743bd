/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Access tokens on disk, by their digests: how they are written, revoked and read back
 *
 * intake/tokens.h has the rules of what is kept, and the same rows in memory.
 *
 * Threads: as the reader; the ops as store/store.h says.
 */
#pragma once

#include "intake/tokens.h"
#include "store/store.h"

struct reader;

/* one more token; what is too much or too old goes in the same transaction */
struct token_op {
	struct store_op op;
	struct token token;
	struct slice address; /* the client's, as text */
};

struct token_revoke_op {
	struct store_op op;
	struct token_choice choice;
	int64_t now; /* us */

	/* result; what had expired goes too, as the clock may be wrong, but does not count */
	int64_t n_revoked;
};

/* all that are remembered, oldest first, into @tokens. Return: 0, or a negative errno. */
int token_store_load(struct reader *reader, struct tokens *tokens, int64_t now) MUST_USE;
