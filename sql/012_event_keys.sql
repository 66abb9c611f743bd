-- SPDX-License-Identifier: Apache-2.0
--
-- Events are found by their event_id as evaluations by their eval_id, over digests
-- (src/store/id_index.h): a question looks into a portion for each 65536 events, where it had looked
-- into a run for each 4096.
DROP TABLE event_ids;

-- `key`: id_key(event_id), the first 64 bits of its SHA-256. Several events may have the same. Every
-- event up to `merged` is here; `portion` is seq / 65536.
CREATE TABLE event_keys (
	portion INTEGER NOT NULL,
	key     INTEGER NOT NULL,
	seq     INTEGER NOT NULL,
	PRIMARY KEY (portion, key, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE event_merge (
	one    INTEGER PRIMARY KEY CHECK (one = 1),
	merged INTEGER NOT NULL
) STRICT;

-- What came later is here, as in evaluation_runs: the keys of events run * 1024 to run * 1024 + 1023.
CREATE TABLE event_runs (
	run  INTEGER PRIMARY KEY,
	keys BLOB NOT NULL CHECK (length(keys) = 8192)
) STRICT;

INSERT INTO event_keys SELECT seq / 65536, id_key(event_id), seq FROM events ORDER BY 1, 2;
INSERT INTO event_merge SELECT 1, coalesce(max(seq), 0) FROM events;
