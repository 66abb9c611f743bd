# SPDX-License-Identifier: Apache-2.0
"""The promise as a whole: whatever was answered 200 is in the store exactly once, unchanged, and
has been delivered at least once, even if the daemon is killed again and again while clients post.
"""

import hashlib
import http.client
import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from lib.config import ENDPOINT
from lib.consumer import Consumer
from lib.events import body
from lib.hooks import script
from lib.settings import scaled
from lib.waiting import wait_until

CLIENTS = 8
KILLS = 8
SECONDS = 10
PAUSE = 0.02  # between two posts of a client: thousands of events, and hooks keep up with them


class Client:
    """Posts events of its own, each again and again until it is answered 200."""

    def __init__(self, daemon, number):
        self.daemon = daemon
        self.number = number
        self.random = random.Random(number)
        self.auth = "basic" if number % 2 else "bearer"
        self.connection = None
        self.acknowledged = {}  # event_id -> the body's digest
        self.results = []

    def run(self, stop):
        n = 0
        while not stop.wait(PAUSE):
            n += 1
            self._post_until_acknowledged(f"client-{self.number}-event-{n}")
        if self.connection:
            self.connection.close()

    def _post_until_acknowledged(self, event_id):
        event_type = "evaluation_completed" if self.random.random() < 0.25 else "case_notes_added"
        data = body(event_type, event_id=event_id, padding="x" * self.random.randrange(3000))
        deadline = time.monotonic() + scaled(60)
        while True:
            response = self._try(data)
            if response and response.status == 200:
                assert response.json()["event_id"] == event_id
                assert response.result != "conflict"
                self.results.append(response.result)
                self.acknowledged[event_id] = hashlib.sha256(data).hexdigest()
                return
            assert response is None or response.status == 503, response
            assert time.monotonic() < deadline, "not stored for a minute"
            time.sleep(0.01)

    def _try(self, data):
        """The answer, or None when the daemon was not there or went away."""
        try:
            self.connection = self.connection or self.daemon.connect()
            return self.connection.request("POST", ENDPOINT, data,
                                           self.daemon.headers(auth=self.auth))
        except (OSError, http.client.HTTPException):
            if self.connection:
                self.connection.close()
            self.connection = None
            return None


def kill_at_random(daemon, rng):
    """KILLS times within SECONDS, at moments that the seed decides."""
    moments = sorted(rng.uniform(0.2, SECONDS) for _ in range(KILLS))
    start = time.monotonic()
    for moment in moments:
        time.sleep(max(0, start + moment - time.monotonic()))
        daemon.kill9()
        daemon.start()
    time.sleep(max(0, start + SECONDS - time.monotonic()))


def test_what_was_answered_200_is_stored_once_and_delivered(make_daemon, folder):
    seed = int(os.environ.get("RISKHOOK_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"RISKHOOK_SEED={seed}")
    hook = script(folder, "hook", f'echo "$RISKHOOK_EVENT_ID" >> {folder}/executed\n')
    daemon = make_daemon({
        "handler hook": {"type": "exec", "command": hook, "events": "evaluation_completed",
                         "retry_initial": "20ms"},
        "handler ledger": {"type": "unix", "socket": folder / "ledger.sock",
                           "retry_initial": "20ms"}})
    clients = [Client(daemon, n) for n in range(CLIENTS)]
    stop = threading.Event()
    with Consumer(folder / "ledger.sock") as consumer, ThreadPoolExecutor(CLIENTS) as pool:
        running = [pool.submit(client.run, stop) for client in clients]
        try:
            kill_at_random(daemon, random.Random(seed))
            wait_until(lambda: sum(len(client.acknowledged) for client in clients) > 100 or
                       any(client.done() for client in running), timeout=60, what="100 events")
        finally:
            stop.set()
        for client in running:
            client.result(scaled(120))
        daemon.all_ended(timeout=90)
        consumed = {delivery["event_id"] for delivery in consumer.deliveries}

    acknowledged = {key: digest for client in clients
                    for key, digest in client.acknowledged.items()}
    print(f"{len(acknowledged)} events acknowledged, "
          f"{sum(c.results.count('duplicate') for c in clients)} of them at a later try")
    assert len(acknowledged) > 100
    assert_stored_exactly_once(daemon, acknowledged)
    assert_delivered(daemon, acknowledged, consumed, (folder / "executed").read_text().split())


def assert_stored_exactly_once(daemon, acknowledged):
    assert daemon.value("PRAGMA integrity_check") == "ok"
    rows = daemon.query("SELECT event_id, payload(seq) AS body FROM events")
    assert len(rows) == daemon.value("SELECT count(*) FROM events")
    stored = {row["event_id"]: hashlib.sha256(row["body"]).hexdigest() for row in rows}
    assert len(stored) == len(rows), "an event is stored twice"
    # Clients do not give up, so nothing is stored that was not answered in the end.
    assert stored == acknowledged
    assert daemon.query("SELECT * FROM conflicts") == []
    assert daemon.query("SELECT * FROM quarantine") == []


def assert_delivered(daemon, acknowledged, consumed, executed):
    assert consumed == set(acknowledged)
    completed = {row["event_id"] for row in daemon.query(
        "SELECT event_id FROM events WHERE event_type = 'evaluation_completed'")}
    assert set(executed) == completed
    wrong = daemon.query("""
        SELECT e.seq, e.event_type, count(d.delivery) AS n FROM events AS e
        LEFT JOIN deliveries AS d USING (seq) GROUP BY e.seq
        HAVING n <> 1 + (e.event_type = 'evaluation_completed')""")
    assert wrong == [], "each event has exactly one delivery for each handler that it matches"
    assert daemon.query("SELECT * FROM deliveries WHERE state <> 'done'") == []
    unfinished = daemon.query("SELECT * FROM attempts WHERE ended_at IS NULL OR outcome IS NULL")
    assert unfinished == []
