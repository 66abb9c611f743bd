/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/intake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"

static int add_endpoint(struct intake *in, const struct endpoint_config *config, struct error *e)
{
	struct endpoint *endpoint = &in->endpoints[in->n_endpoints];
	struct auth_services services = {.outbound = in->gate->outbound,
					 .key_sources = in->gate->key_sources,
					 .tokens = in->gate->tokens};
	int r;

	endpoint->config = config;
	endpoint->tally = tally_new(config->name);
	if (!endpoint->tally)
		return error_set(e, -ENOMEM, "out of memory");
	in->n_endpoints++; /* from here on intake_free() looks at it */
	endpoint->watched = watch_of(in->gate->watch, USE_ENDPOINT, config->name, clock_now_us());
	if (!endpoint->watched)
		return error_set(e, -ENOMEM, "out of memory");
	r = credential_set_new(in->config, config->name, &services, &endpoint->credentials, e);
	if (r < 0)
		return r;
	return 0;
}

static int add_credentials(struct intake *in, struct error *e)
{
	const struct config *config = in->config;

	for (size_t i = 0; i < config->n_credentials; i++) {
		in->watched_credentials[i] = watch_of(in->gate->watch, USE_CREDENTIAL,
						      config->credentials[i].name, clock_now_us());
		if (!in->watched_credentials[i])
			return error_set(e, -ENOMEM, "out of memory");
	}
	return 0;
}

int intake_new(struct config *config, struct gate *gate, struct intake **ret, struct error *e)
{
	_cleanup_(intake_freep)
	struct intake *in = calloc(1, sizeof(*in));
	int r = 0;

	if (!in)
		return error_set(e, -ENOMEM, "out of memory");
	in->config = config_ref(config);
	in->gate = gate;
	in->store = gate->store;
	in->refs = 1;
	in->tally = tally_new(NULL);
	in->endpoints = calloc(config->n_endpoints, sizeof(in->endpoints[0]));
	in->watched_credentials =
		calloc(MAX_OF(config->n_credentials, 1), sizeof(struct watched *));
	if (!in->tally || !in->endpoints || !in->watched_credentials)
		return error_set(e, -ENOMEM, "out of memory");
	for (size_t i = 0; r == 0 && i < config->n_endpoints; i++)
		r = add_endpoint(in, &config->endpoints[i], e);
	if (r == 0)
		r = add_credentials(in, e);
	if (r == 0 && clients_new(config, &in->clients) < 0)
		r = error_set(e, -ENOMEM, "out of memory");
	if (r < 0)
		return r;
	*ret = steal_ptr(&in);
	return 0;
}

void intake_free(struct intake *in)
{
	if (!in)
		return;
	for (size_t i = 0; i < in->n_endpoints; i++) {
		credential_set_free(in->endpoints[i].credentials);
		tally_free(in->endpoints[i].tally);
	}
	tally_free(in->tally);
	free(in->endpoints);
	clients_free(in->clients);
	free(in->watched_credentials);
	config_free(in->config);
	free(in);
}

struct watched *intake_watched_credential(const struct intake *in, const char *name)
{
	for (size_t i = 0; i < in->config->n_credentials; i++)
		if (strcmp(in->config->credentials[i].name, name) == 0)
			return in->watched_credentials[i];
	return NULL;
}

static const struct endpoint *find_endpoint(const struct intake *in, struct slice path)
{
	for (size_t i = 0; i < in->n_endpoints; i++)
		if (slice_eq_str(path, in->endpoints[i].config->path))
			return &in->endpoints[i];
	return NULL;
}

static bool is_allowed(const struct endpoint *endpoint, const struct address *client)
{
	const struct prefix_list *allowed = &endpoint->config->allow_from;

	return allowed->n == 0 || prefix_list_contains(allowed, client->bytes);
}

/* RFC 9110 section 8.3: type/subtype, parameters behind a semicolon */
static bool is_json_type(struct slice type)
{
	struct slice essence;

	if (slice_is_empty(type))
		return true; /* not said: the body will tell */
	(void)slice_split(&type, ';', &essence);
	essence = slice_trim(essence);
	if (slice_eq_nocase(essence, SLICE("application/json")))
		return true;
	return essence.n > 5 && slice_starts_nocase(essence, SLICE("application/")) &&
	       slice_eq_nocase(slice_make(essence.p + essence.n - 5, 5), SLICE("+json"));
}

static int ask_credentials(const struct request_head *head, int64_t now_us,
			   struct auth_waiter *waiter, struct admission *a)
{
	int r;

	if (head->repeated_authorization)
		return AUTH_E_MALFORMED;
	if (waiter)
		waiter->reason = NULL;
	r = auth_check(a->endpoint->credentials, head->authorization, now_us, waiter,
		       &a->credential);
	if (waiter && r != AUTH_PENDING) /* then it may be gone */
		a->reason = waiter->reason;
	return r;
}

static enum outcome check_credential(struct intake *in, const struct request_head *head,
				     struct moment now, struct auth_waiter *waiter,
				     struct admission *a)
{
	a->wait_ms = throttle_wait_ms(in->gate->throttle, &a->client, now.ms);
	if (a->wait_ms > 0)
		return OUTCOME_THROTTLED;
	switch (ask_credentials(head, now.us, waiter, a)) {
	case AUTH_OK:
		return OUTCOME_NONE;
	case AUTH_E_MISSING:
		return OUTCOME_NO_CREDENTIAL;
	case AUTH_E_MALFORMED:
	case AUTH_E_UNKNOWN:
		throttle_note_failure(in->gate->throttle, &a->client, now.ms);
		return OUTCOME_WRONG_CREDENTIAL;
	case AUTH_E_EXPIRED:
		return OUTCOME_EXPIRED_CREDENTIAL;
	case AUTH_E_SCOPE:
		return OUTCOME_INSUFFICIENT_SCOPE;
	case AUTH_E_UNAVAILABLE:
		return OUTCOME_PROVIDER_DOWN;
	case AUTH_PENDING:
		return OUTCOME_PENDING;
	default:
		return OUTCOME_NO_MEMORY;
	}
}

enum outcome intake_decide(struct intake *in, const struct request_head *head, struct moment now,
			   struct auth_waiter *waiter, struct admission *ret)
{
	enum outcome outcome;

	*ret = (struct admission){
		.endpoint = find_endpoint(in, head->path),
		.client = address_of_client(&head->peer, &in->config->server.trusted_proxies,
					    head->forwarded_for),
	};
	if (!ret->endpoint)
		return OUTCOME_NOT_FOUND;
	if (!head->is_post)
		return OUTCOME_METHOD_NOT_ALLOWED;
	if (!is_allowed(ret->endpoint, &ret->client))
		return OUTCOME_ADDRESS_FORBIDDEN;
	outcome = check_credential(in, head, now, waiter, ret);
	if (outcome != OUTCOME_NONE)
		return outcome;
	if (head->has_length && head->content_length > (uint64_t)in->config->server.max_body)
		return OUTCOME_TOO_LARGE;
	if (!is_json_type(head->content_type) || head->content_encoding.p)
		return OUTCOME_MEDIA_TYPE;
	if (atomic_load_explicit(&in->gate->stopping, memory_order_relaxed))
		return OUTCOME_STOPPING;
	return OUTCOME_NONE;
}
