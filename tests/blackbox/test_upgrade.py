# SPDX-License-Identifier: Apache-2.0
"""A socket that outlives the daemon: a restart or an upgrade refuses nobody.

The parent of this test stands for systemd: it keeps the listening socket and passes it to each new
daemon. A new connection must never fail. A connection that was kept may be closed between two
requests, which HTTP allows at any time; its client then opens a new one.
"""

import contextlib
import http.client
import json
import socket
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib import client
from lib.config import ENDPOINT, free_port
from lib.daemon import DaemonFailed
from lib.events import body, new_id
from lib.hooks import script
from lib.service import listening_socket, n_queued, passing
from lib.settings import RISKHOOKD, scaled
from lib.waiting import wait_until

RESTARTS = 10
CLIENTS = 6
POSTS_BETWEEN = 30  # acknowledged posts between two restarts


@pytest.fixture
def kept_socket():
    with listening_socket() as sock:
        yield sock


@pytest.fixture
def make_activated(make_daemon, kept_socket):
    def make(sections=None, **kwargs):
        daemon = make_daemon(sections, **passing(kept_socket), **kwargs)
        daemon.config.port = kept_socket.getsockname()[1]
        return daemon

    return make


class Sender:
    """Posts without pause; half of them on connections that it keeps."""

    def __init__(self, daemon, keeps):
        self.daemon, self.keeps = daemon, keeps
        self.connection = None
        self.acknowledged = []
        self.reconnects = 0

    def run(self, stop):
        while not stop.is_set():
            self._post(new_id())
            # without a pause this would measure who is faster, client or TLS handshake
            stop.wait(0.002)
        if self.connection:
            self.connection.close()

    def _post(self, event_id):
        data = body(event_id=event_id)
        if self.connection:
            with contextlib.suppress(OSError, http.client.HTTPException):
                return self._request(event_id, data)
            self.connection.close()  # the kept connection was closed meanwhile
            self.connection = None
            self.reconnects += 1
        self.connection = self.daemon.connect()  # must work, within its time-out
        self._request(event_id, data)  # and so must the first request on it
        if self.connection and not self.keeps:
            self.connection.close()
            self.connection = None

    def _request(self, event_id, data):
        response = self.connection.request("POST", ENDPOINT, data, self.daemon.headers())
        assert response.status == 200, response
        assert response.json()["event_id"] == event_id
        self.acknowledged.append(event_id)
        if response.headers.get("Connection", "").lower() == "close":
            self.connection.close()
            self.connection = None


def test_ten_restarts_under_load_refuse_and_lose_nothing(make_activated, folder):
    hook = script(folder, "hook", f'echo "$RISKHOOK_EVENT_ID" >> {folder}/executed\n')
    daemon = make_activated({"handler hook": {
        "type": "exec", "command": hook, "decision": "ACCEPT", "concurrency": 2}})
    senders = [Sender(daemon, keeps=bool(n % 2)) for n in range(CLIENTS)]
    stop = threading.Event()
    with ThreadPoolExecutor(CLIENTS) as pool:
        running = [pool.submit(sender.run, stop) for sender in senders]
        try:
            for _ in range(RESTARTS):
                goal = sum(len(s.acknowledged) for s in senders) + POSTS_BETWEEN
                wait_until(lambda: sum(len(s.acknowledged) for s in senders) >= goal or
                           any(future.done() for future in running), timeout=60)
                daemon.restart()
        finally:
            stop.set()
        for future in running:
            future.result(scaled(60))
    acknowledged = [event_id for sender in senders for event_id in sender.acknowledged]
    assert len(acknowledged) >= RESTARTS * POSTS_BETWEEN
    assert sum(sender.reconnects for sender in senders) < len(acknowledged)
    stored = [row["event_id"] for row in daemon.query("SELECT event_id FROM events")]
    assert sorted(stored) == sorted(set(acknowledged))
    daemon.all_ended()
    assert set((folder / "executed").read_text().split()) == set(stored)


def test_who_connects_while_there_is_no_daemon_is_served_by_the_next(make_activated, kept_socket):
    daemon = make_activated()
    daemon.stop()
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(daemon.stored, body(event_id=new_id())) for _ in range(4)]
        wait_until(lambda: n_queued(kept_socket) == 4,
                   what="they wait in the socket's queue with their handshake")
        assert not any(future.done() for future in waiting)
        daemon.start()
        assert len({future.result(scaled(30)) for future in waiting}) == 4


