/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: key sets. What is taken over can be found again, and counts of keys are bounded. */
#include <stdint.h>
#include <stdlib.h>

#include "intake/jwks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t n_found = 0;
	struct jwks *set;

	if (jwks_parse(slice_make((const char *)data, size), &set) < 0)
		return 0;
	require(jwks_count(set) >= 1 && jwks_count(set) <= JWKS_MAX_KEYS);
	for (int algorithm = 0; algorithm < JWS_ALGORITHMS; algorithm++) {
		const struct jwk *key = NULL;

		while ((key = jwks_next(set, SLICE_NULL, (enum jws_algorithm)algorithm, key))) {
			require(!jwk_verify(key, SLICE("e30.e30.AAAA")));
			n_found++;
		}
	}
	require(n_found >= jwks_count(set));
	jwks_unref(set);
	return 0;
}
