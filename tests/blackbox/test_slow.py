# SPDX-License-Identifier: Apache-2.0
"""Slow, idle, greedy and unusual clients: they are cut off or served, and never in others' way."""

import select
import socket
import threading
import time

import pytest

from lib.client import UnbufferedSocket, chunk, head, read_response
from lib.config import ENDPOINT
from lib.events import body, body_of_size
from lib.settings import scaled
from lib.waiting import wait_until


@pytest.fixture(scope="module")
def daemon(make_module_daemon):
    return make_module_daemon({"server": {"request_timeout": "1s", "idle_timeout": "1s"}})


@pytest.fixture(scope="module")
def patient_daemon(make_module_daemon):
    return make_module_daemon()


def is_ended(sock):
    """Read what there is; True when the peer has ended the connection."""
    try:
        while sock.recv(4096):
            pass
        return True
    except (TimeoutError, BlockingIOError):
        return False
    except OSError:
        return True


def dribble(sock, data, limit=30):
    """Send a byte every tenth of a second until the peer ends the connection. Return the number of
    bytes that it took; fail when it takes them all or goes on for too long."""
    deadline = time.monotonic() + scaled(limit)
    sock.settimeout(scaled(limit))
    for sent, byte in enumerate(data):
        try:
            sock.sendall(bytes([byte]))
            if select.select([sock], [], [], 0.1)[0] and is_ended(sock):
                return sent
        except OSError:
            return sent
        assert time.monotonic() < deadline, "not cut off"
    raise AssertionError("took every byte")


def test_a_slow_header_is_cut_off(daemon):
    with daemon.open_socket() as sock:
        dribble(sock, head("POST", ENDPOINT, {**daemon.headers(), "X-Long": "x" * 2000}))
    assert daemon.post(body()).result == "stored"


def test_a_slow_body_is_cut_off_and_not_stored(daemon):
    data = body_of_size(2000, event_id="slow-body")
    with daemon.open_socket() as sock:
        sock.sendall(head("POST", ENDPOINT, {**daemon.headers(), "Content-Length": len(data)}))
        dribble(sock, data)
    assert daemon.value("SELECT count(*) FROM events WHERE event_id = 'slow-body'") == 0
    assert daemon.value("SELECT count(*) FROM quarantine") == 0


def test_a_slow_chunked_body_is_cut_off(daemon):
    with daemon.open_socket() as sock:
        sock.sendall(head("POST", ENDPOINT, {**daemon.headers(), "Transfer-Encoding": "chunked"}))
        dribble(sock, b"".join(chunk(b" ") for _ in range(500)))


@pytest.mark.parametrize("sent", [
    b"", b"POST /webhooks/riskos HTTP/1.1\r\nHost:",
    b"POST /webhooks/riskos HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n",
], ids=["nothing", "half a header", "no body"])
def test_a_silent_connection_is_cut_off(daemon, sent):
    with daemon.open_socket(source=daemon.new_source()) as sock:
        sock.sendall(sent)
        sock.settimeout(scaled(30))
        assert is_ended(sock)


def test_a_connection_without_tls_handshake_is_cut_off(daemon):
    with daemon.open_socket(tls=False) as sock:
        sock.settimeout(scaled(30))
        assert is_ended(sock)


def test_an_idle_keep_alive_connection_is_cut_off(daemon):
    with daemon.connect() as connection:
        assert connection.request("POST", ENDPOINT, body(), daemon.headers()).result == "stored"
        connection.sock.settimeout(scaled(30))
        assert is_ended(connection.sock)


def test_a_client_that_goes_away_in_the_middle_leaves_nothing(daemon):
    for n in range(20):
        sock = daemon.open_socket()
        sock.sendall(head("POST", ENDPOINT, {**daemon.headers(), "Content-Length": 1000})
                     + b'{"event_id":"gone"' + b" " * n)
        sock.close()
    assert daemon.post(body()).result == "stored"
    assert daemon.value("SELECT count(*) FROM events WHERE event_id = 'gone'") == 0
    assert daemon.value("SELECT count(*) FROM quarantine") == 0


class Dribblers(threading.Thread):
    """Send their bodies byte by byte, one of each at a time, until they are told to finish."""

    def __init__(self, daemon, n):
        super().__init__()
        self.bodies = [body_of_size(20_000) for _ in range(n)]
        self.rounds = 0  # bytes that each has sent
        self.told = threading.Event()
        self.sockets = [daemon.open_socket(source=daemon.new_source()) for _ in range(n)]
        for sock, data in zip(self.sockets, self.bodies):
            sock.sendall(head("POST", ENDPOINT, {**daemon.headers(), "Content-Length": len(data)}))

    def run(self):
        while not self.told.wait(0.01):
            for sock, data in zip(self.sockets, self.bodies):
                sock.sendall(data[self.rounds:self.rounds + 1])
            self.rounds += 1

    def finish(self):
        """The rest of each body at once; return the answers."""
        self.told.set()
        self.join()
        for sock, data in zip(self.sockets, self.bodies):
            sock.sendall(data[self.rounds:])
        return [read_response(sock) for sock in self.sockets]

    def close(self):
        self.told.set()
        self.join()
        for sock in self.sockets:
            sock.close()


