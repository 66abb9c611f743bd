/* SPDX-License-Identifier: Apache-2.0 */
/*
 * type = introspection: tokens that their provider is asked about (RFC 7662)
 *
 * An answer is remembered, a good one for `introspection_cache` at most, a bad one for some
 * seconds. Whoever presents a token that is being asked about waits for the same answer.
 */
#include "intake/credential.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "intake/form.h"
#include "intake/introspection.h"
#include "intake/jwt.h"
#include "intake/verdicts.h"
#include "util/buf.h"
#include "util/thread.h"
#include "util/units.h"

#define LOOKUPS_MAX    64 /* tokens that are asked about at one time */
#define FORM_MAX       (3 * JWT_MAX + 64)
#define CLIENT_MAX     (3 * 4096 + 64)
#define NEGATIVE_US    (5 * US_PER_S)
#define UNAVAILABLE_US (1 * US_PER_S)

struct introspection {
	struct credential head;
	struct auth_key key;
	struct outbound *outbound; /* NULL: nobody asks, the configuration is only checked */
	char *uri, *ca_file, *issuer, *audience, *scope;
	char *client_id, *client_secret; /* encoded */
	struct claims_expected expected; /* points to them */
	int64_t timeout_ms, remember_us;
	struct verdicts *remembered;

	/* shared, under mx */
	pthread_mutex_t mx;
	struct list lookups;
	size_t n_lookups;
	bool is_failing; /* the last lookup did */
};

/* one token that is being asked about; while it is, requests wait and so the credential stays */
struct lookup {
	struct introspection *owner;
	struct outbound_request request;
	struct sha256 digest;
	struct buf form;
	struct list link;    /* under owner->mx */
	struct list waiters; /* under owner->mx */
};

/* ---- make ---- */

static char *encoded(struct slice text)
{
	struct buf out = BUF_INIT(CLIENT_MAX);

	(void)form_append(&out, text); /* buf_steal() tells */
	return buf_steal(&out);
}

static char *dup_or_null(const char *s)
{
	return s ? slice_dup(slice_of(s)) : NULL;
}

static int copy_options(struct introspection *in, const struct credential_config *from)
{
	in->uri = dup_or_null(from->introspection_uri);
	in->ca_file = dup_or_null(from->provider_ca);
	in->issuer = dup_or_null(from->issuer);
	in->audience = dup_or_null(from->audience);
	in->scope = dup_or_null(from->required_scope);
	in->client_id = encoded(slice_of(from->client_id));
	in->client_secret = encoded(slice_make(from->secret, from->secret_n));
	in->timeout_ms = from->provider_timeout_ms;
	in->remember_us = from->introspection_cache_ms * US_PER_MS;
	in->expected = (struct claims_expected){
		.issuer = in->issuer,
		.audience = in->audience,
		.scope = in->scope,
		.leeway_s = from->leeway_ms / 1000,
	};
	if (!in->uri || !in->client_id || !in->client_secret ||
	    (from->provider_ca && !in->ca_file) || (from->issuer && !in->issuer) ||
	    (from->audience && !in->audience) || (from->required_scope && !in->scope))
		return -ENOMEM;
	return 0;
}

static int make(const struct auth_key *key, const struct auth_services *services,
		const struct credential_config *from, struct credential **ret, struct error *e)
{
	struct introspection *in = calloc(1, sizeof(*in));

	if (!in)
		return error_set(e, -ENOMEM, "out of memory");
	*ret = &in->head;
	in->key = *key;
	in->outbound = services->outbound;
	(void)pthread_mutex_init(&in->mx, NULL); /* cannot fail with default attributes on Linux */
	list_init(&in->lookups);
	if (copy_options(in, from) < 0 || verdicts_new(&in->remembered) < 0)
		return error_set(e, -ENOMEM, "out of memory");
	return 0;
}

static void wipe_text(char *s)
{
	if (s)
		secret_wipe(s, strlen(s));
	free(s);
}

static void destroy(struct credential *c)
{
	struct introspection *in = container_of(c, struct introspection, head);

	verdicts_free(in->remembered);
	pthread_mutex_destroy(&in->mx);
	free(in->uri);
	free(in->ca_file);
	free(in->issuer);
	free(in->audience);
	free(in->scope);
	free(in->client_id);
	wipe_text(in->client_secret);
	secret_wipe(in, sizeof(*in));
	free(in);
}

/* ---- one lookup ---- */

static void lookup_free(struct lookup *l)
{
	if (!l)
		return;
	secret_wipe(l->form.p, l->form.n);
	buf_deinit(&l->form);
	free(l);
}

static void log_change(const struct introspection *in, bool was_failing, const char *problem,
		       long status)
{
	if (!problem && was_failing)
		log_notice("credential %s: the provider answers again", in->head.name);
	if (!problem || was_failing)
		return;
	if (status)
		log_error("credential %s: cannot ask the provider: %s (status %ld), such requests "
			  "are answered 503",
			  in->head.name, problem, status);
	else
		log_error("credential %s: cannot ask the provider: %s, such requests are answered "
			  "503",
			  in->head.name, problem);
}

static enum token_verdict read_answer(const struct introspection *in,
				      const struct outbound_answer *answer, int64_t now_us,
				      int64_t *ret_until_us)
{
	int64_t expires_s = CLAIMS_NO_EXPIRY;
	enum token_verdict verdict = VERDICT_E_UNAVAILABLE;

	if (!answer->error && answer->status == 200)
		verdict = introspection_read(answer->body, answer->content_type, &in->expected,
					     now_us / US_PER_S, &expires_s);
	switch (verdict) {
	case VERDICT_OK:
		*ret_until_us = now_us + in->remember_us;
		if (expires_s != CLAIMS_NO_EXPIRY)
			*ret_until_us = MIN_OF(*ret_until_us, expires_s * US_PER_S);
		break;
	case VERDICT_E_UNAVAILABLE:
		*ret_until_us = now_us + UNAVAILABLE_US;
		break;
	default:
		*ret_until_us = now_us + NEGATIVE_US;
		break;
	}
	return verdict;
}

