/* SPDX-License-Identifier: Apache-2.0 */
/*
 * type = oauth_client: tokens that our token endpoint has issued to this client (RFC 6750)
 *
 * Who may get one is decided in clients.c.
 */
#include "intake/credential.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "intake/tokens.h"
#include "util/macros.h"

struct oauth_client {
	struct credential head;
	char *endpoint, *name, *client_id;
};

static int make(const struct auth_key *key, const struct auth_services *services,
		const struct credential_config *from, struct credential **ret, struct error *e)
{
	struct oauth_client *c = calloc(1, sizeof(*c));

	(void)key;
	(void)services;
	(void)e; /* the number says it all */
	if (!c)
		return -ENOMEM;
	*ret = &c->head;
	c->endpoint = strdup(from->endpoint);
	c->name = strdup(from->name);
	c->client_id = strdup(from->client_id);
	return c->endpoint && c->name && c->client_id ? 0 : -ENOMEM;
}

static int check(struct credential *head, const struct presented *p)
{
	const struct oauth_client *c = container_of(head, struct oauth_client, head);
	struct token_owner owner = {slice_of(c->endpoint), slice_of(c->name),
				    slice_of(c->client_id)};

	switch (tokens_find(p->tokens, &p->digest, &owner, p->now_us)) {
	case TOKEN_VALID:
		return SAYS_YES;
	case TOKEN_EXPIRED:
		return SAYS_EXPIRED;
	case TOKEN_UNKNOWN:
		break;
	}
	return SAYS_NO;
}

static void destroy(struct credential *head)
{
	struct oauth_client *c = container_of(head, struct oauth_client, head);

	free(c->endpoint);
	free(c->name);
	free(c->client_id);
	free(c);
}

const struct credential_ops credential_oauth_client_ops = {
	.scheme = SCHEME_BEARER,
	.make = make,
	.check = check,
	.free = destroy,
};
