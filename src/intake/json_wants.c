/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/json_wants.h"

#include <string.h>

#include "intake/json_decode.h"

const unsigned char json_kind_by_byte[256] = {
	['"'] = KIND_STRING, ['-'] = KIND_NUMBER, ['0' ... '9'] = KIND_NUMBER, ['{'] = KIND_OBJECT,
	['['] = KIND_ARRAY,  ['n'] = KIND_NULL,   ['f'] = KIND_FALSE,          ['t'] = KIND_TRUE,
};

static inline unsigned bucket_of(unsigned parent, struct slice key)
{
	unsigned first = (unsigned char)key.p[0], last = (unsigned char)key.p[key.n - 1];

	return (parent + first + 4 * ((unsigned)key.n + last)) % JSON_N_BUCKETS;
}

void json_wants_init(struct json_wants *w, const struct json_want *rows, size_t n,
		     struct json_value *values)
{
	w->rows = rows;
	w->n = n;
	w->values = values;
	memset(values, 0, n * sizeof(*values));
	memset(w->bucket, JSON_NOT_WANTED, sizeof(w->bucket));
	for (unsigned i = JSON_ROOT + 1; i < n; i++) {
		unsigned char *bucket = &w->bucket[bucket_of(rows[i].parent, rows[i].key)];

		w->next[i] = *bucket;
		*bucket = (unsigned char)i;
	}
}

static void forget(struct json_wants *w, unsigned want)
{
	for (unsigned i = want; i < w->n; i++) {
		unsigned above = i;

		while (above > want)
			above = w->rows[above].parent;
		if (above == want)
			w->values[i].kind = KIND_MISSING;
	}
}

unsigned json_wants_meet(struct json_wants *w, unsigned parent, struct slice key)
{
	unsigned i = key.n ? w->bucket[bucket_of(parent, key)] : JSON_NOT_WANTED;

	while (i != JSON_NOT_WANTED &&
	       (w->rows[i].parent != parent || !slice_eq(w->rows[i].key, key)))
		i = w->next[i];
	if (i != JSON_NOT_WANTED && w->values[i].kind != KIND_MISSING)
		forget(w, i);
	return i;
}

unsigned json_wants_meet_raw(struct json_wants *w, unsigned parent, struct slice raw)
{
	char text[JSON_KEY_MAX];
	size_t n;

	if (!memchr(raw.p, '\\', raw.n))
		return json_wants_meet(w, parent, raw);
	if (!json_decode(raw, text, sizeof(text), &n))
		return JSON_NOT_WANTED;
	return json_wants_meet(w, parent, slice_make(text, n));
}

void json_wants_note(struct json_wants *w, unsigned want, struct slice value)
{
	enum json_kind kind = json_kind_by_byte[(unsigned char)value.p[0]];
	size_t quote = kind == KIND_STRING;
	struct slice raw = slice_make(value.p + quote, value.n - 2 * quote);

	w->values[want] = (struct json_value){
		.raw = raw,
		.kind = kind,
		.has_escapes = quote && memchr(raw.p, '\\', raw.n),
	};
}
