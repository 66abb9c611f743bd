# SPDX-License-Identifier: Apache-2.0
"""Limits of processor time, memory and descriptors, and other users' rights."""

import json
import os
import pwd
import signal

import pytest

from lib.daemon import RISKHOOKCTL, RISKHOOKD, run
from lib.events import body
from lib.hooks import script
from lib.waiting import wait_until

FAST = {"retry_initial": "20ms", "retry_max": "100ms", "retry_for": "0s"}
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")


def dead_attempt(daemon, handler):
    delivery = daemon.delivery(daemon.stored(body()), handler, "dead", timeout=40)
    return daemon.attempts(delivery["delivery"])[0]


@pytest.fixture
def python_hook(folder):
    """Writes a Python program as a hook."""
    def make(text):
        path = folder / "hook"
        path.write_text("#!/usr/bin/python3\n" + text)
        path.chmod(0o755)
        return path
    folder.chmod(0o755)
    return make


def test_processor_time_is_limited(make_daemon, python_hook):
    daemon = make_daemon({"handler h": {"type": "exec", "limit_cpu": "1s", **FAST,
                                        "command": python_hook("while True: pass\n")}})
    assert dead_attempt(daemon, "h")["signal"] == signal.SIGXCPU


def test_who_ignores_the_end_of_his_processor_time_is_killed(make_daemon, python_hook):
    hook = python_hook("import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\n"
                       "while True: pass\n")
    daemon = make_daemon({"handler h": {"type": "exec", "limit_cpu": "1s", "command": hook,
                                        **FAST}})
    assert dead_attempt(daemon, "h")["signal"] == signal.SIGKILL


def test_memory_is_limited(make_daemon, python_hook):
    hook = python_hook("import sys\nx = bytearray(10_000_000)\nprint('small', flush=True)\n"
                       "x = bytearray(1_000_000_000)\n")
    daemon = make_daemon({"handler h": {"type": "exec", "limit_memory": "256MiB", "command": hook,
                                        **FAST}})
    attempt = dead_attempt(daemon, "h")
    assert attempt["code"] == 1
    assert attempt["output"].startswith("small\n") and "MemoryError" in attempt["output"]


def test_descriptors_are_limited(make_daemon, python_hook):
    hook = python_hook("import os\nn = 0\ntry:\n    while True:\n        os.dup(0)\n        n += 1\n"
                       "except OSError:\n    print(n + 3, flush=True)\n    raise SystemExit(65)\n")
    daemon = make_daemon({"handler h": {"type": "exec", "limit_files": 20, "command": hook,
                                        **FAST}})
    assert dead_attempt(daemon, "h")["output"] == "20\n"


NICE_HOOK = """
import json, os, sys
delivery = json.loads(sys.stdin.readline()).get("delivery")
print(json.dumps({"delivery": delivery, "status": "dead", "reason": f"nice {os.nice(0)}"}), flush=True)
sys.exit(65)
"""


@pytest.mark.parametrize("mode", ["event", "worker"])
@pytest.mark.parametrize("options, wanted", [({}, 5), ({"nice": 0}, 0),
                                             ({"nice": 19, "limit_files": 30}, 19)])
def test_a_program_leaves_the_processor_to_the_intake(make_daemon, python_hook, options, wanted,
                                                      mode):
    daemon = make_daemon({"handler h": {"type": "exec", "mode": mode,
                                        "command": python_hook(NICE_HOOK), **options}})
    attempt = dead_attempt(daemon, "h")
    said = attempt["reason"] if mode == "worker" else json.loads(attempt["output"])["reason"]
    assert said == f"nice {max(wanted, os.nice(0))}"


USER_HOOK = """
import json, os, pwd, sys
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps([pwd.getpwuid(os.getuid()).pw_name, os.getresuid(), os.getresgid(),
                  sorted(os.getgroups()), status["CapEff"].strip()]), flush=True)
"""


@as_root
def test_a_program_runs_as_another_user_with_its_groups_and_no_rights(make_daemon, python_hook):
    daemon = make_daemon({"handler h": {"type": "exec", "user": "nobody",
                                        "command": python_hook(USER_HOOK)}})
    delivery = daemon.delivery(daemon.stored(body()), "h")
    name, uids, gids, groups, capabilities = json.loads(
        daemon.attempts(delivery["delivery"])[0]["output"])
    nobody = pwd.getpwnam("nobody")
    assert name == "nobody" and uids == [nobody.pw_uid] * 3 and gids == [nobody.pw_gid] * 3
    assert groups == sorted(os.getgrouplist("nobody", nobody.pw_gid))
    assert int(capabilities, 16) == 0


@as_root
def test_a_worker_has_the_limits_and_the_user_too(make_daemon, python_hook):
    hook = python_hook("""
import json, os, resource, sys
for line in sys.stdin:
    print(json.dumps([os.getuid(), resource.getrlimit(resource.RLIMIT_NOFILE),
                      resource.getrlimit(resource.RLIMIT_NPROC)]), file=sys.stderr, flush=True)
    print(json.dumps({"delivery": json.loads(line)["delivery"], "status": "ok"}), flush=True)
""")
    daemon = make_daemon({"handler h": {"type": "exec", "mode": "worker", "user": "nobody",
                                        "limit_files": 30, "limit_processes": 5000,
                                        "command": hook}})
    daemon.delivery(daemon.stored(body()), "h")
    wanted = f"h: [{pwd.getpwnam('nobody').pw_uid}, [30, 30], [5000, 5000]]"
    wait_until(lambda: wanted in daemon.log(), what="the worker has said its limits")


@as_root
def test_a_program_that_the_user_may_not_run_is_a_failed_attempt(make_daemon, folder):
    folder.chmod(0o700)
    hook = script(folder, "hook", "exit 0\n")
    daemon = make_daemon({"handler h": {"type": "exec", "user": "nobody", "command": hook, **FAST}})
    attempt = dead_attempt(daemon, "h")
    assert attempt["outcome"] == "failed" and "Permission denied" in attempt["reason"]


def refused(daemon, message):
    for program, *args in ((RISKHOOKD, "--check"), (RISKHOOKCTL, "check-config")):
        result = run(program, "-c", daemon.config.path, *args)
        assert result.code == 1 and message in result.err
        assert f"{daemon.config.path}:" in result.err


def test_a_user_that_does_not_exist_is_a_configuration_error(make_daemon):
    daemon = make_daemon({"handler h": {"type": "exec", "command": "/bin/true",
                                        "user": "no-such-user"}}, start=False)
    refused(daemon, "there is no user 'no-such-user'" if os.geteuid() == 0 else
            "'user' needs riskhookd to run as root")


def test_limit_processes_needs_a_user(make_daemon):
    daemon = make_daemon({"handler h": {"type": "exec", "command": "/bin/true",
                                        "limit_processes": 10}}, start=False)
    refused(daemon, "it needs 'user'")


@pytest.mark.parametrize("option", ["user = nobody", "limit_cpu = 1s", "mode = worker",
                                    "nice = 5"])
def test_limits_have_no_meaning_for_a_consumer(make_daemon, option):
    name, value = option.split(" = ")
    daemon = make_daemon({"handler h": {"type": "unix", "socket": "/x", name: value}}, start=False)
    refused(daemon, f"'{name}' has no meaning for this type of handler")
