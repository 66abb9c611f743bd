/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows for programs: one JSON object a line, typed
 */
#include <errno.h>

#include "riskhookctl/print_private.h"
#include "riskhookctl/put.h"

static void append_value(struct buf *out, const struct value *value)
{
	switch (value->type) {
	case VALUE_NULL:
		buf_append_str(out, "null");
		break;
	case VALUE_BOOL:
		buf_append_str(out, value->integer ? "true" : "false");
		break;
	case VALUE_INTEGER:
		buf_printf(out, "%lld", (long long)value->integer);
		break;
	case VALUE_TEXT:
	case VALUE_BYTES:
		buf_append_json(out, value->text);
		break;
	}
}

void print_json_members(struct buf *out, const struct value *values, int n_values)
{
	for (int i = 0; i < n_values; i++) {
		if (i > 0)
			buf_append_char(out, ',');
		buf_append_json(out, slice_of(values[i].name));
		buf_append_char(out, ':');
		append_value(out, &values[i]);
	}
}

/* JSON lets DEL and C1 stand unescaped; a terminal may act on them. They stand in strings alone. */
static void put_line(FILE *out, struct slice line)
{
	size_t done = 0;

	for (size_t at = 0; at < line.n; at++) {
		unsigned char c = (unsigned char)line.p[at];
		unsigned char next = at + 1 < line.n ? (unsigned char)line.p[at + 1] : 0;
		bool is_del = c == 0x7f, is_c1 = c == 0xc2 && next >= 0x80 && next <= 0x9f;

		if (!is_del && !is_c1)
			continue;
		put_slice(out, slice_make(line.p + done, at - done));
		put(out, "\\u%04x", is_del ? 0x7f : next);
		at += is_c1;
		done = at + 1;
	}
	put_slice(out, slice_make(line.p + done, line.n - done));
}

int print_json_line(FILE *out, struct buf *line)
{
	int r = buf_append_char(line, '\n');

	if (r < 0)
		return r;
	put_line(out, buf_slice(line));
	return print_flush(out);
}

static int json_row(struct printer *printer, const struct value *values, int n_values)
{
	struct buf line = BUF_INIT(PRINT_LINE_MAX);
	int r;

	buf_append_char(&line, '{');
	print_json_members(&line, values, n_values);
	buf_append_str(&line, "}\n");
	r = buf_error(&line);
	if (r == 0)
		put_line(printer->target.out, buf_slice(&line));
	buf_deinit(&line);
	if (r == 0 && ferror(printer->target.out))
		r = print_flush(printer->target.out);
	return r;
}

const struct print_vtable print_json_vtable = {.row = json_row};
