/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the strings of a text end: marks for its bytes, made 64 at a time
 *
 * A mark is a bit for each byte that a string cannot just pass over: a quote, a backslash, a
 * control character, what is not ASCII; and for every place from the end of the text on. They are
 * made without a look at what stands before a byte, so the processor works on many at once. Then
 * the end of a string is a shift and a count of zeros away, where a search of its own would have
 * each string wait for the one before.
 *
 * Marks are kept for one stretch of the text at a time, which moves on as the reader does.
 *
 * Threads: pure.   Ownership: borrows the text; nothing is read at or behind its end.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* the steps of machines without SSE2 are tested on those that have it */
#if defined(__SSE2__) && !defined(JSON_MARKS_PORTABLE)
#define JSON_MARKS_SSE2
#include <emmintrin.h>
#endif

#define JSON_MARKS_BLOCK   64 /* bytes that are looked at in one step */
#define JSON_MARKS_STRETCH 4096
#define JSON_MARKS_MIN     57 /* bytes whose marks json_marks_at() tells of, at least */
#define JSON_MARKS_NEAR    68 /* bytes that are there to read from a place before `near` */

struct json_marks {
	const char *from;  /* the stretch begins here */
	const char *until; /* the last place whose marks are all in the stretch */
	const char *near;  /* before it, JSON_MARKS_NEAR bytes are in the text and marks at hand */
	const char *end;   /* of the text */
	/* one bit a byte, the first in the lowest; a block more for what is behind the end */
	unsigned char bits[(JSON_MARKS_STRETCH + JSON_MARKS_BLOCK) / 8];
};

/* eight bytes, the first one in the lowest bits */
static inline uint64_t json_load_bytes(const void *p)
{
	uint64_t x;

	memcpy(&x, p, sizeof(x));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	x = __builtin_bswap64(x);
#endif
	return x;
}

/* marks of a stretch that begins at @from, in a text that ends at @end */
void json_marks_make(struct json_marks *m, const char *from, const char *end);

/* json_marks_at() for a place that is not behind `until` */
static inline uint64_t json_marks_here(const struct json_marks *m, const char *p)
{
	size_t at = (size_t)(p - m->from);

	return json_load_bytes(m->bits + at / 8) >> at % 8;
}

/**
 * json_marks_at() - marks of the bytes at @p and behind it
 * @m: marks; where they do not reach, a stretch that begins at @p is made
 * @p: not before that of an earlier call, and not behind the end
 *
 * Return: @p's mark in the lowest bit, for JSON_MARKS_MIN bytes at least. The bits above those tell
 * of more or are 0, so the first mark is always one.
 */
static inline uint64_t json_marks_at(struct json_marks *m, const char *p)
{
	if (p > m->until)
		json_marks_make(m, p, m->end);
	return json_marks_here(m, p);
}

/* how far it is to the first mark; there must be one */
static inline size_t json_marks_first(uint64_t marks)
{
	return (size_t)__builtin_ctzll(marks);
}

/* without the first mark */
static inline uint64_t json_marks_rest(uint64_t marks)
{
	return marks & (marks - 1);
}

#define JSON_BLANKS_MAX 32

/* how many blanks the JSON_BLANKS_MAX bytes at @p begin with */
static inline size_t json_blanks_at(const char *p)
{
#ifdef JSON_MARKS_SSE2
	const __m128i *bytes = (const __m128i *)(const void *)p;
	__m128i blank = _mm_set1_epi8(' ');
	int low = _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128(bytes), blank));
	int high = _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128(bytes + 1), blank));
	uint64_t blanks = (uint64_t)high << 16 | (unsigned)low;

	return (size_t)__builtin_ctzll(~blanks);
#else
	for (size_t n = 0; n < JSON_BLANKS_MAX; n += 8) {
		uint64_t others = json_load_bytes(p + n) ^ 0x2020202020202020;

		if (others)
			return n + (size_t)__builtin_ctzll(others) / 8;
	}
	return JSON_BLANKS_MAX;
#endif
}
