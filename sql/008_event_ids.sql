-- SPDX-License-Identifier: Apache-2.0
--
-- The index on event_id, of which each event had to write a page of its own although only people ask
-- for it, becomes a table that is written run by run: once the last of 1024 events (those with the
-- same seq / 1024) has come, all of their ids go there, in order. What is behind the last run is
-- found by looking at the events themselves.
--
-- From this version on `payloads.encoding` may be 2: zstd with src/store/dictionaries/1.txt.
CREATE TABLE event_ids (
	run      INTEGER NOT NULL,
	event_id TEXT    NOT NULL,
	seq      INTEGER NOT NULL,
	PRIMARY KEY (run, event_id, seq)
) STRICT, WITHOUT ROWID;

INSERT INTO event_ids
SELECT seq / 1024, event_id, seq FROM events
 WHERE seq / 1024 < (SELECT max(seq) / 1024 FROM events)
 ORDER BY seq / 1024, event_id;

DROP INDEX events_event_id;
