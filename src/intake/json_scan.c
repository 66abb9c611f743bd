/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recursive descent, one function for each rule of the grammar. Each takes where it begins and
 * returns where it has ended, or NULL when it has noted what is wrong. Nothing is read at or behind
 * `end`.
 *
 * Most bytes are in strings, and most strings are plain ASCII; skip_plain() passes over those eight
 * at a time and is where the time is spent or saved.
 */
#include "intake/json_scan.h"

#include <assert.h>
#include <string.h>

#include "intake/json_decode.h"
#include "intake/json_wants.h"
#include "util/utf8.h"

struct scanner {
	const char *start, *end;
	const char *error_at;
	enum json_outcome error;
	unsigned depth;
	struct json_wants wants;
};

static const char *scan_value(struct scanner *s, const char *p, unsigned want);

static const char *fail(struct scanner *s, const char *at, enum json_outcome error)
{
	s->error_at = at;
	s->error = error;
	return NULL;
}

static const char *malformed(struct scanner *s, const char *at)
{
	return fail(s, at, JSON_E_MALFORMED);
}

/* the byte at @p; at the end NUL, which no rule accepts outside of a string */
static inline char peek(const struct scanner *s, const char *p)
{
	return p < s->end ? *p : '\0';
}

/* --- bytes, eight at a time --- */

#define EACH_BYTE(c) (0x0101010101010101ULL * (c))

/* High bits mark the bytes of @x that are zero. A mark above the lowest one may be wrong. */
static inline uint64_t zero_bytes(uint64_t x)
{
	return (x - EACH_BYTE(1)) & ~x & EACH_BYTE(0x80);
}

/* High bits mark the bytes that skip_plain() stops at; as in zero_bytes() the lowest is right. */
static inline uint64_t stop_bytes(uint64_t x)
{
	uint64_t control = (x - EACH_BYTE(0x20)) & ~x;

	return zero_bytes(x ^ EACH_BYTE('"')) | zero_bytes(x ^ EACH_BYTE('\\')) |
	       ((control | x) & EACH_BYTE(0x80));
}

/* eight bytes, the first one in the lowest bits */
static inline uint64_t load_bytes(const char *p)
{
	uint64_t x;

	memcpy(&x, p, sizeof(x));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	x = __builtin_bswap64(x);
#endif
	return x;
}

/* to the first byte that is not ASCII, a control character, a quote or a backslash */
static inline const char *skip_plain(const char *p, const char *end)
{
	for (; end - p >= 8; p += 8) {
		uint64_t stop = stop_bytes(load_bytes(p));

		if (stop)
			return p + __builtin_ctzll(stop) / 8;
	}
	while (p < end && *p != '"' && *p != '\\' && *p >= 0x20 && (unsigned char)*p < 0x80)
		p++;
	return p;
}

static inline bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* white space; between most tokens there is none or, for people, a new line and its indentation */
static inline const char *skip_space(const struct scanner *s, const char *p)
{
	if (!is_space(peek(s, p)))
		return p;
	p++;
	while (s->end - p >= 8 && load_bytes(p) == EACH_BYTE(' '))
		p += 8;
	while (is_space(peek(s, p)))
		p++;
	return p;
}

/* --- scalars --- */

/* @p at the backslash */
static const char *scan_escape(struct scanner *s, const char *p)
{
	const char *at = p++;
	int unit;

	switch (peek(s, p)) {
	case '"':
	case '\\':
	case '/':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't':
		return p + 1;
	case 'u':
		break;
	default:
		return malformed(s, at);
	}
	unit = json_unit(p + 1, s->end);
	if (unit < 0 || json_is_low_surrogate(unit))
		return malformed(s, at);
	p += 5;
	if (!json_is_high_surrogate(unit))
		return p;
	if (peek(s, p) != '\\' || peek(s, p + 1) != 'u' ||
	    !json_is_low_surrogate(json_unit(p + 2, s->end)))
		return malformed(s, at);
	return p + 6;
}

/* one byte of skip_plain()'s exceptions, but the quote */
static const char *scan_exception(struct scanner *s, const char *p)
{
	size_t n = 0;

	if (*p == '\\')
		return scan_escape(s, p);
	if ((unsigned char)*p >= 0x80)
		n = utf8_length(p, (size_t)(s->end - p));
	return n ? p + n : malformed(s, p);
}

/* @p behind the opening quote; returns the place of the closing one */
static inline const char *scan_string(struct scanner *s, const char *p)
{
	for (;;) {
		p = skip_plain(p, s->end);
		if (p == s->end)
			return malformed(s, p);
		if (*p == '"')
			return p;
		p = scan_exception(s, p);
		if (!p)
			return NULL;
	}
}

/* one digit at least */
static const char *scan_digits(struct scanner *s, const char *p)
{
	const char *start = p;

	while (peek(s, p) >= '0' && peek(s, p) <= '9')
		p++;
	return p > start ? p : malformed(s, p);
}

