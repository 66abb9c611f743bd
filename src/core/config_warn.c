/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is allowed in a configuration, but probably not meant
 */
#include "core/config_parts.h"
#include "core/event_types.h"
#include "core/log.h"

#define SHORTEST_PASSWORD 8 /* bytes; RiskOS is a program and can remember more */
#define SHORTEST_TOKEN    16

static void warn_short_secret(const struct credential_config *c)
{
	size_t shortest = c->type == CREDENTIAL_BASIC ? SHORTEST_PASSWORD : SHORTEST_TOKEN;

	if (c->secret && c->secret_n < shortest)
		log_warning("%s:%d: [credential %s]: the secret has less than %zu bytes and can be "
			    "guessed",
			    c->origin.file, c->origin.line, c->name, shortest);
}

static void warn_expired(const struct credential_config *c, int64_t now_us)
{
	if (c->not_after_us && c->not_after_us <= now_us)
		log_warning("%s:%d: [credential %s]: expired, nothing is accepted by it",
			    c->origin.file, c->origin.line, c->name);
}

static bool can_come_from(const struct handler_config *h, const struct endpoint_config *endpoint)
{
	if (h->endpoint.n && !string_list_has_nocase(&h->endpoint, slice_of(endpoint->name)))
		return false;
	return !h->environment.n || !endpoint->environment ||
	       string_list_has_nocase(&h->environment, slice_of(endpoint->environment));
}

static void warn_unreachable(const struct config *c, const struct handler_config *h)
{
	for (size_t i = 0; i < c->n_endpoints; i++)
		if (can_come_from(h, &c->endpoints[i]))
			return;
	log_warning("%s:%d: [handler %s]: no event can match: its environments are not those of "
		    "its endpoints",
		    h->origin.file, h->origin.line, h->name);
}

/* new types come with RiskOS's releases, so it is no error */
static void warn_unknown_types(const struct handler_config *h)
{
	for (size_t i = 0; i < h->events.n; i++) {
		struct slice word = slice_of(h->events.items[i]);

		if (event_type_of(word).category == CATEGORY_UNKNOWN &&
		    !slice_eq(word, SLICE("unknown")))
			log_warning("%s:%d: [handler %s]: no documented event type is called '%s'",
				    h->origin.file, h->origin.line, h->name, h->events.items[i]);
	}
}

void config_warn(const struct loader *l, int64_t now_us)
{
	const struct config *c = l->config;

	for (size_t i = 0; i < c->n_credentials; i++) {
		warn_short_secret(&c->credentials[i]);
		warn_expired(&c->credentials[i], now_us);
	}
	for (size_t i = 0; i < c->n_handlers; i++) {
		warn_unreachable(c, &c->handlers[i]);
		warn_unknown_types(&c->handlers[i]);
	}
}
