/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the formats of print.c share: the vtable, and colours. Private to print*.c.
 */
#pragma once

#include "riskhookctl/print.h"

#define PRINT_LINE_MAX (64 * 1024 * 1024) /* a row with escaped output is far smaller */

struct printer;

struct print_vtable {
	int (*row)(struct printer *printer, const struct value *values, int n_values);
	int (*flush)(struct printer *printer);   /* or NULL */
	void (*deinit)(struct printer *printer); /* or NULL */
};

struct printer {
	const struct print_vtable *vtable;
	struct print_target target;
	const char *columns;
	int64_t n_rows;
	struct print_table *table; /* state of PRINT_TABLE */
};

extern const struct print_vtable print_table_vtable;
extern const struct print_vtable print_record_vtable;
extern const struct print_vtable print_json_vtable;

/* a value for people, escaped: "-" for NULL, yes/no for a boolean, a time in the zone of the reader
 * @brief: as print_time() */
void print_value(struct buf *out, const struct value *value, bool brief);

/* the colour that a word of this column deserves, or "" */
const char *print_colour_of(struct slice column, struct slice text);

#define COLOUR_RESET "\033[0m"
#define COLOUR_HEAD  "\033[1m"
#define COLOUR_DIM   "\033[2m"
