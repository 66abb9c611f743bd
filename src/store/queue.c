/* SPDX-License-Identifier: Apache-2.0 */
#include "store/queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/payload.h"
#include "store/reader_private.h"
#include "util/list.h"

/* what read_body() takes. Decoded by us, since an SQL function that fails ends the whole query. */
#define BODY_COLUMNS "p.body, p.encoding, e.body_bytes"

static const char sql_payload[] =
	"SELECT " BODY_COLUMNS " FROM events AS e LEFT JOIN payloads AS p USING (seq)"
	" WHERE seq = ?1 AND erased_at = 0";

static const char sql_unrouted[] =
	"SELECT " ROUTABLE_COLUMNS
	"  FROM events WHERE seq > max(?1, (SELECT routed_seq FROM router)) ORDER BY seq"
	"  LIMIT ?2";

/* ?4: those that have the turn, or those that have not */
#define JOB_COLUMNS                                                                                \
	"SELECT d.delivery, d.seq, d.attempts, e.received_at,"                                     \
	"       coalesce((SELECT a.started_at FROM attempts AS a WHERE a.delivery = d.delivery"    \
	"                    AND a.started_at >= d.retry_since ORDER BY a.attempt LIMIT 1), 0),"   \
	"       e.test,"                                                                           \
	"       d.replay > 0, d.handler, e.event_id, e.event_type, e.category,"                    \
	"       coalesce(v.eval_id, ''), e.customer_id, e.decision, e.workflow, e.environment,"    \
	"       e.endpoint, " BODY_COLUMNS                                                         \
	"  FROM deliveries AS d JOIN events AS e USING (seq) LEFT JOIN payloads AS p USING (seq)"  \
	"  LEFT JOIN evaluations AS v ON v.evaluation = d.evaluation"                              \
	" WHERE d.handler = ?1 AND d.state = 'pending' AND d.ready = ?4 AND d.due_at <= ?2"
#define JOB_ORDER " ORDER BY d.due_at, d.delivery LIMIT ?3"

static const char sql_due_unordered[] = JOB_COLUMNS JOB_ORDER;

/* the second look is for a handler that was `order = none` a moment ago and still runs several */
static const char sql_due_ordered[] =
	JOB_COLUMNS " AND (d.evaluation = 0 OR NOT EXISTS ("
		    "       SELECT 1 FROM deliveries AS other"
		    "        WHERE other.handler = d.handler AND other.evaluation = d.evaluation"
		    "          AND other.state = 'running'))" JOB_ORDER;

static const char sql_next_due[] =
	"SELECT min(due_at) FROM deliveries"
	" WHERE handler = ?1 AND state = 'pending' AND ready = ?3 AND due_at > ?2";

int queue_unrouted(struct reader *reader, int64_t passed, size_t max,
		   int (*visit)(const struct routable *event, void *arg), void *arg)
{
	sqlite3_stmt *stmt;
	int r;

	r = reader_statement(reader, READER_UNROUTED, sql_unrouted, &stmt);
	if (r == 0)
		r = db_bind(stmt, "ii", passed, (int64_t)max);
	return r < 0 ? r : queue_visit_routable(stmt, visit, arg);
}

/* an event that outlives the statement, in one allocation */
struct kept_event {
	struct list link;
	struct routable event;
	char bytes[];
};

static struct kept_event *keep_event(sqlite3_stmt *stmt)
{
	enum { FIRST_TEXT = 1, N_TEXTS = 6 };
	struct slice texts[N_TEXTS];
	struct kept_event *kept;
	size_t n = 0;

	for (int i = 0; i < N_TEXTS; i++) {
		texts[i] = db_column(stmt, FIRST_TEXT + i);
		n += texts[i].n;
	}
	kept = malloc(sizeof(*kept) + n);
	if (!kept)
		return NULL;
	n = 0;
	for (int i = 0; i < N_TEXTS; i++) {
		if (texts[i].n > 0)
			memcpy(kept->bytes + n, texts[i].p, texts[i].n);
		texts[i].p = kept->bytes + n;
		n += texts[i].n;
	}
	kept->event = (struct routable){
		.seq = sqlite3_column_int64(stmt, 0),
		.event_type = texts[0],
		.category = texts[1],
		.decision = texts[2],
		.workflow = texts[3],
		.environment = texts[4],
		.endpoint = texts[5],
		.test = sqlite3_column_int(stmt, 7),
		.wrong_environment = sqlite3_column_int(stmt, 8),
	};
	return kept;
}

