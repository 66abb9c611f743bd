/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows for people, one column a line; bytes (a handler's output) as an indented block
 */
#include "riskhookctl/print_private.h"
#include "riskhookctl/put.h"

#define NAME_WIDTH 18

static void print_name(struct printer *printer, const char *name)
{
	put(printer->target.out, "%s%-*s%s", printer->target.colour ? COLOUR_DIM : "", NAME_WIDTH,
	    name, printer->target.colour ? COLOUR_RESET : "");
}

static int print_block(struct printer *printer, const struct value *value)
{
	struct slice rest = value->text, line;
	struct buf text = BUF_INIT(PRINT_LINE_MAX);
	int r;

	if (rest.p[rest.n - 1] == '\n')
		rest.n--;
	while (slice_split(&rest, '\n', &line)) {
		buf_append_str(&text, "    ");
		print_escape(&text, line);
		buf_append_char(&text, '\n');
	}
	r = buf_error(&text);
	if (r == 0)
		put(printer->target.out, "\n%s", text.p ? text.p : "");
	buf_deinit(&text);
	return r;
}

static int print_line(struct printer *printer, const struct value *value)
{
	struct buf text = BUF_INIT(PRINT_LINE_MAX);
	const char *colour = "";
	int r;

	print_value(&text, value, false);
	r = buf_error(&text);
	if (r == 0) {
		if (printer->target.colour)
			colour = print_colour_of(slice_of(value->name), buf_slice(&text));
		put(printer->target.out, "%s%s%s\n", colour, text.p ? text.p : "",
		    *colour ? COLOUR_RESET : "");
	}
	buf_deinit(&text);
	return r;
}

static int record_row(struct printer *printer, const struct value *values, int n_values)
{
	if (printer->n_rows > 1)
		put(printer->target.out, "\n");
	for (int i = 0; i < n_values; i++) {
		const struct value *value = &values[i];
		bool is_block = value->type == VALUE_BYTES && value->text.n > 0;
		int r;

		print_name(printer, value->name);
		r = is_block ? print_block(printer, value) : print_line(printer, value);
		if (r < 0)
			return r;
	}
	return 0;
}

const struct print_vtable print_record_vtable = {.row = record_row};
