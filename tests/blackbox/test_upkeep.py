# SPDX-License-Identifier: Apache-2.0
"""Backups, what the log tells and how much of it, and how riskhookctl shows times and progress."""

import os
import pty
import re
import shutil
import signal
import sqlite3
import stat
import subprocess
import threading

import pytest

from lib.config import ENDPOINT
from lib.daemon import DaemonFailed
from lib.events import body
from lib.settings import RISKHOOKCTL, scaled
from lib.sql import ask
from lib.waiting import wait_until

OK, FAILED, USAGE, NOTHING, UNREACHABLE = range(5)


# backup

def test_a_backup_is_a_whole_store_in_one_private_file(make_daemon, folder):
    daemon = make_daemon({"handler ok": {"type": "exec", "command": "/bin/true"}})
    raw = body()
    daemon.delivery(daemon.stored(raw), "ok")
    copy = folder / "copy.db"
    result = daemon.ctl("backup", copy)
    assert result.code == OK and "1 event up to seq 1" in result.out and result.err == ""
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert sorted(folder.iterdir()) == [copy]
    assert ask(copy, "PRAGMA integrity_check") == "ok"
    assert ask(copy, "SELECT payload(1)") == raw
    assert ask(copy, "SELECT state FROM deliveries") == "done"


def test_a_backup_while_events_come_is_one_consistent_state(make_daemon, folder):
    daemon = make_daemon({"handler ok": {"type": "exec", "command": "/bin/true"}})
    stop = threading.Event()
    answered = []

    def post_on():
        with daemon.connect() as connection:
            while not stop.is_set():
                answered.append(connection.request("POST", ENDPOINT, body(), daemon.headers()).seq)

    poster = threading.Thread(target=post_on)
    poster.start()
    try:
        for i in range(5):
            wait_until(lambda n=len(answered): len(answered) > n + 20)
            known = len(answered)
            copy = folder / f"{i}.db"
            result = daemon.ctl("backup", copy, "--json")
            assert result.code == OK, result.err
            facts = result.rows()[0]
            assert known <= facts["events"] <= len(answered) + 1
            assert ask(copy, "SELECT count(*) FROM events") == facts["events"]
            assert ask(copy, "SELECT max(seq) FROM events") == facts["last_seq"]
            assert ask(copy, "SELECT count(*) FROM events JOIN payloads USING (seq)") == \
                facts["events"]
            assert ask(copy, "PRAGMA integrity_check") == "ok"
    finally:
        stop.set()
        poster.join()


def test_a_backup_is_not_written_over_another(make_daemon, folder):
    daemon = make_daemon()
    daemon.stored(body())
    copy = folder / "copy.db"
    copy.write_text("mine")
    refused = daemon.ctl("backup", copy)
    assert refused.code == FAILED and "--force" in refused.err
    assert copy.read_text() == "mine"
    assert daemon.ctl("backup", copy, "--force").code == OK
    assert ask(copy, "SELECT count(*) FROM events") == 1
    assert sorted(folder.iterdir()) == [copy]


@pytest.mark.parametrize("name", ["events.db", "./events.db", "link.db", "events.db-wal",
                                  "events.db-shm", "events.db.lock"])
def test_a_backup_does_not_replace_the_store(make_daemon, name):
    daemon = make_daemon()
    raw = body()
    daemon.stored(raw)
    (daemon.folder / "link.db").symlink_to(daemon.config.store)
    refused = daemon.ctl("backup", f"{daemon.folder}/{name}", "--force")
    assert refused.code == FAILED and "is the store itself" in refused.err
    daemon.kill9()
    daemon.start()
    assert daemon.post(raw).result == "duplicate"


def test_a_backup_does_not_replace_the_store_of_another_daemon(make_daemon):
    daemon, other = make_daemon(), make_daemon()
    raw = body()
    other.stored(raw)
    daemon.stored(body())
    refused = daemon.ctl("backup", other.config.store, "--force")
    assert refused.code == FAILED and "a store in use" in refused.err
    other.kill9()
    other.start()
    assert other.post(raw).result == "duplicate"


def test_a_backup_does_not_go_to_standard_output(make_daemon, folder):
    daemon = make_daemon()
    done = subprocess.run([RISKHOOKCTL, "-c", daemon.config.path, "backup", "-"], cwd=folder,
                          capture_output=True, timeout=scaled(30))
    assert done.returncode == USAGE and done.stdout == b""
    assert b"a backup needs a file" in done.stderr
    assert not list(folder.iterdir())