static int keep_events(sqlite3_stmt *stmt, struct list *events)
{
	int rc, r = 0;

	while (r == 0 && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct kept_event *kept = keep_event(stmt);

		if (kept)
			list_append(events, &kept->link);
		else
			r = -ENOMEM;
	}
	sqlite3_reset(stmt); /* ends the read transaction */
	return r < 0 ? r : db_errno(rc);
}

int queue_visit_routable(sqlite3_stmt *stmt, int (*visit)(const struct routable *event, void *arg),
			 void *arg)
{
	struct list events, *link;
	int r;

	list_init(&events);
	r = keep_events(stmt, &events);
	while ((link = list_pop(&events)) != NULL) {
		struct kept_event *kept = list_entry(link, struct kept_event, link);

		if (r == 0)
			r = visit(&kept->event, arg);
		free(kept);
	}
	return r;
}

/**
 * read_body() - from a row with BODY_COLUMNS
 * @stored:   for what is decoded, until payload_deinit()
 * @ret_body: borrows from @stored and the row; only with BODY_THERE
 *
 * Return: a body_state, or -ENOMEM.
 */
static int read_body(sqlite3_stmt *stmt, int column, struct payload *stored, struct slice *ret_body)
{
	struct slice body;
	int r;

	if (sqlite3_column_type(stmt, column) == SQLITE_NULL)
		return BODY_MISSING;
	stored->bytes = db_column(stmt, column);
	stored->encoding = (enum payload_encoding)sqlite3_column_int(stmt, column + 1);
	r = payload_body(stored, &body);
	if (r < 0)
		return r == -EBADMSG ? BODY_DAMAGED : r;
	if (sqlite3_column_int64(stmt, column + 2) != (int64_t)body.n)
		return BODY_DAMAGED;
	*ret_body = body;
	return BODY_THERE;
}

static int copy_body(sqlite3_stmt *stmt, char **ret_p, size_t *ret_n)
{
	struct payload stored = PAYLOAD_NULL;
	struct slice body;
	char *p;
	int r;

	r = read_body(stmt, 0, &stored, &body);
	if (r == BODY_THERE) {
		p = slice_dup(body);
		if (p) {
			*ret_p = p;
			*ret_n = body.n;
		} else {
			r = -ENOMEM;
		}
	}
	payload_deinit(&stored);
	return r;
}

int queue_payload(struct reader *reader, int64_t seq, char **ret_p, size_t *ret_n)
{
	sqlite3_stmt *stmt;
	int r, rc;

	r = reader_statement(reader, READER_PAYLOAD, sql_payload, &stmt);
	if (r == 0)
		r = db_bind(stmt, "i", seq);
	if (r < 0)
		return r;
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		r = copy_body(stmt, ret_p, ret_n);
	else
		r = rc == SQLITE_DONE ? BODY_ERASED : db_errno(rc);
	sqlite3_reset(stmt);
	return r;
}

enum { JOB_FIRST_TEXT = 7, JOB_N_TEXTS = 10, JOB_BODY = 17 };

/* copy behind *@at, with a NUL */
static char *copy_behind(struct slice s, char **at)
{
	char *p = *at;

	if (s.n)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	*at += s.n + 1;
	return p;
}

/* one allocation holds the struct, its strings and the payload */
static struct job *make_job(sqlite3_stmt *stmt, enum body_state state, struct slice body)
{
	size_t bytes = sizeof(struct job) + body.n + 1;
	struct job *job;
	char *at;

