/* SPDX-License-Identifier: Apache-2.0 */
#include "riskhookctl/sample_fill.h"

#include <string.h>
#include <time.h>

#include "core/crypto.h"
#include "util/buf.h"
#include "util/hex.h"
#include "util/units.h"

#define TEXT_MAX    (64 * 1024)
#define EVALUATED_S 3 /* an evaluation takes about as long */

void uuid_make(char out[UUID_TEXT_SIZE])
{
	static const unsigned char group_ends[] = {4, 6, 8, 10, 16};
	unsigned char raw[16];
	size_t at = 0, from = 0;

	random_bytes(raw, sizeof(raw));
	raw[6] = (raw[6] & 0x0f) | 0x40; /* version 4 */
	raw[8] = (raw[8] & 0x3f) | 0x80; /* variant 10 */
	for (size_t g = 0; g < sizeof(group_ends); g++) {
		size_t n = group_ends[g] - from;

		if (g > 0)
			out[at++] = '-';
		hex_encode(raw + from, n, out + at);
		at += 2 * n;
		from = group_ends[g];
	}
}

void go_time_format(int64_t us, int nanoseconds, char out[GO_TIME_SIZE])
{
	time_t seconds = (time_t)(us / US_PER_S);
	long fraction = (long)(us % US_PER_S) * 1000 + nanoseconds;
	struct tm tm;
	size_t n;

	if (!gmtime_r(&seconds, &tm))
		tm = (struct tm){.tm_year = 70, .tm_mday = 1};
	n = strftime(out, GO_TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
	n += (size_t)snprintf(out + n, GO_TIME_SIZE - n, ".%09ld", fraction); /* has room */
	while (out[n - 1] == '0')
		n--;
	if (out[n - 1] == '.')
		n--;
	out[n] = 'Z';
	out[n + 1] = '\0';
}

void sample_words_init(struct sample_words *words, int64_t now)
{
	unsigned char raw[(REQUEST_SIZE - 1) / 2];

	uuid_make(words->event_id);
	uuid_make(words->eval_id);
	random_bytes(raw, sizeof(raw));
	hex_encode(raw, sizeof(raw), words->request);
	go_time_format(now, (int)random_below(1000), words->now);
	go_time_format(now - EVALUATED_S * US_PER_S - (int64_t)random_below(US_PER_S),
		       (int)random_below(1000), words->started);
	(void)snprintf(words->today, sizeof(words->today), "%.10s", words->now); /* the date */
}

static void append_word(struct buf *out, struct slice name, const struct sample_words *words)
{
	const struct {
		const char *name, *text;
	} known[] = {
		{"event_id", words->event_id}, {"eval_id", words->eval_id},
		{"request", words->request},   {"now", words->now},
		{"started", words->started},   {"today", words->today},
	};
	char uuid[UUID_TEXT_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (slice_eq_str(name, known[i].name))
			buf_append_str(out, known[i].text);
	}
	if (slice_eq_str(name, "uuid")) {
		uuid_make(uuid);
		buf_append_str(out, uuid);
	}
}

static json_t *fill_text(const char *text, const struct sample_words *words)
{
	struct buf out = BUF_INIT(TEXT_MAX);
	const char *open, *close;
	json_t *filled = NULL;

	while ((open = strstr(text, "{{")) && (close = strstr(open, "}}"))) {
		buf_append(&out, text, (size_t)(open - text));
		append_word(&out, slice_make(open + 2, (size_t)(close - open - 2)), words);
		text = close + 2;
	}
	if (buf_append_str(&out, text) == 0)
		filled = json_string(out.p);
	buf_deinit(&out);
	return filled;
}

static json_t *fill_array(const json_t *json, const struct sample_words *words)
{
	json_t *filled = json_array();

	for (size_t i = 0; i < json_array_size(json); i++) {
		if (json_array_append_new(filled, sample_fill(json_array_get(json, i), words)) <
		    0) {
			json_decref(filled);
			return NULL;
		}
	}
	return filled;
}

static json_t *fill_object(json_t *json, const struct sample_words *words)
{
	json_t *filled = json_object(), *value;
	const char *key;

	json_object_foreach(json, key, value)
	{
		if (json_object_set_new(filled, key, sample_fill(value, words)) < 0) {
			json_decref(filled);
			return NULL;
		}
	}
	return filled;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as our own samples */
json_t *sample_fill(json_t *json, const struct sample_words *words)
{
	switch (json_typeof(json)) {
	case JSON_STRING:
		return fill_text(json_string_value(json), words);
	case JSON_ARRAY:
		return fill_array(json, words);
	case JSON_OBJECT:
		return fill_object(json, words);
	default:
		return json_deep_copy(json);
	}
}
