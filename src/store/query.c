/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of every question is here, once: a head, clauses for the filters that are given, a tail.
 * Values are bound, never pasted. The filters and the order are those of the base tables, so that
 * their indexes serve; the columns are those of the views.
 */
#include "store/query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/id_index.h"
#include "store/reader_private.h"
#include "util/buf.h"

#define SQL_MAX     4096
#define COLUMNS_MAX 32

#define ISO(column)                                                                                \
	"strftime('%Y-%m-%dT%H:%M:%S', " column " / 1000000, 'unixepoch')"                         \
	" || printf('.%03dZ', " column " / 1000 % 1000)"

enum clause_kind {
	CLAUSE_TEXT,   /* const char *; NULL: left out */
	CLAUSE_NUMBER, /* int64_t; 0: left out */
	CLAUSE_TEST,   /* int, as event_filter.test */
};

struct clause {
	enum clause_kind kind;
	size_t offset;   /* in the filter */
	const char *sql; /* with one parameter */
};

static const struct clause event_clauses[] = {
	{CLAUSE_TEXT, offsetof(struct event_filter, event_type),
	 " AND lower(?) IN (e.event_type, lower(e.original_type))"},
	{CLAUSE_TEXT, offsetof(struct event_filter, category), " AND e.category = lower(?)"},
	{CLAUSE_TEXT, offsetof(struct event_filter, eval_id),
	 " AND e.evaluation = " EVALUATION_OF("?")},
	{CLAUSE_TEXT, offsetof(struct event_filter, customer_id), " AND e.customer_id = ?"},
	{CLAUSE_TEXT, offsetof(struct event_filter, decision),
	 " AND e.decision = ? COLLATE NOCASE"},
	{CLAUSE_TEXT, offsetof(struct event_filter, status), " AND e.status = ? COLLATE NOCASE"},
	{CLAUSE_TEXT, offsetof(struct event_filter, workflow),
	 " AND e.workflow = ? COLLATE NOCASE"},
	{CLAUSE_TEXT, offsetof(struct event_filter, environment),
	 " AND e.environment = ? COLLATE NOCASE"},
	{CLAUSE_NUMBER, offsetof(struct event_filter, since), " AND e.received_at >= ?"},
	{CLAUSE_NUMBER, offsetof(struct event_filter, until), " AND e.received_at < ?"},
	{CLAUSE_TEST, offsetof(struct event_filter, test), " AND e.test = ?"},
	{CLAUSE_NUMBER, offsetof(struct event_filter, after_seq), " AND e.seq > ?"},
};

static const struct clause delivery_clauses[] = {
	{CLAUSE_TEXT, offsetof(struct delivery_filter, handler), " AND d.handler = ?"},
	{CLAUSE_NUMBER, offsetof(struct delivery_filter, seq), " AND d.seq = ?"},
	{CLAUSE_NUMBER, offsetof(struct delivery_filter, since), " AND d.created_at >= ?"},
	{CLAUSE_TEXT, offsetof(struct delivery_filter, eval_id),
	 " AND d.seq IN (SELECT seq FROM events WHERE evaluation = " EVALUATION_OF("?") ")"},
};

/* `SELECT * FROM (newest first, limited) ORDER BY` the same key ascending */
struct question {
	const char *head;  /* ends in WHERE ... */
	const char *order; /* " ORDER BY ... DESC" or without */
	const char *tail;  /* turns the order round */
	const struct clause *clauses;
	size_t n_clauses;
};

static const struct question events_newest = {
	"SELECT * FROM (SELECT v.* FROM event_log AS v JOIN events AS e USING (seq) WHERE 1",
	" ORDER BY e.seq DESC LIMIT ?", ") ORDER BY seq", event_clauses, ARRAY_SIZE(event_clauses)};

static const struct question events_oldest = {
	"SELECT v.* FROM event_log AS v JOIN events AS e USING (seq) WHERE 1",
	" ORDER BY e.seq LIMIT ?", "", event_clauses, ARRAY_SIZE(event_clauses)};

#define DELIVERIES(index, condition)                                                               \
	{                                                                                          \
		"SELECT * FROM (SELECT v.* FROM deliveries AS d " index                            \
		" JOIN delivery_log AS v USING (delivery) WHERE " condition,                       \
			" ORDER BY d.delivery DESC LIMIT ?", ") ORDER BY delivery",                \
			delivery_clauses, ARRAY_SIZE(delivery_clauses)                             \
	}

static const struct question deliveries_newest = DELIVERIES("", "1");

/* Few deliveries are in most of these states, and the index has no others. SQLite, which has no
 * statistics, would look through them all. */
