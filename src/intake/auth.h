/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Request authentication
 *
 * Decides whether the Authorization header of a request carries one of the endpoint's live
 * credentials. Several may match, of every type, each with its own validity (rotation).
 *
 * Secrets are kept and compared as fixed-length digests. A password that the configuration gives as
 * a scrypt hash costs one scrypt until it has been seen right once; from then on a keyed digest of
 * it, in memory only, decides.
 *
 * Sources: RFC 9110 section 11 (framework), RFC 7617 (Basic), RFC 6750 (Bearer).
 *
 * Threads: building and freeing from one; auth_check() from any.
 * Ownership: a set owns copies of what it needs, never a secret in clear.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/config.h"
#include "intake/credential.h"
#include "util/slice.h"

struct credential_set;
struct tokens;

enum auth_outcome {
	AUTH_OK = 0,
	AUTH_E_MISSING,     /* no Authorization header */
	AUTH_E_MALFORMED,   /* a header that cannot be read, or a scheme that nobody accepts */
	AUTH_E_UNKNOWN,     /* no credential matches */
	AUTH_E_EXPIRED,     /* one matches, outside its validity; or a token that has expired */
	AUTH_E_SCOPE,       /* a good token without the scope that it needs */
	AUTH_E_UNAVAILABLE, /* the provider that would know cannot be asked: try again later */
	AUTH_PENDING,       /* the waiter was taken: check again when it wakes */
};

/**
 * credential_set_new() - the credentials of one endpoint
 * @config:   read during the call only; its secrets may be wiped afterwards
 * @endpoint: name
 * @services: what they point to is borrowed until credential_set_free()
 *
 * Return: 0, or a negative errno with a sentence.
 */
int credential_set_new(const struct config *config, const char *endpoint,
		       const struct auth_services *services, struct credential_set **ret_set,
		       struct error *e) MUST_USE;
/* no request waits for one of them */
void credential_set_free(struct credential_set *set);
DEFINE_CLEANUP(struct credential_set *, credential_set_free)

/* can a set be made for each endpoint? What the configuration's own checks cannot see is looked at:
 * files with keys. Return: 0, or a negative errno with a sentence. */
int credential_sets_check(const struct config *config, struct error *e) MUST_USE;

/* the scope that credential @name requires; NULL: none */
const char *credential_set_scope(const struct credential_set *set, const char *name);

/* Is there any credential of this scheme: does the challenge offer it? */
bool credential_set_offers(const struct credential_set *set, enum scheme scheme);

/**
 * auth_check() - check one request
 * @header:   value of the Authorization header as received, or the empty slice
 * @now_us:   wall clock
 * @waiter:   taken with AUTH_PENDING, then it lives until it is woken; its `reason` is set. NULL:
 *            this request does not wait
 * @ret_name: the credential's name, borrowed from @set; on AUTH_OK, AUTH_E_EXPIRED and AUTH_E_SCOPE
 *
 * Tolerated, because it is seen in the field: the scheme in any case, blanks around it and the
 * token, a doubled "Bearer Bearer"; a bare token without a scheme for credentials that say
 * `lenient = yes`.
 *
 * What can be decided here and now is: only a token that none of the credentials knows yet, and
 * that needs another server's word, waits.
 *
 * The time taken depends on the number of credentials and on the header's length, never on where a
 * secret differs or on whether the user exists.
 *
 * Return: AUTH_OK, an AUTH_E_* outcome, AUTH_PENDING, or a negative errno (out of memory).
 */
int auth_check(struct credential_set *set, struct slice header, int64_t now_us,
	       struct auth_waiter *waiter, const char **ret_name) MUST_USE;
