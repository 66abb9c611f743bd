# SPDX-License-Identifier: Apache-2.0
"""The oracle: the books against the store. Each promise is a query for what breaks it.

The ledger is the main database, the store is attached, read-only. `answers` below has the tries
that were answered 200 to an event.
"""

import collections
import contextlib
import itertools
import sqlite3

from lib.settings import BUILD

from chaos.hostile import SMUGGLED, UNAUTHORISED
from chaos.ledger import digest

SHOWN = 5  # examples of each broken promise

VIEWS = """
CREATE TEMP TABLE stored AS
    SELECT e.*, coalesce(v.eval_id, '') || '/' || e.event_type || '/' || e.event_id AS key,
           p.seq IS NOT NULL AS has_payload,
           length(payload_decode(p.body, p.encoding)) AS n_bytes,
           coalesce(sha256(payload_decode(p.body, p.encoding)), e.body_sha256) AS sha
      FROM store.events AS e LEFT JOIN store.payloads AS p USING (seq)
      LEFT JOIN store.evaluations AS v ON v.evaluation = e.evaluation;
CREATE INDEX temp.stored_key ON stored (key);
CREATE INDEX temp.stored_seq ON stored (seq);
CREATE TEMP TABLE answers AS
    SELECT key, seq, result, sha, began, ended FROM tries WHERE status = 200;
CREATE INDEX temp.answers_key ON answers (key);
CREATE TEMP TABLE unanswered AS
    SELECT key, sha FROM tries WHERE status IS NULL OR status = 503;
CREATE INDEX temp.unanswered_key ON unanswered (key);
CREATE TEMP TABLE conflicting AS
    SELECT s.key, c.seq, c.posts, c.body_sha256, sha256(c.body) AS sha
      FROM store.conflicts AS c JOIN stored AS s USING (seq);
CREATE INDEX temp.conflicting_key ON conflicting (key);
CREATE TEMP TABLE wanted_of AS
    SELECT s.seq, w.handler, w.payload, w.refused
      FROM stored AS s JOIN wanted AS w ON w.key = s.key AND w.sha = s.sha
      JOIN present USING (handler);
CREATE INDEX temp.wanted_seq ON wanted_of (seq, handler);
CREATE INDEX IF NOT EXISTS tries_key ON tries (key);
CREATE INDEX IF NOT EXISTS bodies_sha ON bodies (sha);
CREATE INDEX IF NOT EXISTS sightings_of ON sightings (seq, handler);
"""


def not_found(name, rows, number, key_id, also=""):
    """What is neither in its index nor, complete and not merged, in its run."""
    return (
        f"SELECT r.{number}, r.{key_id} FROM store.{rows} AS r, store.{name}_merge"
        f" WHERE (r.{number} <= merged"
        f"  OR r.{number} / 1024 < (SELECT max({number}) / 1024 FROM store.{rows}))"
        f" AND NOT iif(r.{number} <= merged,"
        f"  EXISTS (SELECT 1 FROM store.{name}_keys AS k"
        f"   WHERE {also} k.key = id_key(r.{key_id}) AND k.{number} = r.{number}),"
        f"  EXISTS (SELECT 1 FROM store.{name}_runs AS s WHERE s.run = r.{number} / 1024 AND"
        f"   substr(s.keys, r.{number} % 1024 * 8 + 1, 8) = id_key_bytes(r.{key_id})))")


