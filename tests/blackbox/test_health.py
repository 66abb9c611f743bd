# SPDX-License-Identifier: Apache-2.0
"""Is it well? /readyz, status, stats and doctor tell, and say what to do."""

import json
import os
import re
import resource
import signal
import sqlite3
import subprocess
import time

import pytest

from lib.events import body, fixture
from lib.hooks import script
from lib.waiting import wait_until

OK, FAILED, USAGE, NOTHING, UNREACHABLE = range(5)


# /readyz

def test_ready_with_nothing_to_say_against_it(make_daemon):
    response = make_daemon().admin("/readyz")
    assert response.status == 200 and response.json() == {"ready": True}


def test_not_ready_below_the_floor_of_the_disk(make_daemon):
    daemon = make_daemon({"store": {"min_free": "1024GiB"}})
    response = daemon.admin("/readyz")
    assert response.status == 503 and response.json()["ready"] is False
    assert any("min_free" in reason for reason in response.json()["reasons"])
    status = daemon.ctl("status")
    assert status.code == OK and "min_free" in status.out and "NO" in status.out


def ignore_sigxfsz():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def test_a_store_that_cannot_commit_is_not_ready_until_it_can(make_daemon):
    """Nobody posts any more, so the question itself has to find out."""
    daemon = make_daemon(preexec=ignore_sigxfsz)
    daemon.stored(body())
    unlimited = resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (1, unlimited[1]))
    assert daemon.post(body()).status == 503
    response = daemon.admin("/readyz")
    assert response.status == 503
    assert any("cannot commit" in reason for reason in response.json()["reasons"])
    assert daemon.admin("/healthz").status == 200
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, unlimited)
    assert daemon.admin("/readyz").json() == {"ready": True}
    daemon.stored(body())


def test_a_daemon_that_stops_is_not_ready(make_daemon, folder):
    flag = folder / "go"
    hook = script(folder, "slow", f'while [ ! -e {flag} ]; do sleep 0.02; done\n')
    daemon = make_daemon({"handler slow": {"type": "exec", "command": hook}})
    seq = daemon.stored(body())
    daemon.delivery(seq, "slow", "running")
    daemon.terminate()
    daemon.wait_stopping()
    assert daemon.admin("/readyz").status == 503
    flag.touch()
    daemon.wait_stopped()


# status

def test_status_is_one_screen_for_people(make_daemon):
    daemon = make_daemon({"handler ok": {"type": "exec", "command": "/bin/true"}})
    daemon.delivery(daemon.stored(body()), "ok")
    result = daemon.ctl("status")
    assert result.code == OK
    assert len(result.out.splitlines()) <= 30
    assert f"pid {daemon.pid}" in result.out and f"127.0.0.1:{daemon.port}" in result.out
    assert re.search(r"^ready +yes$", result.out, re.MULTILINE)
    assert re.search(r"^riskos +\d{4}-", result.out, re.MULTILINE), "when the last event came"
    assert re.search(r"^ok +0 +0 +0 +0", result.out, re.MULTILINE)


def test_status_for_programs(make_daemon, folder):
    daemon = make_daemon({"handler away": {"type": "unix", "socket": folder / "nobody.sock"}})
    before = time.monotonic()
    daemon.routed(daemon.stored(body()))
    status = daemon.ctl_rows("status")[0]
    [handler] = status["handlers"]
    assert 0 <= handler.pop("oldest_pending_s") <= time.monotonic() - before
    assert status["ready"] is True and status["reasons"] == []
    assert status["log_level"] == "info"
    assert status["store"]["database_bytes"] > 0 and status["store"]["unrouted"] == 0
    assert status["endpoints"][0]["last_event_at"].endswith("Z")
    assert handler == {"handler": "away", "pending": 1, "running": 0, "held": 0, "dead": 0}


# stats

@pytest.fixture(scope="module")
def counted(make_module_daemon):
    daemon = make_module_daemon({"handler ok": {"type": "exec", "command": "/bin/true"}})
    raw = body("evaluation_completed", decision="ACCEPT")
    seqs = [daemon.stored(raw), daemon.stored(body("evaluation_completed", decision="Accept")),
            daemon.stored(body("decision_update", decision="REJECT"))]
    daemon.post(raw)
    daemon.post(b"{")
    daemon.stored(fixture("test_ping_evaluation_completed.json").body)
    for seq in seqs:
        daemon.delivery(seq, "ok")
    return daemon


