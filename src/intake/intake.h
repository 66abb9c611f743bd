/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What requests are decided by: one snapshot of the configuration, its endpoints and credentials
 *
 * A reload makes another one; the gate (gate.h) hands out the current one and counts who works
 * with it.
 *
 * Threads: intake_new() from one, intake_free() from the last that held it; the rest from any.
 * Ownership: shares the configuration, owns the credential sets and clients; borrows gate and
 * store.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/config.h"
#include "intake/address.h"
#include "intake/answer.h"
#include "intake/auth.h"
#include "intake/clients.h"
#include "intake/gate.h"
#include "intake/tally.h"
#include "store/store.h"

struct endpoint {
	const struct endpoint_config *config;
	struct credential_set *credentials;
	struct watched *watched;
	struct tally *tally;
};

struct intake {
	/* constant after new */
	struct config *config;
	struct gate *gate;
	struct store *store;
	struct endpoint *endpoints;
	size_t n_endpoints;
	struct clients *clients;              /* of the token endpoint */
	struct watched **watched_credentials; /* one for each of the configuration */
	struct tally *tally;                  /* of requests that no endpoint has the path of */

	int64_t refs; /* under the gate's mx */
};

/**
 * intake_new() - a snapshot, ready to be opened
 * @config: one more owner
 * @gate:   borrowed until intake_free()
 */
int intake_new(struct config *config, struct gate *gate, struct intake **ret,
	       struct error *e) MUST_USE;
void intake_free(struct intake *in);
DEFINE_CLEANUP(struct intake *, intake_free)

/* What the headers of a request say; slices live as long as the request. */
struct request_head {
	struct slice path; /* without the query */
	bool is_post;
	struct address peer;
	struct slice authorization, content_type, content_encoding, forwarded_for;
	bool repeated_authorization;
	bool has_body;   /* Content-Length over 0, or chunked */
	bool has_length; /* Content-Length */
	bool is_chunked; /* Transfer-Encoding */
	uint64_t content_length;
	bool expects_continue;
};

struct moment {
	int64_t us; /* clock_now_us() */
	int64_t ms; /* clock_monotonic_ms() */
};

/* What intake_decide() found out. */
struct admission {
	const struct endpoint *endpoint; /* NULL: none has the path */
	const char *credential;          /* name; NULL: none */
	struct address client;
	int64_t wait_ms;    /* with OUTCOME_THROTTLED */
	const char *reason; /* why a token was refused, for the log; or NULL */
};

/**
 * intake_decide() - may this request's body be received? Path, method, address, credential, size
 * and media type, in this order, from the headers alone
 *
 * @waiter: with OUTCOME_PENDING it is woken later, to decide again; NULL: this request does not
 * wait
 *
 * Return: OUTCOME_NONE when it may be received; OUTCOME_PENDING; any other value is the answer.
 */
enum outcome intake_decide(struct intake *in, const struct request_head *head, struct moment now,
			   struct auth_waiter *waiter, struct admission *ret);

/* Return: the record of a credential by its name, or NULL */
struct watched *intake_watched_credential(const struct intake *in, const char *name);
