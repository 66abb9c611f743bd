/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/auth.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/crypto.h"
#include "util/hex.h"
#include "util/thread.h"

struct credential {
	char *name;
	enum credential_type type;
	int64_t not_before_us, not_after_us; /* 0: no bound */
	bool lenient;
	char *password_hash; /* "scrypt:...", or NULL when `digest` holds from the start */

	struct sha256 digest; /* of what a request must present; under mx while hashed */
	bool has_digest;
};

struct credential_set {
	unsigned char key[SHA256_SIZE]; /* of this process: what memory holds opens nothing else */
	pthread_mutex_t mx;             /* protects digest and has_digest of hashed credentials */
	size_t n;
	struct credential credentials[];
};

/* What the header says, in the form that credentials of one type are compared in. */
struct presented {
	enum credential_type type;
	bool bare;    /* no scheme */
	char *memory; /* decoded Basic credentials, to wipe; or NULL */
	size_t memory_n;
	struct slice user, secret;
	struct sha256 digest;
};

static struct sha256 basic_digest(const struct credential_set *set, struct slice user,
				  struct slice password)
{
	struct slice pieces[] = {slice_make((const char *)set->key, sizeof(set->key)), user,
				 password};

	return sha256_of_pieces(pieces, ARRAY_SIZE(pieces));
}

/* the form of `token_hash`, so that both kinds of configuration compare alike */
static struct sha256 token_digest(struct slice token)
{
	return sha256_of(token.p, token.n);
}

static struct sha256 user_digest(const struct credential_set *set, struct slice user)
{
	return basic_digest(set, user, SLICE_NULL);
}

static int digest_bearer(struct credential *c, const struct credential_config *from)
{
	struct slice hash = slice_of(from->token_hash);

	c->has_digest = true;
	if (from->secret) {
		c->digest = token_digest(slice_make(from->secret, from->secret_n));
		return 0;
	}
	if (!slice_starts_nocase(hash, SLICE("sha256:")))
		return -EINVAL; /* the configuration was checked: cannot happen */
	return hex_decode(slice_make(hash.p + 7, hash.n - 7), c->digest.bytes, SHA256_SIZE);
}

static int digest_basic(const struct credential_set *set, struct credential *c,
			const struct credential_config *from)
{
	struct slice user = slice_of(from->username);

	if (from->secret) {
		c->digest = basic_digest(set, user, slice_make(from->secret, from->secret_n));
		c->has_digest = true;
		return 0;
	}
	c->digest = user_digest(set, user); /* until the password was seen */
	c->password_hash = strdup(from->password_hash);
	return c->password_hash ? 0 : -ENOMEM;
}

static int add_credential(struct credential_set *set, const struct credential_config *from)
{
	struct credential *c = &set->credentials[set->n];

	*c = (struct credential){
		.name = strdup(from->name),
		.type = (enum credential_type)from->type,
		.not_before_us = from->not_before_us,
		.not_after_us = from->not_after_us,
		.lenient = from->lenient,
	};
	set->n++;
	if (!c->name)
		return -ENOMEM;
	if (c->type == CREDENTIAL_BASIC)
		return digest_basic(set, c, from);
	return digest_bearer(c, from);
}

int credential_set_new(const struct config *config, const char *endpoint,
		       struct credential_set **ret_set)
{
	_cleanup_(credential_set_freep)
	struct credential_set *set = NULL;

	set = calloc(1, sizeof(*set) + config->n_credentials * sizeof(set->credentials[0]));
	if (!set)
		return -ENOMEM;
	(void)pthread_mutex_init(&set->mx, NULL); /* cannot fail with default attributes on Linux */
	random_bytes(set->key, sizeof(set->key));
	for (size_t i = 0; i < config->n_credentials; i++) {
		int r;

		if (strcmp(config->credentials[i].endpoint, endpoint) != 0)
			continue;
		r = add_credential(set, &config->credentials[i]);
		if (r < 0)
			return r;
	}
	*ret_set = steal_ptr(&set);
	return 0;
}

void credential_set_free(struct credential_set *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < set->n; i++) {
		free(set->credentials[i].name);
		free(set->credentials[i].password_hash);
		secret_wipe(&set->credentials[i].digest, sizeof(struct sha256));
	}
	secret_wipe(set->key, sizeof(set->key));
	pthread_mutex_destroy(&set->mx);
	free(set);
}

bool credential_set_offers(const struct credential_set *set, enum credential_type type)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->credentials[i].type == type)
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

