/* SPDX-License-Identifier: Apache-2.0 */
#include "core/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log_journal.h"
#include "core/log_limit.h"
#include "core/log_render.h"
#include "core/log_writer.h"
#include "util/buf.h"
#include "util/err.h"
#include "util/thread.h"

#define MESSAGE_MAX  1024 /* bytes of a formatted message */
#define LINE_USUAL_N 400

static _Atomic int max_level = LOG_LEVEL_INFO;
static _Atomic int line_format = LOG_FORMAT_TEXT;
static _Atomic bool to_journal;

/* when a summary of held-back lines is due, clock_monotonic_ms(); read without the lock */
static _Atomic int64_t summary_at_ms = INT64_MAX;
static pthread_mutex_t limiter_mx = PTHREAD_MUTEX_INITIALIZER;
static struct log_limiter limiter; /* under limiter_mx */

void log_init(enum log_format format, enum log_level level)
{
	atomic_store(&line_format, format);
	atomic_store(&to_journal, format == LOG_FORMAT_JOURNAL && log_journal_is_stderr());
	log_writer_to(atomic_load(&to_journal) ? log_journal_send : NULL);
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

/* Return: 0, or a negative errno */
static int render_line(enum log_level level, const struct log_ids *ids, const char *message,
		       struct buf *out)
{
	(void)buf_reserve(out, LINE_USUAL_N); /* told by the next one, too */
	log_render((enum log_format)atomic_load(&line_format), clock_now_us(), level, ids, message,
		   out);
	buf_append_char(out, '\n');
	return buf_error(out);
}

/* what every event says may wait a little */
static void emit(enum log_level level, const struct log_ids *ids, const char *message)
{
	struct buf record = BUF_INIT(3 * LOG_LINE_MAX);
	int r = atomic_load(&to_journal) ? log_journal_render(level, ids, message, &record)
					 : render_line(level, ids, message, &record);

	if (r == 0)
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
