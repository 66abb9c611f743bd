# SPDX-License-Identifier: Apache-2.0
"""Clients that begin the TLS handshake anew, or change keys, again and again on one connection:
refused or done, and others are served. OpenSSL's s_client is the client: Python's ssl has neither."""

import os
import select
import subprocess
import time

import pytest

from lib.client import head
from lib.config import ENDPOINT
from lib.events import body
from lib.settings import scaled

SERVED = b"HTTP/1.1 200 "


@pytest.fixture(scope="module")
def daemon(make_module_daemon):
    return make_module_daemon()


class Client:
    """`openssl s_client`, which takes what it reads at a time as one command or as data."""

    def __init__(self, daemon, version):
        self.process = subprocess.Popen(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{daemon.port}", version, "-msg"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.said, self.mark = b"", 0
        assert self.wait(b"Verify return code"), self.said
        self.mark = len(self.said)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    @property
    def since(self):
        """What it has said since the first handshake."""
        return self.said[self.mark:]

    def wait(self, text, n=1):
        """Read until it has said this n times since the handshake; False when it has ended first."""
        deadline = time.monotonic() + scaled(30)
        stdout = self.process.stdout
        while self.since.count(text) < n:
            ready = select.select([stdout], [], [], max(0, deadline - time.monotonic()))[0]
            assert ready, f"no {text} in {self.said[-1000:]}"
            data = os.read(stdout.fileno(), 65536)
            if not data:
                return False
            self.said += data
        return True

    def say(self, data):
        """False when nobody takes it any more."""
        try:
            self.process.stdin.write(data)
            self.process.stdin.flush()
            return True
        except BrokenPipeError:
            return False

    def update_keys(self, command, n):
        """Return how many there were before the connection ended."""
        for i in range(n):
            if not self.say(command) or not self.wait(b"KEYUPDATE\n", i + 1):
                return i
        return n

    def post(self, daemon):
        """Whether an event is answered 200, on this connection."""
        data = body()
        self.say(head("POST", ENDPOINT, {**daemon.headers(), "Content-Length": len(data)}) + data)
        return self.wait(SERVED)


def assert_served(daemon):
    assert daemon.post(body()).result == "stored"


def test_the_client_of_these_tests_is_served(daemon):
    for version in ("-tls1_2", "-tls1_3"):
        with Client(daemon, version) as client:
            assert client.post(daemon)


def test_renegotiation_by_the_client_ends_its_connection(daemon):
    """There is none in TLS 1.3."""
    for _ in range(20):
        with Client(daemon, "-tls1_2") as client:
            assert client.say(b"R\n")
            assert not client.wait(SERVED), "it has ended"
            assert client.since.count(b", ClientHello") == 1, "the second one, which was sent"
            assert b", ServerHello" not in client.since
    assert_served(daemon)


@pytest.mark.parametrize("command", [b"k\n", b"K\n"], ids=["one way", "both ways"])
def test_keys_that_the_client_updates_are_used(daemon, command):
    """As many as GnuTLS allows in a second."""
    with Client(daemon, "-tls1_3") as client:
        assert client.update_keys(command, 5) == 5
        assert client.post(daemon)
        assert client.since.count(b">>> TLS 1.3, Handshake [length 0005], KeyUpdate") == 5


@pytest.mark.parametrize("command", [b"k\n", b"K\n"], ids=["one way", "both ways"])
def test_a_flood_of_key_updates_harms_nobody(daemon, command):
    """It ends the connection, or all of them are done: that depends on how fast they come."""
    with Client(daemon, "-tls1_3") as client:
        assert client.update_keys(command, 200) > 5
        assert_served(daemon)
        assert client.post(daemon) or client.process.wait(scaled(30)) is not None
    assert_served(daemon)
