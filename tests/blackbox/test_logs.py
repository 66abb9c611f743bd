# SPDX-License-Identifier: Apache-2.0
"""The log tells an operator what happened to each event, and tells nobody what was in it."""

import fcntl
import json
import os
import re
import threading

import pytest

from lib.client import basic, bearer
from lib.config import ENDPOINT
from lib.consumer import Consumer
from lib.events import body, encode, envelope, fixtures
from lib.hooks import script
from lib.waiting import wait_until

# Keys whose values a log may hold: ids, types, and what configuration talks about.
LOGGABLE = {"event_id", "eventReferenceId", "eval_id", "event_type", "eventType", "workflow",
            "environment_name", "environmentName", "decision", "status", "sub_status",
            "eval_status", "evaluation_status"}


def texts(value, key=None):
    """All texts in a JSON value, except those under loggable keys."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from texts(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner, key)
    elif isinstance(value, str) and key not in LOGGABLE:
        yield value


def forbidden_texts():
    found, allowed = set(), set()
    for f in fixtures():
        found.update(texts(json.loads(f.body)))
        allowed.update(str(value) for value in f.expect.values())
    # Short words ("open", "USA", "fixture") could be there for any reason.
    return {text for text in found - allowed if len(text) >= 10}


def all_kinds_of_traffic(daemon, consumer_path):
    """Everything that makes the daemon log; returns seq -> body of what was stored."""
    stored = {daemon.stored(f.body): f.body for f in fixtures()}
    daemon.post(fixtures()[0].body)
    daemon.post(fixtures()[0].body.replace(b"FAKEGIVEN", b"FAKEGIVEN FAKEFAMILY"))
    daemon.post(b'{"firstName":"FAKEGIVEN",')
    source = daemon.new_source()
    daemon.post(fixtures()[0].body, auth=None, source=source)
    daemon.post(fixtures()[0].body, auth=bearer("guess-of-an-attacker"), source=source)
    daemon.post(fixtures()[0].body, auth=basic("user-of-an-attacker", "guess-of-an-attacker"),
                source=source)
    daemon.post(fixtures()[0].body, {"Content-Type": "text/nobody-secret"})
    daemon.post(fixtures()[0].body, path="/path?customer=customer-in-query")
    with Consumer(consumer_path):
        for seq in stored:
            for handler in daemon.routed(seq):
                state = "dead" if handler == "refusing" else "done"
                daemon.delivery(seq, handler, state, timeout=40)
    return stored


@pytest.fixture(scope="module", params=["text", "json", "journal"])
def traffic(make_module_daemon, tmp_path_factory, request):
    """(format, log lines, seq -> body) of a daemon that has seen everything, at level debug."""
    folder = tmp_path_factory.mktemp("hooks")
    noisy = script(folder, "noisy", "cat; exit 0\n")
    refusing = script(folder, "refusing", "cat >&2; exit 65\n")
    daemon = make_module_daemon(start=False)
    socket = daemon.folder / "consumer.sock"
    daemon.config.update({
        "log": {"format": request.param, "level": "debug"},
        "handler noisy": {"type": "exec", "command": noisy},
        "handler refusing": {"type": "exec", "command": refusing},
        "handler ledger": {"type": "unix", "socket": socket, "retry_initial": "20ms",
                           "retry_max": "100ms"}})
    daemon.config.write()
    daemon.start()
    stored = all_kinds_of_traffic(daemon, socket)
    daemon.stop()
    return request.param, daemon.log().splitlines(), stored


def test_no_value_of_a_body_is_in_the_log(traffic):
    _, lines, _ = traffic
    log = "\n".join(lines)
    leaks = sorted(text for text in forbidden_texts() if text in log)
    assert leaks == []


def test_no_customer_id_is_in_the_log(traffic):
    _, lines, _ = traffic
    for line in lines:
        assert not re.search(r"fixture-(req|user|ping|individual)", line), line


def test_nothing_that_an_attacker_tried_is_in_the_log(traffic):
    _, lines, _ = traffic
    log = "\n".join(lines)
    for text in ("guess-of-an-attacker", "customer-in-query"):
        assert text not in log
    assert not re.search(r"(Basic|Bearer) +[A-Za-z0-9+/=_-]{12,}", log, re.IGNORECASE)


def ids(form, line):
    """The ids that a line carries, as texts."""
    if form == "json":
        return {key: str(value) for key, value in json.loads(line).items()}
    return dict(re.findall(r"\b([a-z_]+)=(\S+)", line))


def test_each_stored_event_has_exactly_one_line_with_its_ids(traffic):
    form, lines, stored = traffic
    told = [ids(form, line) for line in lines if re.search(r"\bstored\b", line)
            and not re.search("duplicate|conflict", line)]
    for seq in stored:
        mine = [line for line in told if line.get("seq") == str(seq)]
        assert len(mine) == 1, mine
        assert mine[0]["event_id"] and mine[0]["event_type"]


def test_each_delivery_has_a_line_with_its_handler(traffic):
    form, lines, stored = traffic
    seq = str(next(iter(stored)))
    told = [line for line in (ids(form, line) for line in lines)
            if line.get("seq") == seq and "handler" in line]
    assert {line["handler"] for line in told} == {"noisy", "refusing", "ledger"}
    assert all(line["delivery"] for line in told)


def test_duplicates_conflicts_and_refusals_have_lines(traffic):
    _, lines, _ = traffic
    for word in ("duplicate", "conflict", "quarantine", "401"):
        assert any(word in line for line in lines), word


def test_every_line_has_the_form_of_its_format(traffic):
    form, lines, _ = traffic
    for line in lines:
        if form == "json":
            assert isinstance(json.loads(line), dict)
        else:  # `journal` is text when nobody from the journal listens
            assert re.match(r"\S+Z (ERROR|WARNING|NOTICE|INFO|DEBUG) \S", line), line


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_sender_cannot_forge_a_line(make_daemon, form):
    daemon = make_daemon({"log": {"format": form, "level": "debug"},
                          "handler true": {"type": "exec", "command": "/bin/true"}})
    evil = "x\nforged: listening on https://evil\r\x1b[31m\u2028\x00y"
    event = envelope(evil, event_id=evil, eval_id=evil, decision=evil, workflow=evil)
    daemon.delivery(daemon.stored(encode(event)), "true")
    daemon.post(encode(event), auth=evil.split("\n")[0], path="/%1b%0a", source="127.9.9.9")
    daemon.stop()
    log = daemon.log_path.read_bytes()
    assert b"\x1b" not in log and b"\x00" not in log and b"\r" not in log
    for line in log.split(b"\n"):
        assert not line.startswith(b"forged")


def test_a_changed_level_changes_what_is_told(make_daemon):
    daemon = make_daemon({"log": {"format": "text", "level": "warning"}})
    seq = daemon.stored(body())
    daemon.stop()
    assert f"seq={seq}" not in daemon.log()


def test_the_outcome_of_a_delivery_is_logged_with_its_reason(make_daemon, folder):
    hook = script(folder, "hook", "exit 65\n")
    daemon = make_daemon({"handler refusing": {"type": "exec", "command": hook}})
    seq = daemon.stored(body())
    delivery = daemon.delivery(seq, "refusing", "dead")
    wait_until(lambda: any(f"delivery={delivery['delivery']}" in line and "handler=refusing" in line
                           and "dead" in line for line in daemon.log().splitlines()),
               what="a line tells of the dead delivery")


@pytest.fixture
def stuck_log():
    """(writing end, function that begins to read and returns what came when all is over)"""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    said = []

    def read():
        with open(reader, "rb") as stream:
            said.append(stream.read())

    thread = threading.Thread(target=read)

    def collect():
        thread.join()
        return said[0].decode()

    yield writer, thread.start, collect


def test_a_reader_of_the_log_that_is_stuck_stops_no_event(make_daemon, stuck_log):
    """Every event is answered 200 although its line has no room; how many lines are missing is
    told once the reader goes on."""
    writer, begin_to_read, collect = stuck_log
    daemon = make_daemon(start=False, preexec=lambda: os.dup2(writer, 2))
    daemon.start()
    os.close(writer)
    n = 1500 # lines of more than 200 bytes: more than the pipe and the queue hold
    with daemon.connect() as connection:
        for _ in range(n):
            assert connection.request("POST", ENDPOINT, body(), daemon.headers()).status == 200
    begin_to_read()
    daemon.stop()
    log = collect()
    dropped = re.search(r"WARNING (\d+) lines of the log were dropped", log)
    assert dropped
    assert len(re.findall("INFO stored", log)) + int(dropped.group(1)) == n
