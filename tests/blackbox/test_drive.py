# SPDX-License-Identifier: Apache-2.0
"""Operators drive deliveries: retry, replay, pause, hold; and a new handler's history."""

import contextlib
import http.client
import sqlite3
import threading

import pytest

from lib import metrics
from lib.config import free_port
from lib.consumer import Consumer, dead, ok
from lib.events import body, new_id
from lib.hooks import script
from lib.settings import scaled
from lib.waiting import wait_until

HANDLER = {"type": "unix", "retry_initial": "10ms", "retry_max": "20ms", "concurrency": "1"}


class Ledger:
    """A daemon with one unix handler, `ledger`, and its consumer. What is in `verdicts` under an
    event_id is answered instead of ok, once."""

    def __init__(self, make_daemon, folder, sections=None, start=True):
        self.path = folder / "ledger.sock"
        self.verdicts = {}
        self.consumer = Consumer(self.path, self._answer).start()
        self.daemon = make_daemon(
            {"handler ledger": {**HANDLER, "socket": self.path}, **(sections or {})}, start=start)

    def _answer(self, _consumer, delivery):
        verdict = self.verdicts.pop(delivery["event_id"], ok)
        return verdict(delivery)

    def seen(self):
        with self.consumer.changed:
            return list(self.consumer.deliveries)

    def post(self, **kwargs):
        event_id = new_id()
        return self.daemon.stored(body(event_id=event_id, **kwargs)), event_id

    def post_dead(self, **kwargs):
        """An event whose delivery is dead; return its seq and its delivery."""
        event_id = new_id()
        self.verdicts[event_id] = dead
        seq = self.daemon.stored(body(event_id=event_id, **kwargs))
        return seq, self.daemon.delivery(seq, "ledger", "dead")["delivery"]

    def wait_seqs(self, seqs, mark=0):
        """Wait for these events in this order, behind the first `mark` deliveries."""
        self.consumer.wait_for(mark + len(seqs))
        assert [d["seq"] for d in self.seen()[mark:]] == list(seqs)


@pytest.fixture
def ledger(make_daemon, folder):
    made = []

    def make(sections=None, start=True):
        made.append(Ledger(make_daemon, folder, sections, start))
        return made[-1]

    yield make
    for item in made:
        item.consumer.stop()


# retry


def test_retry_by_number(ledger):
    ledger = ledger()
    seq, delivery = ledger.post_dead()
    result = ledger.daemon.ctl("retry", delivery)
    assert result.code == 0, result.err
    row = ledger.daemon.delivery(seq, "ledger", "done")
    assert row["attempts"] == 2 and not row["replay"]
    again = ledger.daemon.ctl("retry", delivery, 99999)
    assert again.code == 1
    assert f"delivery {delivery} is done" in again.err
    assert "delivery 99999 does not exist" in again.err
    assert ledger.daemon.ctl("retry", 99999).code == 3, "as of 'show'"


def test_retry_of_all_dead_ones_of_a_handler(ledger):
    ledger = ledger({"handler other": {"type": "exec", "command": "/bin/sh -c 'exit 65'"}})
    seqs = [ledger.post_dead()[0] for _ in range(3)]
    for seq in seqs:
        ledger.daemon.delivery(seq, "other", "dead")
    assert ledger.daemon.ctl_rows("retry", "--handler", "ledger", "--state", "dead") == [
        {"changed": 3, "refused": 0}]
    for seq in seqs:
        ledger.daemon.delivery(seq, "ledger", "done")
        assert ledger.daemon.delivery(seq, "other", "dead")["attempts"] == 1
    assert ledger.daemon.ctl("retry", "--handler", "ledger").code == 3


def test_more_dead_ones_than_fit_one_request(make_daemon):
    daemon = make_daemon({"handler picky": {"type": "exec", "command": "/bin/false",
                                            "retry_for": "0s"}})
    with daemon.connect() as connection:
        seqs = [connection.request("POST", "/webhooks/riskos", body(), daemon.headers()).seq
                for _ in range(600)]
    wait_until(lambda: daemon.value(
        "SELECT count(*) FROM deliveries WHERE state = 'dead'") == len(seqs), timeout=60)
    daemon.ctl("pause", "picky")
    assert daemon.ctl_rows("retry", "--handler", "picky") == [{"changed": 600, "refused": 0}]
    assert daemon.value("SELECT count(*) FROM deliveries WHERE state = 'pending'") == 600


