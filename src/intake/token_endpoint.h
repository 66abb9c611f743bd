/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The token endpoint: what a token request gets
 *
 * The client-credentials grant of RFC 6749 section 4.4, for senders whose users have no identity
 * provider. The client authenticates by the Authorization header (client_secret_basic, each part
 * form-encoded as section 2.3.1 asks for; as it is, too, since many do not encode) or in the body
 * (client_secret_post).
 *
 * Scope: a token opens its endpoint and means nothing else, so any well-formed scope is granted as
 * it was asked for; then section 5.1 needs no `scope` in the answer. A malformed one is refused.
 *
 * Threads: any; checking a secret takes its time (scrypt) and locks.   Ownership: borrows.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/log.h"
#include "core/metrics.h"
#include "intake/address.h"
#include "intake/clients.h"
#include "util/buf.h"
#include "util/slice.h"

enum token_outcome {
	TOKEN_ISSUED,
	TOKEN_WRONG_METHOD,
	TOKEN_BAD_TYPE, /* of the body */
	TOKEN_BAD_BODY,
	TOKEN_REPEATED,       /* a parameter or the Authorization header */
	TOKEN_TWO_WAYS,       /* header and body */
	TOKEN_NO_CLIENT,      /* no client authentication */
	TOKEN_WRONG_CLIENT,   /* unknown client, wrong secret, another scheme */
	TOKEN_EXPIRED_CLIENT, /* outside the credential's validity */
	TOKEN_ADDRESS_FORBIDDEN,
	TOKEN_NO_GRANT_TYPE,
	TOKEN_WRONG_GRANT_TYPE,
	TOKEN_BAD_SCOPE,
	TOKEN_TOO_LARGE,
	TOKEN_THROTTLED,
	TOKEN_STOPPING,
	TOKEN_NOT_STORED,
	TOKEN_NO_MEMORY,
	TOKEN_OUTCOMES,
	TOKEN_UNDECIDED = TOKEN_OUTCOMES
};

/* the one place that says what each outcome means to HTTP, the log and the counters */
struct token_rule {
	unsigned int status;
	const char *word;        /* the log's */
	const char *error;       /* RFC 6749 section 5.2; NULL for a 200 */
	const char *description; /* what the client's operator can do */
	enum metric metric;
	enum log_level level;
	int retry_after_s; /* 0: none */
	bool close;
};

const struct token_rule *token_rule(enum token_outcome outcome);

/* a whole token request */
struct token_post {
	struct slice authorization; /* p NULL: no such header */
	bool repeated_authorization;
	struct slice content_type;
	bool is_encoded; /* has a Content-Encoding */
	struct slice body;
	struct address from;
};

/**
 * token_decide() - may this request have a token?
 * @ret_client: whose; on TOKEN_ISSUED, TOKEN_EXPIRED_CLIENT, and what was found wrong after the
 *              client was known; NULL otherwise
 *
 * Return: TOKEN_ISSUED: it may, and the caller makes and stores one; any other outcome is the
 * answer.
 */
enum token_outcome token_decide(struct clients *clients, const struct token_post *post,
				int64_t now_us, const struct client **ret_client);

#define TOKEN_ANSWER_MAX 1024

/* @token, @ttl_s: of TOKEN_ISSUED alone */
void token_render(enum token_outcome outcome, const char *token, int64_t ttl_s, struct buf *out);
