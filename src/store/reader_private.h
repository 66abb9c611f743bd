/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of a reader, for store/queue.c and store/query.c. Private to store/.
 */
#pragma once

#include "store/db.h"
#include "store/model.h"
#include "store/reader.h"

/* statements that the dispatcher runs again and again are prepared once */
enum reader_statement {
	READER_UNROUTED,
	READER_PAYLOAD,
	READER_DUE_ORDERED,
	READER_DUE_UNORDERED,
	READER_NEXT_DUE,
	READER_PAUSED,
	READER_OPEN_REPLAYS,
	READER_REPLAY_EVENTS,
	READER_STATEMENTS
};

struct reader {
	sqlite3 *db;
	sqlite3_stmt *statements[READER_STATEMENTS];
};

/* a statement that the caller finalizes. Return: 0, or a negative errno. */
int reader_prepare(struct reader *reader, const char *sql, sqlite3_stmt **ret_stmt) MUST_USE;

/* one that is kept; reset and unbound when it is handed out */
int reader_statement(struct reader *reader, enum reader_statement id, const char *sql,
		     sqlite3_stmt **ret_stmt) MUST_USE;

/* the columns of `events` that queue_visit_routable() takes */
#define ROUTABLE_COLUMNS                                                                           \
	"seq, event_type, category, decision, workflow, environment, endpoint, test,"              \
	" wrong_environment"

/* Read all routable events, reset, and then visit each: a visit may take its time, and a reader
 * that stays keeps the WAL from starting anew. Return: 0, what @visit returned, or a negative
 * errno. */
int queue_visit_routable(sqlite3_stmt *stmt, int (*visit)(const struct routable *event, void *arg),
			 void *arg) MUST_USE;
