/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Borrowed text
 *
 * A slice is a pointer and a length into bytes that somebody else owns: no NUL, no copy. The empty
 * slice has p == NULL or n == 0; both mean "not given".
 *
 * Threads: any.   Ownership: borrows; slice_dup() alone allocates.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
	const char *p;
	size_t n;
};

#define SLICE_NULL ((struct slice){NULL, 0})
/* a slice over a string literal */
#define SLICE(lit) ((struct slice){"" lit, sizeof(lit) - 1})
/* for printf's "%.*s" */
#define SLICE_ARG(s) (int)(s).n, (s).p ? (s).p : ""

static inline struct slice slice_of(const char *s)
{
	return (struct slice){s, s ? strlen(s) : 0};
}

static inline struct slice slice_make(const char *p, size_t n)
{
	return (struct slice){p, n};
}

static inline bool slice_is_empty(struct slice s)
{
	return s.n == 0;
}

bool slice_eq(struct slice a, struct slice b);
bool slice_eq_str(struct slice a, const char *b);
/* ASCII letters compare equal whatever their case */
bool slice_eq_nocase(struct slice a, struct slice b);
bool slice_starts_nocase(struct slice s, struct slice prefix);

/* without leading and trailing blanks (space, tab) */
struct slice slice_trim(struct slice s);

/**
 * slice_split() - take the text up to the next separator
 * @rest: what is left to read; moved behind the separator
 * @sep:  separator
 * @ret:  the piece, untrimmed
 *
 * Return: false when nothing was left.
 */
bool slice_split(struct slice *rest, char sep, struct slice *ret);

/* Return: a NUL-terminated copy that the caller frees, or NULL when out of memory */
char *slice_dup(struct slice s);
