# SPDX-License-Identifier: Apache-2.0
"""Hostile HTTP: every answer is one of the table, or the end of the connection; nothing that was
refused is stored; nobody else is harmed."""

import contextlib
import os
import pathlib
import re
import resource
import select
import selectors
import signal
import socket
import ssl
import time

import pytest

from lib.client import basic, chunk, head, open_socket, read_response
from lib.config import ENDPOINT
from lib.events import body, encode, envelope, new_id
from lib.hostile import ANSWERS, PARSER_ANSWERS, SMUGGLING, Wire, statuses
from lib.service import listening_socket, n_queued, passing
from lib.settings import scaled
from lib.waiting import wait_until

MIB = 1024 * 1024

# A chunk's first line that is longer than its buffer is a 500 to libmicrohttpd 0.9.75, and it asks
# nobody. No sender does that by accident.
OWN_MIND = {"a huge chunk extension": {500}}


@pytest.fixture(scope="module")
def daemon(make_module_daemon):
    """On plain HTTP, as behind a proxy: what TLS carries is the same, and it is quicker."""
    return make_module_daemon({"server": {"insecure_http": "yes", "tls_certificate": None,
                                          "tls_private_key": None, "request_timeout": "2s",
                                          "idle_timeout": "1s", "auth_failures_max": 100000}})


@pytest.fixture(scope="module")
def tls_daemon(make_module_daemon):
    return make_module_daemon({"server": {"request_timeout": "3s"}})


def read_all(sock):
    """Up to the end of the connection. Being cut off is as good an end as any."""
    said = b""
    try:
        while data := sock.recv(65536):
            said += data
    except TimeoutError as e:
        raise AssertionError(f"the connection did not end; so far {said[:300]!r}") from e
    except OSError:
        pass
    return said


def end_sending(socks):
    """Say that no more comes, to those that have something to answer once they have begun to: who
    closes its sending side before gets no answer. An unfinished request has none for a while, so
    who must get one does not call this, but asks for the connection's end."""
    deadline = time.monotonic() + scaled(0.5)
    with contextlib.closing(selectors.DefaultSelector()) as unanswered:
        for sock in socks:
            unanswered.register(sock, selectors.EVENT_READ)
        while unanswered.get_map() and time.monotonic() < deadline:
            for key, _ in unanswered.select(deadline - time.monotonic()):
                unanswered.unregister(key.fileobj)
    for sock in socks:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_WR)


def talk(daemon, wire, source=None, finish=True, tls=False):
    """Send bytes and read until the daemon ends the connection. Return all that it said."""
    with daemon.open_socket(source=source, tls=tls) as sock:
        with contextlib.suppress(OSError):
            sock.sendall(wire)
        if finish:
            end_sending([sock])
        return read_all(sock)


def talk_all(daemon, wires):
    """talk() on a connection each, many at once: some end only with their deadline."""
    said = []
    for i in range(0, len(wires), 150):
        with contextlib.ExitStack() as stack:
            socks = [stack.enter_context(daemon.open_socket(tls=False))
                     for _ in wires[i:i + 150]]
            for sock, wire in zip(socks, wires[i:]):
                with contextlib.suppress(OSError):
                    sock.sendall(wire)
            end_sending(socks)
            said += [read_all(sock) for sock in socks]
    return said


def is_tls(daemon):
    return "insecure_http" not in daemon.config.sections["server"]


def assert_served(daemon):
    assert daemon.post(body(), tls=is_tls(daemon)).result == "stored"