/* outbound thread */
static void on_answer(struct outbound_request *request, const struct outbound_answer *answer)
{
	struct lookup *l = container_of(request, struct lookup, request);
	struct introspection *in = l->owner;
	struct list woken = LIST_INIT(woken);
	int64_t now_us = clock_now_us(), until_us;
	enum token_verdict verdict = read_answer(in, answer, now_us, &until_us);
	bool is_failing = verdict == VERDICT_E_UNAVAILABLE, was_failing;

	verdicts_remember(in->remembered, &l->digest, verdict, now_us, until_us);
	mutex_lock(&in->mx);
	was_failing = in->is_failing;
	in->is_failing = is_failing;
	list_remove(&l->link);
	in->n_lookups--;
	list_splice(&woken, &l->waiters);
	mutex_unlock(&in->mx);

	if (!answer->is_stopping)
		log_change(in, was_failing,
			   !is_failing     ? NULL
			   : answer->error ? answer->error
					   : "unexpected answer",
			   answer->status);
	auth_waiters_wake(&woken); /* the credential may be gone with the requests */
	lookup_free(l);
}

static struct lookup *lookup_new(struct introspection *in, struct slice token,
				 const struct sha256 *digest)
{
	struct lookup *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->owner = in;
	l->digest = *digest;
	list_init(&l->waiters);
	l->form = (struct buf)BUF_INIT(FORM_MAX);
	(void)buf_reserve(&l->form, 3 * token.n + 64); /* else growing leaves copies behind */
	buf_append_str(&l->form, "token=");
	form_append(&l->form, token);
	buf_append_str(&l->form, "&token_type_hint=access_token");
	if (buf_error(&l->form)) {
		lookup_free(l);
		return NULL;
	}
	l->request = (struct outbound_request){
		.url = in->uri,
		.ca_file = in->ca_file,
		.username = in->client_id,
		.password = in->client_secret,
		.form = l->form.p,
		.form_n = l->form.n,
		.max = INTROSPECTION_ANSWER_MAX,
		.timeout_ms = in->timeout_ms,
		.done = on_answer,
	};
	return l;
}

/* under mx. Return: the lookup of this token, new if there is none; NULL: it cannot be asked about
 */
static struct lookup *find_lookup(struct introspection *in, const struct presented *p,
				  const struct sha256 *digest)
{
	struct lookup *l;

	list_for_each (link, &in->lookups) {
		l = list_entry(link, struct lookup, link);
		if (sha256_eq(&l->digest, digest))
			return l;
	}
	if (in->n_lookups >= LOOKUPS_MAX)
		return NULL;
	l = lookup_new(in, p->secret, digest);
	if (!l)
		return NULL;
	if (outbound_schedule(in->outbound, &l->request, clock_monotonic_ms()) < 0) {
		lookup_free(l);
		return NULL;
	}
	list_append(&in->lookups, &l->link); /* on_answer() waits for mx */
	in->n_lookups++;
	return l;
}

/* ---- check and ask ---- */

static struct sha256 digest_of(const struct introspection *in, struct slice token)
{
	return auth_digest_basic(&in->key, SLICE_NULL, token);
}

static int check(struct credential *c, const struct presented *p)
{
	struct introspection *in = container_of(c, struct introspection, head);
	struct sha256 digest = digest_of(in, p->secret);
	enum token_verdict verdict;

	if (!verdicts_recall(in->remembered, &digest, p->now_us, &verdict))
		return SAYS_NO;
	return verdict == VERDICT_OK ? SAYS_YES : SAYS_NO;
}

static enum credential_says say(const struct presented *p, enum token_verdict verdict)
{
	if (verdict != VERDICT_OK)
		p->waiter->reason = token_verdict_text(verdict);
	switch (verdict) {
	case VERDICT_OK:
		return SAYS_YES;
	case VERDICT_E_SCOPE:
		return SAYS_LACKS_SCOPE;
	case VERDICT_E_UNAVAILABLE:
		return SAYS_UNAVAILABLE;
	default:
		return SAYS_NO;
	}
}

/* a provider is not shown the tokens of another */
static bool is_for_us(const struct introspection *in, const struct presented *p)
{
	if (p->is_claimed || p->secret.n > JWT_MAX)
		return false;
	return !in->issuer || !jwt_is_one(p->secret) || jwt_claims_issuer(p->secret, in->issuer);
}

static enum credential_says ask(struct credential *c, struct presented *p)
{
	struct introspection *in = container_of(c, struct introspection, head);
	struct sha256 digest = digest_of(in, p->secret);
	enum token_verdict verdict;
	struct lookup *l;
	bool is_known;

	if (!in->outbound || !is_for_us(in, p))
		return SAYS_NO;
	mutex_lock(&in->mx);
	is_known = verdicts_recall(in->remembered, &digest, p->now_us, &verdict);
	l = is_known ? NULL : find_lookup(in, p, &digest);
	if (l)
		list_append(&l->waiters, &p->waiter->link);
	mutex_unlock(&in->mx);
	if (l)
		return SAYS_WAIT;
	return say(p, is_known ? verdict : VERDICT_E_UNAVAILABLE);
}

const struct credential_ops credential_introspection_ops = {
	.scheme = SCHEME_BEARER,
	.make = make,
	.check = check,
	.free = destroy,
	.ask = ask,
	.is_asked_last = true,
};