def test_a_backup_that_cannot_be_written_leaves_nothing(make_daemon, folder):
    daemon = make_daemon()
    daemon.stored(body())
    result = daemon.ctl("backup", folder / "nowhere" / "copy.db")
    assert result.code == FAILED and "cannot create" in result.err
    assert list(folder.iterdir()) == []


def test_a_backup_can_be_restored(make_daemon, folder):
    daemon = make_daemon()
    raw = body()
    seq = daemon.stored(raw)
    daemon.ctl("backup", folder / "copy.db")
    daemon.stored(body())
    daemon.stop()
    for path in daemon.folder.glob("events.db*"):
        path.unlink()
    shutil.copy(folder / "copy.db", daemon.config.store)
    daemon.start()
    assert daemon.payload(seq) == raw
    assert daemon.post(raw).result == "duplicate"
    assert daemon.stored(body()) == seq + 1


# a store that cannot be used

def test_a_second_daemon_is_refused_whatever_it_calls_the_store(make_daemon):
    daemon = make_daemon()
    link = daemon.folder / "link.db"
    link.symlink_to(daemon.config.store)
    for path in (daemon.config.store, link):
        second = make_daemon({"store": {"path": path}}, start=False)
        with pytest.raises(DaemonFailed) as failure:
            second.start()
        assert "another riskhookd is using" in failure.value.output
        refused = second.ctl("vacuum", "--force")
        assert refused.code == FAILED and "stop it first" in refused.err


def test_a_store_that_lost_its_name_takes_nothing(make_daemon):
    """What is written to a file without a name is gone with the daemon."""
    daemon = make_daemon()
    daemon.stored(body())
    away = daemon.folder / "away.db"
    daemon.config.store.rename(away)
    raw = body()
    assert daemon.post(raw).status == 503
    daemon.config.store.touch()
    assert daemon.post(raw).status == 503
    wait_until(lambda: "deleted, renamed or replaced" in daemon.log())
    assert daemon.admin("/readyz").status == 503
    away.rename(daemon.config.store)
    assert daemon.post(raw).result == "stored"
    assert daemon.admin("/readyz").status == 200

def test_a_damaged_store_is_told_with_a_way_out(make_daemon):
    daemon = make_daemon(start=False)
    daemon.config.store.write_bytes(b"no database at all " * 1000)
    with pytest.raises(DaemonFailed) as failure:
        daemon.start()
    assert "damaged" in failure.value.output and "backup" in failure.value.output
    assert "Debian 12's cannot" in failure.value.output, "as the README says of .recover"
    result = daemon.ctl("events")
    assert result.code == FAILED and "backup" in result.err


