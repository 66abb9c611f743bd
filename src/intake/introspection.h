/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Token introspection: the answer's meaning
 *
 * Source: RFC 7662 section 2.2.
 *
 * Threads: pure.
 */
#pragma once

#include "intake/claims.h"
#include "util/slice.h"

#define INTROSPECTION_ANSWER_MAX (64 * 1024) /* bytes */

/**
 * introspection_read() - what does the provider say?
 * @content_type:  of the answer; empty: not given
 * @ret_expires_s: on VERDICT_OK; CLAIMS_NO_EXPIRY when it does not say
 *
 * Return: VERDICT_OK; VERDICT_E_UNAVAILABLE when this is no introspection answer; or what is wrong
 * with the token.
 */
enum token_verdict introspection_read(struct slice body, struct slice content_type,
				      const struct claims_expected *expected, int64_t now_s,
				      int64_t *ret_expires_s);