def test_others_are_served_while_many_dribble(make_daemon):
    daemon = make_daemon({"server": {"request_timeout": "10m"}})
    slow = Dribblers(daemon, 50)
    slow.start()
    try:
        for _ in range(10):
            rounds = slow.rounds
            wait_until(lambda n=rounds: slow.rounds > n, what="each has sent a byte more")
            assert daemon.post(body()).result == "stored"
        assert [answer.result for answer in slow.finish()] == ["stored"] * 50
    finally:
        slow.close()


# Limits on connections

def is_served(daemon, source, timeout=2):
    """Does a new connection from this address get an answer?"""
    try:
        with daemon.open_socket(source=source, timeout=timeout) as sock:
            data = body()
            sock.sendall(head("POST", ENDPOINT, {**daemon.headers(), "Content-Length": len(data)})
                         + data)
            return read_response(sock).status == 200
    except OSError:  # refused, reset, or not in time
        return False


def test_connections_per_address_are_limited(make_daemon):
    daemon = make_daemon({"server": {"max_connections_per_address": 4, "threads": 2}})
    source, other = daemon.new_source(), daemon.new_source()
    held = [daemon.connect(source) for _ in range(4)]
    try:
        for connection in held:
            assert connection.request("POST", ENDPOINT, body(), daemon.headers()).status == 200
        assert not is_served(daemon, source)
        assert is_served(daemon, other, timeout=30), "one address must not shut out another"
        held.pop().close()
        wait_until(lambda: is_served(daemon, source), what="a freed connection can be used")
    finally:
        for connection in held:
            connection.close()


def test_connections_in_total_are_limited(make_daemon):
    daemon = make_daemon({"server": {"max_connections": 8, "threads": 1}})
    held = [daemon.connect(daemon.new_source()) for _ in range(8)]
    try:
        for connection in held:
            assert connection.request("POST", ENDPOINT, body(), daemon.headers()).status == 200
        assert not is_served(daemon, daemon.new_source())
        held.pop().close()
        wait_until(lambda: is_served(daemon, daemon.new_source()),
                   what="a freed connection can be used")
    finally:
        for connection in held:
            connection.close()


# Unusual, but right

def test_the_largest_body_arrives_whole(patient_daemon):
    data = body_of_size(2 * 1024 * 1024)
    assert patient_daemon.payload(patient_daemon.stored(data)) == data


@pytest.mark.parametrize("size", [1, 7, 1000, 100000])
def test_a_chunked_body_arrives_whole(patient_daemon, size):
    data = body_of_size(3000 if size < 1000 else 300000)
    pieces = [data[i:i + size] for i in range(0, len(data), size)]
    with patient_daemon.open_socket() as sock:
        sock.sendall(head("POST", ENDPOINT, {**patient_daemon.headers(),
                                             "Transfer-Encoding": "chunked"}))
        sock.sendall(b"".join(chunk(piece) for piece in pieces) + b"0\r\nX-Trailer: yes\r\n\r\n")
        assert patient_daemon.payload(read_response(sock).seq) == data


def test_a_request_in_many_segments_is_put_together(patient_daemon):
    data = body()
    request = head("POST", ENDPOINT, {**patient_daemon.headers(), "Content-Length": len(data)})
    with patient_daemon.open_socket() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request + data:
            sock.sendall(bytes([byte]))
        assert read_response(sock).result == "stored"


def test_pipelined_requests_are_answered_in_order(patient_daemon):
    bodies = [body() for _ in range(5)]
    wire = b"".join(
        head("POST", ENDPOINT, {**patient_daemon.headers(), "Content-Length": len(data)}) + data
        for data in bodies)
    with patient_daemon.open_socket() as sock:
        stream = UnbufferedSocket(sock)
        sock.sendall(wire)
        answers = [read_response(stream) for _ in bodies]
    assert [a.result for a in answers] == ["stored"] * 5
    for answer, data in zip(answers, bodies):
        assert patient_daemon.payload(answer.seq) == data


def test_many_requests_on_one_connection(patient_daemon):
    with patient_daemon.connect() as connection:
        sock = connection.sock
        for i in range(300):
            auth = "basic" if i % 2 else "bearer"
            response = connection.request("POST", ENDPOINT, body(),
                                          patient_daemon.headers(auth=auth))
            assert response.result == "stored"
            assert connection.sock is sock, "the connection was closed in between"


def test_an_error_answer_keeps_the_connection_usable_or_says_that_it_closes(patient_daemon):
    with patient_daemon.connect(patient_daemon.new_source()) as connection:
        for path, auth, raw, status in ((ENDPOINT, "basic", b"no json", 400),
                                        (ENDPOINT, "Bearer wrong", b"{}", 401),
                                        ("/unknown", "basic", b"{}", 404)):
            response = connection.request("POST", path, raw, patient_daemon.headers(auth=auth))
            assert response.status == status
            if (response.headers["Connection"] or "").lower() == "close":
                connection.http.connect()
        response = connection.request("POST", ENDPOINT, body(), patient_daemon.headers())
        assert response.result == "stored"


def test_an_http_1_0_client_is_served(patient_daemon):
    data = body()
    request = head("POST", ENDPOINT, {**patient_daemon.headers(), "Content-Length": len(data)})
    with patient_daemon.open_socket() as sock:
        sock.sendall(request.replace(b"HTTP/1.1", b"HTTP/1.0") + data)
        assert read_response(sock).result == "stored"
