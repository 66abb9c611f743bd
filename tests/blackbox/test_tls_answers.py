# SPDX-License-Identifier: Apache-2.0
"""An answer over TLS: one record when the connection goes on, and nothing lost when it does not."""

import contextlib
import socket
import ssl

import pytest

from lib.client import chunk, head
from lib.config import ENDPOINT
from lib.events import body
from lib.hostile import statuses
from lib.settings import scaled

APPLICATION_DATA = 23


@pytest.fixture(scope="module")
def daemon(make_module_daemon):
    return make_module_daemon()


class RecordClient:
    """A client that sees the records on the wire: Python's ssl between two buffers."""

    def __init__(self, daemon, version):
        context = daemon.certificate.client_context()
        context.minimum_version = context.maximum_version = version
        self.received, self.to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.received, self.to_send, server_hostname="127.0.0.1")
        self.sock = daemon.open_socket(tls=False, timeout=10)
        self.raw = b"" # what came since the last request
        self.is_ended = False
        while not self._try(self.tls.do_handshake):
            self.flush()
            self._receive()
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def _try(self, function):
        with contextlib.suppress(ssl.SSLWantReadError):
            function()
            return True
        return False

    def _receive(self):
        data = self.sock.recv(65536)
        self.raw += data
        self.is_ended = not data
        self.received.write(data)

    def flush(self):
        self.sock.sendall(self.to_send.read())

    def send(self, data):
        self.raw = b""
        self.tls.write(data)
        self.flush()

    def read(self, wanted):
        """Read until `wanted` answers are there, or to the end of the connection when None."""
        said = b""
        while not self.is_ended and (wanted is None or len(statuses(said)) < wanted
                                     or not said.rstrip().endswith(b"}")):
            self._receive()
            with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLZeroReturnError):
                while data := self.tls.read(65536):
                    said += data
        return said

    def records(self):
        """Types of the records that came since the last request."""
        types, at = [], 0
        while at < len(self.raw):
            types.append(self.raw[at])
            at += 5 + int.from_bytes(self.raw[at + 3:at + 5], "big")
        return types


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def client(daemon, request):
    with RecordClient(daemon, request.param) as c:
        yield c


def post(daemon, headers=None, data=None):
    data = data or body()
    length = {"Content-Length": len(data)}
    return head("POST", ENDPOINT, {**daemon.headers(), **length, **(headers or {})}) + data


def test_an_answer_is_one_record(daemon, client):
    for _ in range(3):
        client.send(post(daemon))
        assert statuses(client.read(1)) == [200]
        assert client.records() == [APPLICATION_DATA]


def test_each_of_a_pipeline_is_answered(daemon, client):
    client.send(b"".join(post(daemon) for _ in range(20)))
    assert statuses(client.read(20)) == [200] * 20


@pytest.mark.parametrize("connection", ["close", "Close", "keep-alive, close", "x,close"])
def test_a_client_that_wants_the_end_gets_its_answer_first(daemon, client, connection):
    client.send(post(daemon, {"Connection": connection}))
    assert statuses(client.read(None)) == [200]


def test_http_1_0_gets_its_answer_before_the_end(daemon, client):
    client.send(post(daemon).replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert b" 200 " in client.read(None)


def test_a_chunked_body_is_answered_once_its_last_chunk_is_there(daemon, client):
    start = head("POST", ENDPOINT, {**daemon.headers(), "Transfer-Encoding": "chunked"})
    client.send(start + chunk(body()))
    client.send(b"0\r\n\r\n")
    assert statuses(client.read(1)) == [200]
    assert client.records() == [APPLICATION_DATA]


def test_refusals_are_answered_over_tls(daemon, client):
    client.send(post(daemon, data=b"no json"))
    assert statuses(client.read(1)) == [400]
    client.send(post(daemon, {"Authorization": None}))
    assert statuses(client.read(1)) == [401]


def test_who_reads_no_answers_is_cut_off(daemon):
    """It pipelines the same event until its socket is full; nobody else waits for it."""
    request = post(daemon, data=b'{"event_id":"never-reads-tls"}')
    with RecordClient(daemon, ssl.TLSVersion.TLSv1_3) as client:
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sock.settimeout(scaled(2))
        with contextlib.suppress(OSError):
            for _ in range(200):
                client.send(request * 100)
        assert daemon.post(body()).status == 200
    assert daemon.value("SELECT count(*) FROM events WHERE event_id = 'never-reads-tls'") == 1
