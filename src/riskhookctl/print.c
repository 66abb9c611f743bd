/* SPDX-License-Identifier: Apache-2.0 */
#include "riskhookctl/print.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "riskhookctl/print_private.h"
#include "riskhookctl/print_time.h"
#include "riskhookctl/put.h"
#include "util/utf8.h"

#define DEFAULT_WIDTH 80 /* a terminal that does not say */

struct print_target print_target_stdout(void)
{
	struct print_target target = {.out = stdout};
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
	struct winsize size;

	if (!isatty(STDOUT_FILENO))
		return target;
	target.width = DEFAULT_WIDTH;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		target.width = size.ws_col;
	target.colour = !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
	return target;
}

int print_flush(FILE *out)
{
	static int first; /* stdio remembers that it has failed, not why */

	errno = 0;
	if (fflush(out) == 0 && !ferror(out))
		return 0;
	if (!first)
		first = errno ? -errno : -EIO;
	return first;
}

/* the code point of a well-formed character of @n bytes */
static uint32_t decode(const char *p, size_t n)
{
	static const unsigned char lead_mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	uint32_t c = (unsigned char)p[0] & lead_mask[n];

	for (size_t i = 1; i < n; i++)
		c = c << 6 | ((unsigned char)p[i] & 0x3f);
	return c;
}

/* Characters that act on a terminal or hide themselves. Source: Unicode 15, categories Cc, Cf
 * (those that change direction or show nothing), Zl, Zp. */
static bool is_control(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{0x00, 0x1f},     {0x7f, 0x9f},     {0xad, 0xad},       {0x61c, 0x61c},
		{0x180e, 0x180e}, {0x200b, 0x200f}, {0x2028, 0x202e},   {0x2060, 0x206f},
		{0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f},
	};

	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	}
	return false;
}

static void escape_control(struct buf *out, uint32_t c)
{
	switch (c) {
	case '\n':
		buf_append_str(out, "\\n");
		break;
	case '\r':
		buf_append_str(out, "\\r");
		break;
	case '\t':
		buf_append_str(out, "\\t");
		break;
	default:
		buf_printf(out, c < 0x80 ? "\\x%02x" : "\\u{%x}", c);
	}
}

/* one character or wrong byte; returns how many bytes were taken */
static size_t escape_one(struct buf *out, const char *p, size_t n, const char *plain)
{
	size_t length = utf8_length(p, n);
	uint32_t c;

	if (length == 0) {
		buf_printf(out, "\\x%02x", (unsigned char)*p);
		return 1;
	}
	c = decode(p, length);
	if (is_control(c) && !(c > 0 && c < 0x80 && strchr(plain, (int)c)))
		escape_control(out, c);
	else
		buf_append(out, p, length);
	return length;
}

void print_escape(struct buf *out, struct slice text)
{
	for (size_t at = 0; at < text.n;) {
		if (text.p[at] == '\\') {
			buf_append_str(out, "\\\\"); /* or an escape could be forged */
			at++;
			continue;
		}
		at += escape_one(out, text.p + at, text.n - at, "");
	}
}

int print_width(struct slice text)
{
	int width = 0;

	for (size_t at = 0; at < text.n;) {
		size_t length = utf8_length(text.p + at, text.n - at);
		int w = length ? wcwidth((wchar_t)decode(text.p + at, length)) : 1;

		width += w < 0 ? 1 : w; /* a locale that does not know it */
		at += length ? length : 1;
	}
	return width;
}

int print_bytes(const struct print_target *target, struct slice bytes)
{
	struct buf text = BUF_INIT(PRINT_LINE_MAX);
	int r;

	if (!target->width) {
		put_slice(target->out, slice_make(bytes.p, bytes.n));
		return print_flush(target->out);
	}
	for (size_t at = 0; at < bytes.n;)
		at += escape_one(&text, bytes.p + at, bytes.n - at, "\n\t");
	if (!bytes.n || bytes.p[bytes.n - 1] != '\n')
		buf_append_char(&text, '\n');
	r = buf_error(&text);
	if (r == 0) {
		put_slice(target->out, slice_make(text.p, text.n));
		r = print_flush(target->out);
	}
	buf_deinit(&text);
	return r;
}

void print_value(struct buf *out, const struct value *value, bool brief)
{
	char room[PRINT_TIME_SIZE];
	const char *time = NULL;

	switch (value->type) {
	case VALUE_NULL:
		buf_append_char(out, '-');
		break;
	case VALUE_BOOL:
		buf_append_str(out, value->integer ? "yes" : "no");
		break;
	case VALUE_INTEGER:
		buf_printf(out, "%lld", (long long)value->integer);
		break;
	case VALUE_TEXT:
		if (print_time_is_column(slice_of(value->name)))
			time = print_time(value->text, brief, room);
		print_escape(out, time ? slice_of(time) : value->text);
		break;
	case VALUE_BYTES:
		print_escape(out, value->text);
		break;
	}
}

const char *print_colour_of(struct slice column, struct slice text)
{
	static const struct {
		const char *column, *word, *colour;
	} colours[] = {
		{"decision", "ACCEPT", "\033[32m"}, {"decision", "REJECT", "\033[31m"},
		{"decision", "REVIEW", "\033[33m"}, {"state", "done", "\033[32m"},
		{"state", "dead", "\033[31m"},      {"state", "running", "\033[36m"},
		{"state", "held", "\033[33m"},      {"outcome", "ok", "\033[32m"},
		{"outcome", "dead", "\033[31m"},    {"state", "pending", "\033[36m"},
		{"level", "ok", "\033[32m"},        {"level", "warning", "\033[33m"},
		{"level", "problem", "\033[31m"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(colours); i++) {
		if (slice_eq_str(column, colours[i].column) && slice_eq_str(text, colours[i].word))
			return colours[i].colour;
	}
	return "";
}

struct printer *printer_new(const struct print_target *target, enum print_format format,
			    const char *columns)
{
	static const struct print_vtable *const vtables[] = {
		[PRINT_TABLE] = &print_table_vtable,
		[PRINT_RECORD] = &print_record_vtable,
		[PRINT_JSON] = &print_json_vtable,
	};
	struct printer *printer = calloc(1, sizeof(*printer));

	if (!printer)
		return NULL;
	printer->vtable = vtables[format];
	printer->target = *target;
	printer->columns = columns;
	return printer;
}

void printer_free(struct printer *printer)
{
	if (!printer)
		return;
	if (printer->vtable->deinit)
		printer->vtable->deinit(printer);
	free(printer);
}

int printer_row(const struct value *values, int n_values, void *printer_arg)
{
	struct printer *printer = printer_arg;

	printer->n_rows++;
	return printer->vtable->row(printer, values, n_values);
}

int printer_flush(struct printer *printer)
{
	int r = printer->vtable->flush ? printer->vtable->flush(printer) : 0;

	return r < 0 ? r : print_flush(printer->target.out);
}

int64_t printer_rows(const struct printer *printer)
{
	return printer->n_rows;
}
