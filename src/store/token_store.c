/* SPDX-License-Identifier: Apache-2.0 */
#include "store/token_store.h"

#include <errno.h>
#include <string.h>

#include "store/reader_private.h"

static const char sql_load[] =
	"SELECT token_sha256, endpoint, credential, client_id, issued_at, expires_at"
	"  FROM tokens ORDER BY rowid";

static int load_row(sqlite3_stmt *stmt, struct tokens *tokens, int64_t now)
{
	struct slice digest = db_column(stmt, 0);
	struct token token = {
		.owner = {db_column(stmt, 1), db_column(stmt, 2), db_column(stmt, 3)},
		.issued_at = sqlite3_column_int64(stmt, 4),
		.expires_at = sqlite3_column_int64(stmt, 5),
	};

	if (digest.n != SHA256_SIZE)
		return -EUCLEAN;
	memcpy(token.digest.bytes, digest.p, SHA256_SIZE);
	return tokens_add(tokens, &token, now);
}

int token_store_load(struct reader *reader, struct tokens *tokens, int64_t now)
{
	_cleanup_(sqlite3_finalizep)
	sqlite3_stmt *stmt = NULL;
	int rc, r;

	r = reader_prepare(reader, sql_load, &stmt);
	if (r < 0)
		return r;
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		r = load_row(stmt, tokens, now);
		if (r < 0)
			return r;
	}
	return db_errno(rc);
}