static const struct question deliveries_by_state[] = {
	[DELIVERY_PENDING] = DELIVERIES("INDEXED BY deliveries_due", "d.state = 'pending'"),
	[DELIVERY_RUNNING] = DELIVERIES("INDEXED BY deliveries_running", "d.state = 'running'"),
	[DELIVERY_DONE] = DELIVERIES("", "d.state = 'done'"),
	[DELIVERY_DEAD] = DELIVERIES("INDEXED BY deliveries_dead", "d.state = 'dead'"),
	[DELIVERY_HELD] = DELIVERIES("INDEXED BY deliveries_held", "d.state = 'held'"),
};

#define STUCK(condition)                                                                           \
	"SELECT delivery FROM deliveries WHERE " condition " AND handler = ?"                      \
	" AND delivery > ? ORDER BY delivery LIMIT ?"

static const char *const sql_stuck[] = {
	[DELIVERY_PENDING] = STUCK("state = 'pending'"),
	[DELIVERY_HELD] = STUCK("state = 'held'"),
	[DELIVERY_DEAD] = STUCK("state = 'dead' AND outcome <> '" OUTCOME_DISMISSED "'"),
};

static const char sql_replay[] =
	"SELECT replay, handler, at_seq, min(last_seq, routed_seq) AS last_seq, deliveries,"
	"       ended_at > 0 AS ended FROM replays, router WHERE replay = ?";

static const char sql_paused[] = "SELECT handler, " ISO(
	"paused_at") " AS paused_at FROM handlers WHERE paused_at > 0 ORDER BY handler";

static const char sql_event_by_seq[] = "SELECT * FROM event_log WHERE seq = ?";
static const char sql_event_by_id[] =
	"SELECT v.* FROM " EVENTS_OF("?") " JOIN event_log AS v USING (seq) ORDER BY v.seq";
static const char sql_payload[] =
	"SELECT payload_decode(body, encoding) FROM payloads WHERE seq = ?";
/* clang-format off */
/* evaluation_log, which does not have the number that finds it */
static const char sql_evaluation[] =
	"SELECT eval_id, nullif(customer_id, '') AS customer_id,"
	"       nullif(workflow, '') AS workflow, nullif(environment, '') AS environment,"
	"       nullif(decision, '') AS decision, nullif(status, '') AS status,"
	"       nullif(sub_status, '') AS sub_status, nullif(eval_status, '') AS eval_status,"
	"       " ISO("first_seen") " AS first_seen, " ISO("last_seen") " AS last_seen,"
	"       events, decision_changes"
	"  FROM evaluations WHERE events > 0 AND evaluation = " EVALUATION_OF("?");
/* clang-format on */

static const char sql_last_seq[] = "SELECT coalesce(max(seq), 0) FROM events";

static const char sql_attempts[] =
	"SELECT attempt, delivery, " ISO("started_at") " AS started_at, " ISO(
		"ended_at") " AS ended_at, outcome, code, signal, nullif(reason, '') AS reason,"
			    "       output, output_cut"
			    "  FROM attempts WHERE delivery = ? ORDER BY attempt";

static const char sql_conflicts[] =
	"SELECT * FROM (SELECT c.conflict, c.seq, e.event_id, e.event_type,"
	"       v.eval_id, c.endpoint, c.credential, c.address, " ISO(
		"c.received_at") " AS received_at, c.posts, length(c.body) AS bytes,"
				 "       lower(hex(c.body_sha256)) AS body_sha256"
				 "  FROM conflicts AS c JOIN events AS e USING (seq)"
				 "  LEFT JOIN evaluations AS v ON v.evaluation = e.evaluation"
				 " WHERE ?1 = 0 OR c.conflict = ?1 ORDER BY c.conflict DESC LIMIT "
				 "?2) ORDER BY conflict";

static const char sql_quarantine[] =
	"SELECT * FROM (SELECT quarantine, endpoint, credential, address, " ISO(
		"received_at") " AS received_at, posts, reason, length(body) AS bytes,"
			       "       lower(hex(body_sha256)) AS body_sha256"
			       "  FROM quarantine WHERE ?1 = 0 OR quarantine = ?1"
			       " ORDER BY quarantine DESC LIMIT ?2) ORDER BY quarantine";

static const char sql_conflict_body[] = "SELECT body FROM conflicts WHERE conflict = ?";
static const char sql_quarantine_body[] = "SELECT body FROM quarantine WHERE quarantine = ?";

/* 12 digits: TOKEN_ID_BYTES */
static const char sql_tokens[] =
	"SELECT substr(lower(hex(token_sha256)), 1, 12) AS token, endpoint, credential, client_id,"
	"       address, " ISO("issued_at") " AS issued_at, " ISO(
		"expires_at") " AS expires_at FROM tokens WHERE expires_at > ?1 ORDER BY rowid";

