/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: JWT access tokens, with the key set of the unit tests. Whatever is accepted must be
 * one of their tokens: nobody has the keys to sign another.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/jwt_vectors.h"
#include "intake/jwt.h"
#include "util/macros.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* the parts that are signed; of an ECDSA signature there are many, though not for who has no key */
static bool is_ours(struct slice token)
{
	bool found = slice_eq_str(token, vector_without_kid);

	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++)
		found |= slice_eq_str(token, vectors[i].token);
	return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct jwt_rules rules = {
		.claims = {.issuer = VECTOR_ISSUER,
			   .audience = VECTOR_AUDIENCE,
			   .scope = VECTOR_SCOPE,
			   .leeway_s = 60,
			   .must_expire = true},
		.algorithms = (1U << JWS_ALGORITHMS) - 1,
	};
	struct slice token = slice_make((const char *)data, size);
	static struct jwks *keys;
	enum token_verdict verdict;
	int64_t expires_s;

	if (!keys && jwks_parse(slice_of(vector_keys), &keys) < 0)
		abort();
	verdict = jwt_verify(token, keys, &rules, VECTOR_NOW_S, &expires_s);
	if (verdict == VERDICT_OK && !is_ours(token)) {
		(void)fprintf(stderr, "broken promise: a forged token was accepted\n");
		abort();
	}
	if (jwt_claims_issuer(token, VECTOR_ISSUER) && size > JWT_MAX)
		abort();
	(void)jwt_is_one(token); /* must only not crash */
	return 0;
}
