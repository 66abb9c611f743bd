/* SPDX-License-Identifier: Apache-2.0 */
/*
 * type = bearer: a fixed token (RFC 6750), kept as its SHA-256
 */
#include "intake/credential.h"

#include <errno.h>
#include <stdlib.h>

#include "util/hex.h"
#include "util/macros.h"

struct bearer {
	struct credential head;
	struct sha256 digest;
};

static int make(const struct auth_key *key, const struct auth_services *services,
		const struct credential_config *from, struct credential **ret, struct error *e)
{
	struct slice hash = slice_of(from->token_hash);
	struct bearer *b = calloc(1, sizeof(*b));

	(void)key;
	(void)services;
	if (!b)
		return error_set(e, -ENOMEM, "out of memory");
	*ret = &b->head;
	if (from->secret) {
		b->digest = sha256_of(from->secret, from->secret_n);
		return 0;
	}
	if (!slice_starts_nocase(hash, SLICE("sha256:")))
		return error_set(e, -EINVAL, "'token_hash' is no hash");
	return hex_decode(slice_make(hash.p + 7, hash.n - 7), b->digest.bytes, SHA256_SIZE);
}

static int check(struct credential *c, const struct presented *p)
{
	const struct bearer *b = container_of(c, struct bearer, head);

	return sha256_eq(&b->digest, &p->digest) ? SAYS_YES : SAYS_NO;
}

static void destroy(struct credential *c)
{
	struct bearer *b = container_of(c, struct bearer, head);

	secret_wipe(b, sizeof(*b));
	free(b);
}

const struct credential_ops credential_bearer_ops = {
	.scheme = SCHEME_BEARER,
	.make = make,
	.check = check,
	.free = destroy,
};
