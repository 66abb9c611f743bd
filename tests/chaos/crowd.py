# SPDX-License-Identifier: Apache-2.0
"""All clients together, each in a thread."""

import threading

from lib.settings import scaled

from chaos.hostile import HostileClient
from chaos.load import PATIENCE, Client, Pool, SlowClient
from chaos.senders import SENDERS


def clients(world, seed):
    """One for each type of credential, slow ones, and a hostile one."""
    pool = Pool()
    honest = [Client(world, kind, seed, pool) for kind in SENDERS]
    slow = [SlowClient(world, kind, seed, pool) for kind in ("basic", "granted")]
    return [*honest, *slow, HostileClient(world, seed)]


class Crowd:
    """All clients, each in a thread. Left, every one has got a 200 for what it had begun."""

    def __init__(self, clients, rate):
        """clients: objects with run(stop, interval). rate: posts a second of all together."""
        self.clients = clients
        self.interval = len(clients) / rate
        self.stop = threading.Event()
        self.threads = []
        self.errors = []

    def __enter__(self):
        for client in self.clients:
            thread = threading.Thread(target=self._run, args=(client,), daemon=True)
            self.threads.append(thread)
            thread.start()
        return self

    def _run(self, client):
        try:
            client.run(self.stop, self.interval)
        except Exception as e:  # what is raised in a thread would be lost
            self.errors.append(e)

    def check(self):
        if self.errors:
            raise self.errors[0]

    def __exit__(self, *_):
        self.stop.set()

    def finish(self):
        """Wait for their last answers. Everything must work again."""
        self.stop.set()
        for thread in self.threads:
            thread.join(scaled(PATIENCE) + 30)
            assert not thread.is_alive(), "a client does not end"
        self.check()
