/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wanted values of one scan: their keys by hash, and what was found
 *
 * json_scan.c tells of each key that it meets in a wanted object and of each wanted value that it
 * has passed. A key that is given twice counts as its last value.
 *
 * Threads: pure.   Ownership: borrows the table and the values; the values point into the text.
 */
#pragma once

#include <stddef.h>

#include "intake/json_scan.h"
#include "util/slice.h"

#define JSON_NOT_WANTED 255
#define JSON_N_BUCKETS  128 /* a power of two */

struct json_wants {
	const struct json_want *rows;
	size_t n;
	struct json_value *values;
	/* rows by the hash of their keys, each bucket a chain that ends with JSON_NOT_WANTED */
	unsigned char bucket[JSON_N_BUCKETS];
	unsigned char next[JSON_WANTS_MAX];
};

/* all @values become KIND_MISSING */
void json_wants_init(struct json_wants *w, const struct json_want *rows, size_t n,
		     struct json_value *values);

/**
 * json_wants_meet() - a key whose value comes next
 * @w:      wants
 * @parent: the wanted object that it is in
 * @key:    its text, without escapes
 *
 * What was found below an earlier key of the same name is forgotten.
 *
 * Return: the row, or JSON_NOT_WANTED.
 */
unsigned json_wants_meet(struct json_wants *w, unsigned parent, struct slice key);

/* the same for a key as it is written, perhaps with escapes */
unsigned json_wants_meet_raw(struct json_wants *w, unsigned parent, struct slice raw);

/* the value of row @want, well-formed, with its quotes if it is a string */
void json_wants_note(struct json_wants *w, unsigned want, struct slice value);

/* the same for a string without escapes; @text is what is between its quotes */
static inline void json_wants_note_text(struct json_wants *w, unsigned want, struct slice text)
{
	w->values[want] = (struct json_value){.raw = text, .kind = KIND_STRING};
}

/* what a value is, by its first byte; KIND_MISSING: none */
extern const unsigned char json_kind_by_byte[256];