def test_stats_counts_by_type_decision_and_handler(counted):
    rows = {(row["group"], row["name"]): row for row in counted.ctl_rows("stats")}
    counts = {key: row["count"] for key, row in rows.items()}
    assert counts[("type", "evaluation_completed")] == 2
    assert counts[("type", "decision_update")] == 1
    assert counts[("category", "evaluation")] == 2
    assert counts[("decision", "ACCEPT")] == 2 and counts[("decision", "REJECT")] == 1
    assert counts[("handler", "ok done")] == 3
    assert counts[("post", "stored")] == 4 and counts[("post", "test")] == 1
    assert counts[("post", "duplicate")] == counts[("post", "quarantined")] == 1
    assert rows[("type", "decision_update")]["per_hour"] == pytest.approx(1 / 24, abs=0.001)


def test_stats_draws_bars_for_people(counted):
    result = counted.ctl("stats", "--since", "1h", env={**os.environ, "LC_ALL": "C"})
    assert result.code == OK
    lines = {line.split()[0]: line for line in result.out.splitlines() if line.startswith("  ")}
    assert lines["evaluation_completed"].count("#") == 2 * lines["decision_update"].count("#") > 0


def test_stats_of_another_time_are_zero(counted):
    rows = counted.ctl_rows("stats", "--since", "2000-01-01", "--until", "2000-01-02")
    assert {row["count"] for row in rows} == {0}
    assert counted.ctl("stats", "--since", "1h", "--until", "2h").code == USAGE


def test_stats_works_without_the_daemon(make_daemon):
    daemon = make_daemon()
    daemon.stored(body())
    daemon.stop()
    assert daemon.ctl("stats").code == OK


# doctor

def findings(daemon, *arguments):
    result = daemon.ctl("doctor", "--json", *arguments)
    rows = [json.loads(line) for line in result.out.splitlines()]
    assert all(set(row) == {"check", "level", "finding", "advice"} for row in rows)
    assert all(row["advice"] for row in rows if row["level"] != "ok")
    problems = [row for row in rows if row["level"] == "problem"]
    assert result.code == (FAILED if problems else OK), rows
    return rows


def told(rows, level, check, text):
    return any(row["level"] == level and row["check"] == check and text in row["finding"]
               for row in rows)


def test_doctor_finds_a_well_daemon_well(make_daemon):
    daemon = make_daemon()
    daemon.stored(body())
    for arguments in ([], ["--full"]):
        rows = findings(daemon, *arguments)
        assert {row["check"] for row in rows} == {
            "daemon", "config", "credentials", "certificate", "files", "disk", "store", "queue",
            "clock", "handler"}
        assert not [row for row in rows if row["level"] == "problem"]
        assert told(rows, "warning", "certificate", "self-signed")
    people = daemon.ctl("doctor")
    assert people.code == OK and " -> " in people.out


def test_doctor_without_the_daemon(make_daemon):
    daemon = make_daemon()
    daemon.stored(body())
    daemon.stop()
    rows = findings(daemon)
    assert told(rows, "problem", "daemon", "does not answer")
    assert told(rows, "ok", "store", "")


def test_doctor_sees_what_is_wrong_with_credentials(make_daemon):
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3 * 86400))
    daemon = make_daemon({
        "credential basic": {"not_after": soon},
        "credential bearer": {"not_after": "2020-01-01T00:00:00Z"}})
    rows = findings(daemon)
    assert told(rows, "warning", "credentials", "ends in 2 days")
    assert told(rows, "warning", "credentials", "credential bearer ended")
    daemon.config.update({"credential basic": {"not_after": "2020-01-01T00:00:00Z"}})
    daemon.config.write()
    assert told(findings(daemon), "problem", "credentials", "no credential that is valid now")


def test_doctor_sees_a_configuration_that_would_not_start(make_daemon):
    daemon = make_daemon()
    (daemon.folder / "token").chmod(0o644)
    assert told(findings(daemon), "problem", "config", "token")


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def test_doctor_sees_a_key_that_does_not_belong(make_daemon, folder):
    daemon = make_daemon()
    key = folder / "other.pem"
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-out", key)
    key.chmod(0o644)
    daemon.config.update({"server": {"tls_private_key": key}})
    daemon.config.write()
    rows = findings(daemon)
    assert told(rows, "problem", "certificate", "does not belong")
    assert told(rows, "problem", "files", "0644")


def make_chain(folder, days):
    """A root, and a server's certificate that it has signed."""
    root, root_key = folder / "root.pem", folder / "root-key.pem"
    leaf, leaf_key, request = folder / "leaf.pem", folder / "leaf-key.pem", folder / "leaf.csr"
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", "400", "-subj", "/CN=root", "-keyout", root_key, "-out", root)
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-subj", "/CN=leaf", "-keyout", leaf_key, "-out", request)
    openssl("x509", "-req", "-in", request, "-CA", root, "-CAkey", root_key, "-days", days,
            "-set_serial", "7", "-out", leaf)
    return root, leaf, leaf_key


