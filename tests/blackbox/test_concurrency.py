# SPDX-License-Identifier: Apache-2.0
"""Posts at the same moment: one winner, and everybody gets an answer that is true."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.client import UnbufferedSocket, head, read_response
from lib.config import ENDPOINT
from lib.events import body, body_of_size, encode, envelope, new_id
from lib.settings import scaled

THREADS = 16


@pytest.fixture(scope="module")
def daemon(make_module_daemon):
    return make_module_daemon({"endpoint once": {"path": "/once", "dedup": "evaluation"},
                               "credential once": {"endpoint": "once", "type": "bearer",
                                                   "token_file": "token"}})


def post_at_once(daemon, bodies, path=ENDPOINT, auth="bearer"):
    """One connection a body; all are up before any sends. Returns the answers in order."""
    barrier = threading.Barrier(len(bodies), timeout=scaled(60))

    def post(data):
        with daemon.connect() as connection:
            barrier.wait()
            return connection.request("POST", path, data, daemon.headers(auth=auth))

    with ThreadPoolExecutor(len(bodies)) as pool:
        return list(pool.map(post, bodies))


def test_the_same_event_at_once_is_stored_once(daemon):
    for _ in range(10):
        event_id = new_id()
        answers = post_at_once(daemon, [body(event_id=event_id, id="c", eval_id="e")] * THREADS)
        assert Counter(a.result for a in answers) == {"stored": 1, "duplicate": THREADS - 1}
        assert len({a.seq for a in answers}) == 1
        rows = daemon.query("SELECT duplicates FROM events WHERE event_id = ?", event_id)
        assert rows == [{"duplicates": THREADS - 1}]


def test_one_key_with_different_bodies_keeps_the_first_and_shows_the_others(daemon):
    event = envelope()
    bodies = []
    for i in range(THREADS):
        event["data"]["notes"] = f"version {i}"
        bodies.append(encode(event))
    answers = post_at_once(daemon, bodies)
    assert Counter(a.result for a in answers) == {"stored": 1, "conflict": THREADS - 1}
    assert len({a.seq for a in answers}) == 1
    seq = answers[0].seq
    winner = next(data for a, data in zip(answers, bodies) if a.result == "stored")
    assert daemon.payload(seq) == winner

    conflicts = [row for row in daemon.ctl_rows("conflicts") if row["seq"] == seq]
    assert len(conflicts) == THREADS - 1
    assert set(conflicts[0]) == {"conflict", "seq", "event_id", "event_type", "eval_id", "endpoint",
                                 "credential", "address", "received_at", "posts", "bytes",
                                 "body_sha256"}
    kept = {row["body"] for row in
            daemon.query("SELECT body FROM conflicts WHERE seq = ?", seq)}
    assert kept == set(bodies) - {winner}
    assert [row["duplicates"] for row in
            daemon.query("SELECT duplicates FROM events WHERE seq = ?", seq)] == [0]


def test_a_conflicting_body_again_is_counted_not_kept_twice(daemon):
    event = envelope()
    seq = daemon.stored(encode(event))
    event["data"]["notes"] = "another"
    for _ in range(3):
        assert daemon.post(encode(event)).result == "conflict"
    assert daemon.query("SELECT posts FROM conflicts WHERE seq = ?", seq) == [{"posts": 3}]


def test_white_space_makes_another_body(daemon):
    # The bytes are what was sent; whether two texts mean the same is not ours to judge.
    data = body()
    daemon.stored(data)
    assert daemon.post(b" " + data).result == "conflict"


@pytest.mark.parametrize("size", [3000, 50_000], ids=["raw", "compressed"])
def test_copies_and_another_body_of_the_same_size_at_once(daemon, size):
    one = body_of_size(size)
    other = one[:-10] + b"y" + one[-9:]
    answers = post_at_once(daemon, [one, other] * (THREADS // 2))
    results = [a.result for a in answers]
    assert Counter(results) == {"stored": 1, "duplicate": THREADS // 2 - 1,
                                "conflict": THREADS // 2}
    assert len({a.seq for a in answers}) == 1
    first = results.index("stored")
    assert "conflict" not in results[first % 2::2], "none of one body, all of the other"
    assert daemon.payload(answers[0].seq) == (one, other)[first % 2]


def test_dedup_by_evaluation_takes_one_event_per_evaluation_and_type(daemon):
    eval_id = new_id()
    bodies = [body(eval_id=eval_id) for _ in range(THREADS)]
    answers = post_at_once(daemon, bodies, path="/once")
    results = Counter(a.result for a in answers)
    assert results == {"stored": 1, "conflict": THREADS - 1}
    assert len({a.seq for a in answers}) == 1
    other_type = daemon.post(body("decision_update", eval_id=eval_id), auth="bearer", path="/once")
    assert other_type.result == "stored"
    other_evaluation = daemon.post(body(), auth="bearer", path="/once")
    assert other_evaluation.result == "stored"


def test_64_connections_with_events_of_their_own_are_all_stored(daemon):
    def post_some(n):
        with daemon.connect() as connection:
            answers = []
            for i in range(10):
                data = body(event_id=f"many-{n}-{i}")
                answers.append(connection.request("POST", ENDPOINT, data, daemon.headers()))
            return answers

    with ThreadPoolExecutor(64) as pool:
        answers = [a for some in pool.map(post_some, range(64)) for a in some]
    assert Counter(a.result for a in answers) == {"stored": 640}
    assert len({a.seq for a in answers}) == 640
    assert daemon.value("SELECT count(*) FROM events WHERE event_id LIKE 'many-%'") == 640


def test_pipelines_at_once_are_each_answered_in_their_order(daemon):
    """20 requests on each connection before any answer is read."""
    barrier = threading.Barrier(THREADS, timeout=scaled(60))

    def pipeline(n):
        ids = [f"pipeline-{n}-{i}" for i in range(20)]
        bodies = [body(event_id=event_id) for event_id in ids]
        wire = b"".join(head("POST", ENDPOINT, {**daemon.headers(), "Content-Length": len(data)})
                        + data for data in bodies)
        with daemon.open_socket() as sock:
            barrier.wait()
            sock.sendall(wire)
            stream = UnbufferedSocket(sock)
            answers = [read_response(stream) for _ in ids]
        assert [a.json()["event_id"] for a in answers] == ids
        sequence = [a.seq for a in answers]
        assert sequence == sorted(sequence)
        return sequence

    with ThreadPoolExecutor(THREADS) as pool:
        sequences = list(pool.map(pipeline, range(THREADS)))
    assert len({seq for sequence in sequences for seq in sequence}) == 20 * THREADS
