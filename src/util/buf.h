/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growable buffer that knows its maximum from birth
 *
 *	struct buf b = BUF_INIT(64 * 1024);
 *
 * Nothing that the network fills can grow beyond the maximum. After an error the buffer is empty
 * and stays in error until buf_clear(), so that a chain of appends is checked once, at the end, by
 * buf_error().
 *
 * Threads: one at a time.   Ownership: owns its bytes until buf_deinit() or buf_steal().
 */
#pragma once

#include <stddef.h>

#include "util/macros.h"
#include "util/slice.h"

struct buf {
	char *p; /* always NUL-terminated once anything was appended */
	size_t n;
	size_t cap;
	size_t max;
	int error; /* 0, or the first negative errno */
};

#define BUF_INIT(maximum)                                                                          \
	{                                                                                          \
		.max = (maximum)                                                                   \
	}

void buf_deinit(struct buf *b);
void buf_clear(struct buf *b);

/* make room for @n more bytes: 0, -EFBIG over the maximum, -ENOMEM */
int buf_reserve(struct buf *b, size_t n);
int buf_append(struct buf *b, const void *p, size_t n);
int buf_append_str(struct buf *b, const char *s);
int buf_append_slice(struct buf *b, struct slice s);
int buf_append_char(struct buf *b, char c);
int buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

/**
 * buf_append_json() - append text as a JSON string, quotes included (RFC 8259 section 7)
 * @s: UTF-8; bytes that are not valid UTF-8 become U+FFFD, so that the output is always JSON
 */
int buf_append_json(struct buf *b, struct slice s);

/* drop the first @n bytes */
void buf_consume(struct buf *b, size_t n);

static inline int buf_error(const struct buf *b)
{
	return b->error;
}

static inline struct slice buf_slice(const struct buf *b)
{
	return slice_make(b->p, b->n);
}

/* Return: the NUL-terminated bytes, which the caller frees; NULL after an error. Resets @b. */
char *buf_steal(struct buf *b);
