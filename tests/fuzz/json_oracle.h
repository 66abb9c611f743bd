/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jansson as the oracle for json_scan(): used by the fuzzer and by the unit test
 *
 * json_oracle_disagreement() runs both on one text and compares whether it is well-formed and what
 * the wanted values are. The known differences are those listed in json_scan.h, each recognised by
 * the exact reason that the refusing side gives.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "intake/json_decode.h"
#include "intake/json_scan.h"
#include "util/macros.h"

enum {
	ORACLE_DATA = JSON_ROOT + 1,
	ORACLE_EVENT,
	ORACLE_EVENT_ID,
	ORACLE_EVENT_TYPE,
	ORACLE_A,
	ORACLE_EMPTY_SIBLING,
	ORACLE_EVAL_ID,
	ORACLE_DECISION,
	ORACLE_EVENT_DATA,
	ORACLE_A_B,
	ORACLE_DOCV,
	ORACLE_A_B_A,
	ORACLE_DOCV_DECISION,
	ORACLE_VALUE,
	N_ORACLE_WANTS,
};

static const struct json_want oracle_wants[N_ORACLE_WANTS] = {
	[ORACLE_DATA] = JSON_WANT(JSON_ROOT, "data"),
	[ORACLE_EVENT] = JSON_WANT(JSON_ROOT, "event"),
	[ORACLE_EVENT_ID] = JSON_WANT(JSON_ROOT, "event_id"),
	[ORACLE_EVENT_TYPE] = JSON_WANT(JSON_ROOT, "event_type"),
	[ORACLE_A] = JSON_WANT(JSON_ROOT, "a"),
	[ORACLE_EMPTY_SIBLING] = JSON_WANT(JSON_ROOT, "dat"),
	[ORACLE_EVAL_ID] = JSON_WANT(ORACLE_DATA, "eval_id"),
	[ORACLE_DECISION] = JSON_WANT(ORACLE_DATA, "decision"),
	[ORACLE_EVENT_DATA] = JSON_WANT(ORACLE_EVENT, "data"),
	[ORACLE_A_B] = JSON_WANT(ORACLE_A, "b"),
	[ORACLE_DOCV] = JSON_WANT(ORACLE_EVENT_DATA, "documentVerification"),
	[ORACLE_A_B_A] = JSON_WANT(ORACLE_A_B, "a"),
	[ORACLE_DOCV_DECISION] = JSON_WANT(ORACLE_DOCV, "decision"),
	[ORACLE_VALUE] = JSON_WANT(ORACLE_DOCV_DECISION, "value"),
};

static inline enum json_kind oracle_kind(const json_t *j)
{
	switch (j ? (int)json_typeof(j) : -1) {
	case JSON_OBJECT:
		return KIND_OBJECT;
	case JSON_ARRAY:
		return KIND_ARRAY;
	case JSON_STRING:
		return KIND_STRING;
	case JSON_INTEGER:
	case JSON_REAL:
		return KIND_NUMBER;
	case JSON_TRUE:
		return KIND_TRUE;
	case JSON_FALSE:
		return KIND_FALSE;
	case JSON_NULL:
		return KIND_NULL;
	default:
		return KIND_MISSING;
	}
}

/* jansson's text of @j, a NUL in it written as json_decode() writes it */
static inline bool oracle_same_text(const struct json_value *value, const json_t *j)
{
	const char *expected = json_string_value(j);
	size_t expected_n = json_string_length(j), n, at = 0;
	char *text = malloc(value->raw.n + 1);
	bool same = text && json_decode(value->raw, text, value->raw.n, &n);

	for (size_t i = 0; same && i < expected_n; i++) {
		size_t step = expected[i] ? 1 : 3;

		same = at + step <= n &&
		       memcmp(text + at, expected[i] ? expected + i : "\xEF\xBF\xBD", step) == 0;
		at += step;
	}
	same = same && at == n;
	if (same && !value->has_escapes)
		same = value->raw.n == n && memcmp(value->raw.p, text, n) == 0;
	free(text);
	return same;
}

/* Is the raw text of @value the same value as @j? Strings lack their quotes. */
static inline bool oracle_same_value(const struct json_value *value, const json_t *j)
{
	json_t *again;
	bool same;

	if (value->kind != oracle_kind(j))
		return false;
	if (value->kind == KIND_MISSING)
		return true;
	if (value->kind == KIND_STRING)
		return oracle_same_text(value, j);
	again = json_loadb(value->raw.p, value->raw.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	same = again && json_equal(again, j);
	json_decref(again);
	return same;
}

static inline const char *oracle_compare_values(const struct json_value *values, json_t *root)
{
	json_t *found[N_ORACLE_WANTS] = {root};

	if (!oracle_same_value(&values[JSON_ROOT], root))
		return "the root differs";
	for (size_t i = JSON_ROOT + 1; i < N_ORACLE_WANTS; i++) {
		found[i] = json_object_getn(found[oracle_wants[i].parent], oracle_wants[i].key.p,
					    oracle_wants[i].key.n);
		if (!oracle_same_value(&values[i], found[i]))
			return oracle_wants[i].key.p;
	}
	return NULL;
}

/* what RFC 8259 allows and jansson refuses */
static inline bool oracle_is_known_refusal(const json_error_t *error)
{
	return json_error_code(error) == json_error_numeric_overflow ||
	       json_error_code(error) == json_error_null_byte_in_key;
}

/* what jansson overlooks: a NUL byte that ends a number or a word */
static inline bool oracle_is_known_acceptance(const char *text, size_t n, size_t error_at)
{
	return error_at < n && text[error_at] == '\0';
}

/* Return: NULL when both agree or differ as documented, else what is wrong */
static inline const char *json_oracle_disagreement(const char *text, size_t n)
{
	struct json_value values[N_ORACLE_WANTS];
	const char *wrong = NULL;
	json_error_t error;
	size_t error_at = 0;
	json_t *root;
	int r;

	r = json_scan(slice_make(text, n), oracle_wants, N_ORACLE_WANTS, values, &error_at);
	if (r == JSON_E_TOO_DEEP)
		return NULL;
	if (error_at > n)
		return "the error is behind the text";
	root = json_loadb(text, n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	if (root && r != JSON_OK && !oracle_is_known_acceptance(text, n, error_at))
		wrong = "jansson accepts, json_scan() refuses";
	else if (!root && r == JSON_OK && !oracle_is_known_refusal(&error))
		wrong = "json_scan() accepts, jansson refuses";
	else if (root && r == JSON_OK)
		wrong = oracle_compare_values(values, root);
	json_decref(root);
	return wrong;
}
