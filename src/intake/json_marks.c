/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/json_marks.h"

#include "util/macros.h"

/*
 * Every byte has this bit flipped, which changes places of the blank and the quote (and of others
 * that are plain both, or control characters both). Then the quote is next to the control
 * characters, and what is below FIRST_PLAIN is either.
 */
#define FLIPPED     0x02
#define FIRST_PLAIN 0x21
#define BACKSLASH   ('\\' ^ FLIPPED)

#ifdef JSON_MARKS_SSE2

static inline void mark_16(const char *p, unsigned char *bits)
{
	__m128i bytes = _mm_xor_si128(_mm_loadu_si128((const __m128i *)(const void *)p),
				      _mm_set1_epi8(FLIPPED));
	__m128i backslashes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(BACKSLASH));
	/* what is not ASCII is negative */
	__m128i others = _mm_cmplt_epi8(bytes, _mm_set1_epi8(FIRST_PLAIN));
	uint16_t marks = (uint16_t)_mm_movemask_epi8(_mm_or_si128(backslashes, others));

	memcpy(bits, &marks, sizeof(marks));
}

/* the marks of JSON_MARKS_BLOCK bytes at @p to @bits */
static inline void mark_block(const char *p, unsigned char *bits)
{
	mark_16(p, bits);
	mark_16(p + 16, bits + 2);
	mark_16(p + 32, bits + 4);
	mark_16(p + 48, bits + 6);
}

#else

#define EACH_BYTE(c) (0x0101010101010101ULL * (c))
#define LOW_BITS     EACH_BYTE(0x7F)

static inline unsigned char marks_of_8(const char *p)
{
	uint64_t x = json_load_bytes(p) ^ EACH_BYTE(FLIPPED);
	/* high bits: is not a backslash, is not below FIRST_PLAIN */
	uint64_t others = ((x ^ EACH_BYTE(BACKSLASH)) & LOW_BITS) + LOW_BITS;
	uint64_t plain = ((x & LOW_BITS) + EACH_BYTE(0x80 - FIRST_PLAIN)) & others;
	uint64_t marks = (x | ~plain) & EACH_BYTE(0x80);

	/* gathers the high bits in the highest byte */
	return (unsigned char)((marks >> 7) * 0x0102040810204080ULL >> 56);
}

static inline void mark_block(const char *p, unsigned char *bits)
{
	for (size_t i = 0; i < JSON_MARKS_BLOCK; i += 8)
		bits[i / 8] = marks_of_8(p + i);
}

#endif

void json_marks_make(struct json_marks *m, const char *from, const char *end)
{
	const size_t enough = JSON_MARKS_STRETCH - JSON_MARKS_BLOCK;
	size_t n = (size_t)(end - from), at = 0;
	size_t whole = MIN_OF(n, JSON_MARKS_STRETCH) / JSON_MARKS_BLOCK * JSON_MARKS_BLOCK;
	char last[JSON_MARKS_BLOCK] = ""; /* a NUL has a mark: it is a control character */

	m->from = from;
	m->until = n > JSON_MARKS_STRETCH ? from + enough : end;
	m->near = n < JSON_MARKS_NEAR ? from : from + MIN_OF(n - JSON_MARKS_NEAR, enough);
	m->end = end;
	for (; at < whole; at += JSON_MARKS_BLOCK)
		mark_block(from + at, m->bits + at / 8);
	if (at < JSON_MARKS_STRETCH) {
		memcpy(last, from + at, n - at);
		mark_block(last, m->bits + at / 8);
		at += JSON_MARKS_BLOCK;
	}
	memset(m->bits + at / 8, 0xFF, 8); /* not read when the text goes on */
}
