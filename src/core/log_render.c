/* SPDX-License-Identifier: Apache-2.0 */
#include "core/log_render.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "util/units.h"

#define VALUE_MAX 128 /* bytes taken of a value from outside */

static const struct level_row {
	const char *text, *json;
} levels[] = {
	[LOG_LEVEL_ERROR] = {"ERROR", "error"},    [LOG_LEVEL_WARNING] = {"WARNING", "warning"},
	[LOG_LEVEL_NOTICE] = {"NOTICE", "notice"}, [LOG_LEVEL_INFO] = {"INFO", "info"},
	[LOG_LEVEL_DEBUG] = {"DEBUG", "debug"},
};

enum id_kind {
	ID_TEXT,
	ID_INT64,
	ID_INT,
};

/* the members of struct log_ids, in the order in which a line shows them */
static const struct id_row {
	const char *key, *journal_field;
	enum id_kind kind;
	size_t offset;
} id_rows[] = {
	{"seq", "RISKHOOK_SEQ", ID_INT64, offsetof(struct log_ids, seq)},
	{"event_id", "RISKHOOK_EVENT_ID", ID_TEXT, offsetof(struct log_ids, event_id)},
	{"event_type", "RISKHOOK_EVENT_TYPE", ID_TEXT, offsetof(struct log_ids, event_type)},
	{"eval_id", "RISKHOOK_EVAL_ID", ID_TEXT, offsetof(struct log_ids, eval_id)},
	{"delivery", "RISKHOOK_DELIVERY", ID_INT64, offsetof(struct log_ids, delivery)},
	{"handler", "RISKHOOK_HANDLER", ID_TEXT, offsetof(struct log_ids, handler)},
	{"endpoint", "RISKHOOK_ENDPOINT", ID_TEXT, offsetof(struct log_ids, endpoint)},
	{"credential", "RISKHOOK_CREDENTIAL", ID_TEXT, offsetof(struct log_ids, credential)},
	{"address", "RISKHOOK_ADDRESS", ID_TEXT, offsetof(struct log_ids, address)},
	{"status", "RISKHOOK_STATUS", ID_INT, offsetof(struct log_ids, status)},
};

_Static_assert(ARRAY_SIZE(id_rows) == LOG_IDS_N, "each member of struct log_ids has a row");

const char *log_level_name(enum log_level level)
{
	return levels[level].json;
}

int log_level_parse(const char *name, enum log_level *ret)
{
	for (int i = LOG_LEVEL_ERROR; i <= LOG_LEVEL_DEBUG; i++) {
		if (strcmp(name, levels[i].json) != 0)
			continue;
		*ret = (enum log_level)i;
		return 0;
	}
	return -EINVAL;
}

const char *log_level_text(enum log_level level)
{
	return levels[level].text;
}

static bool is_printable(unsigned char c)
{
	return c >= 0x20 && c < 0x7f;
}

/* with "\x0a" for what is not printable; inside a value also for what could end it */
static void append_escaped(struct buf *out, struct slice text, bool is_value)
{
	size_t plain = 0; /* bytes before i that wait to be appended */

	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (is_printable(c) && !(is_value && (c == '"' || c == '\\'))) {
			plain++;
			continue;
		}
		buf_append(out, text.p + i - plain, plain);
		buf_printf(out, "\\x%02x", c);
		plain = 0;
	}
	buf_append(out, text.p + text.n - plain, plain);
}

/* A quote or a backslash of a value is escaped as well, so that a value can neither end its own
 * quotes nor look like an escape. */
static void append_value(struct buf *out, struct slice value)
{
	append_escaped(out, slice_make(value.p, MIN_OF(value.n, VALUE_MAX)), true);
	if (value.n > VALUE_MAX)
		buf_append_str(out, "...");
}

static bool needs_quotes(struct slice value)
{
	return memchr(value.p, ' ', value.n) || memchr(value.p, '=', value.n);
}

static void append_text_value(struct buf *out, struct slice value)
{
	const char *quote = needs_quotes(value) ? "\"" : "";

	buf_append_str(out, quote);
	append_value(out, value);
	buf_append_str(out, quote);
}

static void append_json_value(struct buf *out, struct slice value)
{
	struct buf escaped = BUF_INIT(LOG_LINE_MAX);

	append_value(&escaped, value);
	buf_append_json(out, buf_slice(&escaped));
	buf_deinit(&escaped);
}

/* an id as text; numbers are printed into @room */
static struct slice id_value(const struct id_row *row, const struct log_ids *ids,
			     char room[NUMBER_TEXT_SIZE])
{
	const void *at = (const char *)ids + row->offset;
	int64_t number;

	if (row->kind == ID_TEXT)
		return *(const struct slice *)at;
	number = row->kind == ID_INT64 ? *(const int64_t *)at : *(const int *)at;
	if (number == 0)
		return SLICE_NULL;
	return slice_of(number_format(number, room));
}

void log_append_message(struct buf *out, const char *message)
{
	append_escaped(out, slice_of(message), false);
}

void log_append_ids(struct buf *out, const struct log_ids *ids)
{
	char room[NUMBER_TEXT_SIZE];

	for (size_t i = 0; ids && i < ARRAY_SIZE(id_rows); i++) {
		struct slice value = id_value(&id_rows[i], ids, room);

		if (slice_is_empty(value))
			continue;
		buf_append_char(out, ' ');
		buf_append_str(out, id_rows[i].key);
		buf_append_char(out, '=');
		append_text_value(out, value);
	}
}

static void append_json_ids(struct buf *out, const struct log_ids *ids)
{
	char room[NUMBER_TEXT_SIZE];

	for (size_t i = 0; ids && i < ARRAY_SIZE(id_rows); i++) {
		struct slice value = id_value(&id_rows[i], ids, room);

		if (slice_is_empty(value))
			continue;
		buf_printf(out, ",\"%s\":", id_rows[i].key);
		if (id_rows[i].kind == ID_TEXT)
			append_json_value(out, value);
		else
			buf_append_slice(out, value);
	}
}

static void render_json(const char *when, enum log_level level, const struct log_ids *ids,
			const char *message, struct buf *out)
{
	struct buf escaped = BUF_INIT(LOG_LINE_MAX);

	log_append_message(&escaped, message);
	buf_printf(out, "{\"time\":\"%s\",\"level\":\"%s\",\"message\":", when, levels[level].json);
	buf_append_json(out, buf_slice(&escaped));
	append_json_ids(out, ids);
	buf_append_char(out, '}');
	buf_deinit(&escaped);
}

void log_render(enum log_format format, int64_t now_us, enum log_level level,
		const struct log_ids *ids, const char *message, struct buf *out)
{
	char when[TIME_TEXT_SIZE];

	time_format(now_us, when);
	if (format == LOG_FORMAT_JSON) {
		render_json(when, level, ids, message, out);
		return;
	}
	buf_append_str(out, when);
	buf_append_char(out, ' ');
	buf_append_str(out, levels[level].text);
	buf_append_char(out, ' ');
	log_append_message(out, message);
	log_append_ids(out, ids);
}

bool log_append_id_field(struct buf *out, const struct log_ids *ids, size_t i)
{
	char room[NUMBER_TEXT_SIZE];
	struct slice value = id_value(&id_rows[i], ids, room);

	if (slice_is_empty(value))
		return false;
	buf_append_str(out, id_rows[i].journal_field);
	buf_append_char(out, '=');
	append_value(out, value);
	return true;
}
