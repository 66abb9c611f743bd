/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must be true of a store after a power cut
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/config.h"
#include "intake/event.h"
#include "store/db.h"
#include "store/schema.h"
#include "store/store.h"
#include "workload.h"

#define PATH_BYTES 256

struct inspection {
	const struct ledger *ledger;
	sqlite3 *db;
	const char *broken;             /* the first promise */
	unsigned char seen[EVENTS_MAX]; /* bits of enum promise */
	char room[BODY_MAX];
};

static void require(struct inspection *in, bool condition, const char *sentence)
{
	if (!condition && !in->broken)
		in->broken = sentence;
}

/* ---- rows ---- */

static int number_of(struct slice event_id)
{
	char text[16];
	long n;

	if (event_id.n < 3 || event_id.n > 12 || memcmp(event_id.p, "p-", 2) != 0)
		return -1;
	(void)snprintf(text, sizeof(text), "%.*s", SLICE_ARG(event_id));
	n = strtol(text + 2, NULL, 10);
	return n >= 0 && n < EVENTS_MAX ? (int)n : -1;
}

static void see(struct inspection *in, int number, enum promise promise)
{
	unsigned char bit = (unsigned char)(1u << promise);

	require(in, !(in->seen[number] & bit), "something is stored twice");
	in->seen[number] |= bit;
}

static void check_body(struct inspection *in, int number, enum body_kind kind, struct slice body)
{
	require(in, slice_eq(body, workload_body(number, kind, in->room)),
		"a body is not what was posted");
}

static void on_event(struct inspection *in, sqlite3_stmt *row)
{
	int number = number_of(db_column(row, 0));
	bool is_promised;

	if (number < 0 || number >= in->ledger->n) {
		require(in, false, "there is an event that nobody posted");
		return;
	}
	see(in, number, PROMISE_STORED);
	is_promised = in->ledger->promised[number] & (1u << PROMISE_STORED);
	require(in, !is_promised || sqlite3_column_int64(row, 1) == in->ledger->seq[number],
		"an event has another seq than the one that was answered");
	check_body(in, number, BODY_EVENT, db_column(row, 2));
}

static void on_conflict(struct inspection *in, sqlite3_stmt *row)
{
	int number = number_of(db_column(row, 0));

	if (number < 0)
		return;
	see(in, number, PROMISE_CONFLICT);
	check_body(in, number, BODY_CONFLICT, db_column(row, 1));
}

static void on_quarantine(struct inspection *in, sqlite3_stmt *row)
{
	static const char mark[] = "\"event_id\":\"p-";
	struct slice body = db_column(row, 0);
	const char *at = body.n > 0 ? memmem(body.p, body.n, mark, strlen(mark)) : NULL;
	int number = at ? (int)strtol(at + strlen(mark), NULL, 10) : -1;

	if (number < 0 || number >= in->ledger->n) {
		require(in, false, "there is rubbish that nobody posted");
		return;
	}
	see(in, number, PROMISE_QUARANTINE);
	check_body(in, number, BODY_RUBBISH, body);
}

static void on_delivery(struct inspection *in, sqlite3_stmt *row)
{
	int number = number_of(db_column(row, 0));
	struct slice state = db_column(row, 1);

	if (number < 0)
		return;
	see(in, number, PROMISE_ROUTED);
	if (sqlite3_column_int64(row, 2) > 0)
		in->seen[number] |= 1u << PROMISE_BEGUN;
	if (slice_eq_str(state, "done"))
		in->seen[number] |= 1u << PROMISE_DONE;
	if (slice_eq_str(state, "dead"))
		in->seen[number] |= 1u << PROMISE_DEAD;
}

static void each_row(struct inspection *in, const char *sql,
		     void (*visit)(struct inspection *, sqlite3_stmt *))
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(in->db, sql, -1, &stmt, NULL);

	if (rc == SQLITE_OK)
		while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
			visit(in, stmt);
	require(in, rc == SQLITE_DONE, "a table cannot be read");
	sqlite3_finalize(stmt); /* repeats rc */
}

/* ---- the whole ---- */

