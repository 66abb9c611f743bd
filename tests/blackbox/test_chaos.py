# SPDX-License-Identifier: Apache-2.0
"""Conservation under chaos, in short (`make chaos` for longer): every kind of trouble once, while
clients of every kind post. And the oracle itself: it must see each broken promise.
"""

import contextlib
import os
import random
import shutil
import sqlite3
import types

from chaos.crowd import Crowd, clients
from chaos.oracle import PROMISES, Oracle, judge
from chaos.run import tell, world_of
from chaos.storm import Storm, settle
from lib.waiting import wait_until

SEED = int(os.environ.get("RISKHOOK_SEED") or random.SystemRandom().randrange(1 << 32))
RATE = 60


def test_every_promise_is_kept_while_everything_goes_wrong():
    print(f"RISKHOOK_SEED={SEED}")
    with world_of(SEED) as world:
        with Crowd(clients(world, SEED), RATE) as people:
            chaos = Storm(world, people)
            for action in chaos.round():
                action()
            settle(world, people)
        found = judge(world)
        assert sorted(chaos.log) == sorted(Storm.kinds() + Storm.ONCE)
        assert min(found.values()) > 0, found
        tell(found=found)


# The oracle can fail


@contextlib.contextmanager
def peaceful_books():
    """A ledger and a store that agree, of a world without trouble."""
    with world_of(SEED) as world:
        world.handlers.set_mood("calm")
        with Crowd(clients(world, SEED), RATE) as people:
            wait_until(lambda: has_everything(world), timeout=60, what="a sample of everything")
            settle(world, people)
        judge(world)
        yield types.SimpleNamespace(ledger=world.ledger.path, store=world.daemon.config.store)


def has_everything(world):
    ended = world.daemon.query("SELECT DISTINCT handler FROM deliveries WHERE state = 'done'")
    return len(ended) == 5 and world.daemon.value("""
        SELECT (SELECT count(*) FROM deliveries WHERE state = 'dead') > 0
           AND (SELECT count(*) FROM conflicts) > 0 AND (SELECT count(*) FROM quarantine) > 0
           AND (SELECT max(duplicates) FROM events) > 0
           AND (SELECT count(*) FROM deliveries AS d JOIN deliveries AS e USING (handler, evaluation)
                WHERE d.seq < e.seq AND evaluation <> 0) > 5""")


A_DONE = "(SELECT min(delivery) FROM deliveries WHERE state = 'done')"
A_SEQ = "(SELECT min(seq) FROM events)"
ERASED = (f"DELETE FROM payloads WHERE seq = {A_SEQ};"
          f" UPDATE events SET erased_at = 1 WHERE seq = {A_SEQ};")

