-- SPDX-License-Identifier: Apache-2.0
--
-- When each credential last let somebody in and each endpoint last got an event, so that an old
-- secret can be retired knowingly and silence is noticed across restarts. Written about once a
-- minute; the newest may be missing after a crash. Names are those of the configuration.

CREATE TABLE uses (
	kind    TEXT    NOT NULL CHECK (kind IN ('credential', 'endpoint')),
	name    TEXT    NOT NULL,
	used_at INTEGER NOT NULL,
	PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;