def test_a_retried_delivery_waits_for_the_one_that_has_the_turn(ledger):
    ledger = ledger()
    eval_id = new_id()
    first, delivery = ledger.post_dead(eval_id=eval_id)
    ledger.daemon.ctl("pause", "ledger")
    second, _ = ledger.post(eval_id=eval_id, event_type="decision_update")
    ledger.daemon.delivery(second, "ledger", "pending")
    ledger.daemon.ctl("retry", delivery)
    mark = len(ledger.seen())
    ledger.daemon.ctl("resume", "ledger")
    # the second had the turn already when the first came back
    ledger.wait_seqs([second, first], mark)


# pause


def test_pause_survives_a_restart(ledger):
    ledger = ledger({"handler quick": {"type": "exec", "command": "/bin/true"}})
    daemon = ledger.daemon
    assert daemon.ctl("pause", "ledger").out.strip() == "ledger: paused"
    assert daemon.ctl("pause", "ledger").out.strip() == "ledger: paused already"
    seq, _ = ledger.post()
    daemon.delivery(seq, "quick", "done")
    daemon.restart()
    assert daemon.admin("/v1/status").json()["paused"] == ["ledger"]
    later, _ = ledger.post()
    daemon.delivery(later, "quick", "done")
    rows = daemon.ctl_rows("deliveries", "--handler", "ledger")
    assert [(row["seq"], row["state"], row["paused"]) for row in rows] == [
        (seq, "pending", True), (later, "pending", True)]
    assert "handler ledger is paused since 20" in daemon.ctl("deliveries").err
    assert not ledger.seen()
    assert daemon.ctl("resume", "ledger").code == 0
    daemon.delivery(later, "ledger", "done")
    ledger.wait_seqs([seq, later])
    assert daemon.admin("/v1/status").json()["paused"] == []
    assert daemon.ctl_rows("resume", "ledger") == [
        {"handler": "ledger", "paused": False, "changed": False}]


def test_what_runs_when_a_handler_is_paused_goes_on(ledger):
    ledger = ledger()
    go_on = threading.Event()
    event_id = new_id()

    def wait(delivery):
        go_on.wait(scaled(20))
        return ok(delivery)

    ledger.verdicts[event_id] = wait
    seq = ledger.daemon.stored(body(event_id=event_id))
    ledger.consumer.wait_for(1)
    ledger.daemon.ctl("pause", "ledger")
    go_on.set()
    ledger.daemon.delivery(seq, "ledger", "done")


# hold


def test_hold_and_release(ledger):
    ledger = ledger()
    daemon, eval_id = ledger.daemon, new_id()
    daemon.ctl("pause", "ledger")
    first, _ = ledger.post(eval_id=eval_id)
    second, _ = ledger.post(eval_id=eval_id, event_type="decision_update")
    other, _ = ledger.post()
    number = daemon.delivery(first, "ledger", "pending")["delivery"]
    daemon.delivery(other, "ledger", "pending")
    assert daemon.ctl("hold", number).out.strip() == "1 delivery held"
    daemon.ctl("resume", "ledger")
    daemon.delivery(other, "ledger", "done")
    assert daemon.ctl_rows("deliveries", "--state", "held")[0]["delivery"] == number
    assert daemon.delivery(second, "ledger", "pending")["attempts"] == 0
    assert daemon.ctl("release", "--handler", "ledger").code == 0
    daemon.delivery(second, "ledger", "done")
    ledger.wait_seqs([other, first, second])


# dismiss