def test_a_request_that_has_begun_is_answered_before_the_daemon_stops(make_activated):
    daemon = make_activated()
    data = body(event_id=new_id())
    with daemon.open_socket() as slow:
        slow.sendall(client.head("POST", ENDPOINT, {**daemon.headers(),
                                                    "Content-Length": len(data)}))
        slow.sendall(data[:10])
        wait_until(lambda: "riskhook_pending_bytes 0\n" not in daemon.admin("/metrics").body.decode(),
                   what="the body is being received")
        daemon.terminate()
        daemon.wait_stopping()
        slow.sendall(data[10:])
        response = client.read_response(slow)
    assert response.result == "stored"
    assert response.headers["Connection"].lower() == "close"
    daemon.wait_stopped()
    assert daemon.value("SELECT count(*) FROM events") == 1


def test_posts_are_stored_while_handlers_finish(make_activated, folder):
    hook = script(folder, "hook", f"""
touch {folder}/runs
while [ ! -e {folder}/go ]; do sleep 0.05; done
""")
    daemon = make_activated({"handler slow": {"type": "exec", "command": hook}})
    daemon.stored(body(event_id=new_id()))
    wait_until((folder / "runs").exists)
    daemon.terminate()
    daemon.wait_stopping()
    seq = daemon.stored(body(event_id=new_id()))
    (folder / "go").touch()
    daemon.wait_stopped()
    daemon.start()
    daemon.delivery(seq, "slow")


def test_the_log_says_which_socket_is_used(make_activated):
    daemon = make_activated()
    assert "the listening socket is 'socket-0' of the service manager" in daemon.log()
    assert f"listening on https://127.0.0.1:{daemon.port}" in daemon.log()


def test_the_kept_socket_stays_open_after_the_daemon(make_activated, kept_socket):
    daemon = make_activated()
    daemon.stop()
    with socket.create_connection(kept_socket.getsockname(), timeout=scaled(10)):
        assert kept_socket.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1


def test_two_sockets_are_refused(make_daemon):
    with listening_socket() as one, listening_socket() as two:
        with pytest.raises(DaemonFailed) as failure:
            make_daemon(**passing(one, two))
    assert failure.value.code == 1
    assert "2 sockets were passed in" in failure.value.output


def test_a_socket_that_does_not_listen_is_refused(make_daemon):
    with socket.socket() as sock:
        with pytest.raises(DaemonFailed) as failure:
            make_daemon(**passing(sock))
    assert "is no TCP socket that listens" in failure.value.output


def test_plain_http_is_refused_on_a_socket_that_others_can_reach(make_daemon):
    plain = {"server": {"insecure_http": "yes", "tls_certificate": None, "tls_private_key": None}}
    with listening_socket("0.0.0.0") as sock:
        with pytest.raises(DaemonFailed) as failure:
            make_daemon(plain, **passing(sock))
    assert "can be reached from outside" in failure.value.output
    with listening_socket() as sock:
        daemon = make_daemon(plain, **passing(sock))
        daemon.config.port = sock.getsockname()[1]
        assert daemon.post(body(), tls=False).result == "stored"


def test_a_handler_inherits_nothing_of_the_activation(make_activated, folder):
    hook = script(folder, "hook", f"env > {folder}/env; ls -l /proc/self/fd > {folder}/fds\n")
    daemon = make_activated({"handler look": {"type": "exec", "command": hook}})
    seq = daemon.stored(body())
    daemon.delivery(seq, "look")
    environment = (folder / "env").read_text()
    for name in ("LISTEN_", "NOTIFY_SOCKET", "WATCHDOG_"):
        assert name not in environment
    assert "socket:" not in (folder / "fds").read_text()


def test_systemd_socket_activate_starts_it(make_daemon):
    """The real thing, as far as it works without a running systemd."""
    daemon = make_daemon(start=False)
    port = free_port()
    with daemon.log_path.open("ab") as log:
        manager = subprocess.Popen(
            ["systemd-socket-activate", "-l", f"127.0.0.1:{port}", "--fdname=https", RISKHOOKD,
             "-c", daemon.config.path], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        daemon.config.port = port
        wait_until(lambda: f"Listening on 127.0.0.1:{port}" in daemon.log(), what="it listens")
        assert daemon.stored(body(event_id=new_id())) == 1
        assert "the listening socket is 'https' of the service manager" in daemon.log()
        assert json.loads(daemon.admin("/v1/status").body)["pid"] == manager.pid
        manager.terminate()
        assert manager.wait(scaled(30)) == 0
    finally:
        manager.kill()
        manager.wait()
