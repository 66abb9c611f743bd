# SPDX-License-Identifier: Apache-2.0
"""Who may not look is told so, and not that nothing is there."""

import json
import os
import shutil

import pytest

from lib.daemon import run
from lib.events import body
from lib.settings import RISKHOOKCTL

OK, FAILED, USAGE, NOTHING, UNREACHABLE = range(5)
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")


@pytest.fixture
def ask(make_daemon):
    """A function that runs riskhookctl as somebody who may read the configuration alone."""
    daemon = make_daemon()
    daemon.stored(body())
    for path in (daemon.folder, daemon.config.path):
        path.chmod(0o755)
    program = shutil.copy(RISKHOOKCTL, daemon.folder / "ctl") # the checkout may be private

    def ask(*arguments):
        return run(*NOBODY, program, "-c", daemon.config.path, *arguments)

    ask.daemon = daemon
    return ask


def findings(result):
    return {row["check"]: row for row in map(json.loads, result.out.splitlines())}


@pytest.mark.parametrize("arguments", [["status"], ["log-level", "info"], ["reload"]], ids=" ".join)
def test_the_daemon_is_not_said_to_be_down(ask, arguments):
    result = ask(*arguments)
    assert result.code == FAILED
    assert "Permission denied; root, the user of riskhookd and members" in result.err
    assert "is riskhookd running" not in result.err


def test_the_store_is_not_said_to_be_missing(ask):
    result = ask("events")
    assert result.code == FAILED
    assert "Permission denied; root and the user of riskhookd may read it" in result.err
    assert "no store" not in result.err


def test_a_secret_is_not_to_be_written_again(ask):
    result = ask("check-config")
    assert result.code == FAILED
    assert "Permission denied; give it to the user of riskhookd, with: chown USER" in result.err
    assert "write the secret" not in result.err


def test_doctor_asks_for_another_user(ask):
    result = ask("doctor", "--json")
    assert result.code == OK, result.out
    told = findings(result)
    for check in ("daemon", "config", "certificate", "store"):
        assert told[check]["level"] == "warning" and "Permission denied" in told[check]["finding"]
        assert told[check]["advice"] == "run doctor as root or as the user of riskhookd"


def test_who_may_look_is_told_what_is_missing(ask):
    ask.daemon.stop()
    ask.daemon.config.store.unlink()
    assert "no store at" in ask("events").err
    assert ask("status").code == UNREACHABLE
