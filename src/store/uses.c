/* SPDX-License-Identifier: Apache-2.0 */
#include "store/uses.h"

#include "store/reader_private.h"

static const char *const names[USE_KINDS] = {
	[USE_CREDENTIAL] = "credential",
	[USE_ENDPOINT] = "endpoint",
};

const char *use_kind_name(enum use_kind kind)
{
	return names[kind];
}

static int visit_row(sqlite3_stmt *stmt, int (*visit)(const struct use *use, void *arg), void *arg)
{
	struct slice kind = db_column(stmt, 0), name = db_column(stmt, 1);
	struct use use = {.name = name.p, .used_at = sqlite3_column_int64(stmt, 2)};

	for (int i = 0; i < USE_KINDS; i++) {
		use.kind = (enum use_kind)i;
		if (slice_eq_str(kind, names[i]))
			return visit(&use, arg);
	}
	return 0;
}

int uses_read(struct reader *reader, int (*visit)(const struct use *use, void *arg), void *arg)
{
	_cleanup_(sqlite3_finalizep)
	sqlite3_stmt *stmt = NULL;
	int rc, r;

	r = reader_prepare(reader, "SELECT kind, name, used_at FROM uses", &stmt);
	if (r < 0)
		return r;
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		r = visit_row(stmt, visit, arg);
		if (r != 0)
			return r;
	}
	return db_errno(rc);
}
