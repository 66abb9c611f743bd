# SPDX-License-Identifier: Apache-2.0
"""jq: which events a handler gets, what it gets of them, and programs that misbehave."""

import json
import pathlib
import subprocess

import pytest

from lib import metrics
from lib.consumer import Consumer
from lib.daemon import RISKHOOKCTL, RISKHOOKD, DaemonFailed, run
from lib.events import body, encode, envelope, new_id
from lib.hooks import Probe
from lib.settings import BUILD
from lib.waiting import wait_until

TRUE = {"type": "exec", "command": "/bin/true"}
DIGITS = "12345678901234567890"

# name of the handler -> its filter, what it yields for an event whose type is the handler's name
FILTERS = {
    "yes": ('.data.decision == "REVIEW"', True),
    "no": ('.data.decision == "ACCEPT"', False),
    "queue": ('.data.review_queues | index("business_review") != null', True),
    "truthy": ("1", False),  # exactly true, nothing else
    "string": ('"true"', False),
    "null": ("null", False),
    "nothing": ("empty", False),
    "first_counts": ("(true, false)", True),
    "first_counts_too": ("(false, true)", False),
    "environment": ("env == {} and $ENV == {}", True),  # a program sees nothing of the daemon
}

# -> the reason
FAILING = {
    "index": (".data.decision.x", "filter: cannot index a string"),
    "add": (". + 1", "filter: these types cannot be added"),
    "error": ('error("secret " + .data.customer)', "filter: it raised an error"),
    "object_error": ("error(.data)", "filter: it raised an error"),
    "halt": ('"x" | halt_error', "filter: it halted"),
    "input": ("input", "filter: it raised an error"),
    "assertion": ("[range(300000)] | reduce .[] as $i (0; [.]) | tojson | true",
                  "filter: it needed too much memory, or crashed jq"),
    "endless": ("[range(1e9)] | length > 0", None),  # time or memory, whichever comes first
    "loop": ("def f: f; f", "filter: it needed too much time"),
    "memory": ("[] | .[500000000] = 1 | length > 0",
               "filter: it needed too much memory, or crashed jq"),
}


# A sanitizer's shadow needs more address space than the limit, so jq has none in such a build.
if BUILD.name in ("address-undefined", "thread"):
    for unbounded in ("assertion", "endless", "memory"):
        del FAILING[unbounded]


def handlers(table, **more):
    return {f"handler {name}": {**TRUE, "events": name, "filter": row[0], **more}
            for name, row in table.items()}


@pytest.fixture(scope="module")
def daemon(make_module_daemon):
    return make_module_daemon({**handlers(FILTERS), **handlers(FAILING), "handler all": TRUE},
                              environment={"SECRET": "from the daemon's environment"})


def review(event_type, **data):
    return body(event_type, decision="REVIEW", review_queues=["x", "business_review"],
                customer="FAKEGIVEN FAKEFAMILY", **data)


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_must_yield_true(daemon, name):
    seq = daemon.stored(review(name))
    rows = daemon.routed(seq)
    assert ("all" in rows) and ((name in rows) == FILTERS[name][1])
    if FILTERS[name][1]:
        daemon.delivery(seq, name)


@pytest.mark.parametrize("name", FAILING)
def test_a_filter_that_fails_makes_a_dead_delivery_with_a_reason(daemon, name):
    seq = daemon.stored(review(name))
    daemon.delivery(seq, "all", timeout=60)  # nobody else is held up for long
    delivery = daemon.delivery(seq, name, "dead")
    expected = FAILING[name][1]
    assert delivery["outcome"] == "failed" and delivery["attempts"] == 1
    assert delivery["reason"] == expected or expected is None and \
        delivery["reason"].startswith("filter: it needed too much")
    attempts = daemon.attempts(delivery["delivery"])
    assert [(a["attempt"], a["outcome"], a["reason"]) for a in attempts] == [
        (1, "failed", delivery["reason"])]
    assert attempts[0]["ended_at"]
    # neither jq's message nor the program's own words, which quote the event
    assert "FAKEGIVEN" not in daemon.log() and "FAKEGIVEN" not in json.dumps(delivery)


