/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The option table: every section and option of the configuration, once
 *
 * The parser, the annotated conf/riskhookd.conf (checked by a test through `riskhookd
 * --dump-options`) and the help read this table and nothing else.
 *
 * Threads: constant data.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "util/err.h"
#include "util/slice.h"

enum option_type {
	OPTION_STRING,
	OPTION_BOOL,
	OPTION_INTEGER,
	OPTION_SIZE,        /* bytes, int64_t */
	OPTION_DURATION,    /* milliseconds, int64_t */
	OPTION_TIME,        /* microseconds since the epoch, int64_t */
	OPTION_PATH,        /* made absolute */
	OPTION_SECRET_PATH, /* kept as given; secret.c looks it up */
	OPTION_URL_PATH,
	OPTION_ADDRESS,  /* struct listen_address */
	OPTION_ENUM,     /* int, by `words` */
	OPTION_WORDS,    /* struct string_list, separated by commas; repeating the key adds */
	OPTION_LINES,    /* struct string_list, one entry a key; repeating the key adds */
	OPTION_PREFIXES, /* struct prefix_list, separated by commas */
	OPTION_COMMAND,  /* struct string_list, by command_split() */
};

struct option {
	const char *section; /* "server", ..., "handler" */
	const char *name;
	enum option_type type;
	size_t offset;        /* in the section's struct */
	const char *fallback; /* default as text, or NULL: none */
	int64_t min, max;     /* for numbers, sizes (bytes) and durations (ms); max 0: no bound */
	/* OPTION_ENUM: NULL-terminated, index is the value, "" is a gap; OPTION_WORDS: what is
	 * allowed, or NULL: anything */
	const char *const *words;
	unsigned types; /* 1 << type of the credentials or handlers that have it; 0: all */
	bool required;
	bool reloadable;
	const char *help; /* one line, lower case, no full stop */
};

extern const struct option options[];
extern const size_t n_options;

/* Return: the row, or NULL */
const struct option *option_find(const char *section, const char *name);

/* may the key be repeated, each time adding to the list? */
bool option_is_list(const struct option *o);

/* one line an option, tab-separated: section, name, type, default or -, bounds or allowed words or
 * -, reloadable (yes or no), help */
void options_dump(FILE *out);

/**
 * option_set() - parse @text and store it in @target, the section's struct
 * @directory: base of relative paths
 *
 * A list grows, anything else is replaced.
 *
 * Return: 0, or a negative errno with the sentence in @e (without file and line).
 */
int option_set(const struct option *o, void *target, struct slice text, const char *directory,
	       struct error *e) MUST_USE;

/* Do both sections' structs hold the same value? Of a type that cannot be compared: false. */
bool option_eq(const struct option *o, const void *a, const void *b);

/* free what option_set() allocated for @section in @target */
void options_deinit(const char *section, void *target);