/* SQLite has no booleans: these columns are */
static bool is_bool_column(const char *name)
{
	static const char *const names[] = {"test", "output_cut", "replay", "paused"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

static struct value value_of(sqlite3_stmt *stmt, int column)
{
	struct value value = {.name = sqlite3_column_name(stmt, column), .type = VALUE_NULL};

	switch (sqlite3_column_type(stmt, column)) {
	case SQLITE_INTEGER:
		value.type = is_bool_column(value.name) ? VALUE_BOOL : VALUE_INTEGER;
		value.integer = sqlite3_column_int64(stmt, column);
		break;
	case SQLITE_TEXT:
		value.type = VALUE_TEXT;
		value.text = db_column(stmt, column);
		break;
	case SQLITE_BLOB:
		value.type = VALUE_BYTES;
		value.text = db_column(stmt, column);
		break;
	default: /* NULL; a query here has no floating point */
		break;
	}
	return value;
}

static int visit_rows(sqlite3_stmt *stmt, query_visit visit, void *arg)
{
	struct value values[COLUMNS_MAX];
	int n = sqlite3_column_count(stmt);
	int rc;

	if (n > COLUMNS_MAX)
		return -E2BIG;
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		int r;

		for (int i = 0; i < n; i++)
			values[i] = value_of(stmt, i);
		r = visit(values, n, arg);
		if (r != 0)
			return r;
	}
	return db_errno(rc);
}

/* a question with one number for each '?'; NULL: there is none */
static int ask_numbers(struct reader *reader, const char *sql, const int64_t *numbers,
		       query_visit visit, void *arg)
{
	_cleanup_(sqlite3_finalizep)
	sqlite3_stmt *stmt = NULL;
	int r;

	r = reader_prepare(reader, sql, &stmt);
	for (int i = 1; r == 0 && numbers && i <= sqlite3_bind_parameter_count(stmt); i++)
		r = db_errno(sqlite3_bind_int64(stmt, i, numbers[i - 1]));
	return r < 0 ? r : visit_rows(stmt, visit, arg);
}

static int ask_text(struct reader *reader, const char *sql, const char *text, query_visit visit,
		    void *arg)
{
	_cleanup_(sqlite3_finalizep)
	sqlite3_stmt *stmt = NULL;
	int r;

	r = reader_prepare(reader, sql, &stmt);
	if (r == 0)
		r = db_bind(stmt, "s", text);
	return r < 0 ? r : visit_rows(stmt, visit, arg);
}

/* is the filter that this clause is for given? */
static bool is_given(const struct clause *clause, const void *filter)
{
	const void *at = (const char *)filter + clause->offset;

	switch (clause->kind) {
	case CLAUSE_TEXT:
		return *(const char *const *)at != NULL;
	case CLAUSE_NUMBER:
		return *(const int64_t *)at != 0;
	case CLAUSE_TEST:
		return *(const int *)at != 0;
	}
	return false;
}

static int bind_clause(sqlite3_stmt *stmt, int parameter, const struct clause *clause,
		       const void *filter)
{
	const void *at = (const char *)filter + clause->offset;

	switch (clause->kind) {
	case CLAUSE_TEXT:
		return db_errno(sqlite3_bind_text(stmt, parameter, *(const char *const *)at, -1,
						  SQLITE_STATIC));
	case CLAUSE_NUMBER:
		return db_errno(sqlite3_bind_int64(stmt, parameter, *(const int64_t *)at));
	case CLAUSE_TEST:
		return db_errno(sqlite3_bind_int(stmt, parameter, *(const int *)at > 0));
	}
	return -EINVAL;
}

static int prepare_question(struct reader *reader, const struct question *q, const void *filter,
			    sqlite3_stmt **ret_stmt)
{
	struct buf sql = BUF_INIT(SQL_MAX);
	int r;

	buf_append_str(&sql, q->head);
	for (size_t i = 0; i < q->n_clauses; i++) {
		if (is_given(&q->clauses[i], filter))
			buf_append_str(&sql, q->clauses[i].sql);
	}
	buf_append_str(&sql, q->order);
	buf_append_str(&sql, q->tail);
	r = buf_error(&sql);
	if (r == 0)
		r = reader_prepare(reader, sql.p, ret_stmt);
	buf_deinit(&sql);
	return r;
}

static int ask(struct reader *reader, const struct question *q, const void *filter, int64_t limit,
	       sqlite3_stmt **ret_stmt)
{
	_cleanup_(sqlite3_finalizep)
	sqlite3_stmt *stmt = NULL;
	int parameter = 1, r;

	r = prepare_question(reader, q, filter, &stmt);
	for (size_t i = 0; r == 0 && i < q->n_clauses; i++) {
		if (is_given(&q->clauses[i], filter))
			r = bind_clause(stmt, parameter++, &q->clauses[i], filter);
	}
	if (r == 0)
		r = db_errno(sqlite3_bind_int64(stmt, parameter, limit ? limit : -1));
	if (r == 0)
		*ret_stmt = steal_ptr(&stmt);
	return r;
}

int query_events(struct reader *reader, const struct event_filter *filter, query_visit visit,
		 void *arg)
{
	_cleanup_(sqlite3_finalizep)
	sqlite3_stmt *stmt = NULL;
	bool forward = filter->oldest_first || !filter->limit;
	int r;

	r = ask(reader, forward ? &events_oldest : &events_newest, filter, filter->limit, &stmt);
	return r < 0 ? r : visit_rows(stmt, visit, arg);
}

int query_deliveries(struct reader *reader, const struct delivery_filter *filter, query_visit visit,
		     void *arg)
{
	const struct question *question = &deliveries_newest;
	_cleanup_(sqlite3_finalizep)
	sqlite3_stmt *stmt = NULL;
	enum delivery_state state;
	int r;

	if (filter->state) {
		r = delivery_state_parse(slice_of(filter->state), &state);
		if (r < 0)
			return r;
		question = &deliveries_by_state[state];
	}
	r = ask(reader, question, filter, filter->limit, &stmt);
	return r < 0 ? r : visit_rows(stmt, visit, arg);
}

int query_stuck(struct reader *reader, const char *handler, enum delivery_state state,
		int64_t after, int64_t limit, query_visit visit, void *arg)
{
	_cleanup_(sqlite3_finalizep)
	sqlite3_stmt *stmt = NULL;
	int r;

	if (state >= ARRAY_SIZE(sql_stuck) || !sql_stuck[state])
		return -EINVAL;
	r = reader_prepare(reader, sql_stuck[state], &stmt);
	if (r == 0)
		r = db_bind(stmt, "sii", handler, after, limit);
	return r < 0 ? r : visit_rows(stmt, visit, arg);
}

int query_replay(struct reader *reader, int64_t replay, query_visit visit, void *arg)
{
	return ask_numbers(reader, sql_replay, &replay, visit, arg);
}

int query_paused(struct reader *reader, query_visit visit, void *arg)
{
	return ask_numbers(reader, sql_paused, NULL, visit, arg);
}

/* counts the rows on their way to the caller's visitor */
struct counted {
	query_visit visit;
	void *arg;
	int n;
};

static int visit_counted(const struct value *values, int n_values, void *arg)
{
	struct counted *counted = arg;

	counted->n++;
	return counted->visit(values, n_values, counted->arg);
}

int query_event(struct reader *reader, const char *key, query_visit visit, void *arg)
{
	struct counted counted = {visit, arg, 0};
	char *end;
	int64_t seq;
	int r;

	errno = 0;
	seq = strtoll(key, &end, 10);
	if (key[0] >= '0' && key[0] <= '9' && !*end && !errno) {
		r = ask_numbers(reader, sql_event_by_seq, &seq, visit_counted, &counted);
		if (r != 0 || counted.n > 0)
			return r;
	}
	return ask_text(reader, sql_event_by_id, key, visit, arg);
}

int query_payload(struct reader *reader, int64_t seq, query_visit visit, void *arg)
{
	return ask_numbers(reader, sql_payload, &seq, visit, arg);
}

int query_evaluation(struct reader *reader, const char *eval_id, query_visit visit, void *arg)
{
	return ask_text(reader, sql_evaluation, eval_id, visit, arg);
}

int query_attempts(struct reader *reader, int64_t delivery, query_visit visit, void *arg)
{
	return ask_numbers(reader, sql_attempts, &delivery, visit, arg);
}

int query_conflicts(struct reader *reader, int64_t id, int64_t limit, query_visit visit, void *arg)
{
	return ask_numbers(reader, sql_conflicts, (int64_t[]){id, limit ? limit : -1}, visit, arg);
}

int query_quarantine(struct reader *reader, int64_t id, int64_t limit, query_visit visit, void *arg)
{
	return ask_numbers(reader, sql_quarantine, (int64_t[]){id, limit ? limit : -1}, visit, arg);
}

int query_conflict_body(struct reader *reader, int64_t conflict, query_visit visit, void *arg)
{
	return ask_numbers(reader, sql_conflict_body, &conflict, visit, arg);
}

int query_quarantine_body(struct reader *reader, int64_t quarantine, query_visit visit, void *arg)
{
	return ask_numbers(reader, sql_quarantine_body, &quarantine, visit, arg);
}

int query_tokens(struct reader *reader, int64_t now, query_visit visit, void *arg)
{
	return ask_numbers(reader, sql_tokens, &now, visit, arg);
}

int query_last_seq(struct reader *reader, int64_t *ret_seq)
{
	return db_integer(reader->db, sql_last_seq, ret_seq);
}