def test_what_a_handler_that_is_gone_has_left_is_dismissed(make_daemon, folder):
    """Dead and waiting deliveries alike: doctor has nothing more to say of them, and retention may
    erase their events."""
    daemon = make_daemon({
        "handler gone": {"type": "exec", "command": "/bin/sh -c 'exit 65'", "decision": "REVIEW"},
        "handler away": {"type": "unix", "socket": folder / "nobody.sock"}})
    seq = daemon.stored(body(decision="REVIEW"))
    daemon.delivery(seq, "gone", "dead")
    daemon.delivery(seq, "away", "pending")
    daemon.stop()
    daemon.config.update({"handler gone": None, "handler away": None,
                          "store": {"retention": "1s"}})
    daemon.config.write()
    daemon.start()
    said = daemon.ctl("doctor").out
    assert "gone: 1 delivery was given up" in said and "away: 1 delivery waits" in said
    for args, handler in ((["dismiss", "--handler", "gone"], "gone"),
                          (["dismiss", "--handler", "away", "--state", "pending"], "away")):
        result = daemon.ctl(*args)
        assert (result.code, result.out) == (0, "1 delivery dismissed\n"), result.err
        row = daemon.delivery(seq, handler, "dead")
        assert row["outcome"] == "dismissed"
        assert daemon.ctl(*args).code == 3
    said = daemon.ctl("doctor").out
    assert "gone" not in said and "away" not in said
    assert not [labels for (name, labels) in metrics.read(daemon).samples
                if name == "riskhook_handler_queue_deliveries" and ("handler", "gone") in labels]
    wait_until(lambda: daemon.show(seq)["erased_at"], timeout=30, what="the event is erased")


def test_who_waits_for_a_dismissed_delivery_goes_on(ledger):
    """By number, whether it was pending or held; and it can be retried by number alone."""
    ledger = ledger()
    daemon, eval_id = ledger.daemon, new_id()
    daemon.ctl("pause", "ledger")
    seqs = [ledger.post(eval_id=eval_id)[0] for _ in range(4)]
    first, second, third = (daemon.delivery(seq, "ledger", "pending")["delivery"]
                            for seq in seqs[:3])
    assert daemon.ctl("hold", second).code == 0
    assert daemon.ctl_rows("dismiss", first, second) == [{"changed": 2, "refused": 0}]
    daemon.ctl("resume", "ledger")
    daemon.delivery(seqs[2], "ledger", "done")
    daemon.delivery(seqs[3], "ledger", "done")
    refused = daemon.ctl("dismiss", third)
    assert refused.code == 1 and f"delivery {third} is done" in refused.err
    assert daemon.ctl("retry", "--handler", "ledger").code == 3
    assert daemon.ctl("retry", second).code == 0
    daemon.delivery(seqs[1], "ledger", "done")
    assert [d["seq"] for d in ledger.seen()] == [seqs[2], seqs[3], seqs[1]]
    assert daemon.delivery(seqs[0], "ledger", "dead")["reason"] == "dismissed by an operator"


# replay


def test_replay_is_marked_and_filtered(ledger, folder):
    hook = script(folder, "hook", f'echo "$RISKHOOK_SEQ $RISKHOOK_REPLAY" >> {folder}/ran\n')
    ledger = ledger({"handler narrow": {"type": "exec", "command": hook,
                                        "events": "decision_update"}})
    daemon = ledger.daemon
    eval_id = new_id()
    seqs = [ledger.post(event_type=event_type, eval_id=eval_id)[0] for event_type in
            ("evaluation_completed", "decision_update", "case_notes_added", "evaluation_paused")]
    ledger.wait_seqs(seqs)
    daemon.delivery(seqs[1], "narrow")
    assert not any(d["replay"] for d in ledger.seen())

    def replay(*args, handler="ledger"):
        mark = len(ledger.seen())
        rows = daemon.ctl_rows("replay", "--handler", handler, *args)
        assert not rows or rows[0]["ended"]
        return rows[0]["deliveries"] if rows else 0, mark

    for args, expected in [
            (["--seq", seqs[1]], seqs[1:2]),
            (["--seq", f"{seqs[1]}-{seqs[2]}"], seqs[1:3]),
            (["--seq", f"{seqs[2]}-"], seqs[2:]),
            (["--type", "Decision Update"], seqs[1:2]),
            (["--eval-id", eval_id], seqs),
            (["--since", "1h", "--type", "evaluation_paused"], seqs[3:]),
            (["--until", "1h"], []),
            (["--eval-id", "nobody"], [])]:
        n, mark = replay(*args)
        assert n == len(expected), args
        ledger.wait_seqs(expected, mark)
        assert all(d["replay"] and d["attempt"] == 1 for d in ledger.seen()[mark:])
    # the handler's own filters count
    assert replay("--seq", "1-", handler="narrow")[0] == 1
    wait_until(lambda: (folder / "ran").read_text().splitlines() ==
               [f"{seqs[1]} 0", f"{seqs[1]} 1"])


