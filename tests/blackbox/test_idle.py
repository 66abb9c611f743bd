# SPDX-License-Identifier: Apache-2.0
"""Nothing polls: a daemon with nothing to do sleeps, whatever waits for later."""

import pathlib
import time

import pytest

from lib.events import body
from lib.settings import BUILD
from lib.waiting import wait_until

QUIET_SECONDS = 3
WAKE_UPS_MAX = 10  # of all threads together; polling ten times a second would be 30


def wake_ups(pid):
    """How often any thread of the process has slept and been woken so far."""
    total = 0
    for status in pathlib.Path(f"/proc/{pid}/task").glob("*/status"):
        text = status.read_text()
        total += int(text.partition("\nvoluntary_ctxt_switches:")[2].split()[0])
    return total


@pytest.mark.skipif(BUILD.name == "thread", reason="libtsan has a thread of its own that polls")
def test_an_idle_daemon_is_not_woken(make_daemon):
    """One delivery is done, one waits for its retry within an hour, one for a paused handler: none
    of that needs looking at."""
    daemon = make_daemon({
        "handler quick": {"type": "exec", "command": "/bin/true"},
        "handler later": {"type": "exec", "command": "/bin/false", "retry_initial": "1h",
                          "retry_max": "1h"},
        "handler paused": {"type": "exec", "command": "/bin/true"}})
    daemon.admin("/v1/pause", {"handler": "paused"})
    seq = daemon.stored(body())
    daemon.delivery(seq, "quick", "done")
    wait_until(lambda: daemon.value("SELECT count(*) FROM attempts WHERE ended_at > 0") == 2)
    daemon.delivery(seq, "paused", "pending")
    least = None
    for _ in range(5):  # what the delivery has set in motion may still come to its end
        before = wake_ups(daemon.pid)
        time.sleep(QUIET_SECONDS)  # nothing to await: that nothing happens is the point
        count = wake_ups(daemon.pid) - before
        least = count if least is None else min(least, count)
        if least <= WAKE_UPS_MAX:
            break
    print(f"{least} wake-ups in {QUIET_SECONDS} s")
    assert least <= WAKE_UPS_MAX
