/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parameters of a token request, from a form or a JSON object
 *
 * Form: application/x-www-form-urlencoded as RFC 6749 appendix B has it. JSON: one object whose
 * members are strings; RFC 6749 does not know it, but senders of JSON alone do it.
 *
 * Strict where it matters for security: a parameter that is given twice is refused in either form,
 * and so is a percent sign without two digits. Strict nowhere else: what is not known is passed
 * over, and an empty parameter counts as not given (RFC 6749 section 3.2).
 *
 * Threads: pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "util/macros.h"
#include "util/slice.h"

#define TOKEN_BODY_MAX 8192 /* bytes of a token request */

enum token_param {
	PARAM_GRANT_TYPE,
	PARAM_CLIENT_ID,
	PARAM_CLIENT_SECRET,
	PARAM_SCOPE,
	TOKEN_PARAMS
};

struct token_params {
	struct slice values[TOKEN_PARAMS]; /* in text; empty: not given */
	unsigned seen;                     /* 1 << enum token_param */
	size_t n;
	char text[TOKEN_BODY_MAX]; /* decoded values; holds a secret: wipe it */
};

enum token_params_outcome {
	PARAMS_OK = 0,
	PARAMS_E_MALFORMED,
	PARAMS_E_REPEATED,
};

/* @body: at most TOKEN_BODY_MAX bytes. Return: PARAMS_OK or a PARAMS_E_* outcome. */
int token_params_from_form(struct slice body, struct token_params *ret) MUST_USE;
int token_params_from_json(struct slice body, struct token_params *ret) MUST_USE;
