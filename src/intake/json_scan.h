/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One pass over a JSON text: is it well-formed, and where are the few values that we want?
 *
 * This runs on the way to the acknowledgement, for every byte that a sender posts. It allocates
 * nothing and builds no tree: it checks the whole text and notes where the wanted values are, as
 * slices of the text. What is not wanted is only checked.
 *
 * Strict: RFC 8259 grammar, one value with nothing but white space around it, UTF-8 well-formed
 * (RFC 3629), no byte order mark, and as jansson has it (and with it most readers behind us) no
 * surrogate half on its own in \u escapes. A key that is given twice counts as its last value, as
 * in jansson: the earlier value and all that was found in it are forgotten.
 *
 * Differences from jansson 2.14 (JSON_DECODE_ANY | JSON_ALLOW_NUL); a test and a fuzzer compare:
 *
 * - Numbers beyond int64_t or double: jansson refuses, here they are accepted. RFC 8259 allows
 *   them, and nobody computes with them here.
 * - "\u0000" in a key: jansson refuses, here it is accepted. RFC 8259 allows it.
 * - Nesting of 513 to 2048 levels: jansson accepts, here it is refused. That bounds our stack: 120
 *   bytes a level on amd64, 60 KiB in all. What RiskOS sends has fewer than 20 levels.
 * - A NUL byte behind a number or a word, as in [1<NUL>]: jansson overlooks it, here it is refused
 *   as RFC 8259 has it.
 *
 * Threads: pure.   Ownership: borrows the text; the values point into it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/macros.h"
#include "util/slice.h"

#define JSON_DEPTH_MAX 512 /* objects and arrays within each other */
#define JSON_WANTS_MAX 128
#define JSON_KEY_MAX   64 /* longest wanted key, in bytes */
#define JSON_ROOT      0  /* the wanted value that is the whole text */

enum json_kind {
	KIND_MISSING = 0,
	KIND_NULL,
	KIND_FALSE,
	KIND_TRUE,
	KIND_NUMBER,
	KIND_STRING,
	KIND_ARRAY,
	KIND_OBJECT,
};

enum json_outcome {
	JSON_OK = 0,
	JSON_E_MALFORMED, /* not JSON, or not UTF-8 */
	JSON_E_TOO_DEEP,  /* nested more than JSON_DEPTH_MAX; what follows was not looked at */
};

/*
 * A wanted value: @key in the object @parent, which is an index of the same table and smaller than
 * the row's own. Row JSON_ROOT stands for the whole text; its @parent and @key are not used.
 */
struct json_want {
	unsigned char parent;
	struct slice key;
};

/* a row of a constant table; @lit is a string literal */
#define JSON_WANT(parent_index, lit)                                                               \
	{                                                                                          \
		.parent = (parent_index), .key = { "" lit, sizeof(lit) - 1 }                       \
	}

struct json_value {
	struct slice raw; /* as it is written; of a string, what is between the quotes */
	enum json_kind kind;
	bool has_escapes; /* a string whose text only json_decode() tells (json_decode.h) */
};

/**
 * json_scan() - check a text and find the wanted values in it
 * @text:         bytes
 * @wants:        the table, at least the row JSON_ROOT
 * @n_wants:      its rows, at most JSON_WANTS_MAX
 * @values:       one for each row, filled; what is not there is KIND_MISSING. Arrays are not looked
 *                into.
 * @ret_error_at: offset of the first wrong byte; only on a JSON_E_* outcome, where @values hold
 *                nothing of use
 *
 * Return: JSON_OK or a JSON_E_* outcome.
 */
int json_scan(struct slice text, const struct json_want *wants, size_t n_wants,
	      struct json_value *values, size_t *ret_error_at) MUST_USE;
