/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One accepted credential: what every type has in common, and what a type must be able to do
 *
 * A type is one file auth_TYPE.c with one `struct credential_ops`, and one row in auth.c. Private
 * to intake/auth*.c.
 *
 * Threads: make and free from one; check from any.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/config.h"
#include "core/crypto.h"
#include "intake/auth_waiter.h"
#include "intake/outbound.h"
#include "util/slice.h"

/* where a request carries it, and which challenge offers it */
enum scheme {
	SCHEME_BASIC,
	SCHEME_BEARER,
};

struct key_sources;
struct tokens;

/* of this process and set: what memory holds opens nothing anywhere else */
struct auth_key {
	unsigned char bytes[SHA256_SIZE];
};

/* what a credential may need besides its configuration; all borrowed */
struct auth_services {
	struct outbound *outbound;       /* NULL: only check the configuration, ask nobody */
	struct key_sources *key_sources; /* NULL with it */
	struct tokens *tokens;           /* issued by the token endpoint */
};

/* What the Authorization header says; read once for all credentials. */
struct presented {
	enum scheme scheme;
	bool is_bare;          /* a token without a scheme: for lenient credentials alone */
	struct slice user;     /* Basic */
	struct slice secret;   /* Basic: the password; Bearer: the token */
	struct sha256 digest;  /* Basic: auth_digest_basic(); Bearer: SHA-256 of the token */
	struct tokens *tokens; /* issued by the token endpoint */
	int64_t now_us;
	bool is_second_round; /* nothing has matched yet: a check may take its time now */
	struct auth_waiter *waiter;
	int closest;     /* enum token_verdict: how far the token came with its own issuer */
	bool is_claimed; /* a JWT of an issuer that a credential has keys of: nobody else is asked
			  */
};

/* what a credential says to what was presented */
enum credential_says {
	SAYS_YES = 0,
	SAYS_NO,
	SAYS_EXPIRED,     /* it was this one, but is not any more */
	SAYS_WAIT,        /* it has taken the waiter */
	SAYS_LACKS_SCOPE, /* a good token that is not meant for this */
	SAYS_UNAVAILABLE, /* it cannot be asked at the moment */
};

struct credential;

struct credential_ops {
	enum scheme scheme;
	/* 0, or a negative errno, perhaps with a sentence; @from was checked by the configuration
	 */
	int (*make)(const struct auth_key *key, const struct auth_services *services,
		    const struct credential_config *from, struct credential **ret, struct error *e);
	/* Return: SAYS_YES, SAYS_NO, SAYS_EXPIRED, or a negative errno. The time must not depend on
	 * where a secret differs. Schemes have been compared before. What takes long waits for the
	 * second round and says no in the first. */
	int (*check)(struct credential *c, const struct presented *p);
	void (*free)(struct credential *c);
	/* for types that cannot always say it at once, or NULL: asked when no check() has said yes
	 */
	enum credential_says (*ask)(struct credential *c, struct presented *p);
	bool is_asked_last; /* it would show the token to somebody: better ask the others first */
};

/* the head of every type's own struct */
struct credential {
	const struct credential_ops *ops;
	char *name;
	int64_t not_before_us, not_after_us; /* 0: no bound */
	bool lenient;
	char *scope; /* what a token must have, or NULL */
};

extern const struct credential_ops credential_basic_ops;
extern const struct credential_ops credential_bearer_ops;
extern const struct credential_ops credential_oauth_client_ops;
extern const struct credential_ops credential_jwt_ops;
extern const struct credential_ops credential_introspection_ops;

/* keyed digest of a user and a password, each with its length */
struct sha256 auth_digest_basic(const struct auth_key *key, struct slice user,
				struct slice password);
