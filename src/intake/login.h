/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user and a password, or a client and its secret: known as a digest or as a scrypt hash
 *
 * What a file gives is a digest from the start. A secret that is configured as a scrypt hash costs
 * a scrypt until it was presented right once; from then on its digest, in memory only, decides.
 *
 * Threads: init and deinit from one; check from any.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>

#include "core/crypto.h"
#include "intake/credential.h"
#include "util/slice.h"

struct login {
	/* constant after init */
	struct auth_key key;
	char *hash; /* "scrypt:...", or NULL */

	/* shared, under mx; changes once, when a hash is verified */
	pthread_mutex_t mx;
	struct sha256 digest; /* of user and password; while has_password is false of the user */
	bool has_password;
};

/**
 * login_init() - take a user and either its password or its hash
 * @password: or the empty slice
 * @hash:     "scrypt:...", checked by the configuration; or NULL
 *
 * Return: 0, or -ENOMEM; login_deinit() is due in either case.
 */
int login_init(struct login *l, const struct auth_key *key, struct slice user,
	       struct slice password, const char *hash) MUST_USE;
void login_deinit(struct login *l);

/* what somebody gives as its own */
struct login_claim {
	struct slice user, password;
	struct sha256 digest; /* auth_digest_basic() of both, with the login's key */
};

/**
 * login_check() - is it this one?
 * @may_take_time: a scrypt may be computed; otherwise what needs one is not this one
 *
 * The time does not tell whether the user exists or where a secret differs.
 *
 * Return: 0 yes, 1 no, or a negative errno.
 */
int login_check(struct login *l, const struct login_claim *claim, bool may_take_time) MUST_USE;
