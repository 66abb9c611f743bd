/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/tokens.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "util/list.h"
#include "util/thread.h"

#define N_BUCKETS 4096 /* a power of two */

struct entry {
	struct list by_age; /* oldest first */
	struct entry *next; /* in the bucket */
	struct token token; /* its slices are in text */
	char text[];
};

struct tokens {
	/* shared, under mx */
	pthread_mutex_t mx;
	struct list by_age;
	size_t n;
	struct entry *buckets[N_BUCKETS];
};

int tokens_new(struct tokens **ret)
{
	struct tokens *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	(void)pthread_mutex_init(&t->mx, NULL); /* cannot fail with default attributes on Linux */
	list_init(&t->by_age);
	*ret = t;
	return 0;
}

static struct entry *entry_of(struct list *link)
{
	return list_entry(link, struct entry, by_age);
}

void tokens_free(struct tokens *t)
{
	struct list *link;

	if (!t)
		return;
	while ((link = list_pop(&t->by_age)))
		free(entry_of(link));
	pthread_mutex_destroy(&t->mx);
	free(t);
}

/* a digest needs no further hashing */
static struct entry **bucket_of(struct tokens *t, const struct sha256 *digest)
{
	return &t->buckets[(digest->bytes[0] << 8 | digest->bytes[1]) % N_BUCKETS];
}

static void drop(struct tokens *t, struct entry *e)
{
	struct entry **at = bucket_of(t, &e->token.digest);

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	list_remove(&e->by_age);
	t->n--;
	free(e);
}

static bool is_credential(const struct entry *e, const struct token_owner *owner)
{
	return slice_eq(e->token.owner.endpoint, owner->endpoint) &&
	       slice_eq(e->token.owner.credential, owner->credential);
}

/* forgotten ones first, then the oldest of this credential beyond its share */
static void prune(struct tokens *t, const struct token_owner *owner, int64_t now)
{
	size_t n = 0;

	list_for_each_safe (link, &t->by_age) {
		struct entry *e = entry_of(link);

		if (e->token.expires_at + TOKEN_MEMORY_US <= now)
			drop(t, e);
		else
			n += is_credential(e, owner);
	}
	list_for_each_safe (link, &t->by_age) {
		if (n <= TOKENS_MAX)
			break;
		if (is_credential(entry_of(link), owner)) {
			drop(t, entry_of(link));
			n--;
		}
	}
}

static struct slice copy_text(struct slice text, char **at)
{
	struct slice copy = slice_make(*at, text.n);

	if (text.n)
		memcpy(*at, text.p, text.n);
	*at += text.n;
	return copy;
}

static struct entry *make_entry(const struct token *token)
{
	const struct token_owner *o = &token->owner;
	struct entry *e = malloc(sizeof(*e) + o->endpoint.n + o->credential.n + o->client_id.n);
	char *at;

	if (!e)
		return NULL;
	e->token = *token;
	at = e->text;
	e->token.owner.endpoint = copy_text(o->endpoint, &at);
	e->token.owner.credential = copy_text(o->credential, &at);
	e->token.owner.client_id = copy_text(o->client_id, &at);
	return e;
}

int tokens_add(struct tokens *t, const struct token *token, int64_t now)
{
	struct entry *e = make_entry(token), **bucket = bucket_of(t, &token->digest);

	if (!e)
		return -ENOMEM;
	mutex_lock(&t->mx);
	e->next = *bucket;
	*bucket = e;
	list_append(&t->by_age, &e->by_age);
	t->n++;
	prune(t, &token->owner, now);
	mutex_unlock(&t->mx);
	return 0;
}

static const struct entry *find(struct tokens *t, const struct sha256 *digest)
{
	for (const struct entry *e = *bucket_of(t, digest); e; e = e->next)
		if (sha256_eq(&e->token.digest, digest))
			return e;
	return NULL;
}

enum token_state tokens_find(struct tokens *t, const struct sha256 *digest,
			     const struct token_owner *owner, int64_t now)
{
	enum token_state state = TOKEN_UNKNOWN;
	const struct entry *e;

	mutex_lock(&t->mx);
	e = find(t, digest);
	if (e && is_credential(e, owner) && slice_eq(e->token.owner.client_id, owner->client_id))
		state = now < e->token.expires_at ? TOKEN_VALID : TOKEN_EXPIRED;
	mutex_unlock(&t->mx);
	return state;
}

static bool is_chosen(const struct token *token, const struct token_choice *choice)
{
	if (choice->has_id && memcmp(token->digest.bytes, choice->id, TOKEN_ID_BYTES) != 0)
		return false;
	return slice_is_empty(choice->credential) ||
	       slice_eq(token->owner.credential, choice->credential);
}

size_t tokens_revoke(struct tokens *t, const struct token_choice *choice)
{
	size_t n = 0;

	mutex_lock(&t->mx);
	list_for_each_safe (link, &t->by_age) {
		if (!is_chosen(&entry_of(link)->token, choice))
			continue;
		drop(t, entry_of(link));
		n++;
	}
	mutex_unlock(&t->mx);
	return n;
}

size_t tokens_count(struct tokens *t)
{
	size_t n;

	mutex_lock(&t->mx);
	n = t->n;
	mutex_unlock(&t->mx);
	return n;
}
