/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is allowed in a configuration, but probably not meant
 */
#include <inttypes.h>
#include <string.h>

#include "core/config_parts.h"
#include "core/ending.h"
#include "core/event_types.h"
#include "core/log.h"
#include "core/nearest.h"
#include "core/tls_pair.h"
#include "util/units.h"

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

/* Return: false when there is none, or it cannot be read, which others tell of */
static bool has_certificate(const struct server_config *s, struct tls_validity *ret)
{
	return !s->insecure_http && tls_validity_read(s->tls_certificate, ret) == 0;
}

static void warn_early_certificate(const struct server_config *s, int64_t now_us)
{
	const struct origin *given = &s->tls_given.certificate;
	struct tls_validity valid;
	char at[TIME_TEXT_SIZE];

	if (has_certificate(s, &valid) && valid.not_before > now_us)
		log_warning("%s:%d: [server] tls_certificate: not valid before %s, nobody trusts "
			    "it until then; is the clock right?",
			    given->file, given->line, time_format(valid.not_before, at));
}

void config_warn_of_end(const struct config *config, int64_t now_us)
{
	const struct origin *given = &config->server.tls_given.certificate;
	struct tls_validity valid;
	char at[TIME_TEXT_SIZE];
	enum ending ending;
	int64_t days;

	if (!has_certificate(&config->server, &valid))
		return;
	ending = ending_of(now_us, valid.not_after);
	days = ending_days_left(now_us, valid.not_after);
	if (ending == ENDED)
		log_warning("%s:%d: [server] tls_certificate: has ended at %s, nobody trusts it "
			    "any more; renew it",
			    given->file, given->line, time_format(valid.not_after, at));
	else if (ending != ENDING_FAR)
		log_warning("%s:%d: [server] tls_certificate: ends in %" PRId64 " day%s, at %s; "
			    "renew it",
			    given->file, given->line, days, PLURAL(days, "", "s"),
			    time_format(valid.not_after, at));
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

/* New types come with RiskOS's releases, so it is no error; that a name begins as known ones do
 * makes it one of them, unless it is nearly one that is documented. */
static void warn_unknown_types(const struct handler_config *h)
{
	for (size_t i = 0; i < h->events.n; i++) {
		struct slice word = slice_of(h->events.items[i]);
		struct event_type type = event_type_of(word);
		struct slice name = slice_make(type.name, type.n);
		struct nearest near = NEAREST_INIT(name);
		char hint[NEAREST_TEXT_SIZE];
		const char *known;

		if (event_type_index(name, &known) >= 0 || slice_eq(word, SLICE("unknown")))
			continue;
		event_type_offer(&near);
		if (near.best || type.category == CATEGORY_UNKNOWN)
			log_warning("%s:%d: [handler %s]: no documented event type is called "
				    "'%s'%s",
				    h->origin.file, h->origin.line, h->name, h->events.items[i],
				    nearest_text(&near, hint));
	}
}

#define DECISION_MAX 32 /* more than the longest that is known, and what is near to it */

static struct slice upper_case(const char *text, char out[DECISION_MAX])
{
	size_t n = 0;

	for (; n < DECISION_MAX && text[n]; n++)
		out[n] = text[n] >= 'a' && text[n] <= 'z' ? (char)(text[n] - 'a' + 'A') : text[n];
	return slice_make(out, n);
}

/* a workflow may decide in words of its own: only what is nearly one of RiskOS's is suspicious */
static void warn_unknown_decisions(const struct handler_config *h)
{
	static const char *const known[] = {"ACCEPT", "DECLINE", "REJECT", "REVIEW",
					    "MANUAL REVIEW"};

	for (size_t i = 0; i < h->decision.n; i++) {
		char upper[DECISION_MAX], hint[NEAREST_TEXT_SIZE];
		struct nearest near = NEAREST_INIT(upper_case(h->decision.items[i], upper));

		for (size_t k = 0; k < ARRAY_SIZE(known); k++)
			nearest_offer(&near, known[k]);
		if (near.best && near.distance > 0)
			log_warning("%s:%d: [handler %s]: no documented decision is called '%s'%s",
				    h->origin.file, h->origin.line, h->name, h->decision.items[i],
				    nearest_text(&near, hint));
	}
}

/* text without a syntax of its own: not a list, a command, or a jq program */
static bool is_plain_text(const struct option *o)
{
	bool is_text = o->type == OPTION_STRING || o->type == OPTION_PATH ||
		       o->type == OPTION_SECRET_PATH || o->type == OPTION_URL_PATH;

	return is_text && strcmp(o->name, "filter") != 0 && strcmp(o->name, "transform") != 0;
}

/* "riskos # the user", from '#' on; NULL: there is none */
static const char *find_comment(const char *text)
{
	for (const char *at = strchr(text, '#'); at; at = strchr(at + 1, '#'))
		if (at > text && (at[-1] == ' ' || at[-1] == '\t'))
			return at;
	return NULL;
}

static bool is_quoted(const char *text)
{
	size_t n = strlen(text);

	return n >= 2 && text[0] == '"' && text[n - 1] == '"';
}

/* the value may be personal: it is not repeated */
static void warn_text(const struct section *s, const struct option *o, const char *text)
{
	struct origin given = section_given(s, o->name);
	const char *why = NULL;

	if (find_comment(text))
		why = "what follows '#' is part of the value; a comment needs a line of its own";
	else if (is_quoted(text))
		why = "the quotes are part of the value; leave them out";
	if (why)
		log_warning("%s:%d: [%s%s%s] %s: %s", given.file, given.line, section_word(s),
			    s->name ? " " : "", s->name ? s->name : "", o->name, why);
}

static void warn_texts(const struct loader *l, const struct section *s)
{
	const char *target = section_target(l, s);

	for (size_t i = 0; i < n_options; i++) {
		const char *text;

		if (!s->given[i].line || !is_plain_text(&options[i]))
			continue;
		memcpy(&text, target + options[i].offset, sizeof(text));
		if (text)
			warn_text(s, &options[i], text);
	}
}

void config_warn(const struct loader *l, int64_t now_us)
{
	const struct config *c = l->config;

	for (size_t i = 0; i < l->n_sections; i++)
		warn_texts(l, &l->sections[i]);
	warn_early_certificate(&c->server, now_us);
	for (size_t i = 0; i < c->n_credentials; i++) {
		warn_short_secret(&c->credentials[i]);
		warn_expired(&c->credentials[i], now_us);
	}
	for (size_t i = 0; i < c->n_handlers; i++) {
		warn_unreachable(c, &c->handlers[i]);
		warn_unknown_types(&c->handlers[i]);
		warn_unknown_decisions(&c->handlers[i]);
	}
}
