# SPDX-License-Identifier: Apache-2.0
"""A store with millions of events, written by SQL, and how long riskhookctl takes to ask it.

Each evaluation has two events. Ids are scattered as real ones are, so that the indexes are as large
and as cold as after years; the payloads are short, since they are only ever appended by seq.
"""

import contextlib
import hashlib
import os
import random
import sqlite3
import subprocess
import time

BODY = b'{"event_type": "evaluation_completed", "data": {"decision": "REVIEW"}}'
DAYS = 365

SQL_EVENTS = """
    INSERT INTO events (seq, evaluation, event_type, dedup_id, event_id, id_derived, original_type,
        category, customer_id, decision, status, sub_status, eval_status, workflow, environment,
        wrong_environment, test, event_at, decision_at, received_at, endpoint, credential, address,
        body_bytes, body_sha256)
    WITH RECURSIVE
        n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT :n),
        row (i, at, event_id, evaluation, event_type) AS (
            SELECT i, :now - (:n - i) * :step,
                   printf('%08x-8f00-4000-8000-%012d', i * 2246822519 & 4294967295, i),
                   (i + 1) / 2,
                   iif(i % 2, 'evaluation_paused', 'evaluation_completed') FROM n)
    SELECT i, evaluation, event_type, event_id, event_id, 0, event_type, 'evaluation',
           'customer-' || i, iif(i % 2, '', 'REVIEW'), iif(i % 2, 'ON_HOLD', 'OPEN'),
           'Surveillance', event_type, 'consumer_onboarding', 'Production', 0, 0, at,
           iif(i % 2, 0, at), at, 'riskos', 'bench-bearer', '127.0.0.1', length(:body),
           x''
      FROM row"""

SQL_EVALUATIONS = """
    INSERT INTO evaluations
    WITH RECURSIVE
        n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT :n / 2),
        row (i, at) AS (SELECT i, :now - (:n - 2 * i) * :step FROM n)
    SELECT i, printf('%08x-8f00-4000-9000-%012d', i * 2654435761 & 4294967295, i),
           'customer-' || 2 * i, 'consumer_onboarding', 'Production', 'REVIEW', 'OPEN',
           'Surveillance', 'evaluation_completed', at, at, at, at - :step, at, 2, 0
      FROM row"""

SQL_EVALUATION_KEYS = """
    INSERT INTO evaluation_keys SELECT id_key(eval_id), evaluation FROM evaluations ORDER BY 1"""

SQL_PAYLOADS = """
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT :n)
    INSERT INTO payloads (seq, body) SELECT i, :body FROM n"""

# one more is due: there are hardly ever more runs than now
SQL_EVENT_KEYS = """
    INSERT INTO event_keys
    SELECT seq / 65536, id_key(event_id), seq FROM events
     WHERE seq <= :merged ORDER BY 1, 2"""

SQL_EVENT_RUNS = """
    INSERT INTO event_runs SELECT seq / 1024, id_run(seq, id_key(event_id)) FROM events
     WHERE seq / 1024 BETWEEN (:merged + 1) / 1024 AND :n / 1024 - 1 GROUP BY 1"""


def id_key(text):
    """As src/store/id_key.h has it."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big", signed=True)


class IdRun:
    """An SQL aggregate: the keys of the rows of a run, each in its place."""

    def __init__(self):
        self.keys = bytearray(1024 * 8)

    def step(self, number, key):
        place = number % 1024 * 8
        self.keys[place:place + 8] = key.to_bytes(8, "big", signed=True)

    def finalize(self):
        return bytes(self.keys)


def write(path, n):
    """Put n events into the empty store that the daemon made at `path`; even numbers only."""
    values = {"n": n, "now": time.time_ns() // 1000, "body": BODY,
              "step": DAYS * 86400 * 1000000 // n, "merged": max((n // 65536 - 1) * 65536 - 1, 0)}
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        # nothing here has to survive a crash, and a log of it would be as large as the store
        db.execute("PRAGMA journal_mode = OFF")
        db.execute("PRAGMA synchronous = OFF")
        db.execute("PRAGMA cache_size = -262144")
        db.create_function("id_key", 1, id_key, deterministic=True)
        db.create_aggregate("id_run", 2, IdRun)
        indexes = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index'"
                             " AND tbl_name = 'events' AND sql IS NOT NULL").fetchall()
        for name, _ in indexes:
            db.execute(f"DROP INDEX {name}")
        for sql in (SQL_EVENTS, SQL_EVALUATIONS, SQL_EVALUATION_KEYS, SQL_PAYLOADS,
                    SQL_EVENT_KEYS, SQL_EVENT_RUNS):
            db.execute(sql, values)
        for _, sql in indexes: # sorted and written at once
            db.execute(sql)
        db.execute("UPDATE evaluation_merge SET merged = :n / 2", values)
        db.execute("UPDATE event_merge SET merged = :merged", values)
        db.execute("UPDATE router SET routed_seq = :n", values)
        db.execute("PRAGMA journal_mode = WAL")
    _sync(path)


def _sync(path):
    """So that the kernel does not write it back while something is measured."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def ask(server, n, times=7):
    """Wall time of riskhookctl, milliseconds, of events anywhere among the n."""
    program = os.path.join(os.path.dirname(server.program), "riskhookctl")
    found = {"show": [], "show by id": [], "evaluation": [], "events": []}
    for seq in random.sample(range(1, n + 1), times):
        event_id, eval_id = server.row("SELECT event_id, eval_id FROM event_log WHERE seq = ?", seq)
        for name, question in {"show": ["show", str(seq)], "show by id": ["show", event_id],
                               "evaluation": ["evaluation", eval_id],
                               "events": ["events", "--limit", "50"]}.items():
            began = time.perf_counter()
            done = subprocess.run([program, "-c", server.file("riskhookd.conf"), *question],
                                  capture_output=True, text=True, check=False)
            found[name].append((time.perf_counter() - began) * 1000)
            if done.returncode != 0:
                raise RuntimeError(f"riskhookctl {question}: {done.stdout}{done.stderr}")
    return found
