/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recursive descent, one function for each rule of the grammar. Each takes where it begins and
 * returns where it has ended, or NULL when it has noted what is wrong. Nothing is read at or behind
 * `end`.
 *
 * Most of a text are members "key":"value" in plain ASCII. find_member() takes such a one by the
 * marks of json_marks.h and is where the time is saved; it notes nothing, and what it does not know
 * is left to the rules. The rules below an object that is not wanted are compiled a second time,
 * without what looks for keys and keeps values (ALWAYS_INLINE, skip_object()).
 */
#include "intake/json_scan.h"

#include <assert.h>

#include "intake/json_decode.h"
#include "intake/json_marks.h"
#include "intake/json_wants.h"
#include "util/utf8.h"

#define LIKELY(x) __builtin_expect(!!(x), 1)
/* what is rare, or too long to be compiled into each place that calls it */
#define NOINLINE      __attribute__((noinline))
#define ALWAYS_INLINE inline __attribute__((always_inline))

struct scanner {
	const char *start, *end;
	const char *error_at;
	enum json_outcome error;
	struct json_marks marks;
	struct json_wants wants;
};

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

/* --- white space --- */

static inline bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* @p at the first of it; mostly a new line and its indentation */
static NOINLINE const char *skip_spaces(const struct scanner *s, const char *p)
{
	p++;
	if (s->end - p >= JSON_BLANKS_MAX)
		p += json_blanks_at(p);
	while (is_space(peek(s, p)))
		p++;
	return p;
}

