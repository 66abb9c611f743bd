# SPDX-License-Identifier: Apache-2.0
"""The store keeps what was promised: through restarts, kills, full disks and future versions."""

import contextlib
import hashlib
import http.client
import resource
import signal
import sqlite3
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.config import ENDPOINT
from lib.daemon import DaemonFailed
from lib.events import body, body_of_size, fixtures, new_id
from lib.settings import BUILD, scaled
from lib.waiting import wait_until

MIB = 1024 * 1024
VIEWS = ["event_log", "evaluation_log", "delivery_log"]


def snapshot(daemon):
    views = {view: daemon.query(f"SELECT * FROM {view}") for view in VIEWS}
    return {**views, "payloads": daemon.query("SELECT * FROM payloads"),
            "conflicts": daemon.query("SELECT * FROM conflicts"),
            "quarantine": daemon.query("SELECT * FROM quarantine"),
            "attempts": daemon.query("SELECT * FROM attempts")}


def assert_intact(daemon):
    assert daemon.value("PRAGMA integrity_check") == "ok"
    assert daemon.query("PRAGMA foreign_key_check") == []


@pytest.mark.parametrize("end", ["stop", "kill9"])
def test_a_restart_keeps_everything(make_daemon, end):
    daemon = make_daemon({"handler true": {"type": "exec", "command": "/bin/true"}})
    for f in fixtures():
        daemon.stored(f.body)
    daemon.post(b"rubbish")
    data = body()
    daemon.stored(data)
    daemon.post(data + b" ")
    daemon.all_ended()
    before = snapshot(daemon)
    assert {row["state"] for row in before["delivery_log"]} == {"done"}
    getattr(daemon, end)()
    daemon.start()
    assert snapshot(daemon) == before
    assert_intact(daemon)
    assert daemon.post(data).result == "duplicate"


def test_numbers_of_events_are_never_used_again(make_daemon):
    daemon = make_daemon()
    first = daemon.stored(body())
    daemon.restart()
    assert daemon.stored(body()) > first


def test_a_database_of_a_newer_version_is_refused(make_daemon):
    daemon = make_daemon()
    daemon.stored(body())
    daemon.stop()
    db = sqlite3.connect(daemon.config.store)
    version = db.execute("PRAGMA user_version").fetchone()[0]
    db.execute("PRAGMA user_version = 999")
    db.commit()
    db.close()
    with pytest.raises(DaemonFailed) as failure:
        daemon.start()
    assert failure.value.code == 1
    assert "newer" in failure.value.output
    assert str(daemon.config.store) in failure.value.output
    result = daemon.ctl("events")
    assert result.code == 1 and "newer" in result.err
    db = sqlite3.connect(daemon.config.store)
    assert db.execute("PRAGMA user_version").fetchone()[0] == 999
    assert db.execute("SELECT count(*) FROM events").fetchone()[0] == 1
    db.execute(f"PRAGMA user_version = {version}")
    db.commit()
    db.close()
    daemon.start()


@pytest.mark.parametrize("content", [b"this is no database" * 100, None],
                         ids=["a text file", "another program's database"])
def test_a_file_that_is_no_store_is_refused_and_left_alone(make_daemon, content):
    daemon = make_daemon(start=False)
    path = daemon.config.store
    if content:
        path.write_bytes(content)
    else:
        db = sqlite3.connect(path)
        db.execute("CREATE TABLE events (mine TEXT)")
        db.commit()
        db.close()
    before = path.read_bytes()
    with pytest.raises(DaemonFailed) as failure:
        daemon.start()
    assert failure.value.code == 1
    assert str(path) in failure.value.output
    assert path.read_bytes() == before


def test_the_store_is_not_readable_by_everybody(make_daemon):
    daemon = make_daemon()
    daemon.stored(body())
    for path in daemon.folder.glob("events.db*"):
        assert path.stat().st_mode & 0o007 == 0, path


def post_until_gone(daemon, acknowledged):
    """Post fresh events until the daemon refuses or is gone; keep the ids that got a 200."""
    try:
        with daemon.connect() as connection:
            while True:
                event_id = new_id()
                response = connection.request("POST", ENDPOINT, body(event_id=event_id),
                                              daemon.headers())
                if response.status != 200:
                    assert response.status == 503
                    return
                acknowledged.append(event_id)
    except (OSError, http.client.HTTPException):
        pass


