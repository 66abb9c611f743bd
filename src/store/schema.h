/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schema: numbered migrations from sql/, compiled in, applied in order
 *
 * `PRAGMA user_version` says how many have been applied.
 *
 * Threads: the connection's.
 */
#pragma once

#include "util/err.h"

struct sqlite3;

/* sql/NNN_name.sql as text; schema_version is their number */
extern const char *const schema_migrations[];
extern const int schema_version;

/* written to `PRAGMA application_id`, so that file(1) and we know our own: "RHKd" */
#define SCHEMA_APPLICATION_ID 0x52484b64

/**
 * schema_migrate() - bring a database up to schema_version, each step in one transaction
 *
 * Return: 0; -ENOTSUP when it is from a newer version or no store of ours; another negative errno.
 */
int schema_migrate(struct sqlite3 *db, const char *path, struct error *e) MUST_USE;

/* the same test without changing anything, for readers */
int schema_check(struct sqlite3 *db, const char *path, struct error *e) MUST_USE;
