/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_sql.h"

#include "store/id_index.h"
#include "store/model.h"

/* clang-format off */
const char *const store_sql[STATEMENTS] = {
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[ROLLBACK] = "ROLLBACK",
	/* body_sha256: only a tombstone has one (store/erase.c) */
	[EVENT_INSERT] =
		"INSERT INTO events (evaluation, event_type, dedup_id, event_id, id_derived,"
		" original_type, category, customer_id, decision, status, sub_status, eval_status,"
		" workflow, environment, wrong_environment, test, event_at, decision_at,"
		" received_at, endpoint, credential, address, body_bytes, body_sha256)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16,"
		" ?17, ?18, ?19, ?20, ?21, ?22, ?23, x'')",
	[EVENT_FIND] = "SELECT seq, body_bytes, body_sha256 FROM events"
		       " WHERE evaluation = ?1 AND event_type = ?2 AND dedup_id = ?3",
	[EVENT_COUNT_DUPLICATE] = "UPDATE events SET duplicates = duplicates + 1 WHERE seq = ?1",
	[PAYLOAD_FIND] = "SELECT body, encoding FROM payloads WHERE seq = ?1",
	[PAYLOAD_INSERT] = "INSERT INTO payloads (seq, body, encoding) VALUES (?1, ?2, ?3)",
	[EVENT_RUN_INSERT] = "INSERT INTO event_runs (run, keys) VALUES (?1, ?2)",
	[EVENT_RUN_DELETE] = "DELETE FROM event_runs WHERE run = ?1",
	[EVENT_RUNS_CUT] = "DELETE FROM event_runs WHERE run >= ?1",
	[EVENT_MERGE] = "INSERT OR IGNORE INTO event_keys (portion, key, seq)"
			" VALUES (?2 / " EVENT_PORTION ", ?1, ?2)",
	[EVENTS_MERGED] = "UPDATE event_merge SET merged = ?1 WHERE merged <> ?1",
	[CONFLICT_INSERT] =
		"INSERT INTO conflicts (seq, endpoint, credential, address, received_at,"
		" body_sha256, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
		" ON CONFLICT (seq, body_sha256) DO UPDATE SET posts = posts + 1",
	[EVALUATION_IS] = "SELECT evaluation FROM evaluations WHERE evaluation = ?1 AND eval_id = ?2",
	[EVALUATION_FIND] = "SELECT v.evaluation FROM evaluation_keys AS k CROSS JOIN evaluations AS v"
			    " ON v.evaluation = k.evaluation WHERE k.key = ?1 AND v.eval_id = ?2",
	[EVALUATION_RUN_INSERT] = "INSERT INTO evaluation_runs (run, keys) VALUES (?1, ?2)",
	[EVALUATION_RUN_DELETE] = "DELETE FROM evaluation_runs WHERE run = ?1",
	[EVALUATION_RUNS_CUT] = "DELETE FROM evaluation_runs WHERE run >= ?1",
	[EVALUATION_MERGE] =
		"INSERT OR IGNORE INTO evaluation_keys (key, evaluation) VALUES (?1, ?2)",
	[EVALUATIONS_MERGED] = "UPDATE evaluation_merge SET merged = ?1 WHERE merged <> ?1",
	/* each state by the events' own times; 0 stands with a state that was not given */
	[EVALUATION_INSERT] =
		"INSERT INTO evaluations (evaluation, eval_id, customer_id, workflow, environment,"
		" decision, status, sub_status, eval_status, decision_at, status_at,"
		" eval_status_at, first_seen, last_seen, events, decision_changes)"
		" VALUES (nullif(?1, 0), ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?13,"
		" ?14, 0)",
	[EVALUATION_UPDATE] =
		"UPDATE evaluations SET"
		" customer_id = coalesce(nullif(?3, ''), customer_id),"
		" workflow = coalesce(nullif(?4, ''), workflow),"
		" environment = coalesce(nullif(?5, ''), environment),"
		" decision_changes = decision_changes + iif(?10 >= decision_at"
		"  AND decision <> '' AND ?6 <> decision COLLATE NOCASE, 1, 0),"
		" decision = iif(?10 >= decision_at, ?6, decision),"
		" decision_at = max(?10, decision_at),"
		" status = iif(?11 >= status_at, ?7, status),"
		" sub_status = iif(?11 >= status_at, ?8, sub_status),"
		" status_at = max(?11, status_at),"
		" eval_status = iif(?12 >= eval_status_at, ?9, eval_status),"
		" eval_status_at = max(?12, eval_status_at),"
		" first_seen = iif(events = 0, ?13, min(?13, first_seen)),"
		" last_seen = max(?13, last_seen),"
		" events = events + ?14"
		" WHERE evaluation = ?1",
	[EVALUATION_IS_NEWER] =
		"SELECT 1 FROM evaluations WHERE evaluation = ?1 AND decision_at > ?2",
	/* a decision that arrives late belongs between two others: count along the time line */
	[EVALUATION_RECOUNT] =
		"UPDATE evaluations SET decision_changes = ("
		" SELECT count(*) FROM ("
		"  SELECT decision, lag(decision) OVER"
		"         (ORDER BY iif(decision_at > 0, decision_at, received_at), seq) AS before"
		"    FROM events WHERE evaluation = ?1 AND decision <> '' AND NOT test)"
		"  WHERE before <> decision COLLATE NOCASE)"
		" WHERE evaluation = ?1",
	/* not an upsert: that would use up ids, and the bound counts them */
	[QUARANTINE_AGAIN] = "UPDATE quarantine SET posts = posts + 1, received_at = ?2"
			     " WHERE body_sha256 = ?1",
	[QUARANTINE_INSERT] =
		"INSERT INTO quarantine (endpoint, credential, address, received_at, reason,"
		" body_sha256, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[QUARANTINE_PRUNE] = "DELETE FROM quarantine WHERE quarantine <="
			     " (SELECT max(quarantine) FROM quarantine) - ?1",
	[EVENT_EVALUATION] = "SELECT evaluation FROM events WHERE seq = ?1 AND erased_at = 0",
	[DELIVERY_FIND_LIVE] = "SELECT 1 FROM deliveries AS live WHERE handler = ?1"
			       " AND evaluation = ?2 AND evaluation <> 0"
			       " AND state IN ('pending', 'running', 'held')",
	[DELIVERY_INSERT] =
		"INSERT INTO deliveries (seq, handler, evaluation, state, replay, ready, due_at,"
		" created_at, retry_since, changed_at)"
		" VALUES (?1, ?2, ?3, 'pending', ?4, ?5, ?6, ?6, ?6, ?6)"
		" ON CONFLICT (seq, handler, replay) DO NOTHING",
	[DELIVERY_INSERT_DEAD] =
		"INSERT INTO deliveries (seq, handler, evaluation, state, attempts, replay, due_at,"
		" created_at, retry_since, changed_at, outcome, reason)"
		" VALUES (?1, ?2, ?3, 'dead', 1, ?4, ?5, ?5, ?5, ?5, 'failed', ?6)"
		" ON CONFLICT (seq, handler, replay) DO NOTHING",
	[ATTEMPT_INSERT_FAILED] =
		"INSERT INTO attempts (delivery, attempt, started_at, ended_at, outcome, reason)"
		" VALUES (?1, 1, ?2, ?2, 'failed', ?3)",
	[PROBE] = "UPDATE probe SET probed_at = max(probed_at + 1, ?1) WHERE one = 1",
	[ROUTER_MOVE] = "UPDATE router SET routed_seq = max(routed_seq, ?1)",
	/* the dispatcher may not have heard yet that the handler is paused */
	[DELIVERY_BEGIN] =
		"UPDATE deliveries SET state = 'running', attempts = ?2, changed_at = ?3"
		" WHERE delivery = ?1 AND state = 'pending' AND NOT EXISTS (SELECT 1 FROM handlers"
		"  WHERE handlers.handler = deliveries.handler AND paused_at > 0)",
	[ATTEMPT_INSERT] =
		"INSERT INTO attempts (delivery, attempt, started_at) VALUES (?1, ?2, ?3)",
	[ATTEMPT_FINISH] =
		"UPDATE attempts SET ended_at = ?3, outcome = ?4, code = ?5, signal = ?6,"
		" reason = nullif(?7, ''), output = ?8, output_cut = ?9"
		" WHERE delivery = ?1 AND attempt = ?2",
	[DELIVERY_FINISH] =
		"UPDATE deliveries SET state = ?3, due_at = ?4, changed_at = ?5, outcome = ?6,"
		" reason = ?7 WHERE delivery = ?1 AND attempts = ?2 AND state = 'running'",
	/* the one that has ended passes its turn (sql/004_drive.sql) */
	[DELIVERY_PASS_TURN] =
		"UPDATE deliveries SET ready = 1 WHERE delivery = ("
		" SELECT live.delivery FROM deliveries AS ended, deliveries AS live"
		"  WHERE ended.delivery = ?1 AND ended.ready AND live.handler = ended.handler"
		"    AND live.evaluation = ended.evaluation AND live.evaluation <> 0"
		"    AND live.state IN ('pending', 'running', 'held')"
		"  ORDER BY live.delivery LIMIT 1)",
	[USE_UPSERT] = "INSERT INTO uses (kind, name, used_at) VALUES (?1, ?2, ?3)"
		       " ON CONFLICT (kind, name) DO UPDATE SET used_at = excluded.used_at",
	[ATTEMPTS_RECOVER] = "UPDATE attempts SET ended_at = ?1, outcome = 'interrupted',"
			     " reason = 'riskhookd ended while it ran'"
			     " WHERE ended_at IS NULL AND delivery IN"
			     " (SELECT delivery FROM deliveries WHERE state = 'running')",
	[DELIVERIES_RECOVER] =
		"UPDATE deliveries SET state = 'pending', due_at = ?1, changed_at = ?1,"
		" outcome = 'interrupted' WHERE state = 'running'",
	[TOKEN_INSERT] =
		"INSERT INTO tokens (token_sha256, endpoint, credential, client_id, issued_at,"
		" expires_at, address) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[TOKEN_PRUNE_EXPIRED] = "DELETE FROM tokens WHERE expires_at <= ?1",
	[TOKEN_PRUNE_OLDEST] =
		"DELETE FROM tokens WHERE rowid IN (SELECT rowid FROM tokens"
		" WHERE endpoint = ?1 AND credential = ?2 ORDER BY rowid DESC LIMIT -1 OFFSET ?3)",
	[TOKEN_REVOKE] =
		"DELETE FROM tokens WHERE expires_at > ?1 AND expires_at <= ?2"
		" AND (?3 = '' OR credential = ?3)"
		" AND (?4 = x'' OR substr(token_sha256, 1, length(?4)) = ?4)",
	[HANDLER_INSERT] = "INSERT INTO handlers (handler, first_seen) VALUES (?1, ?2)"
			   " ON CONFLICT (handler) DO NOTHING",
	[HANDLER_FIND] = "SELECT 1 FROM handlers WHERE handler = ?1",
	[HANDLER_PAUSE] = "UPDATE handlers SET paused_at = ?2"
			  " WHERE handler = ?1 AND (paused_at > 0) <> (?2 > 0)",
	/* last_seq is no bound here: it ends when it has caught up with the router */
	[HISTORY_INSERT] =
		"INSERT INTO replays (handler, history, at_seq, last_seq, created_at)"
		" SELECT ?1, 1, 0, 9223372036854775807, ?2 WHERE EXISTS (SELECT 1 FROM events)",
	/* what the router has not passed goes to the handler in any case */
	[REPLAY_INSERT] =
		"INSERT INTO replays (handler, history, at_seq, last_seq, since, until,"
		" event_type, eval_id, created_at)"
		" SELECT ?1, 0, max(?2, 1) - 1, iif(?3 > 0, min(?3, routed_seq), routed_seq), ?4,"
		" ?5, ?6, ?7, ?8 FROM router",
	[REPLAY_MOVE] = "UPDATE replays SET at_seq = ?2, deliveries = deliveries + ?3,"
			" ended_at = ?4 WHERE replay = ?1",
	[DELIVERY_STATE] = "SELECT state FROM deliveries WHERE delivery = ?1",
	/* it has the turn unless another one has: then it comes next, because its number is lower */
	[DELIVERY_RETRY] =
		"UPDATE deliveries AS d SET state = 'pending', due_at = ?2, retry_since = ?2,"
		" changed_at = ?2, ready = d.evaluation = 0 OR NOT EXISTS ("
		"  SELECT 1 FROM deliveries AS live WHERE live.handler = d.handler"
		"     AND live.evaluation = d.evaluation AND live.evaluation <> 0"
		"     AND live.state IN ('pending', 'running', 'held'))"
		" WHERE delivery = ?1 AND NOT EXISTS (" /* nothing is left to be delivered */
		"  SELECT 1 FROM events AS e WHERE e.seq = d.seq AND e.erased_at > 0)",
	[DELIVERY_HURRY] = "UPDATE deliveries SET due_at = min(due_at, ?2), retry_since = ?2,"
			   " changed_at = ?2 WHERE delivery = ?1",
	[DELIVERY_MOVE] = "UPDATE deliveries SET state = ?2, changed_at = ?3 WHERE delivery = ?1",
	/* of one that was dead the reason stays; retention has emptied it, perhaps */
	[DELIVERY_DISMISS] =
		"UPDATE deliveries SET outcome = '" OUTCOME_DISMISSED "', changed_at = ?2,"
		" reason = iif(state = 'dead', reason, 'dismissed by an operator'), state = 'dead'"
		" WHERE delivery = ?1",
	/* the clock was set back since they were told to wait; both values of ready, for the index */
	[DELIVERIES_FROM_FUTURE] =
		"UPDATE deliveries SET due_at = ?2, changed_at = ?2 WHERE handler = ?1"
		" AND state = 'pending' AND ready IN (0, 1) AND due_at > ?2 AND changed_at > ?2",
};
/* clang-format on */