def test_sigterm_under_load_loses_no_answered_event(make_daemon):
    daemon = make_daemon()
    acknowledged = []
    with ThreadPoolExecutor(8) as pool:
        clients = [pool.submit(post_until_gone, daemon, acknowledged) for _ in range(8)]
        wait_until(lambda: len(acknowledged) > 200, timeout=60)
        daemon.terminate()
        daemon.wait_stopped()
        for client in clients:
            client.result(scaled(60))
    stored = {row["event_id"] for row in daemon.query("SELECT event_id FROM events")}
    assert set(acknowledged) <= stored
    assert_intact(daemon)


def test_the_views_can_be_read_with_sqlite3_while_the_daemon_runs(make_daemon):
    daemon = make_daemon({"handler true": {"type": "exec", "command": "/bin/true"}})
    seq = daemon.stored(body(decision="REVIEW"))
    daemon.delivery(seq, "true")
    for view, expect in (("event_log", "REVIEW"), ("evaluation_log", "REVIEW"),
                         ("delivery_log", "done")):
        done = subprocess.run(["sqlite3", "-readonly", "-header", str(daemon.config.store),
                               f"SELECT * FROM {view}"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert expect in done.stdout


@pytest.mark.parametrize("compression", ["zstd", "none"])
def test_a_body_is_the_same_in_every_way_of_reading_it(make_daemon, compression):
    daemon = make_daemon({"store": {"compression": compression}})
    bodies = [fixtures()[0].body, body_of_size(5000), body_of_size(100_000), body_of_size(2 * 1024 * 1024)]
    for raw in bodies:
        seq = daemon.stored(raw)
        assert daemon.payload(seq) == raw
        done = subprocess.run(
            ["sqlite3", "-readonly", "-cmd", f".load {BUILD / 'riskhook'}", str(daemon.config.store),
             f"SELECT hex(payload({seq}))"], capture_output=True, text=True, timeout=scaled(30))
        assert bytes.fromhex(done.stdout) == raw, done.stderr
    encodings = daemon.value("SELECT group_concat(encoding, '') FROM payloads ORDER BY seq")
    assert encodings == ("2211" if compression == "zstd" else "0000")


def change(daemon, sql, *parameters):
    """Write to the store of a daemon that is stopped, and start it again."""
    daemon.stop()
    with contextlib.closing(sqlite3.connect(daemon.config.store)) as db:
        assert db.execute(sql, parameters).rowcount == 1
        db.commit()
    daemon.start()


@pytest.mark.parametrize("size", [1000, 50_000], ids=["raw", "compressed"])
def test_a_copy_of_an_event_of_an_earlier_version(make_daemon, size):
    """Which had the digest of each body in its row."""
    daemon = make_daemon()
    raw = body_of_size(size)
    daemon.stored(raw)
    change(daemon, "UPDATE events SET body_sha256 = ?", hashlib.sha256(raw).digest())
    assert daemon.post(raw).result == "duplicate"
    assert daemon.post(raw.replace(b"xx", b"yy", 1)).result == "conflict"
    change(daemon, "DELETE FROM payloads")
    assert daemon.post(raw).result == "duplicate"
    assert daemon.post(raw.replace(b"xx", b"yy", 1)).result == "conflict"
    assert daemon.query("SELECT posts FROM conflicts") == [{"posts": 2}]


@pytest.mark.parametrize("damage", ["substr(body, 1, 100)", "x''", "zeroblob(length(body))"])
@pytest.mark.parametrize("size", [1000, 50_000], ids=["raw", "compressed"])
def test_a_copy_of_a_damaged_event_is_kept(make_daemon, size, damage):
    daemon = make_daemon()
    raw = body_of_size(size)
    seq = daemon.stored(raw)
    change(daemon, f"UPDATE payloads SET body = {damage}")
    response = daemon.post(raw)
    assert (response.status, response.result, response.seq) == (200, "conflict", seq)
    assert daemon.query("SELECT body FROM conflicts") == [{"body": raw}]
    assert daemon.post(body()).result == "stored"


def test_the_store_has_a_write_ahead_log(make_daemon):
    daemon = make_daemon()
    daemon.stored(body())
    assert daemon.value("PRAGMA journal_mode") == "wal"


# Disks that are full

def assert_unavailable(response):
    assert response.status == 503
    assert int(response.headers["Retry-After"]) > 0
    assert response.headers.get_content_type() == "application/problem+json"


def fill(daemon, post):
    """Post until the store cannot take any more. Returns the ids that got a 200."""
    acknowledged = []
    for _ in range(400):
        event_id = new_id()
        response = post(event_id)
        if response.status != 200:
            assert_unavailable(response)
            return acknowledged
        acknowledged.append(event_id)
    raise AssertionError("the disk was never full")


def press(daemon, acknowledged):
    """A checkpoint may make room meanwhile, so each answer is 503 or kept like any other 200."""
    for _ in range(5):
        event_id = new_id()
        response = daemon.post(body_of_size(100_000, event_id=event_id))
        if response.status == 200:
            acknowledged.append(event_id)
        else:
            assert_unavailable(response)


def assert_recovers(daemon, acknowledged):
    event_id = new_id()
    wait_until(lambda: daemon.post(body_of_size(50_000, event_id=event_id)).status == 200,
               timeout=30, what="stores again")
    stored = {row["event_id"] for row in daemon.query("SELECT event_id FROM events")}
    assert set(acknowledged) | {event_id} <= stored
    assert_intact(daemon)


@pytest.fixture
def small_disk(folder):
    """A file system of 3 MiB."""
    path = folder / "disk"
    path.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", path],
                          capture_output=True)
    if done.returncode:
        pytest.skip("mounting a tmpfs is not permitted here")
    yield path
    subprocess.run(["umount", "--lazy", path], check=True)


def test_a_full_disk_is_503_and_the_daemon_recovers_by_itself(make_daemon, small_disk):
    daemon = make_daemon({"store": {"path": small_disk / "events.db"},
                          "handler true": {"type": "exec", "command": "/bin/true"}}, start=False)
    daemon.config.store = small_disk / "events.db"
    daemon.start()
    pid = daemon.pid
    acknowledged = fill(daemon, lambda event_id: daemon.post(
        body_of_size(100_000, event_id=event_id)))
    assert acknowledged, "3 MiB hold a few events"
    press(daemon, acknowledged)
    subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
    assert_recovers(daemon, acknowledged)
    assert daemon.pid == pid and daemon.process.poll() is None
    wait_until(lambda: daemon.value("SELECT count(*) FROM deliveries WHERE state = 'done'")
               == daemon.value("SELECT count(*) FROM events"), timeout=60,
               what="everything is delivered")
    daemon.stop()


def ignore_sigxfsz():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def test_a_write_error_is_503_and_the_daemon_recovers_by_itself(make_daemon):
    daemon = make_daemon(preexec=ignore_sigxfsz)
    daemon.stored(body())
    files = [daemon.config.store, *daemon.folder.glob("events.db-*")]
    limit = max(path.stat().st_size for path in files) + 300_000
    unlimited = resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (limit, unlimited[1]))
    acknowledged = fill(daemon, lambda event_id: daemon.post(
        body_of_size(100_000, event_id=event_id)))
    press(daemon, acknowledged)
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, unlimited)
    assert_recovers(daemon, acknowledged)


