/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/auth.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/crypto.h"
#include "core/ending.h"
#include "intake/credential.h"

struct credential_set {
	struct auth_key key;
	struct tokens *tokens;
	size_t n;
	struct credential *credentials[];
};

static const struct credential_ops *const types[] = {
	[CREDENTIAL_BASIC] = &credential_basic_ops,
	[CREDENTIAL_BEARER] = &credential_bearer_ops,
	[CREDENTIAL_OAUTH_CLIENT] = &credential_oauth_client_ops,
	[CREDENTIAL_JWT] = &credential_jwt_ops,
	[CREDENTIAL_INTROSPECTION] = &credential_introspection_ops,
};

static int copy_head(struct credential *c, const struct credential_config *from)
{
	c->name = strdup(from->name);
	c->not_before_us = from->not_before_us;
	c->not_after_us = from->not_after_us;
	c->lenient = from->lenient;
	c->scope = from->required_scope ? strdup(from->required_scope) : NULL;
	return c->name && (c->scope || !from->required_scope) ? 0 : -ENOMEM;
}

static int add_credential(struct credential_set *set, const struct credential_config *from,
			  const struct auth_services *services, struct error *e)
{
	const struct credential_ops *ops = types[from->type];
	struct credential *c = NULL;
	int r;

	r = ops->make(&set->key, services, from, &c, e);
	if (!c)
		return r;
	set->credentials[set->n++] = c; /* freed with the set, also when it is half-built */
	c->ops = ops;
	if (r == 0 && copy_head(c, from) < 0)
		r = error_set(e, -ENOMEM, "out of memory");
	return r;
}

int credential_set_new(const struct config *config, const char *endpoint,
		       const struct auth_services *services, struct credential_set **ret_set,
		       struct error *e)
{
	_cleanup_(credential_set_freep)
	struct credential_set *set = NULL;

	set = calloc(1, sizeof(*set) + config->n_credentials * sizeof(struct credential *));
	if (!set)
		return error_set(e, -ENOMEM, "out of memory");
	set->tokens = services->tokens;
	random_bytes(set->key.bytes, sizeof(set->key.bytes));
	for (size_t i = 0; i < config->n_credentials; i++) {
		const struct credential_config *from = &config->credentials[i];
		int r;

		if (strcmp(from->endpoint, endpoint) != 0)
			continue;
		r = add_credential(set, from, services, e);
		if (r < 0 && e && !e->text[0])
			error_set(e, r, "cannot set it up: %s", error_name(r));
		if (r < 0)
			return error_prefix(e, r, "%s:%d: [credential %s]", from->origin.file,
					    from->origin.line, from->name);
	}
	*ret_set = steal_ptr(&set);
	return 0;
}

void credential_set_free(struct credential_set *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < set->n; i++) {
		free(set->credentials[i]->name);
		free(set->credentials[i]->scope);
		set->credentials[i]->ops->free(set->credentials[i]);
	}
	secret_wipe(&set->key, sizeof(set->key));
	free(set);
}

int credential_sets_check(const struct config *config, struct error *e)
{
	struct auth_services nobody = {.outbound = NULL};
	int r = 0;

	for (size_t i = 0; r == 0 && i < config->n_endpoints; i++) {
		_cleanup_(credential_set_freep)
		struct credential_set *set = NULL;

		r = credential_set_new(config, config->endpoints[i].name, &nobody, &set, e);
	}
	return r;
}

const char *credential_set_scope(const struct credential_set *set, const char *name)
{
	for (size_t i = 0; i < set->n; i++)
		if (name && strcmp(set->credentials[i]->name, name) == 0)
			return set->credentials[i]->scope;
	return NULL;
}

bool credential_set_offers(const struct credential_set *set, enum scheme scheme)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->credentials[i]->ops->scheme == scheme)
			return true;
	return false;
}

/* "scheme rest" when the first word is this scheme. Return: false leaves @s alone. */
static bool take_scheme(struct slice *s, struct slice scheme)
{
	struct slice rest;

	if (!slice_starts_nocase(*s, scheme))
		return false;
	rest = slice_make(s->p + scheme.n, s->n - scheme.n);
	if (rest.n == 0 || (rest.p[0] != ' ' && rest.p[0] != '\t'))
		return false;
	*s = slice_trim(rest);
	return true;
}

static bool has_blank(struct slice s)
{
	return s.n && (memchr(s.p, ' ', s.n) || memchr(s.p, '\t', s.n));
}

/* decoded credentials; @p points into it, so it is wiped when the check is done */
struct secret_text {
	char *p;
	size_t n;
};

static void secret_text_deinit(struct secret_text *text)
{
	if (text->p)
		secret_wipe(text->p, text->n);
	free(text->p);
}

static int read_basic(const struct credential_set *set, struct slice encoded, struct presented *p,
		      struct secret_text *text)
{
	const char *colon;
	int r;

