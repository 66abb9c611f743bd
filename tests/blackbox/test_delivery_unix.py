# SPDX-License-Identifier: Apache-2.0
"""A consumer behind a Unix socket: the line protocol, its answers, and everything that breaks."""

import json
import threading

import pytest

from lib.consumer import Consumer, dead, ok, retry
from lib.events import body, encode, envelope, fixtures, new_id
from lib.settings import scaled
from lib.waiting import wait_until

LINE_KEYS = ["delivery", "attempt", "seq", "event_id", "event_type", "category", "eval_id",
             "received_at", "test", "replay", "payload"]


@pytest.fixture
def make_pair(make_daemon):
    """A daemon with one unix handler, `ledger`, and the consumer for it (not started)."""
    consumers = []

    def make(answer=None, **options):
        daemon = make_daemon(start=False)
        path = daemon.folder / "consumer.sock"
        daemon.config.update({"handler ledger": {
            "type": "unix", "socket": path, "test_events": "yes", "retry_initial": "20ms",
            "retry_max": "100ms", **options}})
        daemon.config.write()
        daemon.start()
        consumer = Consumer(path, answer)
        consumers.append(consumer)
        return daemon, consumer

    yield make
    for consumer in consumers:
        consumer.stop()


def test_every_fixture_arrives_as_one_line(make_pair):
    daemon, consumer = make_pair()
    consumer.start()
    posted = {daemon.stored(f.body): f for f in fixtures()}
    arrived = {d["seq"]: d for d in consumer.wait_for(len(posted), timeout=40)}
    assert set(arrived) == set(posted)
    for seq, f in posted.items():
        line, shown = arrived[seq], daemon.show(seq)
        assert list(line) == LINE_KEYS
        assert line["attempt"] == 1
        assert line["payload"] == json.loads(f.body)
        assert line["test"] is f.expect["is_test_delivery"]
        assert line["category"] == f.expect["category"]
        assert (line["event_id"], line["event_type"]) == (shown["event_id"], shown["event_type"])
        assert (line["eval_id"] or None) == shown["eval_id"]
        assert line["received_at"][:19] == shown["received_at"][:19]
        delivery = daemon.delivery(seq, "ledger")
        assert delivery["delivery"] == line["delivery"]


def test_the_payload_is_not_serialised_again(make_pair):
    daemon, consumer = make_pair()
    consumer.start()
    raw = ('{"event_id":"%s","n":[1.0,1e400,-0,12345678901234567890123,1.10],"twice":1,"twice":2,'
           '"text":"\\u00e9\\/é \\n"}' % new_id()).encode()
    daemon.stored(raw)
    consumer.wait_for(1)
    assert raw in consumer.lines[0]


def test_a_payload_of_many_lines_becomes_one(make_pair):
    daemon, consumer = make_pair()
    consumer.start()
    event = envelope(notes="two\nlines")
    daemon.stored(json.dumps(event, indent=4).replace("\n", "\r\n").encode())
    assert consumer.wait_for(1)[0]["payload"] == event


def test_a_2_mib_payload_arrives(make_pair):
    daemon, consumer = make_pair()
    consumer.start()
    event = envelope(padding="x" * 2_000_000)
    daemon.stored(encode(event))
    assert consumer.wait_for(1)[0]["payload"] == event


def test_answers_may_come_in_any_order(make_pair):
    n = 10
    gathered = []

    def answer(consumer, delivery):
        gathered.append(delivery)
        return [ok(d) for d in reversed(gathered)] if len(gathered) == n else None

    daemon, consumer = make_pair(answer, window=64)
    consumer.start()
    for seq in [daemon.stored(body()) for _ in range(n)]:
        assert daemon.delivery(seq, "ledger")["attempts"] == 1


def test_no_more_than_window_are_unanswered(make_pair):
    silent = threading.Event()
    silent.set()
    daemon, consumer = make_pair(lambda c, d: None if silent.is_set() else ok(d), window=4)
    daemon.config.update({"handler other": {"type": "exec", "command": "/bin/true"}})
    daemon.config.write()
    daemon.restart()
    consumer.start()
    sequence = [daemon.stored(body()) for _ in range(20)]
    first = consumer.wait_for(4)
    for seq in sequence:  # the dispatcher has been round many times when these are done
        daemon.delivery(seq, "other")
    assert len(consumer.deliveries) == 4
    silent.clear()
    consumer.send([ok(d) for d in first])
    for seq in sequence:
        daemon.delivery(seq, "ledger")


