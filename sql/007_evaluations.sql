-- SPDX-License-Identifier: Apache-2.0
--
-- Each eval_id gets a number, in order of arrival, and stands in one place. What refers to it, the
-- dedup key above all, has the number: a new evaluation's rows go behind the others in each index,
-- where its random eval_id would have them all over the file, one page to be written for each.

DROP VIEW event_log;
DROP VIEW evaluation_log;
DROP VIEW delivery_log;

-- The newest state of each evaluation by the events' own times, never by arrival. With `events` = 0
-- only the Dashboard's test deliveries are known.
CREATE TABLE evaluations_next (
	evaluation       INTEGER PRIMARY KEY,
	eval_id          TEXT    NOT NULL UNIQUE,
	customer_id      TEXT    NOT NULL,
	workflow         TEXT    NOT NULL,
	environment      TEXT    NOT NULL,
	decision         TEXT    NOT NULL,
	status           TEXT    NOT NULL,
	sub_status       TEXT    NOT NULL,
	eval_status      TEXT    NOT NULL,
	decision_at      INTEGER NOT NULL, -- own time of the event that `decision` came from
	status_at        INTEGER NOT NULL, -- ... that `status` and `sub_status` came from
	eval_status_at   INTEGER NOT NULL, -- ... that `eval_status` came from
	first_seen       INTEGER NOT NULL,
	last_seen        INTEGER NOT NULL,
	events           INTEGER NOT NULL,
	decision_changes INTEGER NOT NULL
) STRICT;

INSERT INTO evaluations_next (eval_id, customer_id, workflow, environment, decision, status,
                              sub_status, eval_status, decision_at, status_at, eval_status_at,
                              first_seen, last_seen, events, decision_changes)
SELECT eval_id, customer_id, workflow, environment, decision, status, sub_status, eval_status,
       decision_at, status_at, eval_status_at, first_seen, last_seen, events, decision_changes
  FROM evaluations ORDER BY first_seen;

INSERT INTO evaluations_next (eval_id, customer_id, workflow, environment, decision, status,
                              sub_status, eval_status, decision_at, status_at, eval_status_at,
                              first_seen, last_seen, events, decision_changes)
SELECT eval_id, '', '', '', '', '', '', '', 0, 0, 0, min(received_at), max(received_at), 0, 0
  FROM events WHERE eval_id <> '' AND eval_id NOT IN (SELECT eval_id FROM evaluations)
 GROUP BY eval_id;

DROP TABLE evaluations;
ALTER TABLE evaluations_next RENAME TO evaluations;

-- One row an event, in order of arrival. The raw body is in `payloads`, so that lists stay quick.
CREATE TABLE events_next (
	seq           INTEGER PRIMARY KEY AUTOINCREMENT,
	evaluation    INTEGER NOT NULL,             -- 0: the event has no eval_id
	event_type    TEXT    NOT NULL,             -- canonical
	dedup_id      TEXT    NOT NULL,             -- event_id, or '' at an endpoint with dedup = evaluation
	event_id      TEXT    NOT NULL,             -- the identity
	id_derived    INTEGER NOT NULL,             -- 1: event_id is the body's digest
	original_type TEXT    NOT NULL,
	category      TEXT    NOT NULL,
	customer_id   TEXT    NOT NULL,
	decision      TEXT    NOT NULL,
	status        TEXT    NOT NULL,
	sub_status    TEXT    NOT NULL,
	eval_status   TEXT    NOT NULL,
	workflow      TEXT    NOT NULL,
	environment   TEXT    NOT NULL,
	wrong_environment INTEGER NOT NULL,         -- 1: not the endpoint's; stored, not delivered
	test          INTEGER NOT NULL,             -- 1: the Dashboard's test delivery
	event_at      INTEGER NOT NULL,             -- 0: not given
	decision_at   INTEGER NOT NULL,             -- own time of the decision, 0: none
	received_at   INTEGER NOT NULL,
	endpoint      TEXT    NOT NULL,
	credential    TEXT    NOT NULL,             -- name of the one that let it in
	address       TEXT    NOT NULL,             -- the sender's
	duplicates    INTEGER NOT NULL DEFAULT 0,   -- further posts of the same event
	body_bytes    INTEGER NOT NULL,
	body_sha256   BLOB    NOT NULL,
	erased_at     INTEGER NOT NULL DEFAULT 0    -- 0: nothing is erased (006_retention.sql)
) STRICT;

INSERT INTO events_next
SELECT e.seq, coalesce(v.evaluation, 0), e.event_type, e.dedup_id, e.event_id, e.id_derived,
       e.original_type, e.category, e.customer_id, e.decision, e.status, e.sub_status,
       e.eval_status, e.workflow, e.environment, e.wrong_environment, e.test, e.event_at,
       e.decision_at, e.received_at, e.endpoint, e.credential, e.address, e.duplicates,
       e.body_bytes, e.body_sha256, e.erased_at
  FROM events AS e LEFT JOIN evaluations AS v ON v.eval_id = e.eval_id ORDER BY e.seq;

-- a number is never given twice, even if the last events are gone
DELETE FROM sqlite_sequence WHERE name = 'events_next';
INSERT INTO sqlite_sequence (name, seq)
SELECT 'events_next', seq FROM sqlite_sequence WHERE name = 'events';

DROP TABLE events;
ALTER TABLE events_next RENAME TO events;

-- The dedup key: one winner, whatever arrives at the same moment. Serves the time line of an
-- evaluation too.
CREATE UNIQUE INDEX events_key ON events (evaluation, event_type, dedup_id);
-- By event_id, too, but in runs of 1024 events: an index over all would take a page of its own for
-- each event, and only people ask for it. src/store/query.c asks run by run.
CREATE INDEX events_event_id ON events (seq / 1024, event_id);
CREATE INDEX events_received_at ON events (received_at);

