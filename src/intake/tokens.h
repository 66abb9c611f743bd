/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Access tokens that the token endpoint has issued, as digests in memory
 *
 * The store has the same rows (store/token_store.h); they are loaded at start, and from then on
 * both change by the same rules: a token is added when its row is committed, the oldest of a client
 * go when it has too many, and one that expired is remembered for TOKEN_MEMORY_US more, so that
 * whoever comes with it is told to fetch a new one and not taken for a guesser.
 *
 * Threads: any, but tokens_new() and tokens_free().   Times are passed in, microseconds since the
 * epoch.   Ownership: keeps copies.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/crypto.h"
#include "util/cleanup.h"
#include "util/macros.h"
#include "util/slice.h"

#define TOKEN_BYTES     32   /* random, of a token */
#define TOKENS_MAX      1000 /* of one credential; the oldest go first */
#define TOKEN_MEMORY_US (24LL * 3600 * 1000000)
#define TOKEN_ID_BYTES  6 /* of the digest: what people call a token by, in hexadecimal */

/* whose it is: it opens this endpoint alone, while this client is configured */
struct token_owner {
	struct slice endpoint, credential; /* names */
	struct slice client_id;
};

struct token {
	struct sha256 digest;
	struct token_owner owner;
	int64_t issued_at, expires_at;
};

/* Which tokens shall open nothing any more: of what is there at that moment. Never by time, since
 * the clock may have been set in between. */
struct token_choice {
	struct slice credential; /* name; empty: any */
	unsigned char id[TOKEN_ID_BYTES];
	bool has_id;
};

enum token_state {
	TOKEN_VALID = 0,
	TOKEN_UNKNOWN,
	TOKEN_EXPIRED,
};

struct tokens;

int tokens_new(struct tokens **ret) MUST_USE;
void tokens_free(struct tokens *t);
DEFINE_CLEANUP(struct tokens *, tokens_free)

/* take one in, and drop what is too much or too old. Return: 0, or -ENOMEM. */
int tokens_add(struct tokens *t, const struct token *token, int64_t now) MUST_USE;

/* What is a token worth at one credential? Somebody else's is unknown. */
enum token_state tokens_find(struct tokens *t, const struct sha256 *digest,
			     const struct token_owner *owner, int64_t now);

/* Return: how many were dropped */
size_t tokens_revoke(struct tokens *t, const struct token_choice *choice);

size_t tokens_count(struct tokens *t);