def test_retry_comes_again_with_the_next_attempt(make_pair):
    daemon, consumer = make_pair(lambda c, d: retry(d) if d["attempt"] < 3 else ok(d))
    consumer.start()
    delivery = daemon.delivery(daemon.stored(body()), "ledger")
    assert delivery["attempts"] == 3
    assert [d["attempt"] for d in consumer.wait_for(3)] == [1, 2, 3]
    assert [a["outcome"] for a in daemon.attempts(delivery["delivery"])] == ["retry", "retry", "ok"]


def test_retry_after_sets_the_time_of_the_next_attempt(make_pair):
    daemon, consumer = make_pair(lambda c, d: retry(d, after=3600))
    consumer.start()
    seq = daemon.stored(body())

    def waits():
        rows = daemon.query("SELECT state, due_at - changed_at AS wait FROM deliveries "
                            "WHERE seq = ? AND attempts = 1 AND state = 'pending'", seq)
        return rows and rows[0]["wait"]

    wait = wait_until(waits, what="the delivery is pending again")
    assert 3590_000_000 <= wait <= 3610_000_000


def test_dead_is_dead_with_the_consumers_reason(make_pair):
    daemon, consumer = make_pair(lambda c, d: dead(d, reason="no such account"))
    consumer.start()
    delivery = daemon.delivery(daemon.stored(body()), "ledger", "dead")
    assert delivery["attempts"] == 1
    assert "no such account" in delivery["reason"]


def test_dead_without_a_reason_is_dead(make_pair):
    daemon, consumer = make_pair(lambda c, d: dead(d))
    consumer.start()
    assert daemon.delivery(daemon.stored(body()), "ledger", "dead")["outcome"] == "dead"


def test_a_lost_connection_means_retry_on_a_new_one(make_pair):
    def answer(consumer, delivery):
        if delivery["attempt"] == 1:
            raise Consumer.Disconnect
        return ok(delivery)

    daemon, consumer = make_pair(answer)
    consumer.start()
    delivery = daemon.delivery(daemon.stored(body()), "ledger")
    assert [a["outcome"] for a in daemon.attempts(delivery["delivery"])] == ["lost", "ok"]
    assert consumer.connections >= 2


def test_no_answer_in_time_means_retry(make_pair):
    daemon, consumer = make_pair(lambda c, d: ok(d) if d["attempt"] > 1 else None, timeout="200ms")
    consumer.start()
    delivery = daemon.delivery(daemon.stored(body()), "ledger")
    outcomes = [a["outcome"] for a in daemon.attempts(delivery["delivery"])]
    assert outcomes[0] in ("timeout", "lost") and outcomes[-1] == "ok"


def test_an_absent_consumer_costs_no_attempt(make_pair):
    daemon, consumer = make_pair(retry_for="0s")
    sequence = [daemon.stored(body()) for _ in range(5)]
    for seq in sequence:
        daemon.routed(seq)
    # It has tried to connect by the time that somebody says so in the log.
    wait_until(lambda: any("consumer.sock" in line or "ledger" in line and "connect" in line
                           for line in daemon.log().splitlines()),
               what="the log tells that the consumer cannot be reached")
    rows = daemon.query("SELECT DISTINCT state, attempts FROM deliveries")
    assert rows == [{"state": "pending", "attempts": 0}]
    consumer.start()
    for seq in sequence:
        assert daemon.delivery(seq, "ledger", timeout=60)["attempts"] == 1


def test_a_consumer_that_restarts_gets_what_it_has_not_taken(make_pair):
    daemon, consumer = make_pair()
    consumer.start()
    daemon.delivery(daemon.stored(body()), "ledger")
    consumer.stop()
    later = [daemon.stored(body()) for _ in range(5)]
    consumer.start()
    for seq in later:
        daemon.delivery(seq, "ledger", timeout=60)


