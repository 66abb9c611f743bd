# SPDX-License-Identifier: Apache-2.0
"""The whole daemon over a disk that fails while clients post: 503 as long as it does, 200 when it is
well again, and every 200 is in the store and is delivered."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.config import ENDPOINT
from lib.disk import FAULTY_DISK, Disk
from lib.events import body, new_id
from lib.settings import scaled
from lib.waiting import wait_until

CLIENTS = 4
PAUSE = 0.005  # between two posts of a client

FAULTS = {"EIO on write": "i", "ENOSPC on write": "n", "EDQUOT on write": "q",
          "EIO on fdatasync": "s"}


class Client:
    """Posts fresh events and keeps the books."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.acknowledged = []
        self.n_refused = 0

    def run(self, stop):
        with self.daemon.connect() as connection:
            while not stop.wait(PAUSE):
                event_id = new_id()
                response = connection.request("POST", ENDPOINT, body(event_id=event_id),
                                              self.daemon.headers())
                assert response.status in (200, 503), response
                if response.status == 200:
                    self.acknowledged.append(event_id)
                else:
                    assert int(response.headers["Retry-After"]) > 0
                    self.n_refused += 1


def total(clients):
    return (sum(len(client.acknowledged) for client in clients),
            sum(client.n_refused for client in clients))


def break_and_mend(disk, clients):
    for name, fault in FAULTS.items():
        _, refused = total(clients)
        disk.set(fault)
        wait_until(lambda n=refused: total(clients)[1] >= n + 20, timeout=30, what=f"{name}: 503")
        disk.set("0")
        # requests that were under way may still bring either answer
        acknowledged, _ = total(clients)
        wait_until(lambda n=acknowledged: total(clients)[0] >= n + 20, timeout=30,
                   what=f"{name}: 200 again")


@pytest.mark.skipif("ASAN_OPTIONS" in os.environ or "TSAN_OPTIONS" in os.environ,
                    reason="sanitizers want to be the first library themselves")
def test_a_disk_that_fails_under_load(make_daemon, folder):
    disk = Disk(folder / "faults")
    daemon = make_daemon({"handler true": {"type": "exec", "command": "/bin/true",
                                           "retry_initial": "20ms"}},
                         environment={"LD_PRELOAD": str(FAULTY_DISK),
                                      "RISKHOOK_FAULTS": str(disk.path)})
    clients = [Client(daemon) for _ in range(CLIENTS)]
    stop = threading.Event()
    with ThreadPoolExecutor(CLIENTS) as pool:
        running = [pool.submit(client.run, stop) for client in clients]
        try:
            break_and_mend(disk, clients)
        finally:
            disk.set("0")
            stop.set()
        for client in running:
            client.result(scaled(60))

    acknowledged = {event_id for client in clients for event_id in client.acknowledged}
    print("acknowledged, refused:", total(clients))
    stored = [row["event_id"] for row in daemon.query("SELECT event_id FROM events")]
    assert len(stored) == len(set(stored))
    assert set(stored) == acknowledged, "an event is stored exactly if it got a 200"
    wait_until(lambda: daemon.value("SELECT count(*) FROM deliveries WHERE state = 'done'")
               == len(stored), timeout=60, what="everything is delivered")
    assert daemon.value("PRAGMA integrity_check") == "ok"
    assert daemon.log().count("the store cannot commit") >= len(FAULTS)
    assert "the store commits again" in daemon.log()
