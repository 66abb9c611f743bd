/* SPDX-License-Identifier: Apache-2.0 */
#include "dispatch/line_log.h"

#include <inttypes.h>

#include "core/log.h"
#include "util/macros.h"

#define LINE 1000 /* credit for one line */

void line_log_init(struct line_log *log, const char *handler, int64_t now_ms)
{
	*log = (struct line_log){
		.handler = handler, .credit = LINE_LOG_BURST * LINE, .counted_ms = now_ms};
}

static void say_left_out(struct line_log *log, const struct log_ids *ids)
{
	if (log->n_left_out == 0)
		return;
	log_with(LOG_LEVEL_INFO, ids, "%s: (%" PRId64 " lines of its standard error left out)",
		 log->handler, log->n_left_out);
	log->n_left_out = 0;
}

static void take_credit(struct line_log *log, int64_t now_ms)
{
	int64_t more = MIN_OF(now_ms - log->counted_ms, LINE_LOG_BURST * LINE) * LINE_LOG_RATE;

	log->credit = MIN_OF(log->credit + more, LINE_LOG_BURST * LINE);
	log->counted_ms = now_ms;
}

static void end_line(struct line_log *log, int64_t now_ms)
{
	struct log_ids ids = {.handler = slice_of(log->handler)};

	log->line[log->n] = '\0';
	take_credit(log, now_ms);
	if (log->credit < LINE) {
		log->n_left_out++;
	} else {
		log->credit -= LINE;
		say_left_out(log, &ids);
		log_with(LOG_LEVEL_INFO, &ids, "%s: %s%s", log->handler, log->line,
			 log->is_cut ? "..." : "");
	}
	log->n = 0;
	log->is_cut = false;
}

void line_log_add(struct line_log *log, struct slice text, int64_t now_ms)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (c == '\n')
			end_line(log, now_ms);
		else if (log->n == LINE_LOG_MAX)
			log->is_cut = true;
		else
			log->line[log->n++] = c == '\0' ? '?' : c;
	}
}

void line_log_end(struct line_log *log, int64_t now_ms)
{
	struct log_ids ids = {.handler = slice_of(log->handler)};

	if (log->n > 0)
		end_line(log, now_ms);
	say_left_out(log, &ids);
}