/* sentences that are true of every store, with a query each that gives 1 */
static const struct {
	const char *sql;
	const char *otherwise;
} invariants[] = {
	{"SELECT count(*) = 1 AND min(integrity_check) = 'ok' FROM pragma_integrity_check",
	 "the database is damaged"},
	{"SELECT (SELECT count(*) FROM events) = (SELECT count(*) FROM payloads)"
	 " AND NOT EXISTS (SELECT 1 FROM events WHERE seq NOT IN (SELECT seq FROM payloads))",
	 "events and payloads do not belong together"},
	{"SELECT NOT EXISTS (SELECT 1 FROM events WHERE seq <= (SELECT routed_seq FROM router)"
	 " AND seq NOT IN (SELECT seq FROM deliveries))",
	 "an event was passed by the router without a delivery"},
	{"SELECT NOT EXISTS (SELECT 1 FROM deliveries WHERE state NOT IN"
	 " ('pending', 'done', 'dead')) AND NOT EXISTS (SELECT 1 FROM deliveries"
	 " WHERE seq > (SELECT routed_seq FROM router))",
	 "a delivery is in a state that it cannot have after a start"},
	{"SELECT NOT EXISTS (SELECT 1 FROM attempts WHERE ended_at IS NULL)",
	 "an attempt is open after a start"},
	{"SELECT NOT EXISTS (SELECT 1 FROM deliveries AS d WHERE attempts <>"
	 " (SELECT count(*) FROM attempts AS a WHERE a.delivery = d.delivery))",
	 "an attempt is not recorded"},
	{"SELECT NOT EXISTS (SELECT 1 FROM (SELECT evaluation, count(*) AS n FROM events"
	 " WHERE evaluation <> 0 GROUP BY evaluation) AS e LEFT JOIN evaluations AS v"
	 " USING (evaluation) WHERE v.events IS NOT e.n)",
	 "an evaluation does not count its events"},
	{"SELECT NOT EXISTS (SELECT 1 FROM evaluations GROUP BY eval_id HAVING count(*) > 1)",
	 "an eval_id has two evaluations"},
	{"SELECT (SELECT max(seq) FROM events) IS NULL OR (SELECT max(seq) FROM events) <="
	 " (SELECT seq FROM sqlite_sequence WHERE name = 'events')",
	 "a seq can be used again"},
};

static void check_invariants(struct inspection *in)
{
	int64_t n = 0;

	require(in, db_integer(in->db, "PRAGMA user_version", &n) == 0 && n == schema_version,
		"the schema has the wrong version");
	for (size_t i = 0; i < ARRAY_SIZE(invariants) && !in->broken; i++)
		require(in, db_integer(in->db, invariants[i].sql, &n) == 0 && n == 1,
			invariants[i].otherwise);
}

static void check_promises(struct inspection *in)
{
	static const char *const lost[PROMISES] = {
		[PROMISE_STORED] = "an event that was acknowledged is lost",
		[PROMISE_CONFLICT] = "a conflict that was acknowledged is lost",
		[PROMISE_QUARANTINE] = "a quarantined body that was acknowledged is lost",
		[PROMISE_ROUTED] = "a delivery is lost",
		[PROMISE_BEGUN] = "an attempt that a handler has seen is lost",
		[PROMISE_DONE] = "a delivery that was done is to be done again",
		[PROMISE_DEAD] = "a delivery that was dead is alive",
	};

	each_row(in, "SELECT event_id, seq, body FROM events JOIN payloads USING (seq)", on_event);
	each_row(in, "SELECT event_id, body FROM conflicts JOIN events USING (seq)", on_conflict);
	each_row(in, "SELECT body FROM quarantine", on_quarantine);
	each_row(in, "SELECT event_id, state, attempts FROM deliveries JOIN events USING (seq)",
		 on_delivery);
	for (int number = 0; number < in->ledger->n; number++)
		for (int promise = 0; promise < PROMISES; promise++)
			if (in->ledger->promised[number] & (1u << promise))
				require(in, in->seen[number] & (1u << promise), lost[promise]);
}

/* the store goes on: a new event is taken */
static void check_goes_on(struct inspection *in, struct store *store)
{
	static struct event event;
	struct slice body = SLICE("{\"event_id\":\"after\"}");
	struct event_op op = {.op = {.kind = STORE_OP_EVENT},
			      .event = &event,
			      .body = body,
			      .from = {.endpoint = SLICE("riskos")}};

	if (event_recognize(body, &event) != EVENT_OK)
		abort();
	require(in, store_submit_wait(store, &op.op) == 0 && op.stored == EVENT_STORED,
		"a new event cannot be stored");
	for (int number = 0; number < in->ledger->n; number++)
		if (in->ledger->promised[number] & (1u << PROMISE_STORED))
			require(in, op.seq != in->ledger->seq[number], "a seq is used again");
}

const char *workload_check(const char *path, const struct ledger *ledger)
{
	static struct inspection in;
	char copy[PATH_BYTES];
	struct config config = {.store = {.path = copy, .quarantine_max = EVENTS_MAX}};
	struct error e = ERROR_INIT;
	struct store *store = NULL;

	memset(&in, 0, sizeof(in));
	in.ledger = ledger;
	(void)snprintf(copy, sizeof(copy), "%s", path);
	if (store_new(&config, NULL, NULL, &store, &e) < 0)
		return "the store does not open";
	if (db_open(path, SQLITE_OPEN_READWRITE, &in.db, NULL) < 0) {
		in.broken = "the store cannot be read";
	} else {
		check_invariants(&in);
		check_promises(&in);
		check_goes_on(&in, store);
	}
	sqlite3_close_v2(in.db);
	store_free(store);
	return in.broken;
}
