/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/clients.h"

#include <errno.h>
#include <stdlib.h>

#include "core/crypto.h"
#include "core/ending.h"
#include "intake/login.h"

struct known_client {
	struct client client;
	struct login login;
};

struct clients {
	struct auth_key key;
	size_t n;
	struct known_client items[];
};

static int add_client(struct clients *c, const struct config *config,
		      const struct credential_config *from)
{
	struct known_client *known = &c->items[c->n++];

	known->client = (struct client){
		.endpoint = from->endpoint,
		.credential = from->name,
		.client_id = from->client_id,
		.allow_from = &config_endpoint(config, from->endpoint)->allow_from,
		.token_ttl_ms = from->token_ttl_ms,
		.not_before_us = from->not_before_us,
		.not_after_us = from->not_after_us,
	};
	return login_init(&known->login, &c->key, slice_of(from->client_id),
			  slice_make(from->secret, from->secret_n),
			  from->secret ? NULL : from->client_secret_hash);
}

int clients_new(const struct config *config, struct clients **ret)
{
	_cleanup_(clients_freep)
	struct clients *c = calloc(1, sizeof(*c) + config->n_credentials * sizeof(c->items[0]));
	int r = 0;

	if (!c)
		return -ENOMEM;
	random_bytes(c->key.bytes, sizeof(c->key.bytes));
	for (size_t i = 0; r == 0 && i < config->n_credentials; i++)
		if (config->credentials[i].type == CREDENTIAL_OAUTH_CLIENT)
			r = add_client(c, config, &config->credentials[i]);
	if (r < 0)
		return r;
	*ret = steal_ptr(&c);
	return 0;
}

void clients_free(struct clients *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n; i++)
		login_deinit(&c->items[i].login);
	secret_wipe(&c->key, sizeof(c->key));
	free(c);
}

bool clients_any(const struct clients *c)
{
	return c->n > 0;
}

static bool is_live(const struct client *client, int64_t now_us)
{
	return ending_is_valid(now_us, client->not_before_us, client->not_after_us);
}

struct found {
	const struct client *live, *expired;
};

/* every client is looked at, whichever matches */
static int check_all(struct clients *c, const struct login_claim *claim, int64_t now_us,
		     bool may_take_time, struct found *found)
{
	for (size_t i = 0; i < c->n; i++) {
		int r = login_check(&c->items[i].login, claim, may_take_time);

		if (r < 0)
			return r;
		if (r == 0 && is_live(&c->items[i].client, now_us))
			found->live = &c->items[i].client;
		else if (r == 0)
			found->expired = &c->items[i].client;
	}
	return 0;
}

/* as in auth.c: what a digest lets in does not pay for a hash that nobody has used yet */
int clients_check(struct clients *c, const struct client_claim *claims, size_t n_claims,
		  int64_t now_us, const struct client **ret_client)
{
	struct found found = {NULL, NULL};
	int r = 0;

	for (int round = 0; r == 0 && round < 2 && !found.live; round++) {
		for (size_t i = 0; r == 0 && i < n_claims; i++) {
			struct login_claim claim = {
				claims[i].id, claims[i].secret,
				auth_digest_basic(&c->key, claims[i].id, claims[i].secret)};

			r = check_all(c, &claim, now_us, round > 0, &found);
		}
	}
	if (r < 0)
		return r;
	if (!found.live && !found.expired)
		return AUTH_E_UNKNOWN;
	*ret_client = found.live ? found.live : found.expired;
	return found.live ? AUTH_OK : AUTH_E_EXPIRED;
}
