/* SPDX-License-Identifier: Apache-2.0 */
#include "store/check.h"

#include <errno.h>

#include "store/db.h"
#include "store/id_index.h"
#include "store/reader_private.h"

#define TELL_THE_AUTHORS "this should not happen: please report it"

/* clang-format off */
/* of an index (store/id_index.h): what is not where it must be. @in_keys: a condition besides the
 * key and the number. */
#define NOT_FOUND(name, rows, number, id, in_keys)                                                 \
	"SELECT count(*) FROM " rows " AS r, " name "_merge"                                       \
	" WHERE r." number " < " IDS_BEHIND(name) " AND NOT iif(r." number " <= merged,"           \
	"  EXISTS (SELECT 1 FROM " name "_keys AS k"                                               \
	"   WHERE k.key = id_key(r." id ") AND k." number " = r." number in_keys "),"              \
	"  EXISTS (SELECT 1 FROM " name "_runs AS s"                                               \
	"   CROSS JOIN json_each(id_places(keys, id_key(r." id "))) AS place"                      \
	"   WHERE s.run = r." number " / " ID_RUN " AND place.value = r." number " % " ID_RUN "))"
/* clang-format on */

#define IN_ITS_PORTION " AND k.portion = r.seq / " EVENT_PORTION

#define MAKE_ANEW(name)                                                                            \
	"stop riskhookd, have sqlite3 do \"DELETE FROM " name "_keys; DELETE FROM " name "_runs;"  \
	" UPDATE " name "_merge SET merged = 0\", and start it: that makes the index anew"

static const struct {
	struct check_rule rule;
	const char *sql; /* counts what breaks it */
} rules[] = {
	{{"events without a body that were not erased", "restore a backup, or live without it",
	  false},
	 "SELECT count(*) FROM events WHERE erased_at = 0 AND NOT EXISTS"
	 " (SELECT 1 FROM payloads WHERE payloads.seq = events.seq)"},
	{{"bodies without an event", TELL_THE_AUTHORS, false},
	 "SELECT count(*) FROM payloads WHERE NOT EXISTS"
	 " (SELECT 1 FROM events WHERE events.seq = payloads.seq)"},
	{{"deliveries without an event", TELL_THE_AUTHORS, false},
	 "SELECT count(*) FROM deliveries WHERE NOT EXISTS"
	 " (SELECT 1 FROM events WHERE events.seq = deliveries.seq)"},
	{{"attempts without a delivery", TELL_THE_AUTHORS, false},
	 "SELECT count(*) FROM attempts WHERE NOT EXISTS"
	 " (SELECT 1 FROM deliveries WHERE deliveries.delivery = attempts.delivery)"},
	{{"unfinished attempts of deliveries that are not running", TELL_THE_AUTHORS, false},
	 "SELECT count(*) FROM attempts AS a JOIN deliveries AS d USING (delivery)"
	 " WHERE a.ended_at IS NULL AND d.state <> 'running'"},
	{{"deliveries of erased events that are not at their end",
	  "retry them no more: 'riskhookctl deliveries' lists them", false},
	 "SELECT count(*) FROM deliveries JOIN events USING (seq)"
	 " WHERE erased_at > 0 AND state IN ('pending', 'running', 'held')"},
	{{"deliveries that are running although no daemon does",
	  "start riskhookd: it tries them again", true},
	 "SELECT count(*) FROM deliveries WHERE state = 'running'"},
	{{"evaluations with the eval_id of another one", TELL_THE_AUTHORS, false},
	 "SELECT count(*) FROM evaluation_keys AS a CROSS JOIN evaluation_keys AS b"
	 " ON b.key = a.key AND b.evaluation > a.evaluation"
	 " CROSS JOIN evaluations AS v ON v.evaluation = a.evaluation"
	 " CROSS JOIN evaluations AS w ON w.evaluation = b.evaluation AND w.eval_id = v.eval_id"},
	{{"evaluations that are not found by their eval_id", MAKE_ANEW("evaluation"), false},
	 NOT_FOUND("evaluation", "evaluations", "evaluation", "eval_id", "")},
	{{"events that are not found by their event_id", MAKE_ANEW("event"), false},
	 NOT_FOUND("event", "events", "seq", "event_id", IN_ITS_PORTION)},
	{{"routed events that do not exist (routed_seq is too high)",
	  "was the file replaced by an older one? new events would not be delivered: report it",
	  false},
	 "SELECT max(0, (SELECT routed_seq FROM router) -"
	 " max((SELECT coalesce(max(seq), 0) FROM events),"
	 "     (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events')))"},
	{{"rows that say how far the router has come, besides the one", TELL_THE_AUTHORS, false},
	 "SELECT abs(count(*) - 1) FROM router"},
};

int check_integrity(sqlite3 *db, const char *path, bool full, struct error *e)
{
	_cleanup_(sqlite3_finalizep)
	sqlite3_stmt *stmt = NULL;
	const char *sql = full ? "PRAGMA integrity_check(1)" : "PRAGMA quick_check(1)";
	struct slice verdict;
	int rc;

	rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc != SQLITE_ROW)
		return error_set(e, rc == SQLITE_DONE ? -EUCLEAN : db_errno(rc),
				 "cannot check '%s': %s", path, db_message(db));
	verdict = db_column(stmt, 0); /* names tables and pages, never values */
	if (!slice_eq(verdict, SLICE("ok")))
		return error_set(e, -EUCLEAN, "'%s' is damaged: %.*s", path, SLICE_ARG(verdict));
	return 0;
}

int check_reader_integrity(struct reader *reader, const char *path, bool full, struct error *e)
{
	return check_integrity(reader->db, path, full, e);
}

int check_rules(struct reader *reader, check_visit visit, void *arg)
{
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		int64_t n;
		int r = db_integer(reader->db, rules[i].sql, &n);

		if (r == 0)
			r = visit(&rules[i].rule, n, arg);
		if (r != 0)
			return r;
	}
	return 0;
}

int check_newest_event(struct reader *reader, int64_t *ret_at)
{
	return db_integer(reader->db, "SELECT coalesce(max(received_at), 0) FROM events", ret_at);
}

int check_streaks(struct reader *reader, check_streak_visit visit, void *arg)
{
	_cleanup_(sqlite3_finalizep)
	sqlite3_stmt *stmt = NULL;
	int r, rc;

	r = reader_prepare(reader,
			   "SELECT handler, count(*), max(failed) FROM ("
			   " SELECT handler, attempts AS failed FROM deliveries"
			   "  WHERE state = 'pending' AND attempts > 0 UNION ALL"
			   " SELECT handler, attempts - 1 FROM deliveries"
			   "  WHERE state = 'running' AND attempts > 1) GROUP BY handler",
			   &stmt);
	if (r < 0)
		return r;
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct check_streak streak = {
			.handler = (const char *)sqlite3_column_text(stmt, 0),
			.failed = sqlite3_column_int64(stmt, 1),
			.most = sqlite3_column_int64(stmt, 2),
		};

		r = streak.handler ? visit(&streak, arg) : -ENOMEM;
		if (r != 0)
			return r;
	}
	return db_errno(rc);
}
