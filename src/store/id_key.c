/* SPDX-License-Identifier: Apache-2.0 */
#include "store/id_key.h"

#include "core/crypto.h"

/* of its bytes, the highest first */
static int64_t key_of(const unsigned char *bytes)
{
	uint64_t key = 0;

	for (size_t i = 0; i < sizeof(key); i++)
		key = key << 8 | bytes[i];
	return (int64_t)key;
}

int64_t id_key(struct slice id)
{
	struct sha256 digest = sha256_of(id.p, id.n);

	int64_t key = key_of(digest.bytes);

	return key ? key : 1; /* a run has 0 where there is nothing */
}

void id_run_put(struct id_run *run, int64_t number, int64_t key)
{
	unsigned char *bytes = run->keys[number % ID_RUN_N];

	for (int i = 7; i >= 0; i--) {
		bytes[i] = (unsigned char)key;
		key >>= 8;
	}
}

int64_t id_run_key(const struct id_run *run, int i)
{
	return key_of(run->keys[i]);
}

const struct id_run *id_run_of(const void *bytes, int n)
{
	return n == sizeof(struct id_run) ? bytes : NULL;
}

static void sql_key(sqlite3_context *ctx, int n_values, sqlite3_value **values)
{
	struct slice id;

	(void)n_values;
	if (sqlite3_value_type(values[0]) == SQLITE_NULL)
		return; /* NULL */

	id.p = (const char *)sqlite3_value_text(values[0]); /* before bytes() */
	id.n = (size_t)sqlite3_value_bytes(values[0]);
	if (!id.p)
		sqlite3_result_error_nomem(ctx);
	else
		sqlite3_result_int64(ctx, id_key(id));
}

static void sql_places(sqlite3_context *ctx, int n_values, sqlite3_value **values)
{
	const void *bytes = sqlite3_value_blob(values[0]); /* before bytes() */
	const struct id_run *run = id_run_of(bytes, sqlite3_value_bytes(values[0]));
	int64_t key = sqlite3_value_int64(values[1]);
	sqlite3_str *places = sqlite3_str_new(NULL);

	(void)n_values;
	for (int i = 0; run && i < ID_RUN_N; i++) {
		if (id_run_key(run, i) == key)
			sqlite3_str_appendf(places, "%c%d", sqlite3_str_length(places) ? ',' : '[',
					    i);
	}
	if (sqlite3_str_length(places) > 0)
		sqlite3_str_appendchar(places, 1, ']');
	if (sqlite3_str_errcode(places) != SQLITE_OK)
		sqlite3_result_error_nomem(ctx);
	else
		sqlite3_result_text(ctx, sqlite3_str_value(places), -1, SQLITE_TRANSIENT);
	sqlite3_free(sqlite3_str_finish(places));
}

int id_key_register(sqlite3 *db)
{
	const int flags = SQLITE_UTF8 | SQLITE_INNOCUOUS | SQLITE_DETERMINISTIC;
	int rc =
		sqlite3_create_function_v2(db, "id_key", 1, flags, NULL, sql_key, NULL, NULL, NULL);

	if (rc != SQLITE_OK)
		return rc;
	return sqlite3_create_function_v2(db, "id_places", 2, flags, NULL, sql_places, NULL, NULL,
					  NULL);
}
