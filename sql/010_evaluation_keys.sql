-- SPDX-License-Identifier: Apache-2.0
--
-- The index on eval_id, of which each new evaluation had to read and write a page of its own, becomes
-- one on a digest of it that is written in large portions (src/store/id_index.h). In plain SQL
-- an eval_id is found by looking through `evaluations`; riskhookctl knows better.
--
-- SQLite cannot drop what a UNIQUE has made, so the table is made anew. The views keep its name.
PRAGMA legacy_alter_table = ON;
PRAGMA secure_delete = ON; -- what the old table leaves behind is personal data

-- The newest state of each evaluation by the events' own times, never by arrival. With `events` = 0
-- only the Dashboard's test deliveries are known. eval_id is unique.
CREATE TABLE evaluations_next (
	evaluation       INTEGER PRIMARY KEY,
	eval_id          TEXT    NOT NULL,
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

INSERT INTO evaluations_next SELECT * FROM evaluations ORDER BY evaluation;

DROP TABLE evaluations;
ALTER TABLE evaluations_next RENAME TO evaluations;
PRAGMA legacy_alter_table = OFF;

-- `key`: id_key(eval_id), the first 64 bits of its SHA-256. Two eval_ids may have the same.
-- Every evaluation up to `merged` is here,
CREATE TABLE evaluation_keys (
	key        INTEGER NOT NULL,
	evaluation INTEGER NOT NULL,
	PRIMARY KEY (key, evaluation)
) STRICT, WITHOUT ROWID;

CREATE TABLE evaluation_merge (
	one    INTEGER PRIMARY KEY CHECK (one = 1),
	merged INTEGER NOT NULL
) STRICT;

-- what came later is here, in runs of 1024 (evaluation / 1024), as soon as its run is complete.
CREATE TABLE evaluation_runs (
	run        INTEGER NOT NULL,
	key        INTEGER NOT NULL,
	evaluation INTEGER NOT NULL,
	PRIMARY KEY (run, key, evaluation)
) STRICT, WITHOUT ROWID;

INSERT INTO evaluation_keys SELECT id_key(eval_id), evaluation FROM evaluations ORDER BY 1;
INSERT INTO evaluation_merge SELECT 1, coalesce(max(evaluation), 0) FROM evaluations;