def test_an_event_that_got_503_can_be_posted_again(make_daemon):
    daemon = make_daemon({"store": {"compression": "none"}}, preexec=ignore_sigxfsz)
    daemon.stored(body())
    unlimited = resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (1 * MIB, unlimited[1]))
    data = body_of_size(2 * MIB)
    assert_unavailable(daemon.post(data))
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, unlimited)
    wait_until(lambda: daemon.post(data).status == 200, timeout=30, what="stores again")
    assert daemon.value("SELECT count(*) FROM events") == 2


def test_more_bytes_than_may_wait_are_503(make_daemon):
    daemon = make_daemon({"store": {"max_pending_bytes": "1MiB"}})
    assert_unavailable(daemon.post(body_of_size(2 * MIB - 1)))
    assert daemon.post(body()).result == "stored"


def test_the_admin_socket_tells_where_the_daemon_listens(make_daemon):
    daemon = make_daemon({"server": {"listen": "127.0.0.1:0"}})
    assert daemon.config.admin_socket.stat().st_mode & 0o777 == 0o660
    response = daemon.admin("/v1/status")
    assert response.status == 200
    status = response.json()
    assert {"version", "pid", "listen", "started_at", "store"} <= set(status)
    assert status["pid"] == daemon.pid
    assert status["store"]["healthy"] is True
    assert f"listening on {status['listen']}" in daemon.log()
    assert status["listen"].partition("//")[2] in daemon.notified, "STATUS= names the address"
    assert status["listen"].startswith("https://127.0.0.1:")
    daemon.config.port = int(status["listen"].rpartition(":")[2])
    assert daemon.port != 0
    assert daemon.post(body()).result == "stored"
