/* SPDX-License-Identifier: Apache-2.0 */
#include "core/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "core/clock.h"
#include "core/log_limit.h"
#include "core/log_writer.h"
#include "util/buf.h"
#include "util/err.h"
#include "util/thread.h"
#include "util/units.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

#define VALUE_MAX    128         /* bytes taken of a value from outside */
#define MESSAGE_MAX  1024        /* bytes of a formatted message */
#define LINE_MAX_N   (16 * 1024) /* more than all of it escaped */
#define LINE_USUAL_N 400

#define MESSAGE_KEY "MESSAGE="

static _Atomic int max_level = LOG_LEVEL_INFO;
static _Atomic int line_format = LOG_FORMAT_TEXT;
static _Atomic bool to_journal;

/* when a summary of held-back lines is due, clock_monotonic_ms(); read without the lock */
static _Atomic int64_t summary_at_ms = INT64_MAX;
static pthread_mutex_t limiter_mx = PTHREAD_MUTEX_INITIALIZER;
static struct log_limiter limiter; /* under limiter_mx */

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

/* Is stderr the journal's socket? systemd tells its device and inode (systemd.exec(5)). Without the
 * socket of the native protocol, sd_journal_sendv() would drop everything and report success. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;
	char *end;

	if (!stream || fstat(STDERR_FILENO, &st) < 0 || access(JOURNAL_SOCKET, W_OK) < 0)
		return false;
	device = strtoull(stream, &end, 10);
	if (*end != ':')
		return false;
	inode = strtoull(end + 1, &end, 10);
	return *end == '\0' && device == st.st_dev && inode == st.st_ino;
}

static void send_entries(const char *records, size_t n);

void log_init(enum log_format format, enum log_level level)
{
	atomic_store(&line_format, format);
	atomic_store(&to_journal, format == LOG_FORMAT_JOURNAL && stderr_is_journal());
	log_writer_to(atomic_load(&to_journal) ? send_entries : NULL);
	log_set_level(level);
}

void log_set_level(enum log_level level)
{
	atomic_store(&max_level, level);
}

enum log_level log_level(void)
{
	return (enum log_level)atomic_load_explicit(&max_level, memory_order_relaxed);
}

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

enum log_level log_toggle_debug(void)
{
	static _Atomic int before = LOG_LEVEL_INFO; /* the level that debug took the place of */
	enum log_level level = log_level();

	if (level != LOG_LEVEL_DEBUG)
		atomic_store(&before, level);
	level = level == LOG_LEVEL_DEBUG ? (enum log_level)atomic_load(&before) : LOG_LEVEL_DEBUG;
	log_set_level(level);
	return level;
}

bool log_wants(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&max_level, memory_order_relaxed);
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
	struct buf escaped = BUF_INIT(LINE_MAX_N);

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

static void append_message(struct buf *out, const char *message)
{
	append_escaped(out, slice_of(message), false);
}

static void append_text_ids(struct buf *out, const struct log_ids *ids)
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
	struct buf escaped = BUF_INIT(LINE_MAX_N);

	append_message(&escaped, message);
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
	append_message(out, message);
	append_text_ids(out, ids);
}

static void render_line(enum log_level level, const struct log_ids *ids, const char *message,
			struct buf *out)
{
	(void)buf_reserve(out, LINE_USUAL_N); /* told by the next one, too */
	log_render((enum log_format)atomic_load(&line_format), clock_now_us(), level, ids, message,
		   out);
	buf_append_char(out, '\n');
}

/* An entry of the journal on its way there: this, and behind it the fields' bytes */
struct entry {
	enum log_level level;
	uint32_t n_fields;
	uint32_t end[ARRAY_SIZE(id_rows) + 2]; /* of each field */
};

static void end_field(struct entry *entry, const struct buf *fields)
{
	entry->end[entry->n_fields++] = (uint32_t)fields->n;
}

static void fill_entry(struct entry *entry, const struct log_ids *ids, const char *message,
		       struct buf *fields)
{
	char room[NUMBER_TEXT_SIZE];

	buf_append_str(fields, MESSAGE_KEY);
	append_message(fields, message);
	append_text_ids(fields, ids);
	end_field(entry, fields);
	buf_printf(fields, "PRIORITY=%d", entry->level);
	end_field(entry, fields);
	for (size_t i = 0; ids && i < ARRAY_SIZE(id_rows); i++) {
		struct slice value = id_value(&id_rows[i], ids, room);

		if (slice_is_empty(value))
			continue;
		buf_printf(fields, "%s=", id_rows[i].journal_field);
		append_value(fields, value);
		end_field(entry, fields);
	}
}

static void render_entry(enum log_level level, const struct log_ids *ids, const char *message,
			 struct buf *out)
{
	struct buf fields = BUF_INIT(2 * LINE_MAX_N);
	struct entry entry = {.level = level};

	fill_entry(&entry, ids, message, &fields);
	buf_append(out, (const char *)&entry, sizeof(entry));
	buf_append_slice(out, buf_slice(&fields));
	buf_deinit(&fields);
}

