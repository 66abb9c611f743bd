/* SPDX-License-Identifier: Apache-2.0 */
#include "store/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/reader_private.h"
#include "store/schema.h"

#define READER_BUSY_MS 5000 /* a store that recovers its WAL at that moment */

static int open_checked(struct reader *reader, const char *path, struct error *e)
{
	int rc;

	rc = sqlite3_open_v2(path, &reader->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc != SQLITE_OK)
		return error_set(e, db_errno(rc), "cannot open '%s': %s", path,
				 reader->db ? db_message(reader->db) : sqlite3_errstr(rc));
	(void)sqlite3_busy_timeout(reader->db, READER_BUSY_MS);
	return schema_check(reader->db, path, e);
}

int reader_open(const char *path, struct reader **ret_reader, struct error *e)
{
	_cleanup_(reader_closep)
	struct reader *reader = NULL;
	int r;

	if (access(path, F_OK) < 0)
		return error_set(e, -errno, "no store at '%s': %s", path, error_name(errno));
	reader = calloc(1, sizeof(*reader));
	if (!reader)
		return error_set(e, -ENOMEM, "out of memory");
	r = open_checked(reader, path, e);
	if (r < 0)
		return r;
	*ret_reader = steal_ptr(&reader);
	return 0;
}

void reader_close(struct reader *reader)
{
	if (!reader)
		return;
	for (int i = 0; i < READER_STATEMENTS; i++)
		sqlite3_finalize(reader->statements[i]);
	sqlite3_close_v2(reader->db);
	free(reader);
}

int reader_prepare(struct reader *reader, const char *sql, sqlite3_stmt **ret_stmt)
{
	return db_errno(sqlite3_prepare_v2(reader->db, sql, -1, ret_stmt, NULL));
}

int reader_statement(struct reader *reader, enum reader_statement id, const char *sql,
		     sqlite3_stmt **ret_stmt)
{
	sqlite3_stmt **kept = &reader->statements[id];

	if (*kept) {
		sqlite3_reset(*kept); /* repeats an error that was looked at */
		sqlite3_clear_bindings(*kept);
	} else {
		int r = db_errno(sqlite3_prepare_v3(reader->db, sql, -1, SQLITE_PREPARE_PERSISTENT,
						    kept, NULL));

		if (r < 0)
			return r;
	}
	*ret_stmt = *kept;
	return 0;
}
