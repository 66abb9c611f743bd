# SPDX-License-Identifier: Apache-2.0
"""Fixtures: one certificate a session; daemons that are stopped and checked at the end."""

import contextlib
import pathlib
import shutil
import tempfile

import pytest

from lib.certificate import Certificate
from lib.daemon import Daemon
from lib.settings import RISKHOOKCTL, RISKHOOKD


def pytest_sessionstart(session):
    if session.config.option.collectonly:
        return
    for program in (RISKHOOKD, RISKHOOKCTL):
        if not program.exists():
            pytest.exit(f"{program} is missing; run make, or set RISKHOOK_BUILD", returncode=2)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """A failed test shows the end of the log of every daemon that runs."""
    outcome = yield
    report = outcome.get_result()
    if report.when == "call" and report.failed:
        for daemon in Daemon.running:
            report.sections.append((f"riskhookd log of {daemon.folder}", daemon.log()[-2000:]))


@pytest.fixture(scope="session")
def certificate():
    folder = tempfile.mkdtemp(prefix="riskhook-cert-")
    yield Certificate(folder)
    shutil.rmtree(folder)


@contextlib.contextmanager
def _daemons(certificate):
    with contextlib.ExitStack() as stack:

        def make(sections=None, start=True, prepare=None, **kwargs):
            """A daemon with these sections on top of the standard ones; prepare(daemon) may add
            files and sections first."""
            daemon = Daemon(certificate, sections, **kwargs)
            stack.callback(daemon.dispose)
            if prepare:
                daemon.config.update(prepare(daemon) or {})
                daemon.config.write()
            return daemon.start() if start else daemon

        yield make


@pytest.fixture
def make_daemon(certificate):
    """Makes daemons that live as long as the test."""
    with _daemons(certificate) as make:
        yield make


@pytest.fixture(scope="module")
def make_module_daemon(certificate):
    """Makes daemons that live as long as the module's tests."""
    with _daemons(certificate) as make:
        yield make


@pytest.fixture
def folder():
    """An empty folder with a short name."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="riskhook-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)
