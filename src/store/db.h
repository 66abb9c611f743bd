/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thin layer over SQLite that store/ shares: opening, errors, bound statements
 *
 * Private to store/.   Threads: one at a time for each connection.
 */
#pragma once

#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>

#include "util/cleanup.h"
#include "util/err.h"
#include "util/slice.h"

static inline void sqlite3_finalizep(sqlite3_stmt **stmt)
{
	sqlite3_finalize(*stmt); /* repeats the error of the last step, which was looked at */
}

static inline void sqlite3_closep(sqlite3 **db)
{
	sqlite3_close_v2(*db);
}

/* the negative errno that says the same as an SQLite result code; 0 for OK, ROW and DONE */
int db_errno(int rc);

/* Is it the disk's or the system's fault (-ENOSPC, -EIO, ...), not that of one statement or, with
 * -EBADMSG, of one row that is damaged? */
bool db_is_outage(int error);

/* sqlite3_errmsg() without the query's text or values: for logs and messages */
const char *db_message(sqlite3 *db);

/**
 * db_open() - open a database file that exists
 * @flags:  SQLITE_OPEN_READONLY or SQLITE_OPEN_READWRITE
 * @ret_db: set in any case but out of memory; the caller closes it
 * @e:      on failure: names the file; or NULL
 *
 * The first call sets SQLite up for the whole process.
 *
 * Return: 0, or a negative errno.
 */
int db_open(const char *path, int flags, sqlite3 **ret_db, struct error *e) MUST_USE;

/* what to do about it, to append to a message: "; ...", or "" */
const char *db_advice(int error);

/* run statements without parameters or rows. Return: 0, or a negative errno. */
int db_exec(sqlite3 *db, const char *sql) MUST_USE;

/* leave a transaction, if one is open; the error that led here is the one to tell */
void db_rollback(sqlite3 *db);

/* first column of the first row of @sql as a number. Return: 0, or a negative errno. */
int db_integer(sqlite3 *db, const char *sql, int64_t *ret) MUST_USE;

/**
 * db_bind() - bind parameters 1, 2, ...
 * @types: one letter each: 't' struct slice as text, 's' const char * as text (NULL: NULL),
 *         'b' struct slice as blob, 'i' int64_t, 'o' int64_t as NULL when it is -1
 *
 * The bytes are not copied: they must stay until the statement is reset.
 *
 * Return: 0, or a negative errno.
 */
int db_bind(sqlite3_stmt *stmt, const char *types, ...) MUST_USE;
int db_vbind(sqlite3_stmt *stmt, const char *types, va_list ap) MUST_USE;

/* a column as text or bytes; dies with the next step */
struct slice db_column(sqlite3_stmt *stmt, int column);
