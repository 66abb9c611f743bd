/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recognition: from bytes to `struct event`
 *
 * What RiskOS and its predecessors send comes in several envelopes with several spellings; this
 * module finds in one scan of the body what the rest of riskhookd needs. Only a well-formed JSON
 * object is required: everything else may be missing, null or of the wrong type, and is then "not
 * given" (an empty slice, 0). The body itself is never changed. Texts are well-formed UTF-8 without
 * a NUL (a "\u0000" becomes U+FFFD), but may hold any other character, control characters as well.
 *
 * Identity, the first that is there: `event_id`; `eventReferenceId` (top level, then `data.`); the
 * top-level `id` if `event` is an object (legacy ID+, where it is another one in each notification,
 * which is not known of the reference within); `event.eventReferenceId`; else derived: "sha256:"
 * and the hex digest of the raw body.
 *
 * Threads: pure.   Ownership: the slices borrow from the body or from the event's own scratch room,
 * so both must stay where they are as long as the event is used.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/event_types.h"
#include "util/macros.h"
#include "util/slice.h"

/* Longest text taken from a body, in bytes. A longer identity or eval_id is replaced by "sha256:"
 * and the hex digest of the text as the body spells it (never cut: two different ones must not
 * become equal); other text is cut at a character's border. */
#define EVENT_TEXT_MAX 512

enum event_outcome {
	EVENT_OK = 0,
	EVENT_E_NOT_JSON,   /* not well-formed JSON (RFC 8259) in UTF-8, or nested too deeply */
	EVENT_E_NOT_OBJECT, /* well-formed, but not an object */
};

struct event {
	struct slice event_id;      /* the identity; never empty */
	struct slice event_type;    /* canonical: 1 to 64 of [a-z0-9_.:]; "unknown" without one */
	struct slice original_type; /* as the sender spelled it; empty: none */
	struct slice eval_id;
	struct slice customer_id; /* data.id, a bare body's id, or a legacy customerUserId */
	struct slice decision, status, sub_status, eval_status;
	struct slice workflow, environment;
	enum event_category category;
	bool id_derived;  /* event_id is the digest of the body */
	bool test;        /* the Dashboard's "Continue to Test" */
	int64_t event_at; /* event_at, or a legacy event's `created`, a flat one's `eventTime`, else
			   * what time there is; us since the epoch; 0: none */
	int64_t decision_at; /* own time of `decision`: decision_at, else state_at */
	int64_t state_at; /* own time of the other state that it reports: the later of decision_at
			   * and updated_at, else eval_at, eval_end_time, created_at, timestamp,
			   * else event_at; 0: none */
	size_t error_at;  /* after EVENT_E_NOT_JSON: offset of the first wrong byte */

	/* decoded text whose slices cannot point into the body */
	size_t scratch_n;
	char scratch[12 * (EVENT_TEXT_MAX + 8)];
};

/**
 * event_recognize() - read one body
 * @body:      raw bytes, borrowed by @ret_event
 * @ret_event: filled; on an EVENT_E_* outcome only error_at holds
 *
 * Source: the RiskOS webhook OpenAPI file ("RiskOS Webhooks 1.0.0") and the help center's pages on
 * webhook events.
 *
 * Return: EVENT_OK or an EVENT_E_* outcome.
 */
int event_recognize(struct slice body, struct event *ret_event) MUST_USE;
