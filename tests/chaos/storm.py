# SPDX-License-Identifier: Apache-2.0
"""What goes wrong, and when. An action ends when clients have felt it and are served again."""

import os
import signal
import time

from lib.waiting import wait_until

from chaos.world import HOUR, can_preload

PATIENCE = 60


class Storm:
    """Actions on a world under load. In each round every kind comes once, in an order that the seed
    decides."""

    def __init__(self, world, crowd, levels=("info", "notice")):
        """levels: of the log, for reloads to choose from"""
        self.world = world
        self.levels = levels
        self.daemon = world.daemon
        self.crowd = crowd
        self.random = world.random
        self.log = []  # names of the actions so far

    # Kinds

    WITHOUT_RESTART = ["reload", "hang_up", "refuse_reload", "handlers_fail", "consumer_dies",
                       "provider_down", "provider_talks_rubbish", "provider_hangs"]
    RESTARTS = ["kill", "terminate", "stop_and_continue"]
    PRELOADED = ["clock_forward", "clock_back", "disk_full", "disk_breaks", "sync_fails",
                 "kill_on_a_bad_disk"]
    ONCE = ["add_a_handler"]

    @classmethod
    def kinds(cls):
        return cls.WITHOUT_RESTART + cls.RESTARTS + (cls.PRELOADED if can_preload() else [])

    def round(self, kinds=None):
        """Generator of a round's actions, to be called. Without `kinds`: all."""
        kinds = list(kinds or self.kinds() + ([] if self.log else self.ONCE))
        self.random.shuffle(kinds)
        for kind in kinds:
            yield lambda kind=kind: self.act(kind)

    def act(self, kind):
        self.log.append(kind)
        getattr(self, kind)()
        self.wait_for(200, 15)

    def wait_for(self, status, n, client=None):
        """Until clients have got so many more of these answers."""
        before = self.world.ledger.count(status, client)

        def is_seen():
            self.crowd.check()
            code = self.daemon.process.poll() if self.daemon.process else None
            assert code is None, f"the daemon has ended with {code}"
            return self.world.ledger.count(status, client) >= before + n

        wait_until(is_seen, PATIENCE, what=f"{n} times {status} for {client or 'clients'} "
                                           f"after {self.log[-1]}")

    # The daemon

    def kill(self):
        for _ in range(self.random.choice([1, 2])):  # the second time while it recovers
            self.daemon.kill9()
            self.daemon.start()

    def terminate(self):
        self.daemon.stop()
        self.daemon.start()

    def stop_and_continue(self):
        os.kill(self.daemon.pid, signal.SIGSTOP)
        try:
            time.sleep(self.random.uniform(0.2, 1.5))
        finally:
            os.kill(self.daemon.pid, signal.SIGCONT)

    # Configuration

    def read_again(self):
        result = self.daemon.ctl("reload")
        assert result.code == 0, result.err

    def reload(self):
        """A credential is replaced as the manual says; handlers and the log change, too."""
        rotation = self.world.rotation
        self.world.configure({
            **rotation.begin(),
            "log": {"level": self.random.choice(self.levels)},
            f"handler {self.random.choice(['ledger', 'large', 'program', 'worker'])}": {
                "retry_max": f"{self.random.randrange(100, 300)}ms"}})
        self.read_again()
        leaving = rotation.switch()
        # who has the old one in his hand uses it up
        self.wait_for(200, 3, "rotating")
        self.world.configure(leaving)
        self.read_again()
        rotation.end()

    def add_a_handler(self):
        """It gets what is stored already, and what comes meanwhile."""
        self.world.configure(self.world.handlers.late_sections())
        self.read_again()

    def hang_up(self):
        """SIGHUP, whose end nobody is told."""
        self.daemon.reload()

    def refuse_reload(self):
        """A mistake in the configuration keeps what there is."""
        self.world.configure({"server": {"no_such_option": "yes"}})
        try:
            assert self.daemon.ctl("reload").code == 1
        finally:
            self.world.configure({"server": {"no_such_option": None}})

    # The clock

    def clock_forward(self):
        self.world.clock.jump(self.random.uniform(1, 6) * HOUR)

    def clock_back(self):
        """What was waiting must not wait until the old time comes again."""
        self.world.clock.jump(-self.random.uniform(1, 6) * HOUR)
        last = self.daemon.value("SELECT max(delivery) FROM deliveries")
        wait_until(lambda: not self.daemon.query(
            "SELECT 1 FROM deliveries WHERE delivery <= ? AND state NOT IN ('done', 'dead')"
            " LIMIT 1", last), PATIENCE, what="what waited when the clock was set back is ended")

    # The disk

    def _with_fault(self, fault):
        self.world.disk.set(fault)
        try:
            self.wait_for(503, 10)
        finally:
            self.world.disk.set("0")

    def disk_full(self):
        self._with_fault("n")

    def disk_breaks(self):
        self._with_fault("i")

    def sync_fails(self):
        self._with_fault("s")

    def kill_on_a_bad_disk(self):
        """What was answered 503 may be there afterwards: a commit whose sync failed, say."""
        self.world.disk.set(self.random.choice("nis"))
        try:
            self.wait_for(503, 5)
            self.daemon.kill9()
        finally:
            self.world.disk.set("0")
        self.daemon.start()

    # Handlers

    def handlers_fail(self):
        self.world.handlers.set_mood("failing")
        try:
            self.wait_for(200, 30)
        finally:
            self.world.handlers.set_mood("odd")

    def consumer_dies(self):
        mortal = self.world.handlers.witnesses["mortal"]
        mortal.stop()
        try:
            self.wait_for(200, 40)
        finally:
            mortal.start()

    # The identity provider

    def provider_down(self):
        with self.world.provider.down():
            self.wait_for(503, 1, "asked")

    def provider_talks_rubbish(self):
        self.world.provider.mode = self.random.choice(["error", "rubbish", "redirect"])
        try:
            self.wait_for(503, 1, "asked")
        finally:
            self.world.provider.mode = "good"

    def provider_hangs(self):
        with self.world.provider.hanging():
            self.wait_for(503, 1, "asked")


def settle(world, crowd):
    """The end of the storm: everything works, and everybody gets his answer."""
    world.mend()
    crowd.finish()
    world.drain()


def rest(world, crowd, seconds):
    """Some time in which nothing new goes wrong; clients' failures end it."""
    crowd.check()
    crowd.stop.wait(seconds)
    assert world.daemon.process.poll() is None, "the daemon has ended"
