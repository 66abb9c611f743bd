# SPDX-License-Identifier: Apache-2.0
"""Live reload: nobody is refused, nothing is lost, and an error keeps what was there."""

import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import threading
import time

import pytest

from lib.certificate import Certificate, ClientAuthority
from lib.client import TIMEOUT, UnixHTTPConnection, basic, bearer, head, read_response
from lib.config import ENDPOINT, USERNAME, write_secret
from lib.consumer import Consumer
from lib.daemon import DaemonFailed
from lib.events import body, new_id
from lib.hooks import script
from lib.settings import RISKHOOKD, scaled
from lib.waiting import wait_until

RELOADS = 20
CLIENTS = 6


@pytest.fixture
def two_certificates(folder, certificate):
    return certificate, Certificate(folder / "other")


def context_for(certificates):
    """Trusts any of them."""
    context = ssl.create_default_context()
    for certificate in certificates:
        context.load_verify_locations(certificate.certificate)
    return context


def change(daemon, sections):
    daemon.config.update(sections)
    daemon.config.write()


def reload(daemon):
    result = daemon.ctl("reload")
    assert result.code == 0, result.err


class Poster(threading.Thread):
    """Posts without pause until it is told to stop; any answer but 200 is a failure. Odd ones keep
    their connection, even ones make a new one for each post."""

    def __init__(self, daemon, number, context, credentials):
        super().__init__()
        self.daemon_under_test = daemon
        self.kept = number % 2 == 1
        self.context = context
        self.credentials = credentials  # () -> Authorization
        self.acknowledged = []
        self.certificates = set()
        self.connections = 0
        self.error = None
        self.stopped = threading.Event()

    def open(self):
        raw = socket.create_connection(("127.0.0.1", self.daemon_under_test.port),
                                       timeout=scaled(TIMEOUT))
        self.connections += 1
        sock = self.context.wrap_socket(raw, server_hostname="127.0.0.1")
        self.certificates.add(sock.getpeercert(binary_form=True))
        return sock

    def post(self, sock):
        event_id = new_id()
        data = body(event_id=event_id)
        sock.sendall(head("POST", ENDPOINT, {
            "Authorization": self.credentials(), "Content-Type": "application/json",
            "Content-Length": len(data)}) + data)
        response = read_response(sock)
        assert response.status == 200, (response.status, response.body)
        self.acknowledged.append(event_id)

    def run(self):
        try:
            if self.kept:
                with self.open() as sock:
                    while not self.stopped.is_set():
                        self.post(sock)
                return
            while not self.stopped.is_set():
                with self.open() as sock:
                    self.post(sock)
        except Exception as e:  # what is raised in a thread would be lost
            self.error = e

    def finish(self):
        self.stopped.set()
        self.join(scaled(60))
        if self.error:
            raise self.error


class HttpClientPoster(Poster):
    """The same with http.client."""

    def run(self):
        try:
            connection = None
            while not self.stopped.is_set():
                if connection is None:
                    connection = http.client.HTTPSConnection(
                        "127.0.0.1", self.daemon_under_test.port, context=self.context,
                        timeout=scaled(TIMEOUT))
                    connection.connect()
                    self.connections += 1
                    self.certificates.add(connection.sock.getpeercert(binary_form=True))
                event_id = new_id()
                connection.request("POST", ENDPOINT, body(event_id=event_id), {
                    "Authorization": self.credentials(), "Content-Type": "application/json"})
                response = connection.getresponse()
                text = response.read()
                assert response.status == 200, (response.status, text)
                self.acknowledged.append(event_id)
                if not self.kept:
                    connection.close()
                    connection = None
        except Exception as e:
            self.error = e


# Notes in its folder how many of it run at once: a directory is made by one alone.
COUNTING_HOOK = r"""
d=$1; max=$2
i=1
while ! mkdir "$d/slot-$i" 2>/dev/null; do
    i=$((i + 1))
    if [ $i -gt $max ]; then echo over >> "$d/exceeded"; exit 0; fi
done
echo "$RISKHOOK_EVENT_ID" >> "$d/seen-$i"
cat > /dev/null
rmdir "$d/slot-$i"
"""