def test_doctor_reads_the_chain(make_daemon, folder):
    root, leaf, key = make_chain(folder, 200)
    chain = folder / "chain.pem"
    daemon = make_daemon()
    daemon.config.update({"server": {"tls_certificate": chain, "tls_private_key": key}})
    daemon.config.write()
    chain.write_bytes(leaf.read_bytes() + root.read_bytes())
    rows = findings(daemon)
    assert told(rows, "warning", "certificate", "authority that this system trusts")
    assert told(rows, "ok", "certificate", "199 days left")
    trusted = daemon.ctl("doctor", "--json", env={**os.environ, "SSL_CERT_FILE": str(root)})
    assert "leads to an authority that this system trusts" in trusted.out
    make_chain(folder, 10)
    chain.write_bytes(leaf.read_bytes())
    assert told(findings(daemon), "warning", "certificate", "it ends in 9 days")
    # the server's own twice: the second has not issued the first
    chain.write_bytes(leaf.read_bytes() * 2)
    assert told(findings(daemon), "problem", "certificate", "not in order")


def test_doctor_sees_a_broken_queue(make_daemon):
    daemon = make_daemon({"handler ok": {"type": "exec", "command": "/bin/true"}})
    daemon.delivery(daemon.stored(body()), "ok")
    daemon.stop()
    db = sqlite3.connect(daemon.config.store)
    db.execute("INSERT INTO attempts (delivery, attempt, started_at) VALUES (999, 1, 1)")
    db.execute("UPDATE deliveries SET state = 'running'")
    db.execute("UPDATE router SET routed_seq = 1000")
    db.execute("UPDATE events SET received_at = 5000000000000000")
    db.execute("DELETE FROM payloads")
    db.execute("UPDATE evaluation_merge SET merged = 1") # nothing is
    db.execute("UPDATE event_merge SET merged = 1")
    db.commit()
    db.close()
    rows = findings(daemon)
    assert told(rows, "problem", "queue", "1 attempts without a delivery")
    assert told(rows, "problem", "queue", "running although no daemon does")
    assert told(rows, "problem", "queue", "999 routed events that do not exist")
    assert told(rows, "problem", "queue", "1 events without a body")
    assert told(rows, "problem", "queue", "1 evaluations that are not found by their eval_id")
    assert told(rows, "problem", "queue", "1 events that are not found by their event_id")
    assert told(rows, "problem", "clock", "in the future")
    daemon.log_path.write_text("")


def test_doctor_sees_dead_and_failing_deliveries(make_daemon, folder):
    daemon = make_daemon({
        "handler bad": {"type": "exec", "command": script(folder, "bad", "exit 65\n")},
        "handler busy": {"type": "exec", "command": script(folder, "busy", "exit 75\n"),
                         "retry_initial": "10ms", "retry_max": "10ms"}})
    seq = daemon.stored(body())
    daemon.delivery(seq, "bad", "dead")
    wait_until(lambda: daemon.value("SELECT attempts FROM deliveries WHERE handler = 'busy'") > 5)
    rows = findings(daemon)
    assert told(rows, "warning", "handler", "bad: 1 delivery was given up")
    assert told(rows, "warning", "handler", "busy: 1 delivery keeps failing")


def test_doctor_sees_a_damaged_store(make_daemon):
    daemon = make_daemon()
    for _ in range(50):
        daemon.stored(body(padding="x" * 5000))
    daemon.stop()
    size = daemon.config.store.stat().st_size
    with daemon.config.store.open("r+b") as store:
        store.seek(size // 2 // 4096 * 4096)
        store.write(b"\xff" * 8192)
    rows = findings(daemon)
    assert told(rows, "problem", "store", "")
    assert any("backup" in (row["advice"] or "") for row in rows if row["check"] == "store")


def test_doctor_of_a_store_that_is_not_there_yet(make_daemon):
    daemon = make_daemon(start=False)
    assert told(findings(daemon), "problem", "store", "no store at")


def test_a_pipe_that_closes_is_no_failure(make_daemon):
    daemon = make_daemon()
    for arguments in (["doctor"], ["doctor", "--json"], ["status"], ["stats"]):
        done = daemon.ctl_unread(*arguments)
        assert (done.returncode, done.stderr) == (OK, b""), arguments
