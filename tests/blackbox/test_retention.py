# SPDX-License-Identifier: Apache-2.0
"""Retention: contents go when they are old enough, the line that an event was there stays."""

import hashlib
import secrets

import pytest

from lib import metrics
from lib.events import body, body_of_size, encode, envelope
from lib.hooks import script
from lib.waiting import wait_until

OK, FAILED, USAGE, NOTHING, UNREACHABLE = range(5)


def erased(daemon, seq):
    return wait_until(lambda: daemon.show(seq)["erased_at"], timeout=30,
                      what=f"event {seq} is erased")


def test_contents_are_erased_and_the_tombstone_stays(make_daemon, folder):
    hook = script(folder, "hook", "cat\n")
    daemon = make_daemon({"store": {"retention": "1s"},
                          "handler echo": {"type": "exec", "command": hook}})
    raw = encode(envelope(id="customer-to-forget", notes="words-to-forget"))
    seq = daemon.stored(raw)
    daemon.delivery(seq, "echo", "done")
    erased(daemon, seq)

    event = daemon.show(seq)
    assert event["customer_id"] is None
    assert event["event_id"] and event["eval_id"] and event["decision"] == "ACCEPT"
    assert [attempt["output"] for attempt in event["deliveries"][0]["history"]] == [None]
    result = daemon.ctl("show", seq, "--payload")
    assert result.code == NOTHING and "erased" in result.err and not result.out
    assert daemon.ctl_rows("evaluation", event["eval_id"])[0]["customer_id"] is None
    assert daemon.post(raw).result == "duplicate"
    wait_until(lambda: metrics.read(daemon).value("riskhook_events_erased_total") == 1)


def test_what_was_erased_is_overwritten_in_the_files(make_daemon, folder):
    """In free pages, in what is free of a page, and in the log, while riskhookd runs: rows have
    grown and moved before they were erased. When SQLite moves rows between pages it may leave a
    copy, here and there (README)."""
    words = [secrets.token_hex(8).encode() for _ in range(4)]
    in_body, in_output, in_quarantine, customer = (word.decode() for word in words)
    hook = script(folder, "hook", f"""
echo {in_output}; yes | head -c 1500
[ "$RISKHOOK_ATTEMPT" -gt 1 ] || exit 75
""")
    daemon = make_daemon({"store": {"retention": "2s", "compression": "none"},
                          "handler echo": {"type": "exec", "command": hook,
                                           "retry_initial": "10ms", "retry_max": "10ms"}})

    def count(word):
        return sum(path.read_bytes().count(word) for path in daemon.folder.glob("events.db*"))

    n = 120
    for _ in range(n):
        daemon.stored(encode(envelope(id=customer, notes=in_body)))
        assert daemon.post(in_quarantine.encode()).status != 200
    before = [count(word) for word in words]
    assert all(before)
    wait_until(lambda: daemon.value("SELECT count(*) FROM events WHERE erased_at > 0") == n
               and daemon.value("SELECT count(*) FROM quarantine") == 0, timeout=60)
    wait_until(lambda: daemon.folder.joinpath("events.db-wal").stat().st_size == 0, timeout=30)
    after = [count(word) for word in words]
    assert sum(after) <= n / 20, (before, after)


@pytest.mark.parametrize("compression", ["zstd", "none"])
def test_a_late_copy_is_told_from_another_body(make_daemon, compression):
    daemon = make_daemon({"store": {"retention": "1s", "compression": compression}})
    posted = {}
    for raw in (body(), body_of_size(50_000)):
        posted[daemon.stored(raw)] = raw
        assert daemon.post(raw).result == "duplicate"
    for seq in posted:
        erased(daemon, seq)
    daemon.config.update({"store": {"retention": None}})  # else the conflicts go, too
    daemon.config.write()
    daemon.restart()
    for seq, raw in posted.items():
        assert daemon.value("SELECT body_sha256 FROM events WHERE seq = ?",
                            seq) == hashlib.sha256(raw).digest()
        assert daemon.post(raw).result == "duplicate"
        other = raw.replace(b"ACCEPT", b"accept")
        assert len(other) == len(raw) and other != raw
        assert daemon.post(other).result == "conflict"
        assert daemon.query("SELECT body, body_sha256, posts FROM conflicts WHERE seq = ?", seq) == [
            {"body": other, "body_sha256": hashlib.sha256(other).digest(), "posts": 1}]


