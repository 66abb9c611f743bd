# SPDX-License-Identifier: Apache-2.0
"""Clients that mean no good: wrong credentials, bad requests, smuggling, rubbish for TLS."""

import contextlib
import http.client
import itertools
import random
import socket
import time

from lib.client import basic
from lib.config import ENDPOINT, USERNAME
from lib.events import body
from lib.hostile import PARSER_ANSWERS, SMUGGLING, Wire, statuses
from lib.settings import scaled

from chaos import senders
from chaos.ledger import digest
from chaos.load import Try

UNAUTHORISED = "unauthorised-"  # begins the event_id of what must leave no trace
SMUGGLED = "smuggled-"
MAX_BODY = 64 * 1024
REFUSALS = ",".join(str(status) for status in sorted(PARSER_ANSWERS | {401, 415, 503}))


class HostileClient:
    """Every kind in turn, each from an address that has no failures yet."""

    def __init__(self, world, seed):
        self.world = world
        self.daemon = world.daemon
        self.name = "hostile"
        self.random = random.Random(f"{seed} hostile")
        self.numbers = itertools.count(1)
        self.wrong = list(senders.wrong_credentials(world))
        self.good = basic(USERNAME, self.daemon.config.password)
        self.kinds = [self.intrude, self.use_a_revoked_token, self.send_rubbish,
                      self.send_too_much, self.ask_wrongly, self.smuggle, self.garble_tls,
                      self.go_away]

    def run(self, stop, interval):
        for kind in itertools.cycle(self.kinds):
            if stop.wait(interval * self.random.uniform(0.5, 1.5)):
                return
            with contextlib.suppress(OSError):  # the daemon is away
                kind()

    def address(self):
        n = next(self.numbers)
        return f"127.2.{n >> 8 & 255}.{n & 255}"

    def request(self, method, path, data, headers, expect):
        """One request, which is noted, and must get one of these answers or none."""
        attempt = Try("hostile", digest(data), self.name, f"{expect},503", time.monotonic())
        try:
            with self.daemon.connect(self.address()) as connection:
                attempt.answered(connection.request(method, path, data, headers))
        except (OSError, http.client.HTTPException):
            pass
        attempt.ended = time.monotonic()
        self.world.ledger.tried(attempt)
        return attempt

    def body(self, marker=UNAUTHORISED):
        return body(event_id=f"{marker}{next(self.numbers)}")

    def intrude(self):
        _, path, authorization = self.random.choice(self.wrong)
        self.request("POST", path, self.body(), self.daemon.headers(auth=authorization), "401")

    def use_a_revoked_token(self):
        if self.world.rotation.revoked:
            token = self.random.choice(self.world.rotation.revoked)
            self.request("POST", "/rotating", self.body(),
                         self.daemon.headers(auth=f"Bearer {token}"), "401")

    def send_rubbish(self):
        """With a right credential: it must be kept, though not as an event."""
        data = self.body("rubbish-")[:-1] + self.random.choice([b"", b",}", b"]", b"}}"])
        self.world.ledger.made_rubbish("rubbish", data)
        self.request("POST", ENDPOINT, data, self.daemon.headers(auth=self.good), "400")

    def send_too_much(self):
        data = self.body("large-")[:-2] + b',"x":"' + b"x" * MAX_BODY + b'"}}'
        self.request("POST", ENDPOINT, data, self.daemon.headers(auth=self.good), "413")

    def ask_wrongly(self):
        method, path, headers, expect = self.random.choice([
            ("GET", ENDPOINT, {}, "405"), ("PUT", ENDPOINT, {}, "405"),
            ("POST", "/elsewhere", {}, "404"),
            ("POST", ENDPOINT, {"Content-Type": "text/plain"}, "415"),
            ("POST", ENDPOINT, {"Content-Encoding": "gzip"}, "415")])
        self.request(method, path, self.body(),
                     self.daemon.headers(headers, auth=self.good), expect)

    def smuggle(self):
        """A request without a credential inside the body of one that has it."""
        hidden = self.body(SMUGGLED)
        inside = b"0\r\n\r\nPOST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (
            ENDPOINT.encode(), len(hidden)) + hidden
        shape = self.random.choice(list(SMUGGLING.values())) % {b"n": len(inside)}
        said = self.talk(Wire(self.daemon).post(shape, inside))
        for status in statuses(said):
            self.world.ledger.tried(Try("hostile", b"", self.name, REFUSALS, status=status))

    def talk(self, wire, tls=True):
        """Send it and read for a short while what comes."""
        said = b""
        with self.daemon.open_socket(self.address(), tls) as sock:
            with contextlib.suppress(OSError):
                sock.sendall(wire)
                sock.settimeout(scaled(0.2))
                while data := sock.recv(65536):
                    said += data
        return said

    def garble_tls(self):
        self.talk(b"\x16\x03\x01" * self.random.randrange(2)
                  + self.random.randbytes(self.random.randrange(3000)), tls=False)

    def go_away(self):
        """In the middle of a request, and of a handshake."""
        data = self.body("gone-")
        wire = Wire(self.daemon).counted(data)
        with self.daemon.open_socket(self.address()) as sock:
            sock.sendall(wire[:self.random.randrange(len(wire))])
        with socket.create_connection(("127.0.0.1", self.daemon.port), scaled(10)):
            pass
