# SPDX-License-Identifier: Apache-2.0
"""There is no running systemd here to enforce the unit's filter of system calls, so the calls that
the daemon and a hook make are recorded and looked up in it."""

import json
import os
import re
import signal
import subprocess

from lib.certificate import Certificate
from lib.daemon import Daemon
from lib.events import body
from lib.hooks import script
from lib.settings import REPOSITORY, scaled

# SQLite gives its files away when it is root, which the service is not.
ONLY_AS_ROOT = {"fchown"} if os.geteuid() == 0 else set()


def members(name):
    """The system calls of a set such as @system-service, or of itself."""
    if not name.startswith("@"):
        return {name}
    out = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True,
                         text=True, check=True, timeout=scaled(60)).stdout
    words = re.findall(r"^ +([@\w-]+)$", out, re.M)
    calls = {word for word in words if not word.startswith("@")}
    return calls.union(*(members(word) for word in words if word.startswith("@")))


def filtered():
    """What the unit allows: the lines of SystemCallFilter= in their order."""
    allowed = members("@default")
    unit = (REPOSITORY / "systemd/riskhookd.service").read_text()
    for line in re.findall(r"^SystemCallFilter=(.*)$", unit, re.M):
        calls = set().union(*(members(name) for name in line.lstrip("~").split()))
        allowed = allowed - calls if line.startswith("~") else allowed | calls
    return allowed


def test_the_filter_allows_what_the_daemon_and_a_hook_do(tmp_path):
    trace = tmp_path / "trace"
    hook = script(tmp_path, "hook", 'cat > /dev/null; echo "$RISKHOOK_SEQ"\n')
    daemon = Daemon(Certificate(tmp_path), {"handler hook": {"type": "exec", "command": hook,
                                                                "filter": "true"}},
                    prefix=["/usr/bin/strace", "-f", "-qq", "-o", trace])
    try:
        daemon.start()
        daemon.delivery(daemon.stored(body()), "hook")
        # the process itself: strace, which is its parent, takes no signal
        os.kill(json.loads(daemon.admin("/v1/status").body)["pid"], signal.SIGTERM)
        daemon.wait_stopped()
    finally:
        daemon.dispose()
    made = set(re.findall(r"^\d+ +(\w+)\(", trace.read_text(), re.M)) - ONLY_AS_ROOT
    assert {"accept4", "fdatasync", "execve"} <= made
    assert made - filtered() == set()