PROMISES = {
    # 1: what a 200 means
    "a 200 is in the store, under the seq that it told":
        "SELECT a.* FROM answers AS a LEFT JOIN stored AS s ON s.key = a.key AND s.seq = a.seq"
        " WHERE s.seq IS NULL",
    "an event is stored once":
        "SELECT key, count(*) FROM stored GROUP BY key HAVING count(*) > 1",
    "the bytes are those that were sent":
        "SELECT seq, key FROM stored WHERE NOT EXISTS (SELECT 1 FROM bodies AS b"
        " WHERE b.key = stored.key AND b.sha = stored.sha AND b.kind = 'event')"
        " OR n_bytes <> body_bytes",
    "an event has its body, or, once it is erased, its body's digest":
        "SELECT seq, key, erased_at, has_payload, hex(body_sha256) FROM stored"
        " WHERE has_payload <> (erased_at = 0)"
        " OR length(body_sha256) <> iif(erased_at = 0, 0, 32)",
    "what was never sent is not stored":
        "SELECT seq, key FROM stored WHERE NOT EXISTS (SELECT 1 FROM tries AS t"
        " WHERE t.key = stored.key AND t.sha = stored.sha)",

    "an event is found by its id":
        not_found("event", "events", "seq", "event_id", "k.portion = r.seq / 65536 AND"),

    # 3: duplicates and conflicts
    "one post of an event is 'stored', and no second one":
        "SELECT key, count(*) FROM answers WHERE result = 'stored' GROUP BY key"
        " HAVING count(*) > 1",
    "'stored' and 'duplicate' tell of the body that is stored":
        "SELECT a.* FROM answers AS a JOIN stored AS s USING (key)"
        " WHERE (a.result = 'conflict') <> (a.sha <> s.sha)",
    "a result is one of three":
        "SELECT * FROM answers WHERE result IS NULL"
        " OR result NOT IN ('stored', 'duplicate', 'conflict')",
    "without a 'stored' there is a try of that body whose answer nobody got":
        "SELECT s.seq, s.key FROM stored AS s WHERE NOT EXISTS (SELECT 1 FROM answers AS a"
        " WHERE a.key = s.key AND a.result = 'stored') AND NOT EXISTS (SELECT 1 FROM unanswered"
        " AS u WHERE u.key = s.key AND u.sha = s.sha)",
    "nobody is told 'stored' when another one had his 200 already":
        "SELECT a.* FROM answers AS a JOIN answers AS b USING (key)"
        " WHERE a.result = 'stored' AND b.ended < a.began",
    "each duplicate is counted once":
        "SELECT s.seq, s.duplicates, d.n, d.lost FROM stored AS s JOIN ("
        " SELECT key, (SELECT count(*) FROM answers AS a WHERE a.key = t.key"
        "              AND a.result = 'duplicate') AS n,"
        "        (SELECT count(*) FROM unanswered AS u WHERE u.key = t.key) AS lost"
        " FROM (SELECT DISTINCT key FROM tries) AS t) AS d USING (key)"
        " WHERE s.duplicates NOT BETWEEN d.n AND d.n + d.lost",
    "a conflicting body is kept":
        "SELECT a.* FROM answers AS a JOIN stored AS s USING (key) WHERE a.result = 'conflict'"
        " AND s.erased_at = 0 AND NOT EXISTS (SELECT 1 FROM conflicting AS c"
        " WHERE c.key = a.key AND c.sha = a.sha)",
    "a kept conflict was sent, and is no copy of the event":
        "SELECT c.seq FROM conflicting AS c JOIN stored AS s USING (seq)"
        " WHERE c.sha <> c.body_sha256 OR c.sha = s.sha OR NOT EXISTS ("
        " SELECT 1 FROM tries AS t WHERE t.key = c.key AND t.sha = c.sha)",
    "bad bodies of a right sender are kept":
        "SELECT t.* FROM tries AS t JOIN bodies AS b USING (sha) WHERE b.kind = 'rubbish'"
        " AND t.status = 400 AND :forgets = 0 AND NOT EXISTS ("
        " SELECT 1 FROM store.quarantine AS q WHERE q.body_sha256 = t.sha)",

    # 4, 5: the answers
    "every answer is a fair one":
        "SELECT * FROM tries WHERE status IS NOT NULL"
        " AND instr(',' || expect || ',', ',' || status || ',') = 0",
    "every answer is complete":
        "SELECT * FROM tries WHERE flaw IS NOT NULL",

    # 2: deliveries
    "every stored event is routed":
        "SELECT seq, key FROM stored WHERE seq > (SELECT routed_seq FROM store.router)",
    "every handler that wants an event has one delivery of it":
        "SELECT w.seq, w.handler, (SELECT count(*) FROM store.deliveries AS d"
        " WHERE d.seq = w.seq AND d.handler = w.handler) AS n FROM wanted_of AS w WHERE n <> 1",
    "no handler has a delivery that it does not want":
        "SELECT d.delivery, d.seq, d.handler FROM store.deliveries AS d LEFT JOIN wanted_of AS w"
        " USING (seq, handler) WHERE w.seq IS NULL",
    "every delivery came to its end":
        "SELECT delivery, seq, handler, state FROM store.deliveries"
        " WHERE state NOT IN ('done', 'dead')",
    "dead is what was refused, with the reason, and nothing else":
        "SELECT d.delivery, d.seq, d.handler, d.state, d.outcome, d.reason FROM store.deliveries"
        " AS d JOIN wanted_of AS w USING (seq, handler) JOIN stored AS s USING (seq)"
        " WHERE (d.state = 'dead') <> w.refused"
        # retention erases what handlers wrote
        " OR (d.state = 'dead' AND d.reason = '' AND s.erased_at = 0)",
    "done is what the handler has taken":
        "SELECT d.delivery, d.seq, d.handler FROM store.deliveries AS d WHERE d.state = 'done'"
        " AND NOT EXISTS (SELECT 1 FROM sightings AS g WHERE g.seq = d.seq"
        " AND g.handler = d.handler AND g.what = 'ok')",
    "a handler sees the bytes of the event":
        "SELECT g.handler, g.seq FROM sightings AS g LEFT JOIN wanted_of AS w"
        " ON w.seq = g.seq AND w.handler = g.handler"
        " WHERE g.what = 'seen' AND (w.seq IS NULL OR w.payload <> g.payload)",
    "no attempt is left open, and the last one tells the end":
        "SELECT a.delivery, a.attempt FROM store.attempts AS a"
        " WHERE a.ended_at IS NULL OR a.outcome IS NULL"
        " UNION ALL SELECT d.delivery, d.attempts FROM store.deliveries AS d LEFT JOIN"
        " store.attempts AS a ON a.delivery = d.delivery AND a.attempt = d.attempts"
        " WHERE a.outcome IS NOT CASE d.state WHEN 'done' THEN 'ok' ELSE 'dead' END",

    # what follows
    "an evaluation counts its events":
        "SELECT v.eval_id, v.events FROM store.evaluations AS v WHERE v.events <>"
        " (SELECT count(*) FROM store.events AS e WHERE e.evaluation = v.evaluation AND NOT e.test)",
    "an eval_id stands for one evaluation":
        "SELECT eval_id, count(*) AS n FROM store.evaluations GROUP BY eval_id HAVING n > 1",
    "an evaluation is found by its eval_id":
        not_found("evaluation", "evaluations", "evaluation", "eval_id"),
    "what refers to a row finds it": "PRAGMA store.foreign_key_check",
}


