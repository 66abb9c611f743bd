/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the tests of the store: a real file in a folder of its own, and short ways to ask and tell
 */
#pragma once

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "core/config.h"
#include "core/crypto.h"
#include "intake/event.h"
#include "store/id_key.h"
#include "store/payload.h"
#include "store/queue.h"
#include "store/schema.h"
#include "store/store.h"
#include "util/hex.h"

struct place {
	char folder[64], path[96];
	struct config config;
};

static inline void place_make(struct place *p)
{
	*p = (struct place){.folder = "/tmp/riskhook-store-XXXXXX"};
	assert_non_null(mkdtemp(p->folder));
	(void)snprintf(p->path, sizeof(p->path), "%s/events.db", p->folder);
	p->config.store.path = p->path;
	p->config.store.quarantine_max = 3;
}

static inline void place_remove(struct place *p)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", "-journal", ".lock"};
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", p->path, suffixes[i]);
		(void)unlink(path);
	}
	assert_int_equal(rmdir(p->folder), 0);
}

/* for cmocka: a place of the test's own as its state */
static inline int setup_place(void **state)
{
	static struct place p;

	place_make(&p);
	*state = &p;
	return 0;
}

static inline int teardown_place(void **state)
{
	place_remove(*state);
	return 0;
}

#define TEST_IN_PLACE(f) cmocka_unit_test_setup_teardown(f, setup_place, teardown_place)

static inline struct store *open_store_at(struct place *p)
{
	struct error e = ERROR_INIT;
	struct store *store = NULL;

	if (store_new(&p->config, NULL, NULL, &store, &e) < 0)
		fail_msg("%s", e.text);
	return store;
}

/* for cmocka: an open store as the test's state */
struct open_place {
	struct place place;
	struct store *store;
};

static inline int setup_store(void **state)
{
	static struct open_place w;

	place_make(&w.place);
	w.store = open_store_at(&w.place);
	*state = &w;
	return 0;
}

static inline int teardown_store(void **state)
{
	struct open_place *w = *state;

	store_free(w->store);
	place_remove(&w->place);
	return 0;
}

#define TEST_WITH_STORE(f) cmocka_unit_test_setup_teardown(f, setup_store, teardown_store)

/* run SQL on a connection of its own; the first column of the first row as a number, or -1 */
static inline int64_t ask(const struct place *p, const char *sql)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *stmt = NULL;
	int64_t n = -1;

	assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
	(void)sqlite3_busy_timeout(db, 5000);
	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	if (sqlite3_step(stmt) == SQLITE_ROW)
		n = sqlite3_column_int64(stmt, 0);
	assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
	sqlite3_close(db);
	return n;
}

/* is this true of the database? */
#define assert_sql(place, condition) assert_int_equal(ask(place, "SELECT " condition), 1)

