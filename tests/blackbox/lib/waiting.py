# SPDX-License-Identifier: Apache-2.0
"""Bounded waits for conditions that nobody can be told about (rows of a store, files of a hook)."""

import pathlib
import time

from lib.settings import scaled


def wait_until(predicate, timeout=15, what=None):
    """Return the first true value of predicate(); fail after `timeout` (scaled) seconds."""
    deadline = time.monotonic() + scaled(timeout)
    pause = 0.005
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            name = what or getattr(predicate, "__name__", "condition")
            raise AssertionError(f"still not true after {scaled(timeout):g} s: {name}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


def process_is_alive(pid):
    """False for a process that has ended, even if nobody has collected it yet."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"