def id_key_bytes(text):
    return digest(text.encode())[:8]


def id_key(text):
    return int.from_bytes(id_key_bytes(text), "big", signed=True)


class Broken(AssertionError):
    """At least one promise is."""


class Oracle:
    def __init__(self, ledger_path, store_path, forgets=False):
        """The daemon must be stopped. forgets: the store has a retention."""
        self.store_path = store_path
        self.parameters = {"forgets": forgets}
        self.db = sqlite3.connect(f"file:{ledger_path}", uri=True)
        self.db.enable_load_extension(True)
        self.db.load_extension(str(BUILD / "riskhook.so"))
        self.db.create_function("sha256", 1, lambda data: data and digest(data),
                                deterministic=True)
        for function in (id_key, id_key_bytes):
            self.db.create_function(function.__name__, 1, function, deterministic=True)
        self.db.execute("ATTACH ? AS store", (f"file:{store_path}?mode=ro",))
        self.db.executescript(VIEWS)

    def close(self):
        self.db.close()

    def complaints(self):
        """{promise: examples of how it is broken}"""
        found = {}
        for promise, sql in PROMISES.items():
            rows = self.db.execute(sql, self.parameters).fetchmany(SHOWN)
            if rows:
                found[promise] = rows
        for promise, check in self.CHECKS.items():
            rows = list(itertools.islice(check(self), SHOWN))
            if rows:
                found[promise] = rows
        return found

    def overtaken(self):
        """Sightings of an event whose predecessors in its evaluation had not come to an end."""
        groups = collections.defaultdict(list)  # (handler, evaluation) -> seqs in order
        place = {}  # (handler, seq) -> (its group, position)
        for handler, evaluation, seq in self.db.execute(
                "SELECT handler, evaluation, seq FROM store.deliveries WHERE evaluation <> 0"
                " ORDER BY seq"):
            group = groups[handler, evaluation]
            place[handler, seq] = (group, len(group))
            group.append(seq)
        ended = set()
        for handler, seq, what in self.db.execute(
                "SELECT handler, seq, what FROM sightings ORDER BY n"):
            group, position = place.get((handler, seq), ([], 0))
            if what != "seen":
                ended.add((handler, seq))
            elif position and (handler, group[position - 1]) not in ended:
                yield handler, seq, f"before {group[position - 1]} had ended"

    def traces(self):
        """Bytes that came without a right credential, anywhere in the store's files."""
        for marker in (UNAUTHORISED, SMUGGLED):
            yield from self.db.execute("SELECT seq, event_id FROM store.events"
                                       " WHERE event_id LIKE ? || '%'", (marker,))
        for path in self.store_path.parent.glob(self.store_path.name + "*"):
            with path.open("rb") as file:
                if contains(file, UNAUTHORISED.encode()):
                    yield path.name, "has the bytes of an intruder"

    def damage(self):
        for row in self.db.execute("PRAGMA store.integrity_check"):
            if row != ("ok",):
                yield row

    CHECKS = {"order within an evaluation": overtaken, "an intruder leaves no trace": traces,
              "the file is sound": damage}

    def check(self):
        found = self.complaints()
        if found:
            raise Broken("\n".join(f"{promise}:\n" + "\n".join(f"    {row}" for row in rows)
                                   for promise, rows in found.items()))

    def summary(self):
        """Counts of what was checked, for people."""
        count = {"tries": "tries", "answered 200": "answers", "events": "stored",
                 "conflicts": "conflicting", "quarantined": "store.quarantine",
                 "deliveries": "store.deliveries", "attempts": "store.attempts",
                 "sightings": "sightings"}
        return {name: self.db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                for name, table in count.items()}


def contains(file, needle, block=1 << 20):
    tail = b""
    while data := file.read(block):
        if needle in tail + data:
            return True
        tail = data[-len(needle):]
    return False


def judge(world, forgets=False):
    """Raise Broken, or return the counts of what was found in order."""
    with contextlib.closing(Oracle(world.ledger.path, world.daemon.config.store,
                                   forgets)) as oracle:
        oracle.check()
        return oracle.summary()