static const char *scan_number(struct scanner *s, const char *p)
{
	if (*p == '-')
		p++;
	p = peek(s, p) == '0' ? p + 1 : scan_digits(s, p);
	if (p && peek(s, p) == '.')
		p = scan_digits(s, p + 1);
	if (p && (peek(s, p) == 'e' || peek(s, p) == 'E')) {
		p++;
		if (peek(s, p) == '+' || peek(s, p) == '-')
			p++;
		p = scan_digits(s, p);
	}
	return p;
}

static const char *scan_word(struct scanner *s, const char *p, struct slice word)
{
	for (size_t i = 0; i < word.n; i++, p++)
		if (peek(s, p) != word.p[i])
			return malformed(s, p);
	return p;
}

/* --- containers --- */

/* @p at the opening quote; returns where the value begins and, in @ret_want, which one it is */
static inline const char *scan_key(struct scanner *s, const char *p, unsigned parent,
				   unsigned *ret_want)
{
	const char *start = p + 1;
	struct slice raw;

	if (peek(s, p) != '"')
		return malformed(s, p);
	p = scan_string(s, start);
	if (!p)
		return NULL;
	raw = slice_make(start, (size_t)(p - start));
	*ret_want = parent == JSON_NOT_WANTED ? JSON_NOT_WANTED
					      : json_wants_meet_raw(&s->wants, parent, raw);
	p = skip_space(s, p + 1);
	if (peek(s, p) != ':')
		return malformed(s, p);
	return skip_space(s, p + 1);
}

/* @p behind the opening brace */
static const char *scan_object(struct scanner *s, const char *p, unsigned object)
{
	unsigned want;

	p = skip_space(s, p);
	if (peek(s, p) == '}')
		return p + 1;
	for (;;) {
		p = scan_key(s, p, object, &want);
		if (p)
			p = scan_value(s, p, want);
		if (!p)
			return NULL;
		p = skip_space(s, p);
		if (peek(s, p) == '}')
			return p + 1;
		if (peek(s, p) != ',')
			return malformed(s, p);
		p = skip_space(s, p + 1);
	}
}

/* @p behind the opening bracket */
static const char *scan_array(struct scanner *s, const char *p)
{
	p = skip_space(s, p);
	if (peek(s, p) == ']')
		return p + 1;
	for (;;) {
		p = scan_value(s, p, JSON_NOT_WANTED);
		if (!p)
			return NULL;
		p = skip_space(s, p);
		if (peek(s, p) == ']')
			return p + 1;
		if (peek(s, p) != ',')
			return malformed(s, p);
		p = skip_space(s, p + 1);
	}
}

static const char *scan_container(struct scanner *s, const char *p, unsigned want)
{
	if (s->depth == JSON_DEPTH_MAX)
		return fail(s, p, JSON_E_TOO_DEEP);
	s->depth++;
	p = *p == '{' ? scan_object(s, p + 1, want) : scan_array(s, p + 1);
	s->depth--;
	return p;
}

static const char *scan_by_kind(struct scanner *s, const char *p, enum json_kind kind,
				unsigned want)
{
	switch (kind) {
	case KIND_STRING:
		p = scan_string(s, p + 1);
		return p ? p + 1 : NULL;
	case KIND_NUMBER:
		return scan_number(s, p);
	case KIND_NULL:
		return scan_word(s, p, SLICE("null"));
	case KIND_FALSE:
		return scan_word(s, p, SLICE("false"));
	case KIND_TRUE:
		return scan_word(s, p, SLICE("true"));
	case KIND_ARRAY:
	case KIND_OBJECT:
		return scan_container(s, p, want);
	case KIND_MISSING:
		break;
	}
	return malformed(s, p);
}

static const char *scan_value(struct scanner *s, const char *p, unsigned want)
{
	enum json_kind kind = json_kind_by_byte[(unsigned char)peek(s, p)];
	const char *end = scan_by_kind(s, p, kind, want);

	if (end && want != JSON_NOT_WANTED)
		json_wants_note(&s->wants, want, slice_make(p, (size_t)(end - p)));
	return end;
}

int json_scan(struct slice text, const struct json_want *wants, size_t n_wants,
	      struct json_value *values, size_t *ret_error_at)
{
	static const char nothing[1] = "";
	struct scanner s;
	const char *p;

	assert(n_wants > JSON_ROOT && n_wants <= JSON_WANTS_MAX);
	s.start = text.p ? text.p : nothing;
	s.end = s.start + text.n;
	s.error_at = s.start;
	s.error = JSON_OK;
	s.depth = 0;
	json_wants_init(&s.wants, wants, n_wants, values);

	p = scan_value(&s, skip_space(&s, s.start), JSON_ROOT);
	if (p) {
		p = skip_space(&s, p);
		if (p == s.end)
			return JSON_OK;
		(void)malformed(&s, p);
	}
	*ret_error_at = (size_t)(s.error_at - s.start);
	return s.error;
}
