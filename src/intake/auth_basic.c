/* SPDX-License-Identifier: Apache-2.0 */
/*
 * type = basic: a user and a password (RFC 7617)
 *
 * A password from a file is a digest from the start. One that is configured as a scrypt hash costs
 * a scrypt until it was presented right once; from then on its digest, in memory only, decides.
 */
#include "intake/credential.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/macros.h"
#include "util/thread.h"

struct basic {
	struct credential head;
	struct auth_key key;
	char *password_hash; /* "scrypt:...", or NULL */

	pthread_mutex_t mx;   /* protects what follows; it changes once, when a hash is verified */
	struct sha256 digest; /* of user and password; while has_password is false of the user */
	bool has_password;
};

struct sha256 auth_digest_basic(const struct auth_key *key, struct slice user,
				struct slice password)
{
	struct slice pieces[] = {slice_make((const char *)key->bytes, sizeof(key->bytes)), user,
				 password};

	return sha256_of_pieces(pieces, ARRAY_SIZE(pieces));
}

static struct sha256 digest_of_user(const struct basic *b, struct slice user)
{
	return auth_digest_basic(&b->key, user, SLICE_NULL);
}

static int make(const struct auth_key *key, const struct credential_config *from,
		struct credential **ret)
{
	struct slice user = slice_of(from->username);
	struct basic *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	b->key = *key;
	(void)pthread_mutex_init(&b->mx, NULL); /* cannot fail with default attributes on Linux */
	*ret = &b->head;
	if (from->secret) {
		b->digest = auth_digest_basic(key, user, slice_make(from->secret, from->secret_n));
		b->has_password = true;
		return 0;
	}
	b->digest = digest_of_user(b, user);
	b->password_hash = strdup(from->password_hash);
	return b->password_hash ? 0 : -ENOMEM;
}

/* one scrypt, whoever the user is, so that the time does not tell whether the name exists */
static int check_hash(struct basic *b, const struct presented *p)
{
	struct sha256 user = digest_of_user(b, p->user);
	bool is_user;
	int r;

	r = password_hash_verify(slice_of(b->password_hash), p->secret);
	if (r < 0)
		return r;
	mutex_lock(&b->mx);
	if (b->has_password) { /* another request was quicker */
		is_user = sha256_eq(&b->digest, &p->digest);
	} else {
		is_user = sha256_eq(&b->digest, &user);
		if (r == 0 && is_user) {
			b->digest = p->digest;
			b->has_password = true;
		}
	}
	mutex_unlock(&b->mx);
	return r == 0 && is_user ? 0 : 1;
}

static int check(struct credential *c, const struct presented *p)
{
	struct basic *b = container_of(c, struct basic, head);
	bool has_password, is_equal;

	mutex_lock(&b->mx);
	has_password = b->has_password;
	is_equal = sha256_eq(&b->digest, &p->digest);
	mutex_unlock(&b->mx);
	if (!has_password)
		return p->is_second_round ? check_hash(b, p) : 1;
	return is_equal ? 0 : 1;
}

static void destroy(struct credential *c)
{
	struct basic *b = container_of(c, struct basic, head);

	pthread_mutex_destroy(&b->mx);
	free(b->password_hash);
	secret_wipe(b, sizeof(*b));
	free(b);
}

const struct credential_ops credential_basic_ops = {SCHEME_BASIC, make, check, destroy};