/* white space; between most tokens there is none */
static inline const char *skip_space(const struct scanner *s, const char *p)
{
	return is_space(peek(s, p)) ? skip_spaces(s, p) : p;
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

/* one of the bytes that have a mark, but the quote */
static const char *scan_exception(struct scanner *s, const char *p)
{
	size_t n = 0;

	if (*p == '\\')
		return scan_escape(s, p);
	if ((unsigned char)*p >= 0x80)
		n = utf8_length(p, (size_t)(s->end - p));
	return n ? p + n : malformed(s, p);
}

/* @p behind the opening quote; any string */
static NOINLINE const char *scan_text(struct scanner *s, const char *p)
{
	uint64_t marks;

	for (;;) {
		marks = json_marks_at(&s->marks, p);
		if (!marks) {
			p += JSON_MARKS_MIN;
			continue;
		}
		p += json_marks_first(marks);
		if (p == s->end)
			return malformed(s, p);
		if (*p == '"')
			return p;
		p = scan_exception(s, p);
		if (!p)
			return NULL;
	}
}

/* @p at the opening quote; returns the place of the closing one */
static inline const char *scan_string(struct scanner *s, const char *p)
{
	uint64_t marks = json_marks_at(&s->marks, ++p);
	const char *close;

	if (LIKELY(marks != 0)) {
		close = p + json_marks_first(marks);
		if (LIKELY(close < s->end && *close == '"'))
			return close;
	}
	return scan_text(s, p);
}

static inline bool is_digit(char c)
{
	return (unsigned char)(c - '0') < 10;
}

/* one digit at least */
static inline const char *scan_digits(struct scanner *s, const char *p)
{
	const char *end = s->end;

	if (!is_digit(peek(s, p)))
		return malformed(s, p);
	do
		p++;
	while (p < end && is_digit(*p));
	return p;
}

static NOINLINE const char *scan_number(struct scanner *s, const char *p)
{
	if (*p == '-')
		p++;
	p = peek(s, p) == '0' ? p + 1 : scan_digits(s, p);
	if (p && peek(s, p) == '.')
		p = scan_digits(s, p + 1);
	if (p && (peek(s, p) | 0x20) == 'e') {
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

/* --- values --- */

/* @depth is how many objects and arrays the value is in */
static const char *skip_object(struct scanner *s, const char *p, unsigned depth);
static const char *scan_object(struct scanner *s, const char *p, unsigned object, unsigned depth);
static const char *scan_array(struct scanner *s, const char *p, unsigned depth);

static ALWAYS_INLINE const char *scan_by_kind(struct scanner *s, const char *p, unsigned want,
					      unsigned depth)
{
	switch ((enum json_kind)json_kind_by_byte[(unsigned char)peek(s, p)]) {
	case KIND_STRING:
		p = scan_string(s, p);
		return p ? p + 1 : NULL;
	case KIND_OBJECT:
		return want == JSON_NOT_WANTED ? skip_object(s, p, depth)
					       : scan_object(s, p, want, depth);
	case KIND_ARRAY:
		return scan_array(s, p, depth);
	case KIND_NUMBER:
		return scan_number(s, p);
	case KIND_NULL:
		return scan_word(s, p, SLICE("null"));
	case KIND_FALSE:
		return scan_word(s, p, SLICE("false"));
	case KIND_TRUE:
		return scan_word(s, p, SLICE("true"));
	case KIND_MISSING:
		break;
	}
	return malformed(s, p);
}

static ALWAYS_INLINE const char *scan_value(struct scanner *s, const char *p, unsigned want,
					    unsigned depth)
{
	const char *end = scan_by_kind(s, p, want, depth);

	if (want != JSON_NOT_WANTED && end)
		json_wants_note(&s->wants, want, slice_make(p, (size_t)(end - p)));
	return end;
}

/* --- members --- */

struct key {
	const char *value; /* where it begins, or NULL: something is wrong */
	unsigned want;
};

/* @p at the white space before the key */
static NOINLINE struct key scan_key(struct scanner *s, const char *p, unsigned object)
{
	struct key key = {NULL, JSON_NOT_WANTED};
	const char *open = skip_space(s, p), *close;

	close = peek(s, open) == '"' ? scan_string(s, open) : malformed(s, open);
	if (!close)
		return key;
	if (object != JSON_NOT_WANTED)
		key.want = json_wants_meet_raw(&s->wants, object,
					       slice_make(open + 1, (size_t)(close - open - 1)));
	p = skip_space(s, close + 1);
	key.value = peek(s, p) == ':' ? skip_space(s, p + 1) : malformed(s, p);
	return key;
}

struct member {
	struct slice key;
	const char *value;
	const char *close; /* the value's closing quote, or NULL: it remains to be scanned */
};

/*
 * A member as most are. It begins at @p, or a new line and blanks lead to it; its key is plain, the
 * colon right behind it, and then at most one blank. When its value is plain text as well, `close`
 * tells so. All of that is found by one look at the marks, or not at all: then false is returned.
 *
 * Where the next member begins is known from the marks alone. All else here are questions whose
 * answers the processor guesses, rightly as a rule; so it works on several members at once.
 */
static ALWAYS_INLINE bool find_member(const struct scanner *s, const char *p, struct member *ret)
{
	const char *base = p + 1, *close;
	uint64_t marks;

	if (p >= s->marks.near)
		return false;
	marks = json_marks_here(&s->marks, base);
	if (*p == '\n' && marks) {
		if (json_blanks_at(base) != json_marks_first(marks))
			return false;
		p = base + json_marks_first(marks);
		marks = json_marks_rest(marks);
	}
	if (*p != '"' || !marks)
		return false;
	close = base + json_marks_first(marks);
	if (close[0] != '"' || close[1] != ':')
		return false;
	ret->key = slice_make(p + 1, (size_t)(close - p - 1));
	ret->value = close + 2;
	if (LIKELY(*ret->value == ' ')) /* without LIKELY() it is added, and waited for */
		ret->value++;
	ret->close = NULL;
	marks = json_marks_rest(json_marks_rest(marks));
	if (*ret->value == '"' && marks && base[json_marks_first(marks)] == '"')
		ret->close = base + json_marks_first(marks);
	return true;
}

/* @p behind the brace or comma */
static ALWAYS_INLINE const char *scan_member(struct scanner *s, const char *p, unsigned object,
					     unsigned depth)
{
	unsigned want = JSON_NOT_WANTED;
	struct member member;
	struct key key;

	if (find_member(s, p, &member)) {
		if (object != JSON_NOT_WANTED)
			want = json_wants_meet(&s->wants, object, member.key);
		if (member.close) {
			if (want != JSON_NOT_WANTED)
				json_wants_note_text(
					&s->wants, want,
					slice_make(member.value + 1,
						   (size_t)(member.close - member.value - 1)));
			return member.close + 1;
		}
		p = skip_space(s, member.value);
	} else {
		key = scan_key(s, p, object);
		if (!key.value)
			return NULL;
		if (object != JSON_NOT_WANTED)
			want = key.want;
		p = key.value;
	}
	return scan_value(s, p, want, depth);
}

/* --- containers --- */

/* @p behind a value; returns the place of the comma or of @closing */
static inline const char *scan_separator(struct scanner *s, const char *p, char closing)
{
	if (peek(s, p) == ',')
		return p;
	p = skip_space(s, p);
	return peek(s, p) == ',' || peek(s, p) == closing ? p : malformed(s, p);
}

/* @p at the opening brace */
static ALWAYS_INLINE const char *scan_members(struct scanner *s, const char *p, unsigned object,
					      unsigned depth)
{
	const char *first = skip_space(s, p + 1);

	if (depth == JSON_DEPTH_MAX)
		return fail(s, p, JSON_E_TOO_DEEP);
	if (peek(s, first) == '}')
		return first + 1;
	do {
		p = scan_member(s, p + 1, object, depth + 1);
		if (p)
			p = scan_separator(s, p, '}');
		if (!p)
			return NULL;
	} while (*p == ',');
	return p + 1;
}

static const char *skip_object(struct scanner *s, const char *p, unsigned depth)
{
	return scan_members(s, p, JSON_NOT_WANTED, depth);
}

static const char *scan_object(struct scanner *s, const char *p, unsigned object, unsigned depth)
{
	return scan_members(s, p, object, depth);
}

/* @p at the opening bracket */
static const char *scan_array(struct scanner *s, const char *p, unsigned depth)
{
	const char *first = skip_space(s, p + 1);

	if (depth == JSON_DEPTH_MAX)
		return fail(s, p, JSON_E_TOO_DEEP);
	if (peek(s, first) == ']')
		return first + 1;
	do {
		p = scan_value(s, skip_space(s, p + 1), JSON_NOT_WANTED, depth + 1);
		if (p)
			p = scan_separator(s, p, ']');
		if (!p)
			return NULL;
	} while (*p == ',');
	return p + 1;
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
	json_marks_make(&s.marks, s.start, s.end);
	json_wants_init(&s.wants, wants, n_wants, values);

	p = scan_value(&s, skip_space(&s, s.start), JSON_ROOT, 0);
	if (p) {
		p = skip_space(&s, p);
		if (p == s.end)
			return JSON_OK;
		(void)malformed(&s, p);
	}
	*ret_error_at = (size_t)(s.error_at - s.start);
	return s.error;
}
