-- SPDX-License-Identifier: Apache-2.0
--
-- The first schema. Times are integers, microseconds since the epoch, UTC; the views at the end
-- print them as RFC 3339. Text that the sender did not give is '' in the tables and NULL in the
-- views.
--
-- Questions by hand go to the views event_log, evaluation_log and delivery_log:
--   sqlite3 -readonly events.db "SELECT * FROM event_log WHERE decision = 'REVIEW'"

-- One row an event, in order of arrival. The raw body is in `payloads`, so that lists stay quick.
CREATE TABLE events (
	seq           INTEGER PRIMARY KEY AUTOINCREMENT,
	eval_id       TEXT    NOT NULL,
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
	body_sha256   BLOB    NOT NULL
) STRICT;

-- The dedup key: one winner, whatever arrives at the same moment. Serves the time line of an
-- evaluation too.
CREATE UNIQUE INDEX events_key ON events (eval_id, event_type, dedup_id);
CREATE INDEX events_event_id ON events (event_id);
CREATE INDEX events_received_at ON events (received_at);

CREATE TABLE payloads (
	seq  INTEGER PRIMARY KEY REFERENCES events (seq),
	body BLOB NOT NULL
) STRICT;

-- The newest state of each evaluation by the events' own times, never by arrival.
CREATE TABLE evaluations (
	eval_id          TEXT    PRIMARY KEY,
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
) STRICT, WITHOUT ROWID;

-- Another body under a key that is taken. The first stays the event.
CREATE TABLE conflicts (
	conflict    INTEGER PRIMARY KEY AUTOINCREMENT,
	seq         INTEGER NOT NULL REFERENCES events (seq),
	endpoint    TEXT    NOT NULL,
	credential  TEXT    NOT NULL,
	address     TEXT    NOT NULL,
	received_at INTEGER NOT NULL,
	posts       INTEGER NOT NULL DEFAULT 1,
	body_sha256 BLOB    NOT NULL,
	body        BLOB    NOT NULL,
	UNIQUE (seq, body_sha256)
) STRICT;

-- Bodies that are not one JSON object. Bounded: the oldest go first.
CREATE TABLE quarantine (
	quarantine  INTEGER PRIMARY KEY AUTOINCREMENT,
	endpoint    TEXT    NOT NULL,
	credential  TEXT    NOT NULL,
	address     TEXT    NOT NULL,
	received_at INTEGER NOT NULL,
	posts       INTEGER NOT NULL DEFAULT 1,
	reason      TEXT    NOT NULL,
	body_sha256 BLOB    NOT NULL UNIQUE,
	body        BLOB    NOT NULL
) STRICT;

-- How far the router has come. One row.
CREATE TABLE router (
	one        INTEGER PRIMARY KEY CHECK (one = 1),
	routed_seq INTEGER NOT NULL
) STRICT;

INSERT INTO router (one, routed_seq) VALUES (1, 0);

-- One event for one handler.
CREATE TABLE deliveries (
	delivery   INTEGER PRIMARY KEY AUTOINCREMENT,
	seq        INTEGER NOT NULL REFERENCES events (seq),
	handler    TEXT    NOT NULL,
	eval_id    TEXT    NOT NULL,               -- the event's, for order = evaluation
	state      TEXT    NOT NULL CHECK (state IN ('pending', 'running', 'done', 'dead', 'held')),
	attempts   INTEGER NOT NULL DEFAULT 0,
	due_at     INTEGER NOT NULL,               -- when it may start; meaningful while pending
	created_at INTEGER NOT NULL,
	changed_at INTEGER NOT NULL,
	outcome    TEXT    NOT NULL DEFAULT '',    -- of the last attempt
	reason     TEXT    NOT NULL DEFAULT '',
	UNIQUE (seq, handler)
) STRICT;

CREATE INDEX deliveries_due ON deliveries (handler, due_at, delivery) WHERE state = 'pending';
CREATE INDEX deliveries_live ON deliveries (handler, eval_id, delivery)
	WHERE state IN ('pending', 'running', 'held');
CREATE INDEX deliveries_running ON deliveries (delivery) WHERE state = 'running';
CREATE INDEX deliveries_dead ON deliveries (handler, delivery) WHERE state = 'dead';

-- One try of a delivery. The row is committed before the handler sees anything.
CREATE TABLE attempts (
	delivery   INTEGER NOT NULL REFERENCES deliveries (delivery),
	attempt    INTEGER NOT NULL,
	started_at INTEGER NOT NULL,
	ended_at   INTEGER,                        -- NULL: under way
	outcome    TEXT,
	code       INTEGER,                        -- exit code
	signal     INTEGER,
	reason     TEXT,
	output     BLOB,
	output_cut INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (delivery, attempt)
) STRICT, WITHOUT ROWID;

CREATE VIEW event_log AS
SELECT seq,
       event_id,
       event_type,
       nullif(original_type, '') AS original_type,
       category,
       nullif(eval_id, '') AS eval_id,
       nullif(customer_id, '') AS customer_id,
       nullif(decision, '') AS decision,
       nullif(status, '') AS status,
       nullif(sub_status, '') AS sub_status,
       nullif(eval_status, '') AS eval_status,
       nullif(workflow, '') AS workflow,
       nullif(environment, '') AS environment,
       endpoint,
       strftime('%Y-%m-%dT%H:%M:%S', nullif(event_at, 0) / 1000000, 'unixepoch')
           || printf('.%03dZ', event_at / 1000 % 1000) AS event_at,
       strftime('%Y-%m-%dT%H:%M:%S', received_at / 1000000, 'unixepoch')
           || printf('.%03dZ', received_at / 1000 % 1000) AS received_at,
       test,
       duplicates
  FROM events;

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
  FROM evaluations;

CREATE VIEW delivery_log AS
SELECT d.delivery,
       d.handler,
       d.seq,
       e.event_id,
       e.event_type,
       nullif(d.eval_id, '') AS eval_id,
       d.state,
       d.attempts,
       strftime('%Y-%m-%dT%H:%M:%S', d.due_at / 1000000, 'unixepoch')
           || printf('.%03dZ', d.due_at / 1000 % 1000) AS due_at,
       nullif(d.outcome, '') AS outcome,
       nullif(d.reason, '') AS reason
  FROM deliveries AS d
  JOIN events AS e USING (seq);