def test_each_category_has_its_own_age(make_daemon):
    daemon = make_daemon({"store": {"retention": "365d", "retention_case": "1s"}})
    kept = daemon.stored(body("evaluation_completed"))
    gone = daemon.stored(body("decision_update"))
    erased(daemon, gone)
    assert daemon.show(kept)["erased_at"] is None
    assert daemon.payload(kept)


def test_nothing_goes_while_a_delivery_waits(make_daemon, folder):
    daemon = make_daemon({"store": {"retention": "1s"},
                          "handler away": {"type": "unix", "socket": folder / "nobody.sock",
                                           "decision": "REVIEW"}})
    waits = daemon.stored(body(decision="REVIEW"))
    gone = daemon.stored(body(decision="ACCEPT"))
    erased(daemon, gone)
    assert daemon.show(waits)["erased_at"] is None
    assert daemon.payload(waits)


def test_an_erased_event_is_given_to_nobody_any_more(make_daemon, folder):
    hook = script(folder, "bad", "exit 65\n")
    daemon = make_daemon({"store": {"retention": "1s"},
                          "handler bad": {"type": "exec", "command": hook}})
    seq = daemon.stored(body())
    delivery = daemon.delivery(seq, "bad", "dead")["delivery"]
    erased(daemon, seq)
    daemon.ctl("retry", delivery)
    daemon.ctl("replay", "--handler", "bad", "--seq", seq)
    later = daemon.stored(body())
    daemon.delivery(later, "bad", "dead")
    rows = daemon.query("SELECT state, attempts FROM deliveries WHERE seq = ?", seq)
    assert rows == [{"state": "dead", "attempts": 1}]


def test_what_was_given_up_and_erased_cannot_be_retried(make_daemon):
    daemon = make_daemon({"store": {"retention": "1s"},
                          "handler no": {"type": "exec", "command": "/bin/sh -c 'exit 65'"}})
    seq = daemon.stored(body())
    delivery = daemon.delivery(seq, "no", "dead")["delivery"]
    erased(daemon, seq)
    result = daemon.ctl("retry", delivery)
    assert result.code == FAILED
    assert f"delivery {delivery} is dead and stays so: its body was erased" in result.err
    held = daemon.ctl("hold", delivery)
    assert f"delivery {delivery} is dead\n" in held.err


def test_nothing_is_erased_unless_the_configuration_says_so(make_daemon):
    daemon = make_daemon()
    seq = daemon.stored(body())
    daemon.restart()
    assert daemon.show(seq)["erased_at"] is None
    assert daemon.value("SELECT count(*) FROM payloads") == 1


def test_intake_goes_on_while_much_is_erased(make_daemon):
    """Every post gets its 200, and in the end all is erased, in transactions of bounded size."""
    daemon = make_daemon({"store": {"retention": "1s"}})
    with daemon.connect() as connection:
        headers = daemon.headers()
        seqs = [connection.request("POST", "/webhooks/riskos", body(), headers).seq
                for _ in range(300)]
    erased(daemon, seqs[-1])
    wait_until(lambda: daemon.value("SELECT count(*) FROM payloads") == 0, timeout=30)
    assert daemon.value("SELECT count(*) FROM events WHERE erased_at > 0") == 300


@pytest.mark.parametrize("value", ["0s", "soon", "-1d"])
def test_a_retention_that_makes_no_sense_is_refused(make_daemon, value):
    daemon = make_daemon({"store": {"retention": value}}, start=False)
    result = daemon.ctl("check-config")
    assert result.code == FAILED and "retention" in result.err


def test_vacuum_gives_space_back_when_the_daemon_is_stopped(make_daemon):
    daemon = make_daemon({"store": {"retention": "1s"}})
    seqs = [daemon.stored(body(padding=secrets.token_hex(100000))) for _ in range(10)]
    erased(daemon, seqs[-1])
    wait_until(lambda: daemon.value("SELECT count(*) FROM payloads") == 0, timeout=30)
    refused = daemon.ctl("vacuum")
    assert refused.code == FAILED and "stop it first" in refused.err
    daemon.stop()
    before = daemon.config.store.stat().st_size
    result = daemon.ctl("vacuum")
    assert result.code == OK, result.err
    assert daemon.config.store.stat().st_size < before / 2
    again = daemon.ctl("vacuum")
    assert again.code == OK and "nothing to do" in again.out
    assert daemon.start().show(seqs[0])["erased_at"]