def test_a_replay_of_many_goes_on_after_kill9(ledger):
    """Of some it has made deliveries when it is stopped, and then the daemon is killed."""
    ledger = ledger()
    daemon = ledger.daemon
    with daemon.connect() as connection:
        seqs = [connection.request("POST", "/webhooks/riskos", body(), daemon.headers()).seq
                for _ in range(700)]
    ledger.consumer.wait_for(700, timeout=60)
    daemon.ctl("pause", "ledger")
    with contextlib.closing(sqlite3.connect(daemon.config.store)) as db:
        db.execute("CREATE TRIGGER refuse BEFORE UPDATE ON replays WHEN OLD.deliveries > 0"
                   " BEGIN SELECT RAISE(ABORT, 'no'); END")
        number = daemon.admin("/v1/replay", {"handler": "ledger"}).json()["replay"]
        daemon.wait_log("cannot replay events")
        daemon.kill9()
        made = daemon.value("SELECT count(*) FROM deliveries WHERE replay = ?", number)
        assert 0 < made < 700
        db.execute("DROP TRIGGER refuse")
    daemon.start()
    wait_until(lambda: daemon.value("SELECT ended_at FROM replays WHERE replay = ?", number))
    rows = daemon.query("SELECT seq FROM deliveries WHERE replay = ? ORDER BY delivery", number)
    assert [row["seq"] for row in rows] == seqs


def test_a_replay_that_fails_waits_alone_and_goes_on(ledger):
    ledger = ledger()
    daemon = ledger.daemon
    seqs = [ledger.post()[0] for _ in range(3)]
    ledger.wait_seqs(seqs)
    with contextlib.closing(sqlite3.connect(daemon.config.store)) as db:
        db.execute("CREATE TRIGGER refuse BEFORE UPDATE ON replays"
                   " BEGIN SELECT RAISE(ABORT, 'no'); END")
        number = daemon.admin("/v1/replay", {"handler": "ledger"}).json()["replay"]
        wait_until(lambda: "cannot replay events" in daemon.log())
        fresh = [ledger.post()[0] for _ in range(3)]
        ledger.wait_seqs(fresh, mark=3)
        assert daemon.value("SELECT count(*) FROM deliveries WHERE replay = ?", number) == 0
        db.execute("DROP TRIGGER refuse")
    ledger.wait_seqs(seqs, mark=6)
    assert daemon.log().count("cannot replay events") == 1
    assert "replays go on" in daemon.log() and "the store works again" not in daemon.log()


def test_start_all_gives_a_new_handler_its_history_in_order(ledger, folder):
    hook = script(folder, "hook", f'echo "$RISKHOOK_SEQ $RISKHOOK_REPLAY" >> {folder}/ran\n')
    ledger = ledger()
    daemon, eval_id = ledger.daemon, new_id()
    types = ["evaluation_completed", "decision_update", "case_notes_added"]
    seqs = [ledger.post(event_type=t, eval_id=eval_id)[0] for t in types]
    ledger.wait_seqs(seqs)
    daemon.stop()
    new = {"type": "exec", "command": hook}
    daemon.config.update({"handler all": {**new, "start": "all"}, "handler new": {**new}})
    daemon.config.write()
    daemon.start()
    seqs.append(ledger.post(event_type="evaluation_paused", eval_id=eval_id)[0])
    daemon.delivery(seqs[-1], "all", "done")
    assert [row["seq"] for row in daemon.query(
        "SELECT seq FROM deliveries WHERE handler = 'all' ORDER BY delivery")] == seqs
    assert [row["seq"] for row in daemon.query(
        "SELECT seq FROM deliveries WHERE handler = 'new'")] == seqs[-1:]
    daemon.delivery(seqs[-1], "new", "done")
    ran = (folder / "ran").read_text().splitlines()
    assert sorted(ran) == sorted([f"{seq} 0" for seq in seqs] + [f"{seqs[-1]} 0"])
    daemon.restart()  # and only once
    daemon.delivery(ledger.post()[0], "all", "done")
    assert daemon.value("SELECT count(*) FROM replays") == 1


