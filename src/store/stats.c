/* SPDX-License-Identifier: Apache-2.0 */
#include "store/stats.h"

#include <errno.h>

#include "store/db.h"
#include "store/reader_private.h"

/* The window is a range of the index on received_at; deliveries are found by the events' numbers.
 * What handlers have not been given yet is not counted: their number would be a guess. */
#define IN_WINDOW " received_at >= ?1 AND received_at < ?2"
#define FIRST_SEQ "(SELECT min(seq) FROM events WHERE" IN_WINDOW ")"

static const struct {
	const char *group, *sql;
} questions[] = {
	{"post",
	 "SELECT 'stored', count(*) FROM events WHERE" IN_WINDOW
	 " UNION ALL SELECT 'duplicate', coalesce(sum(duplicates), 0) FROM events WHERE" IN_WINDOW
	 " UNION ALL SELECT 'conflict', coalesce(sum(posts), 0) FROM conflicts WHERE" IN_WINDOW
	 " UNION ALL SELECT 'quarantined', coalesce(sum(posts), 0) FROM quarantine WHERE" IN_WINDOW
	 " UNION ALL SELECT 'test', count(*) FROM events WHERE test AND" IN_WINDOW},
	{"category", "SELECT category, count(*) AS n FROM events WHERE NOT test AND" IN_WINDOW
		     " GROUP BY 1 ORDER BY n DESC, 1"},
	{"type", "SELECT event_type, count(*) AS n FROM events WHERE NOT test AND" IN_WINDOW
		 " GROUP BY 1 ORDER BY n DESC, 1 LIMIT 50"},
	{"decision", "SELECT upper(decision), count(*) AS n FROM events"
		     " WHERE NOT test AND decision <> '' AND" IN_WINDOW
		     " GROUP BY 1 ORDER BY n DESC, 1 LIMIT 50"},
	{"handler",
	 "SELECT handler || ' ' || state, count(*) AS n FROM deliveries"
	 " WHERE seq >= " FIRST_SEQ " AND seq IN (SELECT seq FROM events WHERE" IN_WINDOW ")"
	 " GROUP BY handler, state ORDER BY handler, n DESC"},
};

static int visit_rows(sqlite3_stmt *stmt, const char *group, stats_visit visit, void *arg)
{
	int rc;

	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct stats_row row = {
			.group = group,
			.name = (const char *)sqlite3_column_text(stmt, 0),
			.count = sqlite3_column_int64(stmt, 1),
		};
		int r = row.name ? visit(&row, arg) : -ENOMEM;

		if (r != 0)
			return r;
	}
	return db_errno(rc);
}

int stats_count(struct reader *reader, int64_t since, int64_t until, stats_visit visit, void *arg)
{
	for (size_t i = 0; i < ARRAY_SIZE(questions); i++) {
		_cleanup_(sqlite3_finalizep)
		sqlite3_stmt *stmt = NULL;
		int r = reader_prepare(reader, questions[i].sql, &stmt);

		if (r == 0)
			r = db_bind(stmt, "ii", since, until);
		if (r == 0)
			r = visit_rows(stmt, questions[i].group, visit, arg);
		if (r != 0)
			return r;
	}
	return 0;
}
