/* SPDX-License-Identifier: Apache-2.0 */
#include "store/db.h"

#include <errno.h>
#include <pthread.h>

#include "store/gather.h"
#include "store/id_key.h"
#include "store/payload.h"

#define BUSY_MS 2000 /* somebody writes by hand with sqlite3, or recovers the WAL just now */

int db_errno(int rc)
{
	switch (rc & 0xff) { /* the primary code */
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_READONLY:
	case SQLITE_PERM:
		return -EROFS;
	case SQLITE_CANTOPEN:
		return -ENOENT;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	case SQLITE_CONSTRAINT:
		return -EEXIST;
	case SQLITE_TOOBIG:
		return -EFBIG;
	case SQLITE_MISUSE:
	case SQLITE_RANGE:
	case SQLITE_ERROR:
	case SQLITE_MISMATCH:
		return -EINVAL;
	default:
		return -EIO;
	}
}

bool db_is_outage(int error)
{
	return error != -EEXIST && error != -EFBIG && error != -EINVAL && error != -EBADMSG;
}

const char *db_message(sqlite3 *db)
{
	return sqlite3_errmsg(db); /* names tables and constraints, never values */
}

/* one lock and one counter less in each of SQLite's allocations; nobody asks for the statistics */
static void set_up_sqlite(void)
{
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* refused after the first connection */
}

int db_open(const char *path, int flags, sqlite3 **ret_db, struct error *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int rc;

	(void)pthread_once(&once, set_up_sqlite); /* cannot fail with a valid once */
	rc = sqlite3_open_v2(path, ret_db, flags | SQLITE_OPEN_NOMUTEX, gather_vfs());
	if (rc != SQLITE_OK)
		return error_set(e, db_errno(rc), "cannot open '%s': %s", path,
				 *ret_db ? db_message(*ret_db) : sqlite3_errstr(rc));
	(void)sqlite3_busy_timeout(*ret_db, BUSY_MS); /* fails only for a closed connection */
	rc = payload_register(*ret_db);
	if (rc == SQLITE_OK)
		rc = id_key_register(*ret_db);
	if (rc != SQLITE_OK)
		return error_set(e, db_errno(rc), "cannot set up '%s': %s", path,
				 sqlite3_errstr(rc));
	return 0;
}

const char *db_advice(int error)
{
	switch (error) {
	case -EUCLEAN:
		return "; the file is damaged: keep a copy of it, restore a backup (riskhookctl "
		       "backup makes them), or try 'sqlite3 events.db .recover' with a sqlite3 "
		       "that can (Debian 12's cannot)";
	case -EBUSY:
		return "; another program has locked it, sqlite3 perhaps: end what has it open "
		       "(fuser tells)";
	case -EROFS:
	case -EACCES:
		return "; the file, its folder and the -wal and -shm beside it must be writable "
		       "by the user of riskhookd";
	case -ENOSPC:
		return "; its disk is full: make room";
	default:
		return "";
	}
}

int db_exec(sqlite3 *db, const char *sql)
{
	return db_errno(sqlite3_exec(db, sql, NULL, NULL, NULL));
}

void db_rollback(sqlite3 *db)
{
	if (!sqlite3_get_autocommit(db)) /* some errors roll back by themselves */
		(void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
}

int db_integer(sqlite3 *db, const char *sql, int64_t *ret)
{
	_cleanup_(sqlite3_finalizep)
	sqlite3_stmt *stmt = NULL;
	int rc;

	rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_DONE)
		return -ENODATA;
	if (rc != SQLITE_ROW)
		return db_errno(rc);
	*ret = sqlite3_column_int64(stmt, 0);
	return 0;
}

static int bind_slice(sqlite3_stmt *stmt, int i, struct slice s, bool blob)
{
	const char *p = s.p ? s.p : ""; /* a NULL pointer would bind NULL */

	if (blob)
		return sqlite3_bind_blob64(stmt, i, p, s.n, SQLITE_STATIC);
	return sqlite3_bind_text64(stmt, i, p, s.n, SQLITE_STATIC, SQLITE_UTF8);
}

int db_vbind(sqlite3_stmt *stmt, const char *types, va_list ap)
{
	int rc = SQLITE_OK;

	for (int i = 1; *types && rc == SQLITE_OK; i++, types++) {
		const char *s;
		int64_t n;

		switch (*types) {
		case 't':
		case 'b':
			rc = bind_slice(stmt, i, va_arg(ap, struct slice), *types == 'b');
			break;
		case 's':
			s = va_arg(ap, const char *);
			rc = sqlite3_bind_text(stmt, i, s, -1, SQLITE_STATIC);
			break;
		case 'o':
			n = va_arg(ap, int64_t);
			rc = n == -1 ? sqlite3_bind_null(stmt, i) : sqlite3_bind_int64(stmt, i, n);
			break;
		default:
			rc = sqlite3_bind_int64(stmt, i, va_arg(ap, int64_t));
			break;
		}
	}
	return db_errno(rc);
}

int db_bind(sqlite3_stmt *stmt, const char *types, ...)
{
	va_list ap;
	int r;

	va_start(ap, types);
	r = db_vbind(stmt, types, ap);
	va_end(ap);
	return r;
}

struct slice db_column(sqlite3_stmt *stmt, int column)
{
	const char *p = sqlite3_column_blob(stmt, column); /* before bytes(), as SQLite asks */

	return slice_make(p, (size_t)sqlite3_column_bytes(stmt, column));
}
