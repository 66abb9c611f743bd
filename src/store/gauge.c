/* SPDX-License-Identifier: Apache-2.0 */
#include "store/gauge.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "store/db.h"
#include "store/reader_private.h"

/* deliveries are numbered in the order in which they were made: the lowest is the oldest */
static const struct {
	enum delivery_state state;
	const char *sql;
} queue_questions[] = {
	{DELIVERY_PENDING,
	 "SELECT handler, n, (SELECT created_at FROM deliveries WHERE delivery = first) FROM"
	 " (SELECT handler, count(*) AS n, min(delivery) AS first FROM deliveries"
	 "   WHERE state = 'pending' GROUP BY handler)"},
	{DELIVERY_RUNNING,
	 "SELECT handler, count(*), 0 FROM deliveries WHERE state = 'running' GROUP BY handler"},
	{DELIVERY_HELD,
	 "SELECT handler, count(*), 0 FROM deliveries WHERE state = 'held' GROUP BY handler"},
	{DELIVERY_DEAD,
	 "SELECT handler, count(*), 0 FROM deliveries"
	 " WHERE state = 'dead' AND outcome <> '" OUTCOME_DISMISSED "' GROUP BY handler"},
};

static const char sql_unrouted[] =
	"SELECT count(*) FROM events WHERE seq > (SELECT routed_seq FROM router)";

static int visit_queues(sqlite3_stmt *stmt, enum delivery_state state, queue_gauge_visit visit,
			void *arg)
{
	int rc;

	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct queue_gauge gauge = {
			.handler = (const char *)sqlite3_column_text(stmt, 0),
			.state = state,
			.n = sqlite3_column_int64(stmt, 1),
			.oldest_at = sqlite3_column_int64(stmt, 2),
		};
		int r = gauge.handler ? visit(&gauge, arg) : -ENOMEM;

		if (r != 0)
			return r;
	}
	return db_errno(rc);
}

int gauge_queues(struct reader *reader, queue_gauge_visit visit, void *arg)
{
	for (size_t i = 0; i < ARRAY_SIZE(queue_questions); i++) {
		_cleanup_(sqlite3_finalizep)
		sqlite3_stmt *stmt = NULL;
		int r = reader_prepare(reader, queue_questions[i].sql, &stmt);

		if (r == 0)
			r = visit_queues(stmt, queue_questions[i].state, visit, arg);
		if (r != 0)
			return r;
	}
	return 0;
}

int gauge_unrouted(struct reader *reader, int64_t *ret_n)
{
	return db_integer(reader->db, sql_unrouted, ret_n);
}

static int64_t size_of(const char *path, const char *suffix)
{
	char name[4096 + 8];
	struct stat st;
	int n = snprintf(name, sizeof(name), "%s%s", path, suffix);

	if (n < 0 || (size_t)n >= sizeof(name) || stat(name, &st) < 0)
		return 0;
	return st.st_size;
}

int gauge_files(const char *path, struct file_gauge *ret)
{
	struct statvfs disk;

	if (statvfs(path, &disk) < 0)
		return -errno;
	ret->database = size_of(path, "");
	ret->wal = size_of(path, "-wal");
	ret->free = (int64_t)disk.f_bavail * (int64_t)disk.f_frsize;
	return 0;
}
