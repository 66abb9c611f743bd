# SPDX-License-Identifier: Apache-2.0
"""WATCHDOG=1 means that the threads everything depends on go round, not only that there is a
process. One thread is stopped by ptrace(2), as a disk that hangs would stop it."""

import contextlib
import ctypes
import os
import pathlib

import pytest

from lib.events import body
from lib.settings import scaled
from lib.waiting import wait_until

INTERVAL_US = 400_000
PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207
WALL = 0x40000000


def ptrace(request, tid):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    if libc.ptrace(request, tid, None, None) < 0:
        if ctypes.get_errno() == 1:
            pytest.skip("ptrace is not permitted here")
        raise OSError(ctypes.get_errno(), "ptrace")


@contextlib.contextmanager
def stopped_thread(daemon, name):
    """One thread of the daemon stands still; the others run."""
    tid, = (int(task.name) for task in pathlib.Path(f"/proc/{daemon.pid}/task").iterdir()
            if (task / "comm").read_text().strip() == name)
    ptrace(PTRACE_SEIZE, tid)
    ptrace(PTRACE_INTERRUPT, tid)
    os.waitpid(tid, WALL)
    try:
        yield
    finally:
        ptrace(PTRACE_DETACH, tid)


@pytest.fixture
def watched(make_daemon):
    daemon = make_daemon(environment={"WATCHDOG_USEC": str(INTERVAL_US)}, keep_notify=True)
    yield daemon
    daemon.stop()
    daemon.notify.close()


def test_a_healthy_daemon_says_so_again_and_again(watched):
    for _ in range(3):
        assert watched.notify.wait_for("WATCHDOG=1", scaled(20))
    watched.stored(body())
    assert watched.notify.wait_for("WATCHDOG=1", scaled(20))


@pytest.mark.parametrize("thread", ["store", "dispatcher"])
def test_a_stuck_thread_ends_it_and_is_named(watched, thread):
    assert watched.notify.wait_for("WATCHDOG=1", scaled(20))
    with stopped_thread(watched, thread):
        wait_until(lambda: f"the {thread} thread is stuck" in watched.log())
        watched.notify.drain()
        assert not watched.notify.wait_for("WATCHDOG=1", 3 * INTERVAL_US / 1e6)
        assert watched.admin("/healthz").status == 200, "only that thread stands still"
    assert watched.notify.wait_for("WATCHDOG=1", scaled(20))
    assert f"the {thread} thread goes on" in watched.log()


def test_nobody_is_told_who_did_not_ask(make_daemon):
    daemon = make_daemon()
    threads = {(task / "comm").read_text().strip()
               for task in pathlib.Path(f"/proc/{daemon.pid}/task").iterdir()}
    assert "store" in threads and "watchdog" not in threads
