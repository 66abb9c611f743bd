/* SPDX-License-Identifier: Apache-2.0 */
/*
 * type = jwt: access tokens that an identity provider signs (RFC 9068)
 *
 * A token that was verified is remembered for a while, or until other keys come, so that its
 * signature is checked once. One whose key is not known waits while the provider's keys are read.
 */
#include "intake/credential.h"

#include <errno.h>
#include <stdlib.h>

#include "intake/jwt.h"
#include "intake/key_source.h"
#include "intake/verdicts.h"
#include "util/units.h"

#define REMEMBER_US (5 * 60 * US_PER_S) /* at most */
#define TRIES_MAX   4                   /* key sets that come while one token is looked at */

static const unsigned default_algorithms = 1U << JWS_RS256 | 1U << JWS_PS256 | 1U << JWS_ES256;

struct jwt_credential {
	struct credential head;
	struct auth_key key;
	char *issuer, *audience, *scope;
	struct jwt_rules rules;      /* points to them */
	struct key_source *keys;     /* NULL: nobody asks, the configuration is only checked */
	struct verdicts *remembered; /* VERDICT_OK alone */
};

static unsigned read_algorithms(const struct string_list *names)
{
	unsigned allowed = 0;

	for (size_t i = 0; i < names->n; i++) {
		int algorithm = jws_algorithm_of(slice_of(names->items[i]));

		if (algorithm >= 0)
			allowed |= 1U << algorithm;
	}
	return names->n ? allowed : default_algorithms;
}

static int copy_rules(struct jwt_credential *j, const struct credential_config *from)
{
	j->issuer = slice_dup(slice_of(from->issuer));
	j->audience = slice_dup(slice_of(from->audience));
	j->scope = from->required_scope ? slice_dup(slice_of(from->required_scope)) : NULL;
	j->rules = (struct jwt_rules){
		.claims = {.issuer = j->issuer,
			   .audience = j->audience,
			   .scope = j->scope,
			   .leeway_s = from->leeway_ms / 1000,
			   .must_expire = true},
		.algorithms = read_algorithms(&from->algorithms),
	};
	return j->issuer && j->audience && (j->scope || !from->required_scope) ? 0 : -ENOMEM;
}

static int open_keys(const struct auth_services *services, const struct credential_config *from,
		     struct key_source **ret, struct error *e)
{
	struct key_source_options options = {
		.name = from->name,
		.uri = from->jwks_uri,
		.ca_file = from->provider_ca,
		.timeout_ms = from->provider_timeout_ms,
		.refresh_ms = from->jwks_refresh_ms,
		.refresh_min_ms = from->jwks_refresh_min_ms,
		.stale_for_ms = from->jwks_stale_for_ms,
	};
	int r;

	if (from->jwks_file)
		return key_source_from_file(from->jwks_file, ret, e);
	if (!services->key_sources)
		return 0;
	r = key_source_from_uri(&options, services->key_sources, ret);
	return r < 0 ? error_set(e, r, "cannot start to read keys: %s", error_name(r)) : 0;
}

static int make(const struct auth_key *key, const struct auth_services *services,
		const struct credential_config *from, struct credential **ret, struct error *e)
{
	struct jwt_credential *j = calloc(1, sizeof(*j));

	if (!j)
		return error_set(e, -ENOMEM, "out of memory");
	*ret = &j->head;
	j->key = *key;
	if (copy_rules(j, from) < 0 || verdicts_new(&j->remembered) < 0)
		return error_set(e, -ENOMEM, "out of memory");
	return open_keys(services, from, &j->keys, e);
}

/* of a token, by this process, with these keys */
static struct sha256 digest_of(const struct jwt_credential *j, struct slice token,
			       uint32_t generation)
{
	struct slice stamp = slice_make((const char *)&generation, sizeof(generation));

	return auth_digest_basic(&j->key, stamp, token);
}