def test_a_locked_store_is_told_with_a_way_out(make_daemon):
    daemon = make_daemon()
    daemon.stored(body())
    daemon.stop()
    holder = sqlite3.connect(daemon.config.store, isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(DaemonFailed) as failure:
            daemon.start()
        assert "locked" in failure.value.output and "fuser" in failure.value.output
    finally:
        holder.close()
    daemon.start()


# the log's level

def test_the_level_is_switched_while_it_runs(make_daemon):
    daemon = make_daemon()
    assert daemon.ctl("log-level", "warning").code == OK
    quiet = daemon.stored(body())
    assert daemon.ctl("log-level", "info").code == OK
    loud = daemon.stored(body())
    wait_until(lambda: f"seq={loud}" in daemon.log())
    assert f"seq={quiet} " not in daemon.log()
    assert daemon.ctl_rows("status")[0]["log_level"] == "info"
    assert daemon.ctl("log-level", "loud").code == USAGE
    assert daemon.ctl("log-level").code == USAGE


def test_sigusr1_switches_debug_on_and_off(make_daemon):
    daemon = make_daemon({"log": {"level": "notice"}})
    for level in ("debug", "notice", "debug"):
        daemon.process.send_signal(signal.SIGUSR1)
        wait_until(lambda want=level: daemon.ctl_rows("status")[0]["log_level"] == want)
    daemon.wait_log("SIGUSR1: the log level is debug now", 2)


def test_the_level_is_not_switched_by_get(make_daemon):
    daemon = make_daemon()
    assert daemon.admin("/v1/log-level").status == 405
    assert daemon.ctl_rows("status")[0]["log_level"] == "info"


def test_log_level_without_the_daemon(make_daemon):
    assert make_daemon(start=False).ctl("log-level", "debug").code == UNREACHABLE


# repeats in the log

def test_repeated_refusals_are_held_back_and_counted(make_daemon):
    daemon = make_daemon()
    with daemon.connect() as connection:
        for _ in range(200):
            assert connection.request("POST", "/elsewhere", b"{}", {}).status == 404
    daemon.stop()
    told = re.findall(r"WARNING repeated (\d+) times: no endpoint", daemon.log())
    said = len(re.findall(r"WARNING no endpoint", daemon.log()))
    assert 20 <= said < 200, "20 in each 10 seconds that the requests took"
    assert said + sum(map(int, told)) == 200


def test_stored_events_are_never_held_back(make_daemon):
    daemon = make_daemon()
    raw = body()
    with daemon.connect() as connection:
        for _ in range(60):
            connection.request("POST", ENDPOINT, body(), daemon.headers())
        for _ in range(61):
            connection.request("POST", ENDPOINT, raw, daemon.headers())
    daemon.stop()
    assert len(re.findall("INFO stored", daemon.log())) == 61
    assert len(re.findall("INFO duplicate", daemon.log())) == 60
    assert "repeated" not in daemon.log()


# times and terminals

def on_terminal(daemon, *arguments, env=None, stderr_too=True):
    """What a command writes to a terminal of 100 columns."""
    master, slave = pty.openpty()
    subprocess.run(["stty", "cols", "100"], stdin=slave, check=True)
    process = subprocess.Popen([RISKHOOKCTL, "-c", daemon.config.path, *arguments], stdout=slave,
                               stderr=slave if stderr_too else subprocess.DEVNULL, stdin=slave,
                               env={**os.environ, "TERM": "xterm", "LC_ALL": "C", **(env or {})})
    os.close(slave)
    chunks = []
    while True:
        try:
            data = os.read(master, 65536)
        except OSError:  # how a terminal says that nobody is left
            break
        if not data:
            break
        chunks.append(data)
    os.close(master)
    assert process.wait(scaled(30)) == OK
    return b"".join(chunks).decode()


def test_times_are_local_for_people_and_utc_for_programs(make_daemon):
    daemon = make_daemon()
    seq = daemon.stored(body(event_at="2026-07-01T12:00:00Z"))
    tokyo = {**os.environ, "TZ": "JST-9"}
    assert "2026-07-01T21:00:00.000+09:00" in daemon.ctl("show", seq, env=tokyo).out
    assert "2026-07-01T12:00:00.000Z" in daemon.ctl("show", seq, "--utc", env=tokyo).out
    shown = daemon.ctl("show", seq, "--json", env=tokyo).rows()[0]
    assert shown["event_at"] == "2026-07-01T12:00:00.000Z"
    assert "+09:00" in daemon.ctl("events", env=tokyo).out
    assert "+09:00" not in daemon.ctl("events", "--utc", env=tokyo).out


def test_tables_fit_the_terminal_with_short_times(make_daemon):
    daemon = make_daemon()
    daemon.stored(body())
    text = on_terminal(daemon, "events", env={"TZ": "JST-9", "NO_COLOR": "1"})
    lines = text.replace("\r", "").splitlines()
    assert all(len(line) <= 100 for line in lines)
    assert re.search(r" \d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", lines[1])
    utc = on_terminal(daemon, "events", "--utc", env={"TZ": "JST-9", "NO_COLOR": "1"})
    assert re.search(r"T\d\d:\d\d:\d\dZ ", utc)


def test_colour_is_for_terminals_that_want_it(make_daemon):
    daemon = make_daemon()
    daemon.stored(body(decision="REJECT"))
    assert "\x1b[31mREJECT" in on_terminal(daemon, "events")
    assert "\x1b" not in on_terminal(daemon, "events", env={"NO_COLOR": "1"})
    assert "\x1b" not in on_terminal(daemon, "events", env={"TERM": "dumb"})
    assert "\x1b" not in daemon.ctl("events").out
    assert "\x1b[32mok" in on_terminal(daemon, "doctor")


def test_long_commands_tell_how_far_they_are(make_daemon, folder):
    daemon = make_daemon()
    text = on_terminal(daemon, "trigger", "evaluation_completed", "--count", "40")
    assert re.search(r"\r\x1b\[K *\d+%  \d+ of 40 events posted", text)
    assert "40 posted" in text.rpartition("\x1b[K")[2], "the line is wiped in the end"
    assert "pages copied" in on_terminal(daemon, "backup", str(folder / "copy.db"))
    assert "events posted" not in daemon.ctl("trigger", "evaluation_completed", "--count",
                                             "3").err
