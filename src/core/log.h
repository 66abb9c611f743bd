/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log
 *
 * One line per outcome, to stderr as text or as JSON lines, or to the journal with fields. Never a
 * body, a name, a credential, a customer's id: only what `struct log_ids` holds and what the
 * message says. Text that came from outside is escaped and cut.
 *
 *	log_info("listening on %s", address);
 *	log_with(LOG_LEVEL_INFO, &(struct log_ids){.seq = 17, .event_id = id}, "stored");
 *
 * Threads: any, once log_init() has run.   Ownership: borrows.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "util/macros.h"
#include "util/slice.h"

/* the values are syslog's (RFC 5424 section 6.2.1) */
enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

enum log_format {
	LOG_FORMAT_JOURNAL, /* journald's native protocol when stderr is the journal, text otherwise
			     */
	LOG_FORMAT_TEXT,
	LOG_FORMAT_JSON,
};

/* The ids that a line may carry; 0 and the empty slice mean "none". Journal fields RISKHOOK_SEQ,
 * RISKHOOK_EVENT_ID, ...; JSON keys seq, event_id, ...; text "seq=17 event_id=..." */
struct log_ids {
	int64_t seq;
	struct slice event_id;
	struct slice event_type;
	struct slice eval_id;
	int64_t delivery;
	struct slice handler;
	struct slice endpoint;
	struct slice credential; /* its name in the configuration, never the secret */
	struct slice address;    /* the peer's */
	int status;              /* HTTP */
};

/* What came before log_init() goes to stderr as text at level info. */
void log_init(enum log_format format, enum log_level level);
void log_set_level(enum log_level level);
bool log_wants(enum log_level level);
enum log_level log_level(void);

/* "error", "warning", "notice", "info", "debug" */
const char *log_level_name(enum log_level level);
/* Return: 0, or -EINVAL: no such level */
int log_level_parse(const char *name, enum log_level *ret) MUST_USE;

/* from the configured level to debug and back; Return: the level from now on */
enum log_level log_toggle_debug(void);

/* Warnings and errors with ids but without a seq (refused requests) that repeat too often are held
 * back and counted: core/log_limit.h. */
void log_with(enum log_level level, const struct log_ids *ids, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

/* from here on a thread writes what is at level info and debug: core/log_writer.h */
void log_start(void);

/* at the end: tell what was held back, write what is queued; what comes then is written at once */
void log_stop(void);

#define log_error(...)   log_with(LOG_LEVEL_ERROR, NULL, __VA_ARGS__)
#define log_warning(...) log_with(LOG_LEVEL_WARNING, NULL, __VA_ARGS__)
#define log_notice(...)  log_with(LOG_LEVEL_NOTICE, NULL, __VA_ARGS__)
#define log_info(...)    log_with(LOG_LEVEL_INFO, NULL, __VA_ARGS__)
#define log_debug(...)   log_with(LOG_LEVEL_DEBUG, NULL, __VA_ARGS__)
