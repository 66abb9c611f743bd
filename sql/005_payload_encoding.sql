-- SPDX-License-Identifier: Apache-2.0
--
-- Payloads may be compressed: 0 raw, 1 zstd. `SELECT payload(seq)` reads either, in riskhook's own
-- connections and, after `.load riskhook`, in the sqlite3 program.
ALTER TABLE payloads ADD COLUMN encoding INTEGER NOT NULL DEFAULT 0;
