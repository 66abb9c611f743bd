/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of a reader, for store/queue.c and store/query.c. Private to store/.
 */
#pragma once

#include "store/db.h"
#include "store/reader.h"

/* statements that the dispatcher runs again and again are prepared once */
enum reader_statement {
	READER_UNROUTED,
	READER_DUE_ORDERED,
	READER_DUE_UNORDERED,
	READER_NEXT_DUE,
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
