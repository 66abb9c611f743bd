/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/tally.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/metric_family.h"

#define CATEGORIES (CATEGORY_DOCV + 1)
#define NO_NAME    "(none)" /* cannot be an endpoint's name */
#define OTHER      "other"  /* types that the sender invents */

struct tally {
	struct series *requests[OUTCOMES];
	struct series *auth[OUTCOMES]; /* NULL: decided before the credential was looked at */
	struct series *accepted, *ack;
};

/* what was found out about the credential; of other outcomes: nothing, or that it was right */
static const char *const auth_words[OUTCOMES] = {
	[OUTCOME_NO_CREDENTIAL] = "missing",
	[OUTCOME_WRONG_CREDENTIAL] = "wrong",
	[OUTCOME_EXPIRED_CREDENTIAL] = "expired",
	[OUTCOME_INSUFFICIENT_SCOPE] = "insufficient_scope",
	[OUTCOME_THROTTLED] = "throttled",
};

static struct series *series_of_status(const char *endpoint, unsigned int status)
{
	char code[16];

	(void)snprintf(code, sizeof(code), "%u", status); /* three digits */
	return series_of(FAMILY_ENDPOINT_REQUESTS, endpoint, code);
}

struct tally *tally_new(const char *endpoint)
{
	struct tally *t = calloc(1, sizeof(*t));
	const char *name = endpoint ? endpoint : NO_NAME;

	if (!t)
		return NULL;
	for (int i = 0; i < OUTCOMES; i++) {
		/* without an endpoint there is one answer */
		enum outcome counted = endpoint ? (enum outcome)i : OUTCOME_NOT_FOUND;

		t->requests[i] = series_of_status(name, outcome_rule(counted)->status);
		if (endpoint && auth_words[i])
			t->auth[i] = series_of(FAMILY_ENDPOINT_AUTH, name, auth_words[i]);
	}
	t->ack = series_of(FAMILY_ACK_DURATION, NULL, NULL);
	if (!endpoint)
		return t;
	t->accepted = series_of(FAMILY_ENDPOINT_AUTH, name, "accepted");
	return t;
}

void tally_free(struct tally *t)
{
	free(t);
}

void tally_request(struct tally *t, enum outcome outcome, bool has_credential, int64_t took_us)
{
	series_add(t->requests[outcome], 1);
	if (t->auth[outcome])
		series_add(t->auth[outcome], 1);
	else if (has_credential && t->accepted)
		series_add(t->accepted, 1);
	if (!outcome_rule(outcome)->title) /* a 200 */
		series_observe(t->ack, took_us);
}

/* Looked up once for each pair: the list of all pairs is long. */
static struct series *series_of_event(struct slice type, enum event_category category)
{
	static _Atomic(struct series *) known[CATEGORIES][EVENT_TYPES_MAX];
	const char *name;
	int i = event_type_index(type, &name);
	struct series *s;

	if (i < 0)
		return series_of(FAMILY_EVENTS, OTHER, event_category_name(category));
	s = atomic_load_explicit(&known[category][i], memory_order_acquire);
	if (!s) {
		s = series_of(FAMILY_EVENTS, name, event_category_name(category));
		atomic_store_explicit(&known[category][i], s, memory_order_release);
	}
	return s;
}

void tally_event(struct slice type, enum event_category category)
{
	series_add(series_of_event(type, category), 1);
}
