/* SPDX-License-Identifier: Apache-2.0 */
#include "store/schema.h"

#include <errno.h>
#include <stdio.h>

#include "core/log.h"
#include "store/db.h"

static int read_version(sqlite3 *db, const char *path, int64_t *ret_version, struct error *e)
{
	int64_t id = 0, tables = 0;
	int r;

	r = db_integer(db, "PRAGMA application_id", &id);
	if (r == 0)
		r = db_integer(db, "PRAGMA user_version", ret_version);
	if (r == 0)
		r = db_integer(db, "SELECT count(*) FROM sqlite_schema", &tables);
	if (r < 0)
		return error_set(e, r, "cannot read '%s': %s%s", path, db_message(db),
				 db_advice(r));
	if (id != SCHEMA_APPLICATION_ID && tables > 0)
		return error_set(e, -ENOTSUP,
				 "'%s' is an SQLite database, but not a riskhookd store; "
				 "set [store] path to another file",
				 path);
	if (*ret_version < 0)
		return error_set(e, -EUCLEAN, "'%s' is damaged: its schema version is %lld", path,
				 (long long)*ret_version);
	if (*ret_version > schema_version)
		return error_set(e, -ENOTSUP,
				 "'%s' has schema version %lld, from a newer riskhookd; this one "
				 "knows versions up to %d: upgrade riskhookd, or restore a backup",
				 path, (long long)*ret_version, schema_version);
	return 0;
}

/* one migration and the version that it leads to, in one transaction */
static int apply(sqlite3 *db, int version, const char *path, struct error *e)
{
	char pragma[96];
	int r;

	(void)snprintf(pragma, sizeof(pragma), "PRAGMA application_id=%d; PRAGMA user_version=%d",
		       SCHEMA_APPLICATION_ID, version);
	r = db_exec(db, "BEGIN IMMEDIATE");
	if (r == 0)
		r = db_exec(db, schema_migrations[version - 1]);
	if (r == 0)
		r = db_exec(db, pragma);
	if (r == 0)
		r = db_exec(db, "COMMIT");
	if (r < 0) {
		(void)error_set(e, r, "cannot bring '%s' to schema version %d: %s%s", path, version,
				db_message(db),
				db_advice(r)); /* before the rollback sets another one */
		db_rollback(db);
	}
	return r;
}

int schema_migrate(sqlite3 *db, const char *path, struct error *e)
{
	int64_t version = 0;
	int r;

	r = read_version(db, path, &version, e);
	if (r < 0)
		return r;
	if (version > 0 && version < schema_version)
		log_notice(
			"bringing '%s' from schema version %d to %d; with millions of events this "
			"takes a while",
			path, (int)version, schema_version);
	for (int next = (int)version + 1; next <= schema_version; next++) {
		r = apply(db, next, path, e);
		if (r < 0)
			return r;
	}
	return 0;
}

int schema_check(sqlite3 *db, const char *path, struct error *e)
{
	int64_t version = 0;
	int r;

	r = read_version(db, path, &version, e);
	if (r < 0)
		return r;
	if (version < schema_version)
		return error_set(e, -ENOTSUP,
				 "'%s' has schema version %lld, this riskhookctl needs %d: start "
				 "riskhookd once to upgrade it",
				 path, (long long)version, schema_version);
	return 0;
}
