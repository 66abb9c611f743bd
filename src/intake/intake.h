/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all requests share: endpoints, credentials, limits, and the way into the store
 *
 * Threads: intake_new() and intake_free() from one; everything else from any.
 * Ownership: owns the credential sets, the clients and the throttle; borrows config, store and
 * tokens.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/config.h"
#include "intake/address.h"
#include "intake/answer.h"
#include "intake/auth.h"
#include "intake/clients.h"
#include "intake/throttle.h"
#include "intake/tokens.h"
#include "store/store.h"

struct endpoint {
	const struct endpoint_config *config;
	struct credential_set *credentials;
};

struct intake {
	/* constant after new */
	const struct config *config;
	struct store *store;
	struct endpoint *endpoints;
	size_t n_endpoints;
	struct throttle *throttle;
	struct tokens *tokens;
	struct clients *clients; /* of the token endpoint */

	atomic_bool stopping;
	_Atomic int64_t pending_events; /* handed to the store, not committed yet */
	_Atomic int64_t pending_bytes;  /* of bodies that are received or wait */

	/* shared, under mx */
	pthread_mutex_t mx;
	pthread_cond_t changed;
	int64_t requests; /* between their headers and their answer's last byte */
};

int intake_new(const struct config *config, struct store *store, struct tokens *tokens,
	       struct intake **ret, struct error *e) MUST_USE;
void intake_free(struct intake *in);
DEFINE_CLEANUP(struct intake *, intake_free)

/* answer 503 from now on to what has not been handed to the store */
void intake_stop(struct intake *in);

/* count a request in and out; the drain waits for none to be left */
void intake_enter(struct intake *in);
void intake_leave(struct intake *in);

/**
 * intake_drain() - wait until every request has its answer
 * @deadline_ms: clock_monotonic_ms() until which to wait
 *
 * Return: false when some are left.
 */
bool intake_drain(struct intake *in, int64_t deadline_ms);

/* What the headers of a request say; slices live as long as the request. */
struct request_head {
	struct slice path; /* without the query */
	bool is_post;
	struct address peer;
	struct slice authorization, content_type, content_encoding, forwarded_for;
	bool repeated_authorization;
	bool has_body;   /* Content-Length over 0, or chunked */
	bool has_length; /* Content-Length */
	uint64_t content_length;
	bool expects_continue;
};

/* What intake_decide() found out. */
struct admission {
	const struct endpoint *endpoint; /* NULL: none has the path */
	const char *credential;          /* name; NULL: none */
	struct address client;
	int64_t wait_ms; /* with OUTCOME_THROTTLED */
};

/**
 * intake_decide() - may this request's body be received? Path, method, address, credential, size
 * and media type, in this order, from the headers alone
 *
 * Return: OUTCOME_NONE when it may be received; any other value is the answer.
 */
enum outcome intake_decide(struct intake *in, const struct request_head *head, int64_t now_us,
			   int64_t now_ms, struct admission *ret);

/* take @n bytes out of max_pending_bytes. Return: false when they are not there. */
bool intake_reserve(struct intake *in, size_t n);
void intake_release(struct intake *in, size_t n);

/* count an event in or out of max_pending */
bool intake_reserve_event(struct intake *in);
void intake_release_event(struct intake *in);
