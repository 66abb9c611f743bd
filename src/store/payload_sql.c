/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SQL functions payload() and payload_decode()
 *
 * Compiled twice: into the programs, and with PAYLOAD_EXTENSION as the loadable extension, where
 * SQLite's functions are reached through the table that sqlite3ext.h describes.
 */
#include <errno.h>
#include <stdlib.h>

#ifdef PAYLOAD_EXTENSION
#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT1
#else
#include <sqlite3.h>
#endif

#include "store/payload.h"

#define FLAGS (SQLITE_UTF8 | SQLITE_INNOCUOUS)

static void answer_decoded(sqlite3_context *ctx, struct slice bytes, int encoding)
{
	size_t n;
	char *p;
	int r;

	r = payload_decode(bytes, encoding, &p, &n);
	if (r == -ENOMEM)
		sqlite3_result_error_nomem(ctx);
	else if (r == -EINVAL)
		sqlite3_result_error(ctx, "unknown encoding of a payload", -1);
	else if (r < 0)
		sqlite3_result_error(ctx, "damaged payload", -1);
	else
		sqlite3_result_blob64(ctx, p, n, free);
}

/* payload_decode(body, encoding) */
static void sql_decode(sqlite3_context *ctx, int n_values, sqlite3_value **values)
{
	int encoding = sqlite3_value_int(values[1]);
	struct slice bytes;

	(void)n_values;
	if (sqlite3_value_type(values[0]) == SQLITE_NULL)
		return; /* NULL */
	if (encoding == PAYLOAD_RAW) {
		sqlite3_result_value(ctx, values[0]);
		return;
	}
	bytes.p = sqlite3_value_blob(values[0]); /* before bytes(), as SQLite asks */
	bytes.n = (size_t)sqlite3_value_bytes(values[0]);
	answer_decoded(ctx, bytes, encoding);
}

/* payload(seq) */
static void sql_payload(sqlite3_context *ctx, int n_values, sqlite3_value **values)
{
	static const char sql[] =
		"SELECT payload_decode(body, encoding) FROM payloads WHERE seq = ?1";
	sqlite3_stmt *stmt;
	int rc;

	(void)n_values;
	rc = sqlite3_prepare_v2(sqlite3_context_db_handle(ctx), sql, -1, &stmt, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_value(stmt, 1, values[0]);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		sqlite3_result_value(ctx, sqlite3_column_value(stmt, 0));
	else if (rc != SQLITE_DONE)
		sqlite3_result_error_code(ctx, rc);
	sqlite3_finalize(stmt);
}

int payload_register(sqlite3 *db)
{
	int rc;

	rc = sqlite3_create_function_v2(db, "payload_decode", 2, FLAGS | SQLITE_DETERMINISTIC, NULL,
					sql_decode, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_create_function_v2(db, "payload", 1, FLAGS, NULL, sql_payload, NULL,
						NULL, NULL);
	return rc;
}

#ifdef PAYLOAD_EXTENSION
/* the name follows from the file's: riskhook.so */
int sqlite3_riskhook_init(sqlite3 *db, char **error, const sqlite3_api_routines *api);

int sqlite3_riskhook_init(sqlite3 *db, char **error, const sqlite3_api_routines *api)
{
	(void)error;
	SQLITE_EXTENSION_INIT2(api);
	return payload_register(db);
}
#endif
