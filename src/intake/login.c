/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/login.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/macros.h"
#include "util/thread.h"

struct sha256 auth_digest_basic(const struct auth_key *key, struct slice user,
				struct slice password)
{
	struct slice pieces[] = {slice_make((const char *)key->bytes, sizeof(key->bytes)), user,
				 password};

	return sha256_of_pieces(pieces, ARRAY_SIZE(pieces));
}

static struct sha256 digest_of_user(const struct login *l, struct slice user)
{
	return auth_digest_basic(&l->key, user, SLICE_NULL);
}

int login_init(struct login *l, const struct auth_key *key, struct slice user,
	       struct slice password, const char *hash)
{
	l->key = *key;
	l->hash = NULL;
	(void)pthread_mutex_init(&l->mx, NULL); /* cannot fail with default attributes on Linux */
	l->has_password = !hash;
	if (!hash) {
		l->digest = auth_digest_basic(key, user, password);
		return 0;
	}
	l->digest = digest_of_user(l, user);
	l->hash = strdup(hash);
	return l->hash ? 0 : -ENOMEM;
}

void login_deinit(struct login *l)
{
	pthread_mutex_destroy(&l->mx);
	free(l->hash);
	secret_wipe(l, sizeof(*l));
}

/* one scrypt, whoever the user is, so that the time does not tell whether the name exists */
static int check_hash(struct login *l, const struct login_claim *claim)
{
	struct sha256 user = digest_of_user(l, claim->user);
	bool is_user;
	int r;

	r = password_hash_verify(slice_of(l->hash), claim->password);
	if (r < 0)
		return r;
	mutex_lock(&l->mx);
	if (l->has_password) { /* another request was quicker */
		is_user = sha256_eq(&l->digest, &claim->digest);
	} else {
		is_user = sha256_eq(&l->digest, &user);
		if (r == 0 && is_user) {
			l->digest = claim->digest;
			l->has_password = true;
		}
	}
	mutex_unlock(&l->mx);
	return r == 0 && is_user ? 0 : 1;
}

int login_check(struct login *l, const struct login_claim *claim, bool may_take_time)
{
	bool has_password, is_equal;

	mutex_lock(&l->mx);
	has_password = l->has_password;
	is_equal = sha256_eq(&l->digest, &claim->digest);
	mutex_unlock(&l->mx);
	if (!has_password)
		return may_take_time ? check_hash(l, claim) : 1;
	return is_equal ? 0 : 1;
}
