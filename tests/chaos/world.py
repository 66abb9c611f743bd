# SPDX-License-Identifier: Apache-2.0
"""The daemon under test and all around it that can go wrong."""

import mmap
import os
import pathlib
import random
import shutil
import struct
import tempfile

from lib.certificate import Certificate
from lib.daemon import Daemon
from lib.disk import FAULTY_DISK, Disk
from lib.provider import Key, Provider
from lib.settings import BUILD

from chaos import senders
from chaos.handlers import Handlers
from chaos.ledger import Ledger

PRELOADS = [FAULTY_DISK, BUILD / "chaos" / "wall_clock.so"]
HOUR = 3600


def can_preload():
    """Sanitizers want to be the first library themselves."""
    return "ASAN_OPTIONS" not in os.environ and "TSAN_OPTIONS" not in os.environ


class Clock:
    """The wall clock as the daemon sees it (wall_clock.c). Only the daemon's: clients and providers
    stay in the present."""

    EARLIEST, LATEST = 1 * HOUR, 60 * HOUR

    def __init__(self, path):
        self.path = path
        self.path.write_bytes(bytes(8))
        with self.path.open("r+b") as file:
            self.shared = mmap.mmap(file.fileno(), 8)
        self.offset = 0
        self.latest = 0
        self.jumps = 0
        self.set(24 * HOUR)

    def set(self, offset):
        # never before this moment: the provider's certificate would not be valid yet
        self.offset = min(max(offset, self.EARLIEST), self.LATEST)
        self.latest = max(self.latest, self.offset)
        self.jumps += 1  # before it happens, and after: who looks in between sees a change
        self.shared[:] = struct.pack("=q", int(self.offset))
        self.jumps += 1

    def jump(self, seconds):
        self.set(self.offset + seconds)

    def settle(self):
        """To the latest time that there ever was: nothing waits for a future that does not come."""
        self.set(self.latest)


class World:
    """Entered, it runs; left, the daemon is stopped. The books and the store stay in `folder` until
    dispose()."""

    def __init__(self, seed, sections=None):
        self.random = random.Random(seed)
        # not below the daemon's folder, which goes with it
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="riskhook-chaos-"))
        self.certificate = Certificate(self.folder / "certificate")
        self.ledger = Ledger(self.folder / "ledger.db")
        self.clock = Clock(self.folder / "clock")
        self.disk = Disk(self.folder / "disk")
        self.key = Key("RS256", kid="first")
        self.provider = Provider(self.certificate, [self.key])
        self.handlers = Handlers(self.folder, self.ledger, seed)
        self.daemon = Daemon(self.certificate, environment=self._environment())
        self.rotation = senders.Rotation(self.daemon.folder)
        self.sections = sections or {}

    def _environment(self):
        if not can_preload():
            return {}
        return {"LD_PRELOAD": ":".join(map(str, PRELOADS)),
                "RISKHOOK_CLOCK": str(self.clock.path), "RISKHOOK_FAULTS": str(self.disk.path)}

    def __enter__(self):
        self.provider.start()
        self.handlers.start()
        self.configure({"server": {"stop_timeout": "2s", "max_body": "64KiB",
                                   "request_timeout": "10s"},
                        "store": {"quarantine_max": 1000000},
                        **senders.sections(self), **self.handlers.sections()})
        self.configure(self.rotation.begin())
        self.configure({**self.rotation.switch(), **self.sections})
        self.daemon.secrets += [senders.CLIENT[1], self.provider.CLIENT[1], "rotating-token-"]
        self.daemon.start()
        return self

    def __exit__(self, *_):
        self.mend()
        if self.daemon.process:
            self.daemon.kill9()
        self.handlers.stop()
        self.provider.stop()

    def dispose(self):
        self.ledger.close()
        shutil.rmtree(self.daemon.folder, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def configure(self, sections):
        """Write it; who wants it to be read says so."""
        self.daemon.config.update(sections)
        self.daemon.config.write()

    def mend(self):
        """Everything works again."""
        self.disk.set("0")
        self.clock.settle()
        self.provider.mode = "good"
        self.provider.released.set()
        self.handlers.set_mood("calm")

    def drain(self):
        """Wait until every delivery has come to its end, and stop the daemon."""
        self.daemon.all_ended(timeout=120)
        self.daemon.stop()
        self.daemon.check_log()
        self.handlers.collect()
        self.ledger.flush()
