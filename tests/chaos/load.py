# SPDX-License-Identifier: Apache-2.0
"""Clients of each credential, which post until they are answered 200, and slow ones."""

import collections
import http.client
import random
import threading
import time
from dataclasses import dataclass

from lib.client import head, read_response
from lib.settings import scaled

from chaos.ledger import digest
from chaos.mail import Source
from chaos.senders import SENDERS

PATIENCE = 120  # seconds until a post that is not answered 200 is a failure
HONEST = "200,503"
POOL = 200  # events that others may post again


@dataclass
class Try:
    """One request as the client saw it."""
    key: str
    sha: bytes
    client: str
    expect: str = HONEST
    began: float = 0
    ended: float = 0
    status: int = None
    result: str = None
    seq: int = None
    flaw: str = None

    def row(self):
        return (self.key, self.sha, self.client, self.expect, self.began, self.ended, self.status,
                self.result, self.seq, self.flaw)

    def answered(self, response):
        """Note the answer and what is wrong with it at first sight."""
        self.status = response.status
        if response.status == 503 and not response.headers.get("Retry-After", "").isdecimal():
            self.flaw = "a 503 without Retry-After"
        if response.status == 200:
            answer = response.json()
            self.result, self.seq = answer.get("result"), answer.get("seq")
            if answer.get("event_id") != self.key.rpartition("/")[2]:
                self.flaw = "a 200 with another event_id"


class Pool:
    """Events that were sent or are about to be, for those who send them again."""

    def __init__(self):
        self.lock = threading.Lock()
        self.events = collections.deque(maxlen=POOL)  # under `lock`

    def add(self, event):
        with self.lock:
            self.events.append(event)

    def choose(self, rng):
        with self.lock:
            return rng.choice(self.events) if self.events else None


class Client:
    """Posts events of its own, others' again, and changed ones, each until it is answered 200."""

    prefix = ""

    def __init__(self, world, kind, seed, pool):
        self.world = world
        self.ledger = world.ledger
        self.name = self.prefix + kind
        self.random = random.Random(f"{seed} {self.name}")
        self.sender = SENDERS[kind](world)
        self.source = Source(f"{self.name}-{seed}", self.random)
        self.pool = pool
        self.connection = None

    def run(self, stop, interval):
        try:
            while not stop.wait(interval * self.random.uniform(0.5, 1.5)):
                self.act()
        finally:
            self.hang_up()

    def act(self):
        chance = self.random.random()
        old = self.pool.choose(self.random)
        if old and chance < 0.12:
            self.post(old)
        elif old and chance < 0.18:
            self.post_new(old.changed(self.random))
        else:
            event = self.source.event()
            self.pool.add(event)
            self.post_new(event)

    def post_new(self, event):
        self.ledger.made(event)
        self.post(event)

    def post(self, event):
        deadline = time.monotonic() + scaled(PATIENCE)
        sha = digest(event.data)
        while True:
            attempt = Try(event.key, sha, self.name)
            self.attempt(attempt, event.data)
            if attempt.status == 200:
                return
            assert time.monotonic() < deadline, f"{self.name}: not stored for so long: {attempt}"
            time.sleep(0.02)

    def attempt(self, attempt, data):
        """One try, noted whatever comes of it."""
        try:
            authorization = self.sender.authorization()
        except (OSError, http.client.HTTPException):
            return  # no token to be had: nothing was sent
        attempt.began = time.monotonic()
        try:
            attempt.answered(self.send(authorization, data))
        except (OSError, http.client.HTTPException):
            self.hang_up()
        attempt.ended = time.monotonic()
        if attempt.status == 401 and self.sender.is_refusal_fair():
            attempt.expect += ",401"
        self.ledger.tried(attempt)

    def send(self, authorization, data):
        self.connection = self.connection or self.world.daemon.connect()
        return self.connection.request("POST", self.sender.path, data,
                                       self.world.daemon.headers(auth=authorization))

    def hang_up(self):
        if self.connection:
            self.connection.close()
        self.connection = None


class SlowClient(Client):
    """Sends each request in pieces, over about a second: chaos comes in between."""

    prefix = "slow-"
    PIECES = 10

    def send(self, authorization, data):
        wire = head("POST", self.sender.path, {**self.world.daemon.headers(auth=authorization),
                                               "Content-Length": len(data)}) + data
        with self.world.daemon.open_socket() as sock:
            size = len(wire) // self.PIECES + 1
            for i in range(0, len(wire), size):
                sock.sendall(wire[i:i + size])
                time.sleep(0.1)
            return read_response(sock)
