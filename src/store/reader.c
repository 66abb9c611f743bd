/* SPDX-License-Identifier: Apache-2.0 */
#include "store/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/reader_private.h"
#include "store/schema.h"

static int open_checked(struct reader *reader, const char *path, struct error *e)
{
	int r;

	r = db_open(path, SQLITE_OPEN_READONLY, &reader->db, e);
	if (r == 0)
		r = schema_check(reader->db, path, e);
	return r == -ENOENT ? -EACCES : r; /* it is there, but its -wal or -shm may not be used */
}

int reader_open(const char *path, struct reader **ret_reader, struct error *e)
{
	_cleanup_(reader_closep)
	struct reader *reader = NULL;
	int r;

	if (access(path, R_OK) < 0)
		return error_set(e, -errno, "%s '%s': %s",
				 errno == ENOENT ? "no store at" : "cannot read the store", path,
				 error_name(errno));
	reader = calloc(1, sizeof(*reader));
	if (!reader)
		return error_set(e, -ENOMEM, "out of memory");
	r = open_checked(reader, path, e);
	if (r < 0)
		return r;
	*ret_reader = steal_ptr(&reader);
	return 0;
}

int reader_keep_few_pages(struct reader *reader)
{
	return db_exec(reader->db, "PRAGMA cache_size=-256");
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
