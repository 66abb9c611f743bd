-- SPDX-License-Identifier: Apache-2.0
--
-- Access tokens that the token endpoint has issued. Of a token only its digest is kept, so that
-- nobody who reads this file can post. Bounded: of each credential the oldest go first.
CREATE TABLE tokens (
	token_sha256 BLOB    NOT NULL PRIMARY KEY,
	endpoint     TEXT    NOT NULL,      -- the only one that it opens
	credential   TEXT    NOT NULL,      -- name of the one that it was issued for
	client_id    TEXT    NOT NULL,
	issued_at    INTEGER NOT NULL,
	expires_at   INTEGER NOT NULL,
	address      TEXT    NOT NULL       -- whom it was issued to
) STRICT;

CREATE INDEX tokens_credential ON tokens (endpoint, credential);
CREATE INDEX tokens_expires_at ON tokens (expires_at);