@pytest.mark.timeout(900)  # thousands of programs are run, however slow they start
def test_nobody_notices_twenty_reloads(make_daemon, two_certificates, folder):
    hooks = folder / "hooks"
    hooks.mkdir()
    hook = script(folder, "hook", COUNTING_HOOK)
    daemon = make_daemon({
        "handler changing": {"type": "exec", "command": f"{hook} {hooks} 2", "concurrency": 2,
                             "timeout": "30s"},
        "handler steady": {"type": "exec", "command": "/bin/true", "concurrency": 1}})
    context = context_for(two_certificates)
    current = [daemon.basic]
    makers = [Poster, HttpClientPoster]
    posters = [makers[i // 2 % 2](daemon, i, context, lambda: current[0]) for i in range(CLIENTS)]
    for poster in posters:
        poster.start()
    for round_ in range(RELOADS):
        # certificate, credential (the old one stays for one more round) and handler all change
        token = f"token-of-round-{round_}-{new_id()}"
        daemon.secrets.append(token)
        write_secret(daemon.folder / f"token-{round_}", token + "\n")
        served = two_certificates[(round_ + 1) % 2]
        change(daemon, {
            "server": {"tls_certificate": served.certificate, "tls_private_key": served.private_key},
            f"credential rotating-{round_}": {"endpoint": "riskos", "type": "bearer",
                                              "token_file": f"token-{round_}"},
            f"credential rotating-{round_ - 2}": None,
            "handler changing": {"timeout": f"{31 + round_}s"},
            "handler extra": {"type": "exec", "command": "/bin/true"} if round_ % 2 else None})
        if round_ % 2:
            reload(daemon)
        else:
            mark = daemon.log().count("configuration reloaded")
            daemon.reload()
            wait_until(lambda: daemon.log().count("configuration reloaded") > mark)
        current[0] = bearer(token)
        # the second answer from now on is to a request that was made with the new credential
        counts = [len(poster.acknowledged) for poster in posters]
        wait_until(lambda: all(len(p.acknowledged) >= n + 2 or p.error
                               for p, n in zip(posters, counts)), timeout=60)
    for poster in posters:
        poster.finish()

    kept = [p for p in posters if p.kept]
    fresh = [p for p in posters if not p.kept]
    assert all(p.connections == 1 for p in kept)
    assert all(len(p.certificates) == 2 for p in fresh), "new connections got both certificates"
    acknowledged = [event_id for p in posters for event_id in p.acknowledged]
    assert len(set(acknowledged)) == len(acknowledged) >= RELOADS * CLIENTS
    stored = {row["event_id"] for row in daemon.query("SELECT event_id FROM events")}
    assert stored == set(acknowledged)
    daemon.all_ended()
    assert daemon.value("SELECT count(*) FROM delivery_log WHERE handler IN ('changing', 'steady')"
                        " AND state = 'done'") == 2 * len(stored)
    assert not (hooks / "exceeded").exists(), "concurrency was exceeded"
    seen = [line for path in hooks.glob("seen-*") for line in path.read_text().splitlines()]
    assert sorted(seen) == sorted(stored), "each event was delivered once"
    print(f"{len(acknowledged)} posts on {sum(p.connections for p in posters)} connections")


def test_an_unchanged_handler_notices_nothing(make_daemon, folder):
    """Its program goes on, and its connection to a consumer stays."""
    with Consumer(folder / "consumer.sock") as consumer:
        daemon = make_daemon({"handler u": {"type": "unix", "socket": folder / "consumer.sock"}})
        daemon.delivery(daemon.stored(body()), "u")
        for i in range(3):
            change(daemon, {"server": {"max_body": f"{i + 1}MiB"}})
            reload(daemon)
            daemon.delivery(daemon.stored(body()), "u")
        assert consumer.connections == 1
        change(daemon, {"handler u": {"window": 3}})
        reload(daemon)
        daemon.delivery(daemon.stored(body()), "u")
        assert consumer.connections == 2


def test_a_changed_handler_begins_when_the_old_one_has_ended(make_daemon, folder):
    os.mkfifo(folder / "go")
    old = script(folder, "old", f'echo old >> {folder}/log; read x < {folder}/go\n')
    new = script(folder, "new", f'echo new >> {folder}/log\n')
    log = folder / "log"
    daemon = make_daemon({"handler h": {"type": "exec", "command": old, "concurrency": 1}})
    first = daemon.stored(body())
    wait_until(log.exists)
    second = daemon.stored(body())
    change(daemon, {"handler h": {"command": new}})
    reload(daemon)
    third = daemon.stored(body())
    daemon.routed(third)
    assert log.read_text() == "old\n"
    assert daemon.query("SELECT state FROM delivery_log WHERE seq = ?", second) == \
        [{"state": "pending"}]
    with open(folder / "go", "w") as go:
        go.write("x\n")
    for seq in (first, second, third):
        daemon.delivery(seq, "h")
    assert log.read_text() == "old\nnew\nnew\n"


def test_a_removed_handler_ends_what_runs_and_its_queue_waits_for_it(make_daemon, folder):
    os.mkfifo(folder / "go")
    old = script(folder, "old", f'touch {folder}/begun; read x < {folder}/go\n')
    section = {"type": "exec", "command": old, "concurrency": 1}
    daemon = make_daemon({"handler h": dict(section)})
    first = daemon.stored(body())
    wait_until((folder / "begun").exists)
    second = daemon.stored(body())
    daemon.routed(second)
    change(daemon, {"handler h": None})
    reload(daemon)
    with open(folder / "go", "w") as go:
        go.write("x\n")
    daemon.delivery(first, "h")
    assert daemon.routed(daemon.stored(body())) == {}
    daemon.delivery(second, "h", state="pending")
    change(daemon, {"handler h": dict(section, command="/bin/true")})
    reload(daemon)
    daemon.delivery(second, "h")


def test_a_stop_ends_what_has_retired(make_daemon, folder):
    old = script(folder, "old", f'touch {folder}/begun; exec sleep 600\n')
    daemon = make_daemon({"server": {"stop_timeout": "0s"},
                          "handler h": {"type": "exec", "command": old}})
    seq = daemon.stored(body())
    wait_until((folder / "begun").exists)
    for timeout in ("31s", "32s", "30s"):  # there and back: the first is retired for good
        change(daemon, {"handler h": {"timeout": timeout}})
        reload(daemon)
    daemon.stop()
    assert daemon.query("SELECT state, outcome FROM delivery_log WHERE seq = ?", seq) == \
        [{"state": "pending", "outcome": "interrupted"}]
    change(daemon, {"handler h": {"command": "/bin/true"}})
    daemon.start()
    daemon.delivery(seq, "h")


def test_endpoints_credentials_and_limits_change(make_daemon):
    daemon = make_daemon()
    with daemon.connect() as connection:  # one connection lives through it all
        def post(data, path=ENDPOINT, auth=daemon.basic):
            return connection.request("POST", path, data, daemon.headers(auth=auth)).status

        assert post(body()) == 200
        daemon.secrets.append("a-new-password-1234")
        write_secret(daemon.folder / "password", "a-new-password-1234")
        change(daemon, {"endpoint second": {"path": "/second"},
                        "credential second": {"endpoint": "second", "type": "bearer",
                                              "token_file": "token"},
                        "credential bearer": None,
                        "endpoint riskos": {"path": "/moved"},
                        "log": {"level": "warning"}})
        reload(daemon)
        assert post(body()) == 404
        assert post(body(), "/moved") == 401, "the old password"
        assert post(body(), "/moved", daemon.bearer) == 401, "a credential that was removed"
        assert post(body(), "/moved", basic(USERNAME, "a-new-password-1234")) == 200
        assert post(body(), "/second", daemon.bearer) == 200
        change(daemon, {"server": {"max_body": "1KiB"}})
        reload(daemon)
        assert post(body(padding="x" * 2000), "/second", daemon.bearer) == 413
    daemon.stop()  # which writes all that there is to be logged
    assert "stored seq=1 " in daemon.log() and "stored seq=2 " not in daemon.log()


def fetch_token(daemon, connection, secret):
    reply = connection.request("POST", "/oauth/token", b"grant_type=client_credentials", {
        "Content-Type": "application/x-www-form-urlencoded",
        "Authorization": basic("client", secret)})
    return reply.status, reply.json().get("access_token")


def test_an_access_token_lives_as_long_as_its_client(make_daemon):
    secret = "the-secret-of-a-client"
    daemon = make_daemon(start=False)
    daemon.secrets.append(secret)
    write_secret(daemon.folder / "client", secret)
    daemon.start()
    with daemon.connect() as connection:
        def post(token):
            return connection.request("POST", ENDPOINT, body(),
                                      daemon.headers(auth=bearer(token))).status

        assert connection.request("POST", "/oauth/token", b"").status == 404
        change(daemon, {"credential oauth": {"endpoint": "riskos", "type": "oauth_client",
                                             "client_id": "client", "client_secret_file": "client"}})
        reload(daemon)
        status, token = fetch_token(daemon, connection, secret)
        assert status == 200 and post(token) == 200
        daemon.secrets.append(token)
        reload(daemon)
        assert post(token) == 200
        change(daemon, {"credential oauth": None})
        reload(daemon)
        assert post(token) == 401
        assert connection.request("POST", "/oauth/token", b"").status == 404


def test_timeouts_change_for_open_connections_too(make_daemon):
    daemon = make_daemon({"server": {"idle_timeout": "1h"}})
    with daemon.connect() as connection:
        change(daemon, {"server": {"idle_timeout": "1s"}})
        reload(daemon)
        assert connection.request("POST", ENDPOINT, body(), daemon.headers()).status == 200
        connection.sock.settimeout(scaled(30))
        assert connection.sock.recv(1) == b""  # cut off, after a second and not an hour


BROKEN = {
    "a value": ("[server]\nmax_connections = many\n", 1),
    "a secret that is not there":
        ("[credential c]\nendpoint = riskos\ntype = bearer\ntoken_file = nowhere\n", 3),
    "an unknown section": ("[hander h]\n", 0),
}


@pytest.mark.parametrize("text, line", BROKEN.values(), ids=BROKEN.keys())
def test_an_error_keeps_the_old_and_says_where(make_daemon, text, line):
    daemon = make_daemon()
    before = daemon.config.path.read_text()
    where = f"{daemon.config.path}:{before.count(chr(10)) + 1 + line}: "
    daemon.config.path.write_text(before + text)
    result = daemon.ctl("reload")
    assert result.code == 1 and where in result.err
    status, answer = ask_reload(daemon)
    assert status == 422 and where in answer["error"]
    daemon.reload()
    wait_until(lambda: daemon.log().count(f"the old configuration stays: {where}") >= 2)
    assert daemon.post(body()).result == "stored"
    daemon.config.path.write_text(before)
    reload(daemon)


def ask_reload(daemon):
    connection = UnixHTTPConnection(daemon.config.admin_socket)
    try:
        connection.request("POST", "/v1/reload")
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def test_a_key_that_does_not_belong_to_the_certificate_keeps_the_old(make_daemon, two_certificates):
    daemon = make_daemon()
    served, other = two_certificates
    change(daemon, {"server": {"tls_certificate": other.certificate}})
    status, answer = ask_reload(daemon)
    assert status == 422
    assert re.match(rf"{re.escape(str(daemon.config.path))}:\d+: .*tls_private_key", answer["error"])
    assert served.client_context() and daemon.post(body()).result == "stored"
    change(daemon, {"server": {"tls_private_key": other.private_key,
                               "tls_priorities": "NORMAL:+VERS-TLS1.1"}})
    status, answer = ask_reload(daemon)
    assert status == 422 and "TLS1.1" in answer["error"]
    change(daemon, {"server": {"tls_priorities": "NORMAL:-VERS-ALL:+VERS-TLS1.2"}})
    assert ask_reload(daemon) == (200, {"result": "reloaded", "needs_restart": ""})
    daemon.context = other.client_context()
    with daemon.open_socket() as sock:
        assert sock.version() == "TLSv1.2"
    assert daemon.post(body()).result == "stored"


def test_what_cannot_change_is_named(make_daemon):
    daemon = make_daemon()
    change(daemon, {"server": {"threads": 3}, "store": {"quarantine_max": 7}})
    fixed = "[server] threads, [store] quarantine_max"
    for times in (1, 2):  # they wait for a restart, however often one reloads
        result = daemon.ctl("reload")
        assert result.code == 0 and result.err == ""
        assert result.out == f"reloaded\nrestart riskhookd for these to take effect: {fixed}\n"
        assert daemon.log().count(f"need a restart to take effect: {fixed}") == times
    assert daemon.post(body()).result == "stored"
    daemon.stop()
    daemon.start()
    assert daemon.ctl("reload").out == "reloaded\n"


def test_reload_without_a_daemon(make_daemon):
    daemon = make_daemon(start=False)
    assert daemon.ctl("reload").code == 4


def test_many_at_once_are_all_answered(make_daemon):
    daemon = make_daemon({"handler h": {"type": "exec", "command": "/bin/true"}})
    threads = [threading.Thread(target=lambda: results.append(daemon.ctl("reload").code))
               for _ in range(8)]
    results = []
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [0] * 8
    daemon.delivery(daemon.stored(body()), "h")


def test_systemd_is_told(make_daemon):
    daemon = make_daemon(start=False)
    path = daemon.folder / "systemd.sock"
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(str(path))
    sock.settimeout(scaled(30))

    # by hand, because the fixture's own socket is closed after the first READY=1
    process = subprocess.Popen([str(RISKHOOKD), "-c", str(daemon.config.path)],
                               env={**os.environ, "NOTIFY_SOCKET": str(path)},
                               stderr=subprocess.DEVNULL)
    try:
        assert "READY=1" in sock.recv(4096).decode()
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        assert daemon.ctl("reload").code == 0
        told = dict(line.split("=", 1) for line in sock.recv(4096).decode().splitlines())
        assert told["RELOADING"] == "1" and int(told["MONOTONIC_USEC"]) >= before
        assert sock.recv(4096).decode().startswith("READY=1\nSTATUS=listening on")
        daemon.config.path.write_text("[sever]\n")
        ask_reload(daemon)
        assert "RELOADING=1" in sock.recv(4096).decode()
        assert re.match(r"READY=1\nSTATUS=.*refused: .*riskhookd.conf:1: ", sock.recv(4096).decode())
    finally:
        process.terminate()
        assert process.wait(scaled(40)) == 0
        sock.close()


# Client certificates


def client_post(daemon, certificate, files=None):
    context = certificate.client_context()
    if files:
        context.load_cert_chain(*map(str, files))
    raw = socket.create_connection(("127.0.0.1", daemon.port), timeout=scaled(TIMEOUT))
    with context.wrap_socket(raw, server_hostname="127.0.0.1") as sock:
        data = body()
        sock.sendall(head("POST", ENDPOINT, {**daemon.headers(), "Content-Length": len(data)})
                     + data)
        return read_response(sock).status


def test_client_certificates(make_daemon, certificate, folder):
    ours, stranger = ClientAuthority(folder / "ours"), ClientAuthority(folder / "stranger")
    daemon = make_daemon({"server": {"tls_client_ca": ours.certificate}})
    good = ours.issue("good")
    refused = (ssl.SSLError, OSError, http.client.HTTPException)
    assert client_post(daemon, certificate, good) == 200
    for files in (None, stranger.issue("foreign"), ours.issue("server", usage="serverAuth")):
        with pytest.raises(refused):
            client_post(daemon, certificate, files)
    assert daemon.value("SELECT count(*) FROM events") == 1
    # a reload takes the demand back, and puts it there again
    change(daemon, {"server": {"tls_client_ca": None}})
    reload(daemon)
    assert client_post(daemon, certificate) == 200
    change(daemon, {"server": {"tls_client_ca": stranger.certificate}})
    reload(daemon)
    with pytest.raises(refused):
        client_post(daemon, certificate, good)


def test_a_client_ca_that_is_none_stops_the_start(make_daemon):
    daemon = make_daemon(start=False)
    write_secret(daemon.folder / "ca.pem", "no certificate\n")
    change(daemon, {"server": {"tls_client_ca": "ca.pem"}})
    with pytest.raises(DaemonFailed) as failure:
        daemon.start()
    assert re.search(r"riskhookd.conf:\d+: .*tls_client_ca", failure.value.output)