-- One event for one handler; `ready` is explained in 004_drive.sql.
CREATE TABLE deliveries_next (
	delivery    INTEGER PRIMARY KEY AUTOINCREMENT,
	seq         INTEGER NOT NULL REFERENCES events (seq),
	handler     TEXT    NOT NULL,
	evaluation  INTEGER NOT NULL,               -- the event's, for order = evaluation
	state       TEXT    NOT NULL CHECK (state IN ('pending', 'running', 'done', 'dead', 'held')),
	attempts    INTEGER NOT NULL DEFAULT 0,
	replay      INTEGER NOT NULL DEFAULT 0,     -- number of the replay, 0: of none
	ready       INTEGER NOT NULL DEFAULT 1,     -- meaningful while it is live
	due_at      INTEGER NOT NULL,               -- when it may start; meaningful while pending
	created_at  INTEGER NOT NULL,
	retry_since INTEGER NOT NULL,               -- retry_for counts from here
	changed_at  INTEGER NOT NULL,
	outcome     TEXT    NOT NULL DEFAULT '',    -- of the last attempt
	reason      TEXT    NOT NULL DEFAULT '',
	UNIQUE (seq, handler, replay)
) STRICT;

INSERT INTO deliveries_next
SELECT delivery, seq, handler,
       iif(eval_id = '', 0, (SELECT evaluation FROM events AS e WHERE e.seq = d.seq)), state,
       attempts, replay, ready, due_at, created_at, retry_since, changed_at, outcome, reason
  FROM deliveries AS d ORDER BY delivery;

DELETE FROM sqlite_sequence WHERE name = 'deliveries_next';
INSERT INTO sqlite_sequence (name, seq)
SELECT 'deliveries_next', seq FROM sqlite_sequence WHERE name = 'deliveries';

DROP TABLE deliveries;
ALTER TABLE deliveries_next RENAME TO deliveries;

CREATE INDEX deliveries_due ON deliveries (handler, ready, due_at, delivery)
	WHERE state = 'pending';
CREATE INDEX deliveries_live ON deliveries (handler, evaluation, delivery)
	WHERE state IN ('pending', 'running', 'held') AND evaluation <> 0;
CREATE INDEX deliveries_running ON deliveries (handler, evaluation) WHERE state = 'running';
CREATE INDEX deliveries_dead ON deliveries (handler, delivery) WHERE state = 'dead';
CREATE INDEX deliveries_held ON deliveries (handler, delivery) WHERE state = 'held';

CREATE VIEW event_log AS
SELECT e.seq,
       e.event_id,
       e.event_type,
       nullif(e.original_type, '') AS original_type,
       e.category,
       v.eval_id,
       nullif(e.customer_id, '') AS customer_id,
       nullif(e.decision, '') AS decision,
       nullif(e.status, '') AS status,
       nullif(e.sub_status, '') AS sub_status,
       nullif(e.eval_status, '') AS eval_status,
       nullif(e.workflow, '') AS workflow,
       nullif(e.environment, '') AS environment,
       e.endpoint,
       strftime('%Y-%m-%dT%H:%M:%S', nullif(e.event_at, 0) / 1000000, 'unixepoch')
           || printf('.%03dZ', e.event_at / 1000 % 1000) AS event_at,
       strftime('%Y-%m-%dT%H:%M:%S', e.received_at / 1000000, 'unixepoch')
           || printf('.%03dZ', e.received_at / 1000 % 1000) AS received_at,
       e.test,
       e.duplicates,
       strftime('%Y-%m-%dT%H:%M:%S', nullif(e.erased_at, 0) / 1000000, 'unixepoch')
           || printf('.%03dZ', e.erased_at / 1000 % 1000) AS erased_at
  FROM events AS e
  LEFT JOIN evaluations AS v ON v.evaluation = e.evaluation;

CREATE VIEW evaluation_log AS
SELECT eval_id,
       nullif(customer_id, '') AS customer_id,
       nullif(workflow, '') AS workflow,
       nullif(environment, '') AS environment,
       nullif(decision, '') AS decision,
       nullif(status, '') AS status,
       nullif(sub_status, '') AS sub_status,
       nullif(eval_status, '') AS eval_status,
       strftime('%Y-%m-%dT%H:%M:%S', first_seen / 1000000, 'unixepoch')
           || printf('.%03dZ', first_seen / 1000 % 1000) AS first_seen,
       strftime('%Y-%m-%dT%H:%M:%S', last_seen / 1000000, 'unixepoch')
           || printf('.%03dZ', last_seen / 1000 % 1000) AS last_seen,
       events,
       decision_changes
  FROM evaluations
 WHERE events > 0;

CREATE VIEW delivery_log AS
SELECT d.delivery,
       d.handler,
       d.seq,
       e.event_id,
       e.event_type,
       v.eval_id,
       d.state,
       d.attempts,
       strftime('%Y-%m-%dT%H:%M:%fZ', d.due_at / 1e6, 'unixepoch') AS due_at,
       nullif(d.outcome, '') AS outcome,
       nullif(d.reason, '') AS reason,
       d.replay > 0 AS replay,
       d.state = 'pending' AND EXISTS (
           SELECT 1 FROM handlers AS h WHERE h.handler = d.handler AND h.paused_at > 0) AS paused
  FROM deliveries AS d
  JOIN events AS e USING (seq)
  LEFT JOIN evaluations AS v ON v.evaluation = e.evaluation;
