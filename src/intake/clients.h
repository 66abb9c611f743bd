/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OAuth clients: who may fetch a token, of all endpoints together
 *
 * One for each credential of type oauth_client. Several may have the same client id (rotation of
 * its secret); all of those belong to one endpoint, the configuration has seen to it.
 *
 * Threads: making and freeing from one; clients_check() from any.
 * Ownership: owns copies of what it needs, never a secret in clear; borrows the configuration's
 * names and prefixes.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/config.h"
#include "intake/auth.h"
#include "util/slice.h"

struct clients;

/* What a token for this client needs to know; borrowed from the configuration. */
struct client {
	const char *endpoint, *credential; /* names */
	const char *client_id;
	const struct prefix_list *allow_from; /* of its endpoint */
	int64_t token_ttl_ms;
	int64_t not_before_us, not_after_us; /* 0: no bound */
};

/* an id and a secret, as somebody may have meant them */
struct client_claim {
	struct slice id, secret;
};

/* @config: borrowed until clients_free(), but for its secrets. Return: 0, or -ENOMEM. */
int clients_new(const struct config *config, struct clients **ret) MUST_USE;
void clients_free(struct clients *c);
DEFINE_CLEANUP(struct clients *, clients_free)

/* is there any, and so a token endpoint? */
bool clients_any(const struct clients *c);

/**
 * clients_check() - which client is it?
 * @claims:     readings of one and the same authentication; any may match
 * @ret_client: borrowed from @c; on AUTH_OK and AUTH_E_EXPIRED
 *
 * The time taken does not depend on where a secret differs or on whether the client exists.
 *
 * Return: AUTH_OK, AUTH_E_UNKNOWN, AUTH_E_EXPIRED, or a negative errno (out of memory).
 */
int clients_check(struct clients *c, const struct client_claim *claims, size_t n_claims,
		  int64_t now_us, const struct client **ret_client) MUST_USE;
