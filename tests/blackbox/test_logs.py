# SPDX-License-Identifier: Apache-2.0
"""The log tells an operator what happened to each event, and tells nobody what was in it."""

import fcntl
import json
import os
import re
import socket
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


class Pipe:
    """Standard error of a daemon, which nobody reads before begin()."""

    def __init__(self):
        self.reader, self.writer = os.pipe()
        fcntl.fcntl(self.writer, fcntl.F_SETPIPE_SZ, 4096)
        self._thread = threading.Thread(target=self._read)
        self._said = b""

    def _read(self):
        with open(self.reader, "rb") as stream:
            self._said = stream.read()

    def begin(self):
        self._thread.start()

    def lines(self):
        """All lines, once the daemon has ended."""
        self._thread.join()
        return self._said.decode().splitlines()


class Journal:
    """What journald would get (systemd.journal-fields(7)): one datagram an entry, read from begin()
    on. Its socket is where it belongs in the eyes of a daemon that is started with `prefix`."""

    def __init__(self, folder):
        run = folder / "run"
        path = run / "systemd/journal/socket"
        path.parent.mkdir(parents=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        path.chmod(0o666)
        self.prefix = ["unshare", "--mount", "sh", "-c", f'mount --bind {run} /run && exec "$0" "$@"']
        self.entries = []
        self._thread = threading.Thread(target=self._read)

    def _read(self):
        while data := self._socket.recv(65536):
            fields = (line.split("=", 1) for line in data.decode().splitlines())
            self.entries.append(dict(fields))

    def begin(self):
        self._thread.start()

    def end(self):
        """All that was sent is in `entries`."""
        if self._thread.is_alive():
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
                last.sendto(b"", self._socket.getsockname())
            self._thread.join()
        self._socket.close()


@pytest.fixture
def journal(folder):
    if os.geteuid() != 0:
        pytest.skip("only root can put a socket in the journal's place")
    made = Journal(folder)
    yield made
    made.end()


def journaling(make_daemon, journal):
    daemon = make_daemon({"log": {"format": "journal"}}, start=False, prefix=journal.prefix)
    stat = daemon.log_path.stat() # its standard error, as systemd would say of a stream of its own
    daemon.environment["JOURNAL_STREAM"] = f"{stat.st_dev}:{stat.st_ino}"
    daemon.start()
    return daemon


def post_many(daemon, n):
    with daemon.connect() as connection:
        for _ in range(n):
            assert connection.request("POST", ENDPOINT, body(), daemon.headers()).status == 200


def test_the_journal_gets_fields(make_daemon, journal):
    journal.begin()
    daemon = journaling(make_daemon, journal)
    seq = daemon.stored(body(event_id="an-id-of-this-test"))
    daemon.post(body(), auth=None)
    daemon.stop()
    journal.end()
    assert daemon.log() == "", "nothing on standard error"
    stored = next(e for e in journal.entries if e["MESSAGE"].startswith("stored"))
    assert stored["PRIORITY"] == "6" and stored["RISKHOOK_SEQ"] == str(seq)
    assert stored["RISKHOOK_EVENT_ID"] == "an-id-of-this-test"
    assert stored["RISKHOOK_ENDPOINT"] == "riskos" and stored["RISKHOOK_STATUS"] == "200"
    refused = next(e for e in journal.entries if e.get("RISKHOOK_STATUS") == "401")
    assert refused["PRIORITY"] == "4" and "RISKHOOK_SEQ" not in refused
    order = [e["MESSAGE"] for e in journal.entries]
    assert "is ready" in order[0] and order[-1] == "stopped"
    assert order.index(stored["MESSAGE"]) < order.index(refused["MESSAGE"])


def test_a_journal_that_is_stuck_stops_no_event(make_daemon, journal):
    """Every event is answered 200 although its entry has no room; how many entries are missing is
    told once the journal goes on."""
    daemon = journaling(make_daemon, journal)
    post_many(daemon, 1200)
    journal.begin()
    daemon.stop()
    journal.end()
    told = [e["MESSAGE"] for e in journal.entries]
    dropped = sum(int(text.split()[0]) for text in told if "lines of the log were dropped" in text)
    assert dropped > 0
    assert sum(text.startswith("stored") for text in told) + dropped == 1200


def test_a_reader_of_the_log_that_is_stuck_stops_no_event(make_daemon):
    """The same with lines."""
    pipe = Pipe()
    daemon = make_daemon(start=False, preexec=lambda: os.dup2(pipe.writer, 2))
    daemon.start()
    os.close(pipe.writer)
    post_many(daemon, 2800)
    pipe.begin()
    daemon.stop()
    lines = pipe.lines()
    told = (re.search(r"WARNING (\d+) lines of the log were dropped", line) for line in lines)
    dropped = sum(int(found.group(1)) for found in told if found)
    assert dropped > 0
    assert sum("INFO stored" in line for line in lines) + dropped == 2800