def test_what_went_through_filters_is_counted(daemon):
    def counted():
        now = metrics.read(daemon)
        return [now.value("riskhook_events_filtered_total"),
                now.value("riskhook_filter_failures_total"),
                now.value("riskhook_handler_deliveries_total", handler="add", outcome="dead")]

    daemon.routed(daemon.stored(review("first_counts")))
    filtered, failures, dead = counted()
    daemon.routed(daemon.stored(review("no")))
    seq = daemon.stored(review("add"))
    daemon.delivery(seq, "add", "dead")
    wait_until(lambda: counted()[2] > dead, what="it is counted, after the commit")
    assert counted() == [filtered + 1, failures + 1, dead + 1]
    daemon.wait_log(f"delivery is dead: filter: these types cannot be added seq={seq} ")


def test_a_dead_delivery_of_a_filter_does_not_hold_its_evaluation_up(make_daemon):
    daemon = make_daemon({"handler ordered": {**TRUE, "filter": ".data.n + 1 > 0"}})
    eval_id = new_id()
    first = daemon.stored(body("evaluation_paused", eval_id=eval_id, n={}))
    second = daemon.stored(body("evaluation_completed", eval_id=eval_id, n=1))
    daemon.delivery(first, "ordered", "dead")
    daemon.delivery(second, "ordered")


def test_a_filter_that_was_slow_gets_its_second_again(make_daemon):
    """After some that never end it gets 60 ms, which this one exceeds, but not for ever."""
    daemon = make_daemon({"handler slow": {
        **TRUE, "filter": "def f: f; if .data.n == 0 then f else last(range(.data.n)) > 0 end"}})
    n = 500_000
    daemon.delivery(daemon.stored(body(n=n)), "slow", "done")
    for _ in range(5):
        daemon.delivery(daemon.stored(body(n=0)), "slow", "dead")
    daemon.delivery(daemon.stored(body(n=n)), "slow", "dead")

    def is_done():
        seq = daemon.stored(body(n=n))
        return wait_until(lambda: next((row for row in daemon.query(
            "SELECT state FROM deliveries WHERE seq = ? AND state IN ('done', 'dead')", seq)),
            None))["state"] == "done"

    wait_until(is_done, timeout=60)


def test_runaway_filters_do_not_stop_the_daemon(make_daemon):
    daemon = make_daemon({"handler runaway": {**TRUE, "filter": "def f: f; f"},
                          "handler fine": {**TRUE, "concurrency": 8}})
    seqs = [daemon.stored(body()) for _ in range(30)]
    for seq in seqs:
        daemon.delivery(seq, "fine", timeout=90)
        daemon.delivery(seq, "runaway", "dead", timeout=90)


def jq_processes(daemon):
    """The jq processes of a daemon, and their forks."""
    found = subprocess.run(["ps", "-e", "-o", "pid=,ppid=,args="], capture_output=True, check=True,
                           text=True).stdout
    rows = [line.split(None, 2) for line in found.splitlines()]
    rows = [(int(pid), int(ppid)) for pid, ppid, args in rows if args.startswith("riskhookd-jq")]
    hosts = {pid for pid, ppid in rows if ppid == daemon.pid}
    return hosts, {pid for pid, ppid in rows if ppid in hosts}


def test_the_jq_process_is_replaced_when_it_is_killed_and_ends_with_the_daemon(make_daemon):
    daemon = make_daemon({"handler h": {**TRUE, "filter": "true"}})
    daemon.delivery(daemon.stored(body()), "h")
    for which in (0, 1):
        for pid in jq_processes(daemon)[which]:
            subprocess.run(["kill", "-9", str(pid)], check=True)
        daemon.delivery(daemon.stored(body()), "h")
    hosts, forks = jq_processes(daemon)
    assert len(hosts) == 1 and len(forks) == 1
    daemon.kill9()
    wait_until(lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in hosts | forks),
               what="the jq process has ended")


# Transforms

@pytest.fixture(scope="module")
def probe(tmp_path_factory):
    return Probe(tmp_path_factory.mktemp("hooks") / "probe")