/* Return: 0, or a negative errno */
static int send_entry(const struct entry *entry, const char *fields)
{
	struct iovec iov[ARRAY_SIZE(entry->end)];
	size_t start = 0;

	for (uint32_t i = 0; i < entry->n_fields; i++) {
		/* an iovec has no const; sd_journal_sendv() only reads */
		iov[i].iov_base = (void *)(uintptr_t)(fields + start);
		iov[i].iov_len = entry->end[i] - start;
		start = entry->end[i];
	}
	return sd_journal_sendv(iov, (int)entry->n_fields);
}

/* the journal does not take it */
static void print_entry(const struct entry *entry, const char *fields)
{
	struct buf line = BUF_INIT(2 * LINE_MAX_N);
	char when[TIME_TEXT_SIZE];
	ssize_t n;

	buf_printf(&line, "%s %s ", time_format(clock_now_us(), when), levels[entry->level].text);
	buf_append(&line, fields + strlen(MESSAGE_KEY), entry->end[0] - strlen(MESSAGE_KEY));
	buf_append_char(&line, '\n');
	if (buf_error(&line) == 0)
		do
			n = write(STDERR_FILENO, line.p, line.n);
		while (n < 0 && errno == EINTR);
	buf_deinit(&line);
}

/* by whoever has the log writer's turn */
static void send_entries(const char *records, size_t n)
{
	const char *end = records + n;

	while (records < end) {
		struct entry entry;

		memcpy(&entry, records, sizeof(entry));
		records += sizeof(entry);
		if (send_entry(&entry, records) < 0)
			print_entry(&entry, records);
		records += entry.end[entry.n_fields - 1];
	}
}

/* what every event says may wait a little */
static void emit(enum log_level level, const struct log_ids *ids, const char *message)
{
	struct buf record = BUF_INIT(3 * LINE_MAX_N);

	if (atomic_load(&to_journal))
		render_entry(level, ids, message, &record);
	else
		render_line(level, ids, message, &record);
	if (buf_error(&record) == 0)
		log_writer_put(buf_slice(&record), level >= LOG_LEVEL_INFO);
	else
		(void)!write(STDERR_FILENO, "(out of memory for a log line)\n", 31);
	buf_deinit(&record);
}

/* tell what was held back; @now_ms INT64_MAX: all of it */
static void emit_summaries(int64_t now_ms)
{
	struct log_line line;
	bool any;
	int64_t n;

	do {
		char message[MESSAGE_MAX];

		mutex_lock(&limiter_mx);
		any = log_limit_next(&limiter, now_ms, &line, &n);
		atomic_store(&summary_at_ms, log_limit_next_ms(&limiter));
		mutex_unlock(&limiter_mx);
		if (!any)
			break;
		(void)snprintf(message, sizeof(message), "repeated %" PRId64 " times: %s", n,
			       line.message); /* fits */
		emit((enum log_level)line.level,
		     &(struct log_ids){.endpoint = slice_of(line.endpoint),
				       .handler = slice_of(line.handler)},
		     message);
	} while (any);
}

/* Refusals and troubles are; outcomes of events never are, nor what a handler's program says, which
 * has a bound of its own (dispatch/line_log.h). */
static bool is_limited(enum log_level level, const struct log_ids *ids)
{
	return level <= LOG_LEVEL_WARNING && ids && ids->seq == 0;
}

static bool may_be_said(enum log_level level, const struct log_ids *ids, const char *message,
			int64_t now_ms)
{
	struct log_line line = log_line_of(level, message, ids->endpoint, ids->handler);
	bool allowed;

	mutex_lock(&limiter_mx);
	allowed = log_limit_allows(&limiter, &line, now_ms);
	if (!allowed)
		atomic_store(&summary_at_ms, log_limit_next_ms(&limiter));
	mutex_unlock(&limiter_mx);
	return allowed;
}

static void tell_dropped(int64_t n)
{
	log_warning("%" PRId64 " lines of the log were dropped: who reads it is too slow", n);
}

void log_start(void)
{
	int r = log_writer_start(tell_dropped);

	if (r < 0)
		log_warning("cannot start the log's thread, lines are written without it: %s",
			    error_name(r));
}

void log_stop(void)
{
	emit_summaries(INT64_MAX);
	log_writer_stop();
}

void log_with(enum log_level level, const struct log_ids *ids, const char *fmt, ...)
{
	char message[MESSAGE_MAX];
	int64_t now_ms;
	va_list ap;

	if (!log_wants(level))
		return;
	now_ms = clock_monotonic_ms();
	va_start(ap, fmt);
	(void)vsnprintf(message, sizeof(message), fmt, ap); /* a cut message still helps */
	va_end(ap);
	if (now_ms >= atomic_load_explicit(&summary_at_ms, memory_order_relaxed))
		emit_summaries(now_ms);
	if (!is_limited(level, ids) || may_be_said(level, ids, message, now_ms))
		emit(level, ids, message);
}