	r = base64_decode(encoded, &text->p, &text->n);
	if (r < 0)
		return r == -EINVAL ? AUTH_E_MALFORMED : r;
	colon = memchr(text->p, ':', text->n);
	if (!colon)
		return AUTH_E_MALFORMED;
	p->scheme = SCHEME_BASIC;
	p->user = slice_make(text->p, (size_t)(colon - text->p));
	p->secret = slice_make(colon + 1, text->n - p->user.n - 1); /* may hold colons */
	p->digest = auth_digest_basic(&set->key, p->user, p->secret);
	return 0;
}

static int read_token(struct slice token, struct presented *p)
{
	if (slice_is_empty(token) || has_blank(token))
		return AUTH_E_MALFORMED;
	p->scheme = SCHEME_BEARER;
	p->secret = token;
	p->digest = sha256_of(token.p, token.n);
	return 0;
}

static int read_header(const struct credential_set *set, struct slice header, struct presented *p,
		       struct secret_text *text)
{
	struct slice s = slice_trim(header);

	if (slice_is_empty(s))
		return AUTH_E_MISSING;
	if (take_scheme(&s, SLICE("Basic")))
		return read_basic(set, s, p, text);
	p->is_bare = !take_scheme(&s, SLICE("Bearer"));
	if (!p->is_bare)
		(void)take_scheme(&s, SLICE("Bearer")); /* pasted into a form that adds its own */
	return read_token(s, p);
}

static bool is_live(const struct credential *c, int64_t now_us)
{
	return ending_is_valid(now_us, c->not_before_us, c->not_after_us);
}

/* Return: as check() of credential_ops */
static int check_one(struct credential *c, const struct presented *p)
{
	if (c->ops->scheme != p->scheme || (p->is_bare && !c->lenient))
		return SAYS_NO;
	return c->ops->check(c, p);
}

struct matches {
	const struct credential *live, *expired;
};

/* every credential is looked at, whichever matches */
static int check_all(struct credential_set *set, const struct presented *p, struct matches *m)
{
	for (size_t i = 0; i < set->n; i++) {
		struct credential *c = set->credentials[i];
		int r = check_one(c, p);

		if (r < 0)
			return r;
		if (r == SAYS_YES && is_live(c, p->now_us))
			m->live = c;
		else if (r == SAYS_YES || r == SAYS_EXPIRED)
			m->expired = c;
	}
	return 0;
}

/* What one credential lets in at once must not pay for another that takes long, such as the hashed
 * password that comes next in a rotation and that nobody has used yet. */
static int check_twice(struct credential_set *set, struct presented *p, struct matches *m)
{
	int r;

	r = check_all(set, p, m);
	p->is_second_round = true;
	if (r == 0 && !m->live)
		r = check_all(set, p, m);
	return r;
}

/* what asking has come to so far, the stronger answer first */
struct answers {
	const struct credential *waits, *cannot, *lacks_scope;
};

static void ask_one(struct credential *c, struct presented *p, struct matches *m, struct answers *a)
{
	if (!c->ops->ask || c->ops->scheme != p->scheme || (p->is_bare && !c->lenient))
		return;
	switch (c->ops->ask(c, p)) {
	case SAYS_YES:
		*(is_live(c, p->now_us) ? &m->live : &m->expired) = c;
		break;
	case SAYS_WAIT:
		a->waits = c;
		break;
	case SAYS_LACKS_SCOPE:
		a->lacks_scope = c;
		break;
	case SAYS_UNAVAILABLE:
		a->cannot = c;
		break;
	case SAYS_EXPIRED:
		m->expired = c;
		break;
	case SAYS_NO:
		break;
	}
}

/* one after the other, until one says yes or has to wait */
static void ask_all(struct credential_set *set, struct presented *p, struct matches *m,
		    struct answers *a)
{
	for (int last = 0; last <= 1; last++)
		for (size_t i = 0; i < set->n && !m->live && !a->waits; i++)
			if (set->credentials[i]->ops->is_asked_last == last)
				ask_one(set->credentials[i], p, m, a);
}

static int decide(struct credential_set *set, struct presented *p, const char **ret_name)
{
	struct answers a = {NULL, NULL, NULL};
	struct matches m = {NULL, NULL};
	int r;

	r = check_twice(set, p, &m);
	if (r < 0)
		return r;
	if (!m.live && !m.expired && p->waiter)
		ask_all(set, p, &m, &a);
	if (a.waits)
		return AUTH_PENDING;
	if (m.live || m.expired) {
		*ret_name = m.live ? m.live->name : m.expired->name;
		return m.live ? AUTH_OK : AUTH_E_EXPIRED;
	}
	if (a.cannot)
		return AUTH_E_UNAVAILABLE;
	if (!a.lacks_scope)
		return AUTH_E_UNKNOWN;
	*ret_name = a.lacks_scope->name;
	return AUTH_E_SCOPE;
}

int auth_check(struct credential_set *set, struct slice header, int64_t now_us,
	       struct auth_waiter *waiter, const char **ret_name)
{
	_cleanup_(secret_text_deinit)
	struct secret_text text = {NULL, 0};
	struct presented p = {.tokens = set->tokens, .now_us = now_us, .waiter = waiter};
	int r;

	r = read_header(set, header, &p, &text);
	if (r != 0)
		return r;
	return decide(set, &p, ret_name);
}
