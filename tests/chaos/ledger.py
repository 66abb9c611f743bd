# SPDX-License-Identifier: Apache-2.0
"""The books: what was sent, what was answered, what handlers have seen.

An SQLite file of the harness's own, so that an hour of load costs no memory and the oracle can ask
about it and the store in one query.
"""

import hashlib
import sqlite3
import threading

SCHEMA = """
-- One try of one post. status NULL: no answer came. expect: the statuses that it may get.
CREATE TABLE tries (
    key TEXT NOT NULL, sha BLOB NOT NULL, client TEXT NOT NULL, expect TEXT NOT NULL,
    began REAL NOT NULL, ended REAL NOT NULL, status INTEGER, result TEXT, seq INTEGER, flaw TEXT);
-- What was made to be sent with a right credential: at most these may be stored.
CREATE TABLE bodies (
    key TEXT NOT NULL, sha BLOB NOT NULL, kind TEXT NOT NULL CHECK (kind IN ('event', 'rubbish')),
    PRIMARY KEY (key, sha)) WITHOUT ROWID;
-- Which handlers want a body, and what they must get.
CREATE TABLE wanted (
    key TEXT NOT NULL, sha BLOB NOT NULL, handler TEXT NOT NULL, payload BLOB NOT NULL,
    refused INTEGER NOT NULL, PRIMARY KEY (key, sha, handler)) WITHOUT ROWID;
-- Handlers that are configured, at least in the end.
CREATE TABLE present (handler TEXT PRIMARY KEY);
-- In the order in which it happened: what a handler got ('seen'), and what it answered.
CREATE TABLE sightings (
    n INTEGER PRIMARY KEY AUTOINCREMENT, handler TEXT NOT NULL, seq INTEGER NOT NULL,
    what TEXT NOT NULL, payload BLOB);
"""
BUFFERED = 200  # rows of a table
PROMPT = ("basic", "bearer", "rotating")  # clients whose latency is the daemon's alone


def digest(data):
    return hashlib.sha256(data).digest()


class Ledger:
    """Written by every thread of the harness."""

    def __init__(self, path):
        self.path = path
        self.lock = threading.Lock()
        self.db = sqlite3.connect(path, check_same_thread=False)  # under `lock`
        self.db.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + SCHEMA)
        self.rows = {}  # statement -> rows that wait; under `lock`
        self.counts = {}  # (client, status) -> tries; under `lock`
        self.latencies = []  # see take_latencies(); under `lock`

    def _add(self, sql, rows):
        with self.lock:
            waiting = self.rows.setdefault(sql, [])
            waiting.extend(rows)
            if len(waiting) >= BUFFERED:
                self._write(sql)

    def _write(self, sql):
        with self.db:
            self.db.executemany(sql, self.rows[sql])
        self.rows[sql].clear()

    def flush(self):
        with self.lock:
            for sql in self.rows:
                self._write(sql)

    def close(self):
        self.flush()
        self.db.close()

    def made(self, event):
        """Before it is sent for the first time."""
        sha = digest(event.data)
        self._add("INSERT INTO bodies VALUES (?, ?, 'event')", [(event.key, sha)])
        self._add("INSERT INTO wanted VALUES (?, ?, ?, ?, ?)",
                  [(event.key, sha, handler, digest(payload), refused)
                   for handler, payload, refused in event.wanted()])

    def made_rubbish(self, key, data):
        self._add("INSERT INTO bodies VALUES (?, ?, 'rubbish')", [(key, digest(data))])

    def tried(self, attempt):
        """attempt: a load.Try"""
        self._add("INSERT INTO tries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", [attempt.row()])
        with self.lock:
            place = (attempt.client, attempt.status)
            self.counts[place] = self.counts.get(place, 0) + 1
            if attempt.status == 200 and attempt.client in PROMPT:
                self.latencies.append(attempt.ended - attempt.began)

    def present(self, handlers):
        self._add("INSERT INTO present VALUES (?)", [(handler,) for handler in handlers])

    def sighted(self, handler, seq, what, payload=None):
        self._add("INSERT INTO sightings (handler, seq, what, payload) VALUES (?, ?, ?, ?)",
                  [(handler, seq, what, payload)])

    def count(self, status, client=None):
        """Tries so far that ended like this."""
        with self.lock:
            return sum(n for (who, said), n in self.counts.items()
                       if said == status and client in (None, who))

    def take_latencies(self):
        """Seconds of each 200 since this was called last, of clients that wait for nobody else."""
        with self.lock:
            taken, self.latencies = self.latencies, []
        return taken
