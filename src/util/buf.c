/* SPDX-License-Identifier: Apache-2.0 */
#include "util/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/utf8.h"

void buf_deinit(struct buf *b)
{
	free(b->p);
	*b = (struct buf)BUF_INIT(b->max);
}

void buf_clear(struct buf *b)
{
	b->n = 0;
	b->error = 0;
	if (b->p)
		b->p[0] = '\0';
}

static int fail(struct buf *b, int error)
{
	buf_deinit(b);
	b->error = error;
	return error;
}

int buf_reserve(struct buf *b, size_t n)
{
	size_t want, cap;
	char *p;

	if (b->error)
		return b->error;
	if (n > b->max - b->n)
		return fail(b, -EFBIG);
	want = b->n + n + 1;
	if (want <= b->cap)
		return 0;
	cap = b->cap ? b->cap : 64;
	while (cap < want)
		cap *= 2;
	cap = MIN_OF(cap, b->max + 1);
	p = realloc(b->p, cap);
	if (!p)
		return fail(b, -ENOMEM);
	b->p = p;
	b->cap = cap;
	return 0;
}

int buf_append(struct buf *b, const void *p, size_t n)
{
	int r = buf_reserve(b, n);

	if (r < 0)
		return r;
	if (n)
		memcpy(b->p + b->n, p, n);
	b->n += n;
	b->p[b->n] = '\0';
	return 0;
}

int buf_append_str(struct buf *b, const char *s)
{
	return buf_append(b, s, strlen(s));
}

int buf_append_slice(struct buf *b, struct slice s)
{
	return buf_append(b, s.p, s.n);
}

int buf_append_char(struct buf *b, char c)
{
	return buf_append(b, &c, 1);
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n, r;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return fail(b, -EINVAL);
	r = buf_reserve(b, (size_t)n);
	if (r < 0)
		return r;
	va_start(ap, fmt);
	(void)vsnprintf(b->p + b->n, (size_t)n + 1, fmt, ap); /* measured just above */
	va_end(ap);
	b->n += (size_t)n;
	return 0;
}

static void append_escaped(struct buf *b, unsigned char c)
{
	static const char short_form[] = {
		['"'] = '"',  ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f',
		['\n'] = 'n', ['\r'] = 'r',  ['\t'] = 't',
	};

	if (c < sizeof(short_form) && short_form[c])
		buf_printf(b, "\\%c", short_form[c]);
	else
		buf_printf(b, "\\u%04x", c);
}

int buf_append_json(struct buf *b, struct slice s)
{
	size_t i = 0;

	buf_append_char(b, '"');
	while (i < s.n) {
		unsigned char c = (unsigned char)s.p[i];
		size_t n = utf8_length(s.p + i, s.n - i);

		if (n == 0) {
			buf_append_str(b, "\xEF\xBF\xBD");
			i++;
		} else if (n > 1 || (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)) {
			buf_append(b, s.p + i, n);
			i += n;
		} else {
			append_escaped(b, c);
			i++;
		}
	}
	return buf_append_char(b, '"');
}

void buf_consume(struct buf *b, size_t n)
{
	if (n >= b->n) {
		buf_clear(b);
		return;
	}
	memmove(b->p, b->p + n, b->n - n);
	b->n -= n;
	b->p[b->n] = '\0';
}

char *buf_steal(struct buf *b)
{
	char *p;

	if (buf_reserve(b, 0) < 0)
		return NULL;
	b->p[b->n] = '\0';
	p = b->p;
	*b = (struct buf)BUF_INIT(b->max);
	return p;
}
