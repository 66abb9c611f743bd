/* SPDX-License-Identifier: Apache-2.0 */
#include "store/queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/reader_private.h"

static const char sql_unrouted[] =
	"SELECT seq, event_type, category, eval_id, decision, workflow, environment, endpoint,"
	"       test, wrong_environment"
	"  FROM events WHERE seq > (SELECT routed_seq FROM router) ORDER BY seq LIMIT ?1";

#define JOB_COLUMNS                                                                                \
	"SELECT d.delivery, d.seq, d.attempts, e.received_at, d.created_at, e.test,"               \
	"       d.handler, e.event_id, e.event_type, e.category, e.eval_id, e.customer_id,"        \
	"       e.decision, e.workflow, e.environment, e.endpoint, p.body"                         \
	"  FROM deliveries AS d JOIN events AS e USING (seq) JOIN payloads AS p USING (seq)"       \
	" WHERE d.handler = ?1 AND d.state = 'pending' AND d.due_at <= ?2"
#define JOB_ORDER " ORDER BY d.due_at, d.delivery LIMIT ?3"

static const char sql_due_unordered[] = JOB_COLUMNS JOB_ORDER;

/* an event waits for the earlier ones of its evaluation; one without an eval_id waits for nobody */
static const char sql_due_ordered[] =
	JOB_COLUMNS " AND (d.eval_id = '' OR NOT EXISTS ("
		    "       SELECT 1 FROM deliveries AS before"
		    "        WHERE before.handler = d.handler AND before.eval_id = d.eval_id"
		    "          AND before.delivery < d.delivery"
		    "          AND before.state IN ('pending', 'running', 'held')))" JOB_ORDER;

static const char sql_next_due[] = "SELECT min(due_at) FROM deliveries"
				   " WHERE handler = ?1 AND state = 'pending' AND due_at > ?2";

int queue_unrouted(struct reader *reader, size_t max,
		   int (*visit)(const struct routable *event, void *arg), void *arg)
{
	sqlite3_stmt *stmt;
	int rc, r;

	r = reader_statement(reader, READER_UNROUTED, sql_unrouted, &stmt);
	if (r == 0)
		r = db_bind(stmt, "i", (int64_t)max);
	if (r < 0)
		return r;
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct routable event = {
			.seq = sqlite3_column_int64(stmt, 0),
			.event_type = db_column(stmt, 1),
			.category = db_column(stmt, 2),
			.eval_id = db_column(stmt, 3),
			.decision = db_column(stmt, 4),
			.workflow = db_column(stmt, 5),
			.environment = db_column(stmt, 6),
			.endpoint = db_column(stmt, 7),
			.test = sqlite3_column_int(stmt, 8),
			.wrong_environment = sqlite3_column_int(stmt, 9),
		};

		r = visit(&event, arg);
		if (r != 0)
			break;
	}
	sqlite3_reset(stmt); /* ends the read transaction, so that checkpoints can go on */
	return r != 0 ? r : db_errno(rc);
}

enum { JOB_FIRST_TEXT = 6, JOB_N_TEXTS = 10, JOB_PAYLOAD = 16 };

/* copy a column behind *@at, with a NUL */
static char *copy_column(sqlite3_stmt *stmt, int column, char **at)
{
	struct slice s = db_column(stmt, column);
	char *p = *at;

	if (s.n)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	*at += s.n + 1;
	return p;
}

/* one allocation holds the struct, its strings and the payload */
static struct job *job_from_row(sqlite3_stmt *stmt)
{
	size_t bytes = sizeof(struct job);
	struct job *job;
	char *at;

	for (int column = JOB_FIRST_TEXT; column <= JOB_PAYLOAD; column++)
		bytes += db_column(stmt, column).n + 1;
	job = malloc(bytes);
	if (!job)
		return NULL;
	at = (char *)(job + 1);
	*job = (struct job){
		.delivery = sqlite3_column_int64(stmt, 0),
		.seq = sqlite3_column_int64(stmt, 1),
		.attempt = sqlite3_column_int(stmt, 2) + 1,
		.received_at = sqlite3_column_int64(stmt, 3),
		.created_at = sqlite3_column_int64(stmt, 4),
		.test = sqlite3_column_int(stmt, 5),
		.payload_n = db_column(stmt, JOB_PAYLOAD).n,
	};
	char **const texts[JOB_N_TEXTS] = {
		&job->handler,     &job->event_id,    &job->event_type, &job->category,
		&job->eval_id,     &job->customer_id, &job->decision,   &job->workflow,
		&job->environment, &job->endpoint,
	};

	for (int i = 0; i < JOB_N_TEXTS; i++)
		*texts[i] = copy_column(stmt, JOB_FIRST_TEXT + i, &at);
	job->payload = copy_column(stmt, JOB_PAYLOAD, &at);
	return job;
}

int queue_due(struct reader *reader, const char *handler, enum handler_order order, int64_t now,
	      size_t max, struct job **ret_jobs)
{
	bool ordered = order == ORDER_EVALUATION;
	sqlite3_stmt *stmt;
	int n = 0, rc, r;

	r = reader_statement(reader, ordered ? READER_DUE_ORDERED : READER_DUE_UNORDERED,
			     ordered ? sql_due_ordered : sql_due_unordered, &stmt);
	if (r == 0)
		r = db_bind(stmt, "sii", handler, now, (int64_t)max);
	if (r < 0)
		return r;
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW && (size_t)n < max) {
		ret_jobs[n] = job_from_row(stmt);
		if (!ret_jobs[n]) {
			rc = SQLITE_NOMEM;
			break;
		}
		n++;
	}
	sqlite3_reset(stmt);
	r = db_errno(rc);
	if (r < 0) {
		while (n > 0)
			job_free(ret_jobs[--n]);
		return r;
	}
	return n;
}

int queue_next_due(struct reader *reader, const char *handler, int64_t now, int64_t *ret_due_at)
{
	sqlite3_stmt *stmt;
	int rc, r;

	r = reader_statement(reader, READER_NEXT_DUE, sql_next_due, &stmt);
	if (r == 0)
		r = db_bind(stmt, "si", handler, now);
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
