/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Outcomes of a request, and what HTTP says for each: the one place of that decision
 *
 * 200 exactly when the event is on disk, 503 when it could not be put there, never 500: RiskOS
 * retries 503 by every rule it has, and loses events over 400, 401, 403 and 500.
 *
 * Errors are application/problem+json (RFC 9457): short, true, and without a reason for 401.
 *
 * Threads: pure.
 */
#pragma once

#include <stdint.h>

#include "core/log.h"
#include "core/metrics.h"
#include "util/buf.h"

enum outcome {
	OUTCOME_STORED,
	OUTCOME_DUPLICATE,
	OUTCOME_CONFLICT,
	OUTCOME_NOT_FOUND, /* no endpoint has this path */
	OUTCOME_METHOD_NOT_ALLOWED,
	OUTCOME_ADDRESS_FORBIDDEN, /* not in allow_from */
	OUTCOME_THROTTLED,         /* too many failed credentials from this address */
	OUTCOME_NO_CREDENTIAL,
	OUTCOME_WRONG_CREDENTIAL,
	OUTCOME_EXPIRED_CREDENTIAL,
	OUTCOME_INSUFFICIENT_SCOPE, /* a good token that is not meant for this */
	OUTCOME_PROVIDER_DOWN,      /* who could vouch for the token cannot be asked */
	OUTCOME_TOO_LARGE,
	OUTCOME_MEDIA_TYPE, /* explicitly not JSON, or encoded */
	OUTCOME_NOT_JSON,
	OUTCOME_NOT_OBJECT,
	OUTCOME_BUSY, /* too many events or bytes wait for a commit */
	OUTCOME_STOPPING,
	OUTCOME_NOT_STORED, /* the store could not commit */
	OUTCOME_NO_MEMORY,
	OUTCOMES,
	OUTCOME_NONE = OUTCOMES, /* not decided: go on */
	OUTCOME_PENDING,         /* not decided: somebody else is asked */
};

struct outcome_rule {
	unsigned int status;
	const char *word;   /* "result" of a 200; the log's word for all */
	const char *title;  /* of the problem; NULL for a 200 */
	const char *detail; /* of the problem: what the sender's operator can do */
	enum metric metric;
	enum log_level level;
	int retry_after_s; /* 0: none */
	bool close;        /* the connection goes with the answer */
};

const struct outcome_rule *outcome_rule(enum outcome outcome);

#define ANSWER_MAX 8192 /* bytes of an answer's body */

/* {"result":"stored","seq":17,"event_id":"..."} for a 200, a problem otherwise */
void answer_render(enum outcome outcome, int64_t seq, struct slice event_id, struct buf *out);
