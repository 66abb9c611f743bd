/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a line of the log looks like
 *
 * Text that came from outside is escaped and cut: a value can neither end a line nor its own
 * quotes.
 *
 * Pure.   Threads: any.   Ownership: borrows; output is appended to the caller's buffer.
 */
#pragma once

#include <stdint.h>

#include "core/log.h"
#include "util/buf.h"

#define LOG_LINE_MAX (16 * 1024) /* bytes, more than the longest message and all ids escaped */

#define LOG_IDS_N 10 /* members of struct log_ids */

/**
 * log_render() - the line that a format would print, without the newline
 * @now_us: wall clock
 */
void log_render(enum log_format format, int64_t now_us, enum log_level level,
		const struct log_ids *ids, const char *message, struct buf *out);

/* "ERROR", "WARNING", ... */
const char *log_level_text(enum log_level level);

void log_append_message(struct buf *out, const char *message);

/* " seq=17 event_id=..."; @ids may be NULL */
void log_append_ids(struct buf *out, const struct log_ids *ids);

/* "RISKHOOK_SEQ=17", the member number @i from 0 on. Return: false when it is empty: nothing. */
bool log_append_id_field(struct buf *out, const struct log_ids *ids, size_t i);
