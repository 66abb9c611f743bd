/* SPDX-License-Identifier: Apache-2.0 */
/*
 * type = basic: a user and a password (RFC 7617)
 */
#include "intake/credential.h"

#include <errno.h>
#include <stdlib.h>

#include "intake/login.h"
#include "util/macros.h"

struct basic {
	struct credential head;
	struct login login;
};

static int make(const struct auth_key *key, const struct auth_services *services,
		const struct credential_config *from, struct credential **ret, struct error *e)
{
	struct basic *b = calloc(1, sizeof(*b));

	(void)services;
	(void)e; /* the number says it all */
	if (!b)
		return -ENOMEM;
	*ret = &b->head;
	return login_init(&b->login, key, slice_of(from->username),
			  slice_make(from->secret, from->secret_n),
			  from->secret ? NULL : from->password_hash);
}

static int check(struct credential *c, const struct presented *p)
{
	struct basic *b = container_of(c, struct basic, head);
	struct login_claim claim = {p->user, p->secret, p->digest};
	int r = login_check(&b->login, &claim, p->is_second_round);

	if (r < 0)
		return r;
	return r == 0 ? SAYS_YES : SAYS_NO;
}

static void destroy(struct credential *c)
{
	struct basic *b = container_of(c, struct basic, head);

	login_deinit(&b->login);
	free(b);
}

const struct credential_ops credential_basic_ops = {
	.scheme = SCHEME_BASIC,
	.make = make,
	.check = check,
	.free = destroy,
};
