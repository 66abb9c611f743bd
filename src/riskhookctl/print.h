/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Printing rows: as a table or a record for people, as JSON lines for programs
 *
 * Stored text comes from outside. For people every control character of it is escaped (\n, \x1b,
 * \u{202e}), so that a hostile note can neither drive a terminal nor forge a line. Colour and
 * cutting to the terminal's width happen on a terminal alone.
 *
 * Threads: one.   Ownership: a printer copies what it keeps; the target is borrowed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "store/query.h"
#include "util/buf.h"
#include "util/cleanup.h"

struct print_target {
	FILE *out;
	int width; /* columns of the terminal; 0: none, nothing is cut */
	bool colour;
};

/* stdout as it is: a terminal, its width, NO_COLOR and TERM=dumb respected */
struct print_target print_target_stdout(void);

enum print_format {
	PRINT_TABLE,  /* one line a row, aligned, with a head */
	PRINT_RECORD, /* one line a column; bytes as an indented block */
	PRINT_JSON,   /* one object a line, all columns */
};

struct printer;

/**
 * printer_new() - start printing rows
 * @target:  borrowed
 * @columns: names of the columns that a table shows, separated by blanks; static text. The other
 *           formats show all.
 *
 * Return: the printer, or NULL when out of memory.
 */
struct printer *printer_new(const struct print_target *target, enum print_format format,
			    const char *columns);
void printer_free(struct printer *printer);
DEFINE_CLEANUP(struct printer *, printer_free)

/* one row; its type is query_visit, so that a query can print directly. Return: 0, or a negative
 * errno (-EPIPE: nobody reads any more). */
int printer_row(const struct value *values, int n_values, void *printer);

/* write out what a table still holds back to find its widths. Return: as printer_row(). */
int printer_flush(struct printer *printer);

int64_t printer_rows(const struct printer *printer);

/* the columns as members of a JSON object, without its braces: "seq":17,"test":false */
void print_json_members(struct buf *out, const struct value *values, int n_values);

/* the finished JSON line, with DEL and C1 controls escaped too. Return: as printer_row(). */
int print_json_line(FILE *out, struct buf *line);

/**
 * print_escape() - append text with every control character escaped
 *
 * Escaped are C0, DEL, C1, bidirectional and invisible format characters, the backslash, and bytes
 * that are not UTF-8.
 */
void print_escape(struct buf *out, struct slice text);

/* columns of a terminal that well-formed, escaped text takes */
int print_width(struct slice text);

/**
 * print_bytes() - a raw body: as it is into a file or pipe; on a terminal with control characters
 *                 other than newline and tab escaped
 *
 * Return: as printer_row().
 */
int print_bytes(const struct print_target *target, struct slice bytes);

/* flush a stream. Return: 0, or a negative errno. */
int print_flush(FILE *out) MUST_USE;
