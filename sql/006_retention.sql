-- SPDX-License-Identifier: Apache-2.0
--
-- Retention. An event whose contents are erased stays as a tombstone: its seq, its dedup key, its
-- times and its state, so that a late copy of it is still a duplicate. Gone are its payload, what
-- conflicted with it, its customer_id, and what handlers wrote about it.

ALTER TABLE events ADD COLUMN erased_at INTEGER NOT NULL DEFAULT 0; -- 0: nothing is erased

-- erased_at is the last column, so that programs that count columns go on working.
DROP VIEW event_log;
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
       duplicates,
       strftime('%Y-%m-%dT%H:%M:%S', nullif(erased_at, 0) / 1000000, 'unixepoch')
           || printf('.%03dZ', erased_at / 1000 % 1000) AS erased_at
  FROM events;

-- Written to when somebody asks whether the store can commit and nothing else was committed of late.
-- It has to change: SQLite does not write a page that stays the same. One row.
CREATE TABLE probe (
	one       INTEGER PRIMARY KEY CHECK (one = 1),
	probed_at INTEGER NOT NULL
) STRICT;

INSERT INTO probe (one, probed_at) VALUES (1, 0);