	for (int i = 0; i < JOB_N_TEXTS; i++)
		bytes += db_column(stmt, JOB_FIRST_TEXT + i).n + 1;
	job = malloc(bytes);
	if (!job)
		return NULL;
	at = (char *)(job + 1);
	*job = (struct job){
		.delivery = sqlite3_column_int64(stmt, 0),
		.seq = sqlite3_column_int64(stmt, 1),
		.attempt = sqlite3_column_int(stmt, 2) + 1,
		.received_at = sqlite3_column_int64(stmt, 3),
		.first_attempt_at = sqlite3_column_int64(stmt, 4),
		.test = sqlite3_column_int(stmt, 5),
		.replay = sqlite3_column_int(stmt, 6),
		.body = state,
		.payload_n = body.n,
	};
	char **const texts[JOB_N_TEXTS] = {
		&job->handler,     &job->event_id,    &job->event_type, &job->category,
		&job->eval_id,     &job->customer_id, &job->decision,   &job->workflow,
		&job->environment, &job->endpoint,
	};

	for (int i = 0; i < JOB_N_TEXTS; i++)
		*texts[i] = copy_behind(db_column(stmt, JOB_FIRST_TEXT + i), &at);
	job->payload = copy_behind(body, &at);
	return job;
}

static int job_from_row(sqlite3_stmt *stmt, struct job **ret_job)
{
	struct payload stored = PAYLOAD_NULL;
	struct slice body = SLICE_NULL;
	struct job *job = NULL;
	int r;

	r = read_body(stmt, JOB_BODY, &stored, &body);
	if (r >= 0)
		job = make_job(stmt, (enum body_state)r, body);
	payload_deinit(&stored);
	if (r < 0 || !job)
		return -ENOMEM;
	*ret_job = job;
	return 0;
}

/* deliveries with the turn, or without; Return: how many, or a negative errno and none */
static int read_due(struct reader *reader, const char *handler, bool ordered, int64_t now,
		    int64_t ready, size_t max, struct job **ret_jobs)
{
	sqlite3_stmt *stmt;
	int n = 0, rc = SQLITE_OK, r;

	r = reader_statement(reader, ordered ? READER_DUE_ORDERED : READER_DUE_UNORDERED,
			     ordered ? sql_due_ordered : sql_due_unordered, &stmt);
	if (r == 0)
		r = db_bind(stmt, "siii", handler, now, (int64_t)max, ready);
	if (r < 0)
		return r;
	while (r == 0 && (size_t)n < max && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		r = job_from_row(stmt, &ret_jobs[n]);
		n += r == 0;
	}
	sqlite3_reset(stmt);
	r = r < 0 ? r : db_errno(rc);
	if (r < 0) {
		while (n > 0)
			job_free(ret_jobs[--n]);
		return r;
	}
	return n;
}

int queue_due(struct reader *reader, const char *handler, enum handler_order order, int64_t now,
	      size_t max, struct job **ret_jobs)
{
	bool ordered = order == ORDER_EVALUATION;
	int n, more;

	n = read_due(reader, handler, ordered, now, 1, max, ret_jobs);
	if (ordered || n < 0 || (size_t)n == max)
		return n;
	more = read_due(reader, handler, ordered, now, 0, max - (size_t)n, ret_jobs + n);
	return more < 0 ? n : n + more; /* what is wrong will show again */
}

static int read_next_due(struct reader *reader, const char *handler, int64_t now, int64_t ready,
			 int64_t *ret_due_at)
{
	sqlite3_stmt *stmt;
	int rc, r;

	r = reader_statement(reader, READER_NEXT_DUE, sql_next_due, &stmt);
	if (r == 0)
		r = db_bind(stmt, "sii", handler, now, ready);
	if (r < 0)
		return r;
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*ret_due_at = sqlite3_column_type(stmt, 0) == SQLITE_NULL
				      ? INT64_MAX
				      : sqlite3_column_int64(stmt, 0);
	sqlite3_reset(stmt);
	return db_errno(rc);
}

int queue_next_due(struct reader *reader, const char *handler, enum handler_order order,
		   int64_t now, int64_t *ret_due_at)
{
	int64_t first = INT64_MAX, second = INT64_MAX;
	int r;

	r = read_next_due(reader, handler, now, 1, &first);
	if (r == 0 && order == ORDER_NONE)
		r = read_next_due(reader, handler, now, 0, &second);
	if (r == 0)
		*ret_due_at = MIN_OF(first, second);
	return r;
}
