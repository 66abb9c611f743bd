/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entries for the journal, with fields (systemd.journal-fields(7))
 *
 * An entry is rendered by the thread that logs and sent by the one that has the log writer's turn.
 *
 * Threads: any; log_journal_send() one at a time.
 */
#pragma once

#include "core/log.h"

struct buf;

/* does stderr go to the journal, and does it take entries? */
bool log_journal_is_stderr(void);

/* append one entry as a record for log_journal_send(). Return: 0, or a negative errno: then it must
 * not be sent. */
int log_journal_render(enum log_level level, const struct log_ids *ids, const char *message,
		       struct buf *out) MUST_USE;

/* send records, of @n bytes together; one that the journal does not take goes to stderr as text */
void log_journal_send(const char *records, size_t n);
