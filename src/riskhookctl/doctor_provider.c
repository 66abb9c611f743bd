/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor: the identity providers that credentials rely on
 */
#include <errno.h>

#include <jansson.h>

#include "core/config.h"
#include "riskhookctl/client.h"
#include "riskhookctl/doctor.h"

#define ANSWER_MAX (256 * 1024) /* bytes; what riskhookd takes, too */

static const char advice[] = "compare it with the provider's documentation; check the network, "
			     "DNS and provider_ca. Its tokens are answered 503 meanwhile";

static size_t n_keys(const struct buf *answer)
{
	json_t *set = json_loadb(answer->p ? answer->p : "", answer->n, 0, NULL);
	size_t n = json_array_size(json_object_get(set, "keys"));

	json_decref(set);
	return n;
}

static void check_keys(struct doctor *d, const struct credential_config *c)
{
	struct buf answer = BUF_INIT(ANSWER_MAX);
	struct error e = ERROR_INIT;
	int r = client_get(c->jwks_uri, c->provider_ca, &answer, &e);

	if (r < 0)
		doctor_tell(d, FINDING_PROBLEM, "provider", advice, "credential %s: jwks_uri: %s",
			    c->name, e.text);
	else if (r != 200 || n_keys(&answer) == 0)
		doctor_tell(d, FINDING_PROBLEM, "provider", advice,
			    "credential %s: jwks_uri answers %d without keys", c->name, r);
	else
		doctor_tell(d, FINDING_OK, "provider", NULL, "credential %s: %zu keys", c->name,
			    n_keys(&answer));
	buf_deinit(&answer);
}

/* it wants a POST with a token, so whatever it says to less: it is there */
static void check_introspection(struct doctor *d, const struct credential_config *c)
{
	struct buf answer = BUF_INIT(ANSWER_MAX);
	struct error e = ERROR_INIT;
	int r = client_get(c->introspection_uri, c->provider_ca, &answer, &e);

	if (r < 0)
		doctor_tell(d, FINDING_PROBLEM, "provider", advice,
			    "credential %s: introspection_uri: %s", c->name, e.text);
	else
		doctor_tell(d, FINDING_OK, "provider", NULL,
			    "credential %s: the introspection endpoint answers", c->name);
	buf_deinit(&answer);
}

void doctor_check_providers(struct doctor *d)
{
	const struct config *config = d->ctx->config;

	for (size_t i = 0; i < config->n_credentials; i++) {
		const struct credential_config *c = &config->credentials[i];

		if (c->type == CREDENTIAL_JWT && c->jwks_uri)
			check_keys(d, c);
		if (c->type == CREDENTIAL_INTROSPECTION)
			check_introspection(d, c);
	}
}