def test_a_daemon_that_is_killed_delivers_again_what_was_unanswered(make_pair):
    daemon, consumer = make_pair(lambda c, d: ok(d) if d["attempt"] > 1 else None)
    consumer.start()
    seq = daemon.stored(body())
    consumer.wait_for(1)
    daemon.kill9()
    daemon.start()
    delivery = daemon.delivery(seq, "ledger")
    assert [a["outcome"] for a in daemon.attempts(delivery["delivery"])] == ["interrupted", "ok"]


RUBBISH = {
    "no JSON": b"hello\n",
    "an array": b"[]\n",
    "no delivery": b'{"status":"ok"}\n',
    "an unknown delivery": b'{"delivery":999999,"status":"ok"}\n',
    "an unknown status": b'{"delivery":1,"status":"fine"}\n',
    "an empty line": b"\n",
    "binary": bytes(range(256)) + b"\n",
    "a line without end": b"x" * 3_000_000,
    "deep nesting": b"[" * 100_000 + b"\n",
}


@pytest.mark.parametrize("rubbish", RUBBISH.values(), ids=RUBBISH.keys())
def test_rubbish_from_the_consumer_marks_nothing_done(make_pair, rubbish):
    def answer(consumer, delivery):
        return rubbish if delivery["attempt"] == 1 else ok(delivery)

    daemon, consumer = make_pair(answer, timeout="500ms")
    consumer.start()
    delivery = daemon.delivery(daemon.stored(body()), "ledger", timeout=30)
    outcomes = [a["outcome"] for a in daemon.attempts(delivery["delivery"])]
    assert len(outcomes) >= 2 and "ok" not in outcomes[:-1] and outcomes[-1] == "ok"


def test_an_answer_in_two_pieces_and_answers_in_one_are_understood(make_pair):
    gathered = []

    def answer(consumer, delivery):
        gathered.append(delivery)
        if len(gathered) == 1:
            return b'{"delivery":%d,' % delivery["delivery"]
        return b'"status":"ok"}\n' + json.dumps(ok(delivery)).encode() + b"\n"

    daemon, consumer = make_pair(answer)
    consumer.start()
    for seq in [daemon.stored(body()) for _ in range(2)]:
        assert daemon.delivery(seq, "ledger")["attempts"] == 1


def test_the_second_answer_to_a_delivery_changes_nothing(make_pair):
    daemon, consumer = make_pair(lambda c, d: [ok(d), dead(d), retry(d)])
    consumer.start()
    first = daemon.stored(body())
    daemon.delivery(first, "ledger")
    daemon.delivery(daemon.stored(body()), "ledger")
    assert daemon.delivery(first, "ledger")["attempts"] == 1


def test_the_order_within_an_evaluation_is_kept(make_pair):
    daemon, consumer = make_pair(
        lambda c, d: retry(d) if d["event_type"] == "step_0" and d["attempt"] < 3 else ok(d))
    consumer.start()
    sequence = [daemon.stored(body(f"step_{i}", eval_id="A")) for i in range(6)]
    for seq in sequence:
        daemon.delivery(seq, "ledger")
    assert [d["seq"] for d in consumer.deliveries] == [sequence[0]] * 2 + sequence


def test_a_stop_with_a_silent_consumer_does_not_hang(make_pair):
    daemon, consumer = make_pair(lambda c, d: None)
    daemon.config.update({"server": {"stop_timeout": "200ms"}})
    daemon.config.write()
    daemon.restart()
    consumer.start()
    seq = daemon.stored(body())
    consumer.wait_for(1)
    daemon.stop()
    assert daemon.value("SELECT state FROM deliveries WHERE seq = ?", seq) == "pending"


def test_a_second_connection_is_made_when_concurrency_allows(make_pair):
    held = threading.Event()

    def answer(consumer, delivery):
        held.wait(scaled(20))  # nobody is answered before two connections have something
        return ok(delivery)

    daemon, consumer = make_pair(answer, concurrency=2, window=1)
    consumer.start()
    sequence = [daemon.stored(body()) for _ in range(4)]
    consumer.wait_for(2)
    assert consumer.connections == 2
    held.set()
    for seq in sequence:
        daemon.delivery(seq, "ledger")