def test_a_program_gets_the_transform_s_first_output(make_daemon, probe):
    text = '{eval_id: .data.eval_id, n: .data.n}, "not this"'
    daemon = make_daemon({
        "handler changed": {"type": "exec", "command": probe.command, "transform": text},
        "handler raw": {"type": "exec", "command": probe.command}})
    event = envelope(eval_id="e-1", n="N")
    raw = encode(event).replace(b'"N"', DIGITS.encode() + b".10")
    seq = daemon.stored(raw)
    changed = probe.result("changed", daemon.delivery(seq, "changed")["delivery"]).stdin
    # jq's numbers are doubles; the raw body is the sender's
    assert changed == b'{"eval_id":"e-1","n":12345678901234567000}'
    assert probe.result("raw", daemon.delivery(seq, "raw")["delivery"]).stdin == raw


def test_a_consumer_gets_the_transform_s_output_as_payload(make_daemon, folder):
    with Consumer(folder / "changed.sock") as changed, Consumer(folder / "raw.sock") as raw:
        daemon = make_daemon({
            "handler changed": {"type": "unix", "socket": changed.path, "transform": ".data.n"},
            "handler raw": {"type": "unix", "socket": raw.path}})
        data = encode(envelope(n="N")).replace(b'"N"', DIGITS.encode())
        seq = daemon.stored(data)
        for handler in ("changed", "raw"):
            daemon.delivery(seq, handler)
        assert changed.lines[0].endswith(b'"payload":12345678901234567000}\n')
        assert raw.lines[0].endswith(b'"payload":' + data + b"}\n")


@pytest.mark.parametrize("kind", ["exec", "unix"])
@pytest.mark.parametrize("text, reason", [
    (".data.eval_id.x", "transform: cannot index a string"),
    ("empty", "transform: it has no output"),
    ("def f: f; f", "transform: it needed too much time"),
])
def test_a_transform_that_fails_is_dead_with_the_reason(make_daemon, folder, kind, text, reason):
    with Consumer(folder / "c.sock") as consumer:
        target = {"exec": {"command": "/bin/false"}, "unix": {"socket": consumer.path}}[kind]
        daemon = make_daemon({"handler h": {"type": kind, "transform": text, **target},
                              "handler fine": TRUE})
        seq = daemon.stored(body())
        delivery = daemon.delivery(seq, "h", "dead")
        assert (delivery["outcome"], delivery["reason"]) == ("dead", reason)
        assert len(daemon.attempts(delivery["delivery"])) == 1
        daemon.delivery(seq, "fine")
        assert consumer.deliveries == []


# Configuration

BAD = {
    "syntax": (".data.x ==", "syntax error"),
    "unknown function": (".data | foo", "foo/0 is not defined"),
    "import": ('import "x" as x; .', "module not found"),
    "quote": ('"abc', "syntax error"),
}


@pytest.mark.parametrize("option", ["filter", "transform"])
@pytest.mark.parametrize("what", BAD)
def test_a_program_that_does_not_compile_is_a_configuration_error(make_daemon, option, what):
    text, message = BAD[what]
    daemon = make_daemon({"handler good": {**TRUE, "filter": "true"},
                          "handler bad": {**TRUE, option: text}}, start=False)
    lines = daemon.config.path.read_text().splitlines()
    line = lines.index(f"{option} = {text}") + 1
    wanted = f"{daemon.config.path}:{line}: [handler bad]: '{option}': "
    for program, *args in ((RISKHOOKD, "--check"), (RISKHOOKCTL, "check-config")):
        result = run(program, "-c", daemon.config.path, *args)
        assert result.code == 1 and wanted in result.err and message in result.err
        assert len(result.err.splitlines()) == 1
    with pytest.raises(DaemonFailed) as failed:
        daemon.start()
    assert failed.value.code == 1 and wanted in failed.value.output


def test_good_programs_pass_the_checks(make_daemon):
    daemon = make_daemon({"handler good": {**TRUE, "filter": 'test("x"; "i")?',
                                           "transform": "[limit(2;.data[])]"}}, start=False)
    assert run(RISKHOOKD, "-c", daemon.config.path, "--check").code == 0
    assert run(RISKHOOKCTL, "-c", daemon.config.path, "check-config").code == 0
