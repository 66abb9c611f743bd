/* SPDX-License-Identifier: Apache-2.0 */
#include "core/log_limit.h"

#include <stdio.h>

#include "util/macros.h"

struct log_line log_line_of(int level, const char *message, struct slice endpoint,
			    struct slice handler)
{
	struct log_line line = {.level = level};

	/* what does not fit is cut: lines that begin so are the same */
	(void)snprintf(line.message, sizeof(line.message), "%s", message);
	(void)snprintf(line.endpoint, sizeof(line.endpoint), "%.*s", SLICE_ARG(endpoint));
	(void)snprintf(line.handler, sizeof(line.handler), "%.*s", SLICE_ARG(handler));
	return line;
}

static bool is_over(const struct log_slot *slot, int64_t now_ms)
{
	return now_ms - slot->began_ms >= LOG_LIMIT_WINDOW_MS;
}

static bool is_same(const struct log_line *a, const struct log_line *b)
{
	return a->level == b->level && strcmp(a->message, b->message) == 0 &&
	       strcmp(a->endpoint, b->endpoint) == 0 && strcmp(a->handler, b->handler) == 0;
}

/* the slot of this line, or one that nobody needs any more, or NULL */
static struct log_slot *find_slot(struct log_limiter *limiter, const struct log_line *line,
				  int64_t now_ms)
{
	struct log_slot *unused = NULL;

	for (size_t i = 0; i < LOG_LIMIT_SLOTS; i++) {
		struct log_slot *slot = &limiter->slots[i];

		if (slot->n_said > 0 && is_same(&slot->line, line))
			return slot;
		if (slot->n_said == 0 || (slot->n_held == 0 && is_over(slot, now_ms)))
			unused = slot;
	}
	if (unused)
		unused->n_said = 0;
	return unused;
}

bool log_limit_allows(struct log_limiter *limiter, const struct log_line *line, int64_t now_ms)
{
	struct log_slot *slot = find_slot(limiter, line, now_ms);

	if (!slot)
		return true;
	if (slot->n_said == 0 || (slot->n_held == 0 && is_over(slot, now_ms)))
		*slot = (struct log_slot){.line = *line, .began_ms = now_ms};
	if (slot->n_said < LOG_LIMIT_LINES) {
		slot->n_said++;
		return true;
	}
	slot->n_held++;
	return false;
}

bool log_limit_next(struct log_limiter *limiter, int64_t now_ms, struct log_line *ret_line,
		    int64_t *ret_n)
{
	for (size_t i = 0; i < LOG_LIMIT_SLOTS; i++) {
		struct log_slot *slot = &limiter->slots[i];

		if (slot->n_held == 0 || !is_over(slot, now_ms))
			continue;
		*ret_line = slot->line;
		*ret_n = slot->n_held;
		slot->n_said = slot->n_held = 0;
		return true;
	}
	return false;
}

int64_t log_limit_next_ms(const struct log_limiter *limiter)
{
	int64_t next_ms = INT64_MAX;

	for (size_t i = 0; i < LOG_LIMIT_SLOTS; i++)
		if (limiter->slots[i].n_held > 0)
			next_ms = MIN_OF(next_ms, limiter->slots[i].began_ms + LOG_LIMIT_WINDOW_MS);
	return next_ms;
}