# errors


@pytest.mark.parametrize("args", [
    ["retry"], ["retry", "x"], ["retry", "0"], ["retry", "1", "--handler", "ledger"],
    ["retry", "--handler", "ledger", "--state", "done"], ["pause"], ["pause", "a", "b"],
    ["replay", "--handler", "ledger"], ["replay", "--seq", "1"],
    ["replay", "--handler", "ledger", "--seq", "5-2"],
    ["replay", "--handler", "ledger", "--seq", "x"], ["hold"],
    ["replay", "--handler", "ledger", "--seq", "0"],
    ["dismiss"], ["dismiss", "--handler", "ledger", "--state", "done"]])
def test_usage(ledger, args):
    assert ledger(start=False).daemon.ctl(*args).code == 2


def test_unknown_handlers_and_an_absent_daemon(ledger):
    ledger = ledger()
    daemon = ledger.daemon
    commands = [["pause"], ["resume"], ["replay", "--seq", "1", "--handler"], ["retry", "--handler"]]
    for command in commands:
        result = daemon.ctl(*command, "nobody")
        assert result.code == 3 and "there are: ledger" in result.err
    daemon.stop()
    for command in [["pause", "ledger"], ["resume", "ledger"], ["retry", "1"], ["hold", "1"],
                    ["release", "1"], ["dismiss", "1"], ["replay", "--handler", "ledger", "--seq", "1"]]:
        assert daemon.ctl(*command).code == 4, command


@pytest.mark.parametrize("path,request_body,status", [
    ("/v1/pause", b"", 400), ("/v1/pause", b"[]", 400), ("/v1/pause", {"handler": 7}, 400),
    ("/v1/pause", {}, 400), ("/v1/pause", {"handler": "nobody"}, 404),
    ("/v1/pause", {"handler": "x" * 600}, 400), ("/v1/pause", b"{" + b" " * 70000 + b"}", 413),
    ("/v1/retry", {"deliveries": []}, 400), ("/v1/retry", {"deliveries": [0]}, 400),
    ("/v1/retry", {"deliveries": ["1"]}, 400), ("/v1/retry", {"deliveries": [1] * 1001}, 400),
    ("/v1/retry", b'{"deliveries":[99999999999999999999]}', 400),
    ("/v1/replay", {"handler": "ledger", "first_seq": -1}, 400),
    ("/v1/replay", {"handler": "ledger", "type": 1}, 400),
    ("/v1/replay", {"handler": "nobody"}, 404),
    ("/v1/replay", b'{"handler":"ledger","handler":"ledger"}', 400),
    ("/v1/nothing", {}, 404)])
def test_posts_that_are_refused(ledger, path, request_body, status):
    daemon = ledger().daemon
    answer = daemon.admin(path, request_body)
    assert (answer.status, list(answer.json())) == (status, ["error"])
    assert daemon.value("SELECT count(*) FROM replays") == 0


def test_posts_need_the_unix_socket(ledger):
    port = free_port()
    daemon = ledger({"admin": {"listen": f"127.0.0.1:{port}"}}).daemon
    assert daemon.admin("/v1/pause").status == 405
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=scaled(10))
    connection.request("POST", "/v1/pause", b'{"handler":"ledger"}')
    assert connection.getresponse().status == 404
    connection.close()
    assert daemon.admin("/v1/status").json()["paused"] == []
