/* SPDX-License-Identifier: Apache-2.0 */
#include "store/drive.h"

#include <errno.h>
#include <stdio.h>

#include "store/id_index.h"
#include "store/reader_private.h"

static const char sql_paused[] = "SELECT handler FROM handlers WHERE paused_at > 0";

static const char sql_open_replays[] =
	"SELECT replay, handler, history, at_seq, min(last_seq, routed_seq) FROM replays, router"
	" WHERE ended_at = 0 ORDER BY replay";

/* the filters are the row's own, so that nobody has to carry them */
static const char sql_replay_events[] =
	"SELECT " ROUTABLE_COLUMNS " FROM events"
	"  JOIN (SELECT since, until, event_type AS type, eval_id AS wanted FROM replays"
	"         WHERE replay = ?1)"
	" WHERE seq > ?2 AND seq <= ?3 AND received_at >= since"
	"   AND (until = 0 OR received_at < until)"
	"   AND (type = '' OR event_type = type) AND (wanted = '' OR evaluation = " EVALUATION_OF(
		"(SELECT eval_id FROM replays WHERE replay = ?1)") ") ORDER BY seq LIMIT ?4";

int drive_paused(struct reader *reader, int (*visit)(const char *handler, void *arg), void *arg)
{
	sqlite3_stmt *stmt;
	int rc, r;

	r = reader_statement(reader, READER_PAUSED, sql_paused, &stmt);
	if (r < 0)
		return r;
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		r = visit((const char *)sqlite3_column_text(stmt, 0), arg);
		if (r != 0)
			break;
	}
	sqlite3_reset(stmt);
	return r != 0 ? r : db_errno(rc);
}

int drive_open_replays(struct reader *reader,
		       int (*visit)(const struct replay_state *replay, void *arg), void *arg)
{
	sqlite3_stmt *stmt;
	int rc, r;

	r = reader_statement(reader, READER_OPEN_REPLAYS, sql_open_replays, &stmt);
	if (r < 0)
		return r;
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct replay_state replay = {
			.replay = sqlite3_column_int64(stmt, 0),
			.is_history = sqlite3_column_int(stmt, 2),
			.at_seq = sqlite3_column_int64(stmt, 3),
			.last_seq = sqlite3_column_int64(stmt, 4),
		};

		(void)snprintf(replay.handler, sizeof(replay.handler), "%.*s",
			       SLICE_ARG(db_column(stmt, 1))); /* a name has room */
		r = visit(&replay, arg);
		if (r != 0)
			break;
	}
	sqlite3_reset(stmt);
	return r != 0 ? r : db_errno(rc);
}

int drive_replay_events(struct reader *reader, const struct replay_state *replay, int64_t window,
			size_t max, int (*visit)(const struct routable *event, void *arg),
			void *arg)
{
	sqlite3_stmt *stmt;
	int r;

	r = reader_statement(reader, READER_REPLAY_EVENTS, sql_replay_events, &stmt);
	if (r == 0)
		r = db_bind(stmt, "iiii", replay->replay, replay->at_seq,
			    MIN_OF(replay->last_seq, replay->at_seq + window), (int64_t)max);
	return r < 0 ? r : queue_visit_routable(stmt, visit, arg);
}
