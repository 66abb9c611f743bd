-- SPDX-License-Identifier: Apache-2.0
--
-- Order that stays cheap, replays, paused handlers.
--
-- `deliveries` is made anew, because SQLite cannot drop its key (seq, handler), which allowed one
-- delivery of an event to a handler for ever.

DROP VIEW delivery_log;

CREATE TABLE deliveries_next (
	delivery    INTEGER PRIMARY KEY AUTOINCREMENT,
	seq         INTEGER NOT NULL REFERENCES events (seq),
	handler     TEXT    NOT NULL,
	eval_id     TEXT    NOT NULL,               -- the event's, for order = evaluation
	state       TEXT    NOT NULL CHECK (state IN ('pending', 'running', 'done', 'dead', 'held')),
	attempts    INTEGER NOT NULL DEFAULT 0,
	replay      INTEGER NOT NULL DEFAULT 0,     -- number of the replay, 0: of none
	ready       INTEGER NOT NULL DEFAULT 1,     -- see below; meaningful while it is live
	due_at      INTEGER NOT NULL,               -- when it may start; meaningful while pending
	created_at  INTEGER NOT NULL,
	retry_since INTEGER NOT NULL,               -- retry_for counts from here
	changed_at  INTEGER NOT NULL,
	outcome     TEXT    NOT NULL DEFAULT '',    -- of the last attempt
	reason      TEXT    NOT NULL DEFAULT '',
	UNIQUE (seq, handler, replay)
) STRICT;

-- A delivery is live while it is pending, running or held. Of the live ones of one evaluation and
-- handler exactly one is `ready`: it has the turn, and passes it to the lowest one when it ends
-- (done, dead), in the same transaction. Without an eval_id each has a turn of its own. So the
-- deliveries that wait for another one are not in the way of those that may start.
INSERT INTO deliveries_next (delivery, seq, handler, eval_id, state, attempts, ready, due_at,
                             created_at, retry_since, changed_at, outcome, reason)
SELECT delivery, seq, handler, eval_id, state, attempts,
       eval_id = '' OR state IN ('done', 'dead') OR NOT EXISTS (
           SELECT 1 FROM deliveries AS before
            WHERE before.handler = d.handler AND before.eval_id = d.eval_id
              AND before.delivery < d.delivery
              AND before.state IN ('pending', 'running', 'held')),
       due_at, created_at, created_at, changed_at, outcome, reason
  FROM deliveries AS d ORDER BY delivery;

-- a number is never given twice, even if the last deliveries are gone
DELETE FROM sqlite_sequence WHERE name = 'deliveries_next';
INSERT INTO sqlite_sequence (name, seq)
SELECT 'deliveries_next', seq FROM sqlite_sequence WHERE name = 'deliveries';

DROP TABLE deliveries;
ALTER TABLE deliveries_next RENAME TO deliveries;

CREATE INDEX deliveries_due ON deliveries (handler, ready, due_at, delivery)
	WHERE state = 'pending';
CREATE INDEX deliveries_live ON deliveries (handler, eval_id, delivery)
	WHERE state IN ('pending', 'running', 'held') AND eval_id <> '';
CREATE INDEX deliveries_running ON deliveries (handler, eval_id) WHERE state = 'running';
CREATE INDEX deliveries_dead ON deliveries (handler, delivery) WHERE state = 'dead';
CREATE INDEX deliveries_held ON deliveries (handler, delivery) WHERE state = 'held';

-- Every handler that was ever configured: when it was first seen (what came before is its history),
-- and since when it is paused.
CREATE TABLE handlers (
	handler    TEXT    PRIMARY KEY,
	first_seen INTEGER NOT NULL,
	paused_at  INTEGER NOT NULL DEFAULT 0       -- 0: it is not
) STRICT, WITHOUT ROWID;

INSERT INTO handlers (handler, first_seen)
SELECT handler, min(created_at) FROM deliveries GROUP BY handler;

-- Events that a handler gets again, or for the first time: the history of one with start = all.
-- The dispatcher goes through the events behind `at_seq` and writes the deliveries, batch by batch.
CREATE TABLE replays (
	replay     INTEGER PRIMARY KEY AUTOINCREMENT,
	handler    TEXT    NOT NULL,
	history    INTEGER NOT NULL,                -- 1: start = all; not marked as a replay
	at_seq     INTEGER NOT NULL,                -- events up to this one are dealt with
	last_seq   INTEGER NOT NULL,
	since      INTEGER NOT NULL DEFAULT 0,      -- received_at; 0: any
	until      INTEGER NOT NULL DEFAULT 0,
	event_type TEXT    NOT NULL DEFAULT '',     -- '': any
	eval_id    TEXT    NOT NULL DEFAULT '',
	deliveries INTEGER NOT NULL DEFAULT 0,      -- written so far
	created_at INTEGER NOT NULL,
	ended_at   INTEGER NOT NULL DEFAULT 0       -- 0: goes on
) STRICT;

CREATE INDEX replays_open ON replays (replay) WHERE ended_at = 0;

CREATE VIEW delivery_log AS
SELECT d.delivery,
       d.handler,
       d.seq,
       e.event_id,
       e.event_type,
       nullif(d.eval_id, '') AS eval_id,
       d.state,
       d.attempts,
       strftime('%Y-%m-%dT%H:%M:%fZ', d.due_at / 1e6, 'unixepoch') AS due_at,
       nullif(d.outcome, '') AS outcome,
       nullif(d.reason, '') AS reason,
       d.replay > 0 AS replay,
       d.state = 'pending' AND EXISTS (
           SELECT 1 FROM handlers AS h WHERE h.handler = d.handler AND h.paused_at > 0) AS paused
  FROM deliveries AS d
  JOIN events AS e USING (seq);