def rss(daemon):
    """Resident memory in bytes."""
    with open(f"/proc/{daemon.pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1)) * 1024


@contextlib.contextmanager
def bounded_memory(daemon, more):
    """At the end the daemon may have at most `more` bytes more. (Sanitizers keep freed memory.)"""
    before = rss(daemon)
    yield
    if not os.environ.get("ASAN_OPTIONS"):
        assert rss(daemon) - before <= more


def event(event_id):
    return encode(envelope(event_id=event_id))


def is_stored(daemon, event_id):
    return daemon.value("SELECT count(*) FROM events WHERE event_id = ?", event_id) > 0


# Smuggling: one connection's bytes are never taken for another request than its sender meant

@pytest.mark.parametrize("shape", SMUGGLING.values(), ids=SMUGGLING.keys())
def test_a_smuggled_request_needs_its_own_credential(daemon, shape):
    """A hidden request without a credential inside the body of one that has it: whichever way the
    ambiguity is resolved, the hidden one gets in under nobody's name."""
    hidden_id = new_id()
    hidden = event(hidden_id)
    smuggled = (b"0\r\n\r\nPOST " + ENDPOINT.encode() + b" HTTP/1.1\r\nHost: x\r\n"
                b"Content-Length: %d\r\n\r\n" % len(hidden)) + hidden
    said = talk(daemon, Wire(daemon).post(shape % {b"n": len(smuggled)}, smuggled))
    assert set(statuses(said)) <= ANSWERS | PARSER_ANSWERS, said
    assert not is_stored(daemon, hidden_id)
    assert_served(daemon)


@pytest.mark.parametrize("shape", ["length and chunked", "chunked and length", "two lengths",
                                   "two lengths in a list"])
def test_a_request_with_two_lengths_ends_its_connection(daemon, shape):
    """RFC 9112 section 6.3: what follows on such a connection cannot be trusted. A proxy in front
    of us may have read it the other way."""
    second_id = new_id()
    wire = Wire(daemon)
    first = b"5\r\n{\"a\":\r\n2\r\n1}\r\n0\r\n\r\n"
    said = talk(daemon, wire.post(SMUGGLING[shape] % {b"n": len(first)}, first)
                + wire.counted(event(second_id)))
    assert set(statuses(said)) <= ANSWERS | PARSER_ANSWERS, said
    assert not is_stored(daemon, second_id)
    assert_served(daemon)


# Bad requests of many kinds

def bad_requests(wire):
    yield "no method", b" / HTTP/1.1\r\n\r\n"
    yield "no version", b"POST /webhooks/riskos\r\n\r\n"
    yield "HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    yield "HTTP/0.9", b"GET /\r\n"
    yield "version 1.1.1", b"POST /webhooks/riskos HTTP/1.1.1\r\nHost: x\r\n\r\n"
    yield "a NUL in the path", wire.start.replace(b"riskos ", b"riskos\0 ") + b"\r\n"
    yield "a NUL in a name", wire.post(b"X\0Y: z\r\nContent-Length: 0\r\n")
    yield "a NUL in a value", wire.post(b"X: y\0z\r\nContent-Length: 0\r\n")
    yield "only NULs", b"\0" * 5000
    yield "a header without a colon", wire.post(b"nonsense\r\nContent-Length: 0\r\n")
    yield "a header without a name", wire.post(b": x\r\nContent-Length: 0\r\n")
    yield "a huge header", wire.post(b"X: " + b"y" * 200_000 + b"\r\n")
    yield "a huge name", wire.post(b"y" * 200_000 + b": x\r\n")
    yield "many headers", wire.post(b"".join(b"X-%d: y\r\n" % i for i in range(20_000)))
    yield "many empty headers", wire.post(b"a:\r\n" * 50_000)
    yield "many credentials", wire.post(wire.auth * 1000 + b"Content-Length: 0\r\n")
    yield "a huge path", b"POST /" + b"a" * 500_000 + b" HTTP/1.1\r\n\r\n"
    yield "a huge query", b"POST /webhooks/riskos?" + b"a=b&" * 100_000 + b" HTTP/1.1\r\n\r\n"
    yield "a huge method", b"P" * 100_000 + b" / HTTP/1.1\r\n\r\n"
    yield "an escaped path", b"POST /%2e%2e/%00%ff HTTP/1.1\r\nHost: x\r\n\r\n"
    yield "CONNECT", b"CONNECT 10.0.0.1:80 HTTP/1.1\r\nHost: x\r\n\r\n"
    yield "OPTIONS *", b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"
    yield "TRACE", b"TRACE /webhooks/riskos HTTP/1.1\r\nHost: x\r\n\r\n"
    yield "no host", wire.counted(b"").replace(b"Host: x\r\n", b"")
    yield "two hosts", wire.counted(b"", b"Host: y\r\n")
    yield "an upgrade", wire.counted(b"", b"Connection: upgrade\r\nUpgrade: websocket\r\n")
    yield "an upgrade to h2c", wire.counted(b"", b"Connection: upgrade, HTTP2-Settings\r\n"
                                                b"Upgrade: h2c\r\nHTTP2-Settings: AAMA\r\n")
    for size in (b"zz", b"-1", b"0x5", b"", b" 5", b"5 5", b"fffffffffffffffff", b"7" * 300,
                 b"8000000000000000", b"\0", b"5\0"):
        yield f"chunk size {size[:20]!r}", wire.post(
            b"Transfer-Encoding: chunked\r\n", size + b"\r\n{\"a\":1}\r\n0\r\n\r\n")
    yield "a chunk longer than its size", wire.post(
        b"Transfer-Encoding: chunked\r\n", b"2\r\n{}{}{}\r\n0\r\n\r\n")
    yield "a chunk without its end", wire.post(b"Transfer-Encoding: chunked\r\n", b"2\r\n{}")
    yield "a huge chunk extension", wire.post(
        b"Transfer-Encoding: chunked\r\n", b"2;" + b"a" * 300_000 + b"\r\n{}\r\n0\r\n\r\n")
    yield "chunk extensions", wire.post(
        b"Transfer-Encoding: chunked\r\n", b"1;a=b\r\n{\r\n1;c=\"\r\n\"\r\n}\r\n0;d\r\n\r\n")
    yield "many trailers", wire.post(
        b"Transfer-Encoding: chunked\r\n", b"2\r\n{}\r\n0\r\n" + b"X: y\r\n" * 20_000 + b"\r\n")
    yield "a trailer that authorizes", (
        b"POST /webhooks/riskos HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"2\r\n{}\r\n0\r\n" + wire.auth + b"\r\n")
    for expect in (b"100-continue, 100-continue", b"200-ok", b"x" * 5000, b"", b"100-Continue\0"):
        yield f"Expect {expect[:20]!r}", wire.counted(b"[]", b"Expect: " + expect + b"\r\n")
    for value in (b"Basic " + b"A" * 20_000, b"Basic \xff\xfe", b"Bearer " + b"\0" * 10, b"Basic",
                  b"Negotiate " + b"A" * 100, b"\t\t", b"Basic =====", b"Bearer " * 1000):
        yield f"Authorization {value[:20]!r}", (
            b"POST /webhooks/riskos HTTP/1.1\r\nHost: x\r\nAuthorization: " + value
            + b"\r\nContent-Length: 2\r\n\r\n[]")
    yield "rubbish", bytes(range(256)) * 200
    yield "blank lines", b"\r\n" * 50_000


def test_bad_requests_are_answered_from_the_table_or_cut_off(daemon):
    events = daemon.value("SELECT count(*) FROM events")
    wire = Wire(daemon)
    with bounded_memory(daemon, 32 * MIB):
        names, requests = zip(*bad_requests(wire))
        for name, said in zip(names, talk_all(daemon, requests)):
            allowed = ANSWERS | PARSER_ANSWERS | OWN_MIND.get(name, set())
            assert set(statuses(said)) <= allowed, f"{name}: {said[:300]!r}"
            assert name in OWN_MIND or b"microhttpd" not in said.lower(), name
    stored = daemon.value("SELECT count(*) FROM events") - events
    assert stored <= 3, "at most what is an event after all: chunk extensions, trailers"
    assert daemon.query("SELECT 1 FROM events WHERE credential NOT IN ('basic', 'bearer')") == []
    assert_served(daemon)


def test_a_trailer_is_no_header(daemon):
    wire = Wire(daemon)
    event_id = new_id()
    said = talk(daemon, b"POST /webhooks/riskos HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n" + chunk(event(event_id))
                + b"0\r\n" + wire.auth + b"\r\n", finish=False)
    assert statuses(said) == [401]
    assert not is_stored(daemon, event_id)


@pytest.mark.parametrize("target, status", [
    ("http://127.0.0.1/webhooks/riskos", {200, 404}), ("https://other.example/webhooks/riskos",
                                                       {200, 404, 400}),
    ("//webhooks/riskos", {404}), ("/webhooks/../webhooks/riskos", {404}),
    ("/webhooks/riskos/", {404}), ("/WEBHOOKS/riskos", {404}), ("/webhooks/riskos;a", {404}),
    ("/webhooks/riskos%00", {404, 400}), ("*", {404, 400}),
])
def test_odd_request_targets(daemon, target, status):
    data = event(new_id())
    said = talk(daemon, head("POST", target, {**daemon.headers(), "Content-Length": len(data),
                                              "Connection": "close"}) + data, finish=False)
    assert len(statuses(said)) == 1 and set(statuses(said)) <= status, said


def test_expectations(daemon):
    """Expect: 100-continue from a client that sends its body at once, and one from HTTP/1.0."""
    wire = Wire(daemon)
    expecting = b"Expect: 100-continue\r\nConnection: close\r\n"
    said = talk(daemon, wire.counted(event(new_id()), expecting), finish=False)
    assert statuses(said) == [200]
    said = talk(daemon, wire.counted(event(new_id()), expecting).replace(b"HTTP/1.1", b"HTTP/1.0"),
                finish=False)
    assert statuses(said) == [200]


# Connections that end early, and pipelines

def test_a_request_may_end_at_every_byte(daemon):
    """Every prefix of a request, then the end: an answer from the table or none, nothing stored."""
    whole_id = new_id()
    data = event(whole_id)
    wire = head("POST", ENDPOINT, {"Authorization": daemon.basic, "Connection": "close",
                                   "Content-Length": len(data)})
    wire += data
    with bounded_memory(daemon, 16 * MIB):
        prefixes = [wire[:n] for n in range(len(wire))]
        for n, said in enumerate(talk_all(daemon, prefixes)):
            assert set(statuses(said)) <= PARSER_ANSWERS, (n, said)
    assert not is_stored(daemon, whole_id)
    assert daemon.value("SELECT count(*) FROM quarantine WHERE instr(body, ?) > 0", whole_id) == 0
    assert statuses(talk(daemon, wire, finish=False)) == [200]
    assert is_stored(daemon, whole_id)


def test_a_request_may_be_reset_at_every_byte(daemon):
    data = event("reset")
    wire = head("POST", ENDPOINT, {"Authorization": daemon.basic, "Content-Length": len(data)})
    wire += data
    for n in range(0, len(wire), 3):
        with daemon.open_socket(tls=False) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.sendall(wire[:n])
    assert_served(daemon)


def test_a_client_that_never_reads_its_answers(daemon):
    """It pipelines until its socket is full and reads nothing: it is cut off, its events are
    stored at most once, and nobody waits for it."""
    wire = Wire(daemon)
    with bounded_memory(daemon, 32 * MIB), daemon.open_socket(tls=False) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(scaled(1))
        request = wire.counted(b'{"event_id":"never-reads"}')
        with contextlib.suppress(OSError):
            for _ in range(20_000):
                sock.sendall(request)
        assert_served(daemon)
    assert daemon.value("SELECT count(*) FROM events WHERE event_id = 'never-reads'") == 1


def test_a_pipeline_of_right_and_wrong_requests(daemon):
    wire = Wire(daemon)
    ids = [new_id() for _ in range(50)]
    wrong = wire.counted(event("wrong")).replace(wire.auth, b"")
    said = talk(daemon, b"".join(wire.counted(event(i)) + wrong for i in ids)
                + wire.counted(b"", b"Connection: close\r\n"), finish=False)
    assert statuses(said) == [200, 401] * len(ids) + [400]
    assert all(is_stored(daemon, i) for i in ids) and not is_stored(daemon, "wrong")


# TLS

TLS_RUBBISH = {
    "plain HTTP": b"POST /webhooks/riskos HTTP/1.1\r\nHost: x\r\n\r\n",
    "NULs": b"\0" * 10_000,
    "a record that is too long": b"\x16\x03\x01\xff\xff" + b"a" * 65535,
    "an empty record": b"\x16\x03\x01\x00\x00" * 1000,
    "an alert": b"\x15\x03\x03\x00\x02\x02\x28",
    "application data": b"\x17\x03\x03\x00\x05hello",
    "a heartbeat": b"\x18\x03\x02\x00\x03\x01\x40\x00",
    "an SSLv2 hello": b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + b"a" * 40,
    "half a hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 100,
    "random": os.urandom(5000),
}


@pytest.mark.parametrize("raw", TLS_RUBBISH.values(), ids=TLS_RUBBISH.keys())
def test_rubbish_instead_of_tls(tls_daemon, raw):
    said = talk(tls_daemon, raw)
    assert not said.startswith(b"HTTP/1.1 2")
    assert_served(tls_daemon)


def test_a_handshake_may_end_at_every_step(tls_daemon):
    """A right ClientHello cut at every eighth byte."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = tls_daemon.context.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    hello = outgoing.read()
    with bounded_memory(tls_daemon, 16 * MIB):
        talk_all(tls_daemon, [hello[:n] for n in range(0, len(hello) + 1, 8)])
    assert_served(tls_daemon)


# Many connections

@pytest.fixture
def many_descriptors():
    """Room for thousands of sockets in this process and in the daemons that it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def open_many(daemon, n, first):
    """n connections from several addresses, each with the first bytes of a request."""
    sources = [daemon.new_source() for _ in range(20)]
    held = []
    for i in range(n):
        sock = open_socket(daemon.port, source=sources[i % len(sources)])
        held.append(sock)
        with contextlib.suppress(OSError):
            sock.sendall(first)
    return held


@pytest.mark.parametrize("first", [b"", b"POST /webhooks/riskos HTTP/1.1\r\nHost: x\r\nX-Slow: "],
                         ids=["idle", "half a header"])
def test_others_are_served_beside_thousands_of_slow_connections(make_daemon, many_descriptors,
                                                               first):
    n = min(int(os.environ.get("RISKHOOK_SLOW_CONNECTIONS") or 2000), many_descriptors // 2 - 200)
    daemon = make_daemon({"server": {"max_connections": n + 500, "request_timeout": "60s",
                                     "insecure_http": "yes", "tls_certificate": None,
                                     "tls_private_key": None,
                                     "max_connections_per_address": n}})
    with bounded_memory(daemon, n * 48 * 1024 + 16 * MIB):
        held = open_many(daemon, n, first)
        try:
            for _ in range(20):
                assert_served(daemon)
        finally:
            for sock in held:
                sock.close()
        wait_until(lambda: b"riskhook_connections 0" in daemon.admin("/metrics").body,
                   what="the connections are gone")
    assert_served(daemon)


@pytest.mark.parametrize("n", [127, 128, 129, 256])
def test_all_that_speak_at_the_same_moment_are_answered(make_daemon, n):
    """To one thread, which finds them all at once. With epoll libmicrohttpd 0.9.75 would wait for
    a 129th before it looks at 128."""
    daemon = make_daemon({"server": {"insecure_http": "yes", "tls_certificate": None,
                                     "tls_private_key": None, "threads": "1",
                                     "max_connections_per_address": n}})
    wire = Wire(daemon)
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(open_socket(daemon.port)) for _ in range(n)]
        wait_until(lambda: f"riskhook_connections {n}\n".encode() in daemon.admin("/metrics").body,
                   what="all are connected")
        os.kill(daemon.pid, signal.SIGSTOP)
        for sock in socks:
            sock.sendall(wire.counted(event(new_id()), b"Connection: close\r\n"))
        os.kill(daemon.pid, signal.SIGCONT)
        assert [statuses(read_all(sock)) for sock in socks] == [[200]] * n


def processor_seconds(daemon):
    fields = pathlib.Path(f"/proc/{daemon.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_half_a_handshake_costs_no_processor_time(make_daemon):
    daemon = make_daemon({"server": {"request_timeout": "2s"}})
    before = processor_seconds(daemon), time.monotonic()
    held = open_many(daemon, 4, bytes.fromhex("160301020001"))
    for sock in held:
        assert sock.recv(1) == b"", "cut off when its time is over"
        sock.close()
    used = processor_seconds(daemon) - before[0]
    assert used < (time.monotonic() - before[1]) / 10


def test_connections_beyond_the_limit_wait_and_memory_is_bounded(make_daemon):
    with listening_socket() as listening:
        daemon = make_daemon({"server": {"max_connections": 50, "insecure_http": "yes",
                                         "tls_certificate": None, "tls_private_key": None,
                                         "request_timeout": "10m"}}, **passing(listening))
        daemon.config.port = listening.getsockname()[1]
        with bounded_memory(daemon, 16 * MIB):
            held = open_many(daemon, 200, b"POST ")
            waiting = daemon.open_socket(tls=False)
            waiting.sendall(Wire(daemon).counted(event(new_id()), b"Connection: close\r\n"))
            wait_until(lambda: n_queued(listening) == 151, what="50 of 201 are accepted")
            wait_until(lambda: b"riskhook_connections 50\n" in daemon.admin("/metrics").body,
                       what="each of them is one of libmicrohttpd's")
            assert n_queued(listening) == 151 and not select.select([waiting], [], [], 0)[0]
            for sock in held:
                sock.close()
            assert statuses(read_all(waiting)) == [200]
        waiting.close()


def test_a_flood_of_wrong_credentials_is_throttled_for_its_address_alone(make_daemon):
    daemon = make_daemon({"server": {"auth_failures_max": 20, "auth_failures_window": "1h",
                                     "idle_timeout": "1s", "insecure_http": "yes",
                                     "tls_certificate": None, "tls_private_key": None}})
    source = daemon.new_source()
    wrong = head("POST", ENDPOINT, {"Authorization": basic("riskos", "wrong"),
                                    "Content-Length": 2}) + b"{}"
    said = talk(daemon, wrong * 500, source=source, finish=False)
    assert statuses(said) == [401] * 20 + [429] * 480
    assert_served(daemon)


def test_the_store_is_as_it_should_be(daemon):
    """After everything above."""
    assert daemon.value("PRAGMA integrity_check") == "ok"
    with daemon.open_socket(tls=False) as sock:
        sock.sendall(Wire(daemon).counted(event(new_id())))
        assert read_response(sock).result == "stored"
