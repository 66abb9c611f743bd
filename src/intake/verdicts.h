/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was decided about tokens, for a while
 *
 * A bounded table from a keyed digest of the token to a verdict and its end. A full bucket forgets
 * what would end first. No token is in it, and its digests are of use in this process alone.
 *
 * Threads: any.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/crypto.h"
#include "intake/claims.h"
#include "util/cleanup.h"
#include "util/macros.h"

struct verdicts;

int verdicts_new(struct verdicts **ret) MUST_USE;
void verdicts_free(struct verdicts *v);
DEFINE_CLEANUP(struct verdicts *, verdicts_free)

/* @now_us, @until_us: wall clock; the verdict counts between them, so also when the clock is set
 * back nobody is let in or kept out for longer */
void verdicts_remember(struct verdicts *v, const struct sha256 *digest, enum token_verdict verdict,
		       int64_t now_us, int64_t until_us);

/* Return: false when nothing is known (any more) */
bool verdicts_recall(struct verdicts *v, const struct sha256 *digest, int64_t now_us,
		     enum token_verdict *ret);