static int read_basic(const struct credential_set *set, struct slice text, struct presented *p)
{
	const char *colon;
	int r;

	p->type = CREDENTIAL_BASIC;
	r = base64_decode(text, &p->memory, &p->memory_n);
	if (r < 0)
		return r == -EINVAL ? AUTH_E_MALFORMED : r;
	colon = memchr(p->memory, ':', p->memory_n);
	if (!colon)
		return AUTH_E_MALFORMED;
	p->user = slice_make(p->memory, (size_t)(colon - p->memory));
	p->secret = slice_make(colon + 1, p->memory_n - p->user.n - 1); /* may hold colons */
	p->digest = basic_digest(set, p->user, p->secret);
	return 0;
}

static int read_bearer(struct slice token, struct presented *p)
{
	if (slice_is_empty(token) || has_blank(token))
		return AUTH_E_MALFORMED;
	p->type = CREDENTIAL_BEARER;
	p->secret = token;
	p->digest = token_digest(token);
	return 0;
}

static int read_header(const struct credential_set *set, struct slice header, struct presented *p)
{
	struct slice s = slice_trim(header);

	if (slice_is_empty(s))
		return AUTH_E_MISSING;
	if (take_scheme(&s, SLICE("Basic")))
		return read_basic(set, s, p);
	p->bare = !take_scheme(&s, SLICE("Bearer"));
	if (!p->bare)
		(void)take_scheme(&s, SLICE("Bearer")); /* pasted into a form that adds its own */
	return read_bearer(s, p);
}

/* a hashed password that was not seen yet: one scrypt, whoever the user is */
static int check_hashed(struct credential_set *set, struct credential *c, const struct presented *p)
{
	struct sha256 user = user_digest(set, p->user);
	bool matches;
	int r;

	r = password_hash_verify(slice_of(c->password_hash), p->secret);
	if (r < 0)
		return r;
	mutex_lock(&set->mx);
	if (c->has_digest) /* another thread has seen it meanwhile */
		matches = sha256_eq(&p->digest, &c->digest);
	else
		matches = sha256_eq(&user, &c->digest) && r == 0;
	if (matches) {
		c->digest = p->digest;
		c->has_digest = true;
	}
	mutex_unlock(&set->mx);
	return matches ? 0 : 1;
}

/* Return: 0 matches, 1 does not, 2 only check_hashed() can tell */
static int check_digest(struct credential_set *set, struct credential *c, const struct presented *p)
{
	bool has_digest, equal;

	if (c->type != p->type || (p->bare && !c->lenient))
		return 1;
	mutex_lock(&set->mx);
	has_digest = c->has_digest;
	equal = sha256_eq(&c->digest, &p->digest);
	mutex_unlock(&set->mx);
	if (!has_digest)
		return 2;
	return equal ? 0 : 1;
}

static bool is_live(const struct credential *c, int64_t now_us)
{
	return (c->not_before_us == 0 || now_us >= c->not_before_us) &&
	       (c->not_after_us == 0 || now_us < c->not_after_us);
}

struct matches {
	const struct credential *live, *expired;
};

static void note_match(struct matches *m, const struct credential *c, int64_t now_us)
{
	if (is_live(c, now_us))
		m->live = c;
	else
		m->expired = c;
}

/* Every credential is looked at, whichever matches; but what is let in by its digest must not pay
 * for the hashed password of another one that nobody has used yet. */
static int find_matches(struct credential_set *set, const struct presented *p, int64_t now_us,
			struct matches *m)
{
	for (size_t i = 0; i < set->n; i++)
		if (check_digest(set, &set->credentials[i], p) == 0)
			note_match(m, &set->credentials[i], now_us);
	for (size_t i = 0; i < set->n && !m->live; i++) {
		struct credential *c = &set->credentials[i];
		int r = check_digest(set, c, p) == 2 ? check_hashed(set, c, p) : 1;

		if (r < 0)
			return r;
		if (r == 0)
			note_match(m, c, now_us);
	}
	return 0;
}

static int check_all(struct credential_set *set, const struct presented *p, int64_t now_us,
		     const char **ret_name)
{
	struct matches m = {NULL, NULL};
	int r = find_matches(set, p, now_us, &m);

	if (r < 0)
		return r;
	if (!m.live && !m.expired)
		return AUTH_E_UNKNOWN;
	*ret_name = m.live ? m.live->name : m.expired->name;
	return m.live ? AUTH_OK : AUTH_E_EXPIRED;
}

int auth_check(struct credential_set *set, struct slice header, int64_t now_us,
	       const char **ret_name)
{
	struct presented p = {.type = CREDENTIAL_BEARER};
	int r;

	r = read_header(set, header, &p);
	if (r == 0)
		r = check_all(set, &p, now_us, ret_name);
	if (p.memory) {
		secret_wipe(p.memory, p.memory_n);
		free(p.memory);
	}
	return r;
}