# promise -> the database and the change that must make the oracle complain of it
BREAKS = {
    "a 200 is in the store, under the seq that it told":
        ("store", f"DELETE FROM events WHERE seq = {A_SEQ}"),
    "an event is stored once": ("store", "DROP INDEX events_key; CREATE TEMP TABLE copy AS"
                                f" SELECT * FROM events WHERE seq = {A_SEQ};"
                                " UPDATE copy SET seq = (SELECT max(seq) + 1 FROM events);"
                                " INSERT INTO events SELECT * FROM copy"),
    "the bytes are those that were sent":
        ("store", "UPDATE payloads SET body = CAST('{}' AS BLOB), encoding = 0"
                  f" WHERE seq = {A_SEQ}"),
    "an event has its body, or, once it is erased, its body's digest": ("store", ERASED),
    "what was never sent is not stored":
        ("ledger", "DELETE FROM tries WHERE key = (SELECT min(key) FROM bodies)"),
    "an event is found by its id": ("store", "UPDATE event_merge SET merged = 1000000"),
    "one post of an event is 'stored', and no second one":
        ("ledger", "UPDATE tries SET result = 'stored' WHERE result = 'duplicate'"),
    "'stored' and 'duplicate' tell of the body that is stored":
        ("ledger", "UPDATE tries SET result = 'duplicate' WHERE result = 'conflict'"),
    "a result is one of three":
        ("ledger", "UPDATE tries SET result = 'ok' WHERE result = 'duplicate'"),
    "without a 'stored' there is a try of that body whose answer nobody got":
        ("ledger", "UPDATE tries SET result = 'duplicate' WHERE rowid = (SELECT min(rowid)"
                   " FROM tries WHERE result = 'stored')"),
    "nobody is told 'stored' when another one had his 200 already":
        ("ledger", "UPDATE tries SET began = began + 9, ended = ended + 9"
                   " WHERE result = 'stored'"),
    "each duplicate is counted once":
        ("store", "UPDATE events SET duplicates = duplicates + 1000"),
    "a conflicting body is kept": ("store", "DELETE FROM conflicts"),
    "a kept conflict was sent, and is no copy of the event":
        ("store", "UPDATE conflicts SET body = CAST('{}' AS BLOB)"),
    "bad bodies of a right sender are kept": ("store", "DELETE FROM quarantine"),
    "every answer is a fair one":
        ("ledger", "UPDATE tries SET status = 500 WHERE status = 400"),
    "every answer is complete": ("ledger", "UPDATE tries SET flaw = 'x' WHERE status = 200"),
    "every stored event is routed": ("store", "UPDATE router SET routed_seq = routed_seq - 1"),
    "every handler that wants an event has one delivery of it":
        ("store", f"DELETE FROM deliveries WHERE delivery = {A_DONE}"),
    "no handler has a delivery that it does not want":
        ("store", f"UPDATE deliveries SET handler = 'other' WHERE delivery = {A_DONE}"),
    "every delivery came to its end":
        ("store", f"UPDATE deliveries SET state = 'pending' WHERE delivery = {A_DONE}"),
    "dead is what was refused, with the reason, and nothing else":
        ("store", "UPDATE deliveries SET reason = '' WHERE state = 'dead'"),
    "done is what the handler has taken":
        ("ledger", "DELETE FROM sightings WHERE what = 'ok' AND n > (SELECT max(n) / 2"
                   " FROM sightings)"),
    "a handler sees the bytes of the event":
        ("ledger", "UPDATE sightings SET payload = zeroblob(32) WHERE what = 'seen'"),
    "no attempt is left open, and the last one tells the end":
        ("store", f"UPDATE attempts SET ended_at = NULL WHERE delivery = {A_DONE}"),
    "an evaluation counts its events": ("store", "UPDATE evaluations SET events = events + 1"),
    "an eval_id stands for one evaluation":
        ("store", "UPDATE evaluations SET eval_id = (SELECT min(eval_id) FROM evaluations)"
                  " WHERE evaluation < 3"),
    # the run of a newer one is complete only when there are more than 1024
    "an evaluation is found by its eval_id":
        ("store", "UPDATE evaluations SET evaluation = evaluation + 1024"
                  " WHERE evaluation = (SELECT max(evaluation) FROM evaluations)"),
    "the file is sound": ("store", "PRAGMA writable_schema = 1; UPDATE sqlite_schema SET"
                                   " sql = replace(sql, 'received_at)', 'seq)')"
                                   " WHERE name = 'events_received_at'"),
    "what refers to a row finds it": ("store", f"DELETE FROM events WHERE seq = {A_SEQ}"),
    "order within an evaluation":
        ("ledger", "DELETE FROM sightings WHERE what <> 'seen'"),
    "an intruder leaves no trace":
        ("store", "INSERT INTO uses VALUES ('endpoint', 'unauthorised-1', 0)"),
}

# further ways
ALSO = [
    ("the bytes are those that were sent",
     ("store", f"{ERASED} UPDATE events SET body_sha256 = zeroblob(32) WHERE seq = {A_SEQ}")),
    ("an event has its body, or, once it is erased, its body's digest",
     ("store", f"DELETE FROM payloads WHERE seq = {A_SEQ}")),
]


def test_there_is_a_way_to_break_each_promise():
    assert set(BREAKS) == {*PROMISES, *Oracle.CHECKS}


def complaints_after(books, folder, where, sql):
    """What the oracle says when the ledger or the store is changed like this."""
    copies = {"ledger": folder / "ledger.db", "store": folder / "events.db"}
    shutil.copy(books.ledger, copies["ledger"])
    shutil.copy(books.store, copies["store"])
    with contextlib.closing(sqlite3.connect(copies[where])) as db:
        db.executescript(sql)
        db.commit()
    with contextlib.closing(Oracle(copies["ledger"], copies["store"])) as oracle:
        return oracle.complaints()


def test_the_oracle_sees_each_broken_promise(folder):
    """Of books that are right, one thing at a time is made wrong."""
    with peaceful_books() as books:
        unseen = [promise for promise, (where, sql) in [*BREAKS.items(), *ALSO]
                  if promise not in complaints_after(books, folder, where, sql)]
    assert unseen == []
