/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sample events: a fresh, realistic body of every type that RiskOS sends
 *
 * A shape is a JSON file in samples/, compiled in; a type is a shape with some members changed. In
 * the texts of a shape
 *	{{event_id}} {{eval_id}}  are the same UUIDs throughout one body,
 *	{{uuid}}                  is another one each time,
 *	{{request}}               is a short random word, the same throughout one body,
 *	{{now}} {{started}}       are the current time and a few seconds before, as a Go program
 *	                          prints them, {{today}} is the date.
 * All names and numbers are invented or reserved (example.invalid, 192.0.2.0/24, zeros).
 *
 * Threads: any.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "util/err.h"
#include "util/macros.h"

/* made by samples/embed.sh */
struct sample_shape {
	const char *name; /* file name without .json */
	const char *json;
};

extern const struct sample_shape sample_shapes[];
extern const size_t n_sample_shapes;

struct sample_type {
	const char *name; /* what `trigger` takes */
	const char *shape;
	const char *member;      /* only this member of the shape is the body; NULL: all of it */
	const char *about;       /* one line for --list */
	const char *changes[10]; /* as --set takes them, with {{...}}; NULL-terminated */
};

extern const struct sample_type sample_types[];
extern const size_t n_sample_types;

/**
 * sample_find() - the type of a name in any spelling: "Evaluation Completed", "case-closure",
 *                 "APP_OPENED"
 *
 * Return: the row, or NULL.
 */
const struct sample_type *sample_find(const char *name);

/* the type whose name is nearest to a mistyped one, or NULL when none is near */
const struct sample_type *sample_nearest(const char *name);

/**
 * sample_make() - a fresh body
 * @now: us since the epoch
 *
 * Return: the body, a new reference; NULL when out of memory.
 */
json_t *sample_make(const struct sample_type *type, int64_t now);

/**
 * sample_set() - change a body: "data.decision=REVIEW", "data.tags.0=x", "event_id=null"
 * @root:       object
 * @assignment: members and array places separated by dots, then '=', then a JSON value, or text
 *              when it is not one. Objects on the way are made; an array grows by its next place.
 *
 * Return: 0; -EINVAL with the sentence in @e; -ENOMEM.
 */
int sample_set(json_t *root, const char *assignment, struct error *e) MUST_USE;

/* member of an object by a path such as "data.eval_id" as text, or NULL; borrowed */
const char *sample_text(const json_t *root, const char *path);
