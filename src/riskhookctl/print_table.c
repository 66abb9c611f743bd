/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows for people, as an aligned table
 *
 * Rows are held back until the widths of the columns are known: until the flush, or until there are
 * HELD_MAX of them. What comes later goes straight out; a column grows when it has to. On a
 * terminal the widest columns are cut until a line fits; into a file or pipe nothing is ever cut.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "riskhookctl/print_private.h"
#include "riskhookctl/print_time.h"
#include "riskhookctl/put.h"
#include "util/utf8.h"

#define COLUMNS_MAX   16
#define HELD_MAX      500
#define GAP           2 /* blanks between columns */
#define CUT_WIDTH_MIN 8 /* a column is not cut below this */

struct column {
	struct slice name;
	int width;
	bool right; /* numbers */
};

struct print_table {
	struct column columns[COLUMNS_MAX];
	int n_columns;
	char **cells; /* n_held rows of n_columns each, escaped; room for HELD_MAX rows */
	size_t n_held;
	bool streaming; /* the head and the first rows are out */
};

static struct print_table *table_new(const char *columns)
{
	struct print_table *table = calloc(1, sizeof(*table));
	struct slice rest = slice_of(columns), name;

	if (!table)
		return NULL;
	while (table->n_columns < COLUMNS_MAX && slice_split(&rest, ' ', &name)) {
		struct column *column = &table->columns[table->n_columns++];

		column->name = name;
		column->width = (int)name.n;
	}
	table->cells = calloc((size_t)COLUMNS_MAX * HELD_MAX, sizeof(char *));
	if (!table->cells) {
		free(table);
		return NULL;
	}
	return table;
}

static const struct value *find_value(const struct value *values, int n_values, struct slice name)
{
	for (int i = 0; i < n_values; i++) {
		if (slice_eq_str(name, values[i].name))
			return &values[i];
	}
	return NULL;
}

static bool is_time(const struct column *column)
{
	return print_time_is_column(column->name);
}

/* the shown columns of a row as text; on failure nothing is left in @cells */
static int make_cells(const struct printer *printer, const struct value *values, int n_values,
		      char **cells)
{
	struct print_table *table = printer->table;

	for (int i = 0; i < table->n_columns; i++) {
		struct column *column = &table->columns[i];
		const struct value *value = find_value(values, n_values, column->name);
		struct buf text = BUF_INIT(PRINT_LINE_MAX);

		if (value) {
			print_value(&text, value, printer->target.width > 0);
			column->right |= value->type == VALUE_INTEGER;
		} else {
			buf_append_char(&text, '-');
		}
		cells[i] = buf_steal(&text);
		if (!cells[i]) {
			while (i > 0)
				free(cells[--i]);
			return -ENOMEM;
		}
		column->width = MAX_OF(column->width, print_width(slice_of(cells[i])));
	}
	return 0;
}

/* the widest column that may be cut, or NULL; a time that is cut says nothing */
static struct column *widest_column(struct print_table *table)
{
	struct column *widest = NULL;

	for (int i = 0; i < table->n_columns; i++) {
		struct column *column = &table->columns[i];

		if (column->width > CUT_WIDTH_MIN && !is_time(column) &&
		    (!widest || column->width > widest->width))
			widest = column;
	}
	return widest;
}

/* cut the widest columns, cell by cell, until a line fits the terminal */
static void fit_widths(struct print_table *table, int terminal)
{
	int total = GAP * (table->n_columns - 1);
	struct column *widest;

	for (int i = 0; i < table->n_columns; i++)
		total += table->columns[i].width;
	while (terminal && total > terminal && (widest = widest_column(table))) {
		widest->width--;
		total--;
	}
}

/* how many bytes of @text fit @width columns, one kept free for the ellipsis when it does not */
static size_t cut_at(struct slice text, int width)
{
	size_t at = 0;
	int used = 0;

	if (print_width(text) <= width)
		return text.n;
	while (at < text.n) {
		size_t length = utf8_length(text.p + at, text.n - at);
		int w = print_width(slice_make(text.p + at, length ? length : 1));

		if (used + w > width - 1)
			break;
		used += w;
		at += length ? length : 1;
	}
	return at;
}

static void put_blanks(FILE *out, int n)
{
	if (n > 0)
		put(out, "%*s", n, "");
}

static void put_cell(const struct printer *printer, int place, struct slice text,
		     const char *colour)
{
	const struct column *column = &printer->table->columns[place];
	bool is_last = place == printer->table->n_columns - 1;
	size_t n = printer->target.width ? cut_at(text, column->width) : text.n;
	bool is_cut = n < text.n;
	int blanks = column->width - print_width(slice_make(text.p, n)) - is_cut;
	FILE *out = printer->target.out;

	if (column->right)
		put_blanks(out, blanks);
	put(out, "%s%.*s%s%s", colour, (int)n, text.p,
	    !is_cut          ? ""
	    : MB_CUR_MAX > 1 ? "\u2026"
			     : "~",
	    *colour ? COLOUR_RESET : "");
	if (is_last)
		put(out, "\n");
	else
		put_blanks(out, GAP + (column->right ? 0 : blanks));
}

static void put_head(const struct printer *printer)
{
	for (int i = 0; i < printer->table->n_columns; i++) {
		char title[64];
		struct slice name = printer->table->columns[i].name;
		size_t n = MIN_OF(name.n, sizeof(title));

		for (size_t k = 0; k < n; k++)
			title[k] = name.p[k] >= 'a' && name.p[k] <= 'z' ? name.p[k] - 'a' + 'A'
									: name.p[k];
		put_cell(printer, i, slice_make(title, n),
			 printer->target.colour ? COLOUR_HEAD : "");
	}
}

static void put_row(const struct printer *printer, char **cells)
{
	for (int i = 0; i < printer->table->n_columns; i++) {
		struct slice text = slice_of(cells[i]);
		struct slice name = printer->table->columns[i].name;

		put_cell(printer, i, text,
			 printer->target.colour ? print_colour_of(name, text) : "");
		free(cells[i]);
		cells[i] = NULL;
	}
}

static int table_flush(struct printer *printer)
{
	struct print_table *table = printer->table;

	if (!table)
		return 0;
	fit_widths(table, printer->target.width);
	if (!table->streaming && table->n_held > 0)
		put_head(printer);
	for (size_t i = 0; i < table->n_held; i++)
		put_row(printer, table->cells + i * (size_t)table->n_columns);
	table->streaming |= table->n_held > 0;
	table->n_held = 0;
	return ferror(printer->target.out) ? -EPIPE : 0;
}

static int table_row(struct printer *printer, const struct value *values, int n_values)
{
	struct print_table *table;
	int r;

	if (!printer->table)
		printer->table = table_new(printer->columns);
	table = printer->table;
	if (!table)
		return -ENOMEM;
	r = make_cells(printer, values, n_values,
		       table->cells + table->n_held * (size_t)table->n_columns);
	if (r < 0)
		return r;
	table->n_held++;
	return table->streaming || table->n_held == HELD_MAX ? table_flush(printer) : 0;
}

static void table_deinit(struct printer *printer)
{
	struct print_table *table = printer->table;

	if (!table)
		return;
	for (size_t i = 0; i < table->n_held * (size_t)table->n_columns; i++)
		free(table->cells[i]);
	free(table->cells);
	free(table);
}

const struct print_vtable print_table_vtable = {
	.row = table_row,
	.flush = table_flush,
	.deinit = table_deinit,
};
