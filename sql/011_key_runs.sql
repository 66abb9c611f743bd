-- SPDX-License-Identifier: Apache-2.0
--
-- A run of evaluations is one row instead of 1024: it is written from what the daemon has in memory,
-- without reading, sorting and inserting each. The start writes the runs that are missing
-- (src/store/id_index.h).
DROP TABLE evaluation_runs;

-- `keys`: the keys of evaluations run * 1024 to run * 1024 + 1023 in order, 8 bytes each, the highest
-- first. Where there is no evaluation, or one that was merged before, anything may be.
CREATE TABLE evaluation_runs (
	run  INTEGER PRIMARY KEY,
	keys BLOB NOT NULL CHECK (length(keys) = 8192)
) STRICT;