/* run statements, which may use the daemon's functions; there must be no error */
static inline void run_sql(const struct place *p, const char *sql)
{
	sqlite3 *db = NULL;
	char *message = NULL;

	assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
	assert_int_equal(id_key_register(db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s", message);
	sqlite3_close(db);
}

/* a new store, as the riskhookd of an earlier schema version left it */
static inline void make_store_of_version(const struct place *p, int version)
{
	char pragmas[96];

	for (int i = 0; i < version; i++)
		run_sql(p, schema_migrations[i]);
	(void)snprintf(pragmas, sizeof(pragmas), "PRAGMA application_id=%d; PRAGMA user_version=%d",
		       SCHEMA_APPLICATION_ID, version);
	run_sql(p, pragmas);
}

/* an event on its way, with its body */
struct post {
	struct event event;
	struct event_op op;
	char body[512];
};

static inline void post_prepare(struct post *post, int64_t received_at)
{
	post->op = (struct event_op){
		.op = {.kind = STORE_OP_EVENT},
		.event = &post->event,
		.body = slice_of(post->body),
		.from = {.endpoint = SLICE("riskos"),
			 .credential = SLICE("dashboard"),
			 .address = SLICE("192.0.2.1"),
			 .received_at = received_at},
	};
	assert_int_equal(event_recognize(post->op.body, &post->event), EVENT_OK);
}

/* post a body and wait; the outcome is in the result's op */
static inline struct post post_event(struct store *store, int dedup, const char *body)
{
	static int64_t received_at = 1000;
	struct post post;

	(void)snprintf(post.body, sizeof(post.body), "%s", body);
	post_prepare(&post, received_at++);
	post.op.dedup = dedup;
	assert_int_equal(store_submit_wait(store, &post.op.op), 0);
	return post;
}

/* the same with bytes of any length and their form in the store, NULL: raw. Return: the op */
static inline struct event_op post_bytes(struct store *store, struct slice body,
					 const struct payload *payload)
{
	struct event event;
	struct event_op op = {
		.op = {.kind = STORE_OP_EVENT},
		.event = &event,
		.body = body,
		.payload = payload,
		.from = {.endpoint = SLICE("riskos"), .received_at = 1000},
	};

	assert_int_equal(event_recognize(body, &event), EVENT_OK);
	assert_int_equal(store_submit_wait(store, &op.op), 0);
	op.event = NULL;
	return op;
}

/* is this the digest in the one row of @rows ("events WHERE ...")? Of an empty body: there is none
 */
static inline void assert_digest(const struct place *p, const char *rows, struct slice body)
{
	struct sha256 digest = sha256_of(body.p, body.n);
	char hex[2 * SHA256_SIZE + 1] = "", sql[256];

	if (body.n > 0)
		hex_encode(digest.bytes, SHA256_SIZE, hex);
	(void)snprintf(sql, sizeof(sql),
		       "SELECT group_concat(hex(body_sha256)) = upper('%s') FROM %s", hex, rows);
	assert_int_equal(ask(p, sql), 1);
}

/* one event of an evaluation, with a type and an id */
static inline int64_t post_simple(struct store *store, const char *eval_id, const char *id)
{
	char body[256];

	(void)snprintf(body, sizeof(body),
		       "{\"event_type\":\"case_closure\",\"event_id\":\"%s\","
		       "\"data\":{\"eval_id\":\"%s\"}}",
		       id, eval_id);
	return post_event(store, DEDUP_EVENT, body).op.seq;
}

/* a delivery of an event for a handler; return: its number */
static inline int64_t route_to(struct store *store, const struct place *p, int64_t seq,
			       const char *handler, int64_t now)
{
	struct route route = {.seq = seq, .handler = handler};
	struct route_op op = {
		.op = {.kind = STORE_OP_ROUTE},
		.routes = &route,
		.n_routes = 1,
		.routed_seq = seq,
		.now = now,
	};

	assert_int_equal(store_submit_wait(store, &op.op), 0);
	return ask(p, "SELECT max(delivery) FROM deliveries");
}

/* Return: the op's result; *ret_began tells the rest */
static inline int begin_attempt(struct store *store, int64_t delivery, int attempt, bool *ret_began)
{
	struct begin_item item = {.delivery = delivery, .attempt = attempt};
	struct begin_op op = {
		.op = {.kind = STORE_OP_BEGIN}, .items = &item, .n_items = 1, .now = 50};
	int r = store_submit_wait(store, &op.op);

	*ret_began = item.began;
	return r;
}

static inline void finish_attempt(struct store *store, int64_t delivery, int attempt,
				  enum delivery_state state, int64_t due_at)
{
	struct finish_op op = {
		.op = {.kind = STORE_OP_FINISH},
		.delivery = delivery,
		.attempt = attempt,
		.outcome = state == DELIVERY_DONE ? ATTEMPT_OK : ATTEMPT_RETRY,
		.state = state,
		.now = 60,
		.due_at = due_at,
		.code = state == DELIVERY_DONE ? 0 : 75,
		.reason = SLICE("because"),
		.output = SLICE("said"),
	};

	assert_int_equal(store_submit_wait(store, &op.op), 0);
}