static int check(struct credential *c, const struct presented *p)
{
	struct jwt_credential *j = container_of(c, struct jwt_credential, head);
	enum token_verdict verdict;
	struct sha256 digest;

	if (!j->keys || p->secret.n > JWT_MAX)
		return SAYS_NO;
	digest = digest_of(j, p->secret, key_source_generation(j->keys));
	return verdicts_recall(j->remembered, &digest, p->now_us, &verdict) ? SAYS_YES : SAYS_NO;
}

/* Return: VERDICT_OK, and then the token is remembered, or what is wrong */
static enum token_verdict verify(struct jwt_credential *j, const struct presented *p,
				 uint32_t *ret_generation)
{
	_cleanup_(jwks_unrefp)
	struct jwks *keys = key_source_keys(j->keys, ret_generation);
	enum token_verdict verdict;
	struct sha256 digest;
	int64_t expires_s;

	verdict = jwt_verify(p->secret, keys, &j->rules, p->now_us / US_PER_S, &expires_s);
	if (verdict == VERDICT_OK) {
		digest = digest_of(j, p->secret, *ret_generation);
		verdicts_remember(j->remembered, &digest, verdict, p->now_us,
				  MIN_OF(expires_s * US_PER_S, p->now_us + REMEMBER_US));
	}
	return verdict;
}

/* What is wrong with a token of our issuer is more interesting than that others are not it, and the
 * credential that it came farthest with is the one that was meant. */
static void note_reason(const struct jwt_credential *j, struct presented *p,
			enum token_verdict verdict)
{
	bool is_ours = jwt_claims_issuer(p->secret, j->issuer);

	if (!p->waiter->reason || (is_ours && (int)verdict > p->closest))
		p->waiter->reason = token_verdict_text(verdict);
	if (is_ours)
		p->closest = MAX_OF(p->closest, (int)verdict);
	p->is_claimed |= is_ours;
}

static enum token_verdict verify_with_newest(struct jwt_credential *j, struct presented *p,
					     enum key_search *ret_search)
{
	enum token_verdict verdict;
	uint32_t generation;

	*ret_search = KEY_SEARCH_NONE;
	for (int i = 0; i < TRIES_MAX; i++) {
		verdict = verify(j, p, &generation);
		if (verdict != VERDICT_E_UNKNOWN_KEY)
			return verdict;
		*ret_search = key_source_search(j->keys, generation, p->waiter);
		if (*ret_search != KEY_SEARCH_AGAIN)
			return verdict;
	}
	*ret_search = KEY_SEARCH_UNAVAILABLE;
	return verdict;
}

static enum credential_says ask(struct credential *c, struct presented *p)
{
	struct jwt_credential *j = container_of(c, struct jwt_credential, head);
	enum token_verdict verdict;
	enum key_search search;

	if (!j->keys)
		return SAYS_NO;
	verdict = verify_with_newest(j, p, &search);
	if (verdict == VERDICT_OK)
		return SAYS_YES;
	if (verdict == VERDICT_E_UNKNOWN_KEY && search == KEY_SEARCH_WAIT)
		return SAYS_WAIT; /* and the waiter may be gone */
	note_reason(j, p, verdict);
	if (verdict == VERDICT_E_SCOPE)
		return SAYS_LACKS_SCOPE;
	if (verdict == VERDICT_E_UNKNOWN_KEY && search == KEY_SEARCH_UNAVAILABLE)
		return SAYS_UNAVAILABLE;
	return SAYS_NO;
}

static void destroy(struct credential *c)
{
	struct jwt_credential *j = container_of(c, struct jwt_credential, head);

	key_source_free(j->keys);
	verdicts_free(j->remembered);
	free(j->issuer);
	free(j->audience);
	free(j->scope);
	secret_wipe(j, sizeof(*j));
	free(j);
}

const struct credential_ops credential_jwt_ops = {
	.scheme = SCHEME_BEARER,
	.make = make,
	.check = check,
	.free = destroy,
	.ask = ask,
};
