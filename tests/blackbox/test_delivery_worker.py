# SPDX-License-Identifier: Apache-2.0
"""Workers: programs that are kept running and speak the line protocol, and those that misbehave."""

import contextlib
import json
import os
import re
import signal
import time

import pytest

from lib import metrics
from lib.events import body, body_of_size, encode, envelope
from lib.settings import scaled
from lib.waiting import process_is_alive, wait_until

FAST = {"retry_initial": "20ms", "retry_max": "200ms"}

# What every worker of these tests begins with. It leaves its process id in FOLDER/pids.
PRELUDE = r"""#!/usr/bin/python3
import json, os, signal, sys, time
folder = os.path.dirname(os.path.abspath(__file__))
with open(folder + "/pids", "a") as f:
    f.write(f"{os.getpid()}\n")
def say(delivery, status="ok", **more):
    os.write(1, json.dumps({"delivery": delivery, "status": status, **more}).encode() + b"\n")
def note(delivery):
    with open(folder + "/seen", "a") as f:
        f.write(json.dumps({k: v for k, v in delivery.items()}) + "\n")
"""

LOOP = PRELUDE + r"""
for line in sys.stdin:
    d = json.loads(line)
    note(d)
    say(d["delivery"])
"""

# Ends neither with its input nor by SIGTERM.
STUBBORN = LOOP.replace("for line in", "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nfor line in") \
    + "while True:\n    signal.pause()\n"


def worker(folder, text, name="worker"):
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return path


def handler(path, **more):
    return {"type": "exec", "mode": "worker", "command": path, **FAST, **more}


def pids(folder):
    path = folder / "pids"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def seen(folder):
    return [json.loads(line) for line in (folder / "seen").read_text().splitlines()]


def test_one_program_takes_all_events_and_is_started_only_for_the_first(make_daemon, folder):
    daemon = make_daemon({"handler w": handler(worker(folder, LOOP))})
    seqs = [daemon.stored(body()) for _ in range(30)]
    for seq in seqs:
        assert daemon.delivery(seq, "w")["attempts"] == 1
    assert len(pids(folder)) == 1
    assert set(seqs) <= {d["seq"] for d in seen(folder)}
    assert process_is_alive(pids(folder)[0])
    daemon.stop()
    assert not process_is_alive(pids(folder)[0])


def test_nothing_is_started_before_something_is_due(make_daemon, folder):
    daemon = make_daemon({"handler w": handler(worker(folder, LOOP), events="wanted")})
    daemon.routed(daemon.stored(body("other")))
    assert pids(folder) == []
    daemon.delivery(daemon.stored(body("wanted")), "w")
    assert len(pids(folder)) == 1


def test_the_payload_is_the_body_with_all_its_digits(make_daemon, folder):
    text = PRELUDE + r"""
for line in sys.stdin:
    with open(folder + "/raw", "a") as f:
        f.write(line)
    say(json.loads(line)["delivery"])
"""
    daemon = make_daemon({"handler w": handler(worker(folder, text))})
    raw = encode(envelope(n="N")).replace(b'"N"', b"12345678901234567890.10")
    daemon.delivery(daemon.stored(raw), "w")
    assert (folder / "raw").read_bytes().endswith(b'"payload":' + raw + b"}\n")


def test_its_environment_is_clean(make_daemon, folder):
    text = PRELUDE + r"""
for line in sys.stdin:
    with open(folder + "/env", "w") as f:
        json.dump([dict(os.environ), sorted(os.listdir("/proc/self/fd")), os.getcwd(),
                   os.getpgrp() == os.getpid()], f)
    say(json.loads(line)["delivery"])
"""
    daemon = make_daemon({"handler w": handler(worker(folder, text), env=["EXTRA=1"])},
                         environment={"LEAK": "x"})
    daemon.delivery(daemon.stored(body()), "w")
    environ, fds, cwd, leads = json.loads((folder / "env").read_text())
    assert set(environ) - {"LC_CTYPE"} == {"PATH", "LANG", "HOME", "EXTRA", "RISKHOOK_HANDLER"}
    assert environ["RISKHOOK_HANDLER"] == "w" and cwd == "/" and leads
    assert len(fds) <= 5  # 0, 1, 2, the folder that listdir reads, the file


def test_answers_are_honoured(make_daemon, folder):
    text = PRELUDE + r"""
for line in sys.stdin:
    d = json.loads(line)
    note(d)
    status = d["payload"]["data"]["decision"]
    if status == "retry" and d["attempt"] >= 3:
        status = "ok"
    say(d["delivery"], status, after=0.01, reason="because")
"""
    daemon = make_daemon({"handler w": handler(worker(folder, text), retry_initial="1h",
                                               retry_max="1h")})
    seqs = {status: daemon.stored(body(decision=status)) for status in ("ok", "retry", "dead")}
    daemon.delivery(seqs["ok"], "w")
    # `after` and not retry_initial
    assert daemon.delivery(seqs["retry"], "w")["attempts"] == 3
    dead = daemon.delivery(seqs["dead"], "w", "dead")
    assert dead["reason"] == "because"
    assert len(pids(folder)) == 1


def test_the_window_bounds_what_is_unanswered(make_daemon, folder):
    text = PRELUDE + r"""
import select
held = []
while True:
    ready = select.select([0], [], [], 0.3 if held else None)[0]
    if ready:
        data = os.read(0, 1 << 20)
        if not data:
            break
        held += [json.loads(line)["delivery"] for line in data.splitlines()]
    else:
        with open(folder + "/most", "a") as f:
            f.write(f"{len(held)}\n")
        for delivery in reversed(held):
            say(delivery)
        held = []
"""
    daemon = make_daemon({"handler w": handler(worker(folder, text), window=4, order="none")})
    for seq in [daemon.stored(body()) for _ in range(12)]:
        daemon.delivery(seq, "w", timeout=60)
    assert max(int(n) for n in (folder / "most").read_text().split()) <= 4


def test_concurrency_is_the_number_of_programs(make_daemon, folder):
    # nobody answers before there are three, so none can do the work of the others
    text = PRELUDE + r"""
for line in sys.stdin:
    while len(open(folder + "/pids").readlines()) < 3:
        time.sleep(0.01)
    say(json.loads(line)["delivery"])
"""
    daemon = make_daemon({"handler w": handler(worker(folder, text), concurrency=3, window=1)})
    for seq in [daemon.stored(body()) for _ in range(20)]:
        daemon.delivery(seq, "w")
    assert len(pids(folder)) == 3


# Bad ones. Each goes wrong the first time that it is started, and is good the second time.

BAD = {
    "exits": "sys.stdin.readline(); sys.exit(3)",
    "dies": "sys.stdin.readline(); os.kill(os.getpid(), signal.SIGSEGV)",
    "closes stdin": "sys.stdin.readline(); os.close(0); time.sleep(600)",
    "closes stdout": "sys.stdin.readline(); os.close(1); time.sleep(600)",
    "garbage": "sys.stdin.readline(); os.write(1, b'hello\\n'); time.sleep(600)",
    "long line": "sys.stdin.readline(); os.write(1, b'x' * 100000); time.sleep(600)",
    "flood": "sys.stdin.readline()\nwhile True: os.write(1, b'\\n' * 100000)",
    "half an answer": "d = json.loads(sys.stdin.readline()); "
                      "os.write(1, b'{\"delivery\":%d,\"sta' % d['delivery']); sys.exit(0)",
    "silence": "time.sleep(600)",
    "ignores term": "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)",
    "forks and leaves": "\nif os.fork(): os._exit(0)\ntime.sleep(600)",
}

TIMEOUTS = {"silence": "1s", "ignores term": "1s"}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_worker_is_replaced_and_the_event_comes_again(make_daemon, folder, what):
    text = PRELUDE + f"""
if not os.path.exists(folder + "/second"):
    open(folder + "/second", "w").close()
    {BAD[what].replace(chr(10), chr(10) + "    ")}
""" + LOOP[len(PRELUDE):]
    daemon = make_daemon({"handler w": handler(worker(folder, text), timeout=TIMEOUTS.get(what))})
    seq = daemon.stored(body())
    delivery = daemon.delivery(seq, "w", timeout=40)
    attempts = daemon.attempts(delivery["delivery"])
    assert attempts[0]["outcome"] in ("lost", "timeout") and attempts[-1]["outcome"] == "ok"
    first = pids(folder)[0]
    wait_until(lambda: not process_is_alive(first), what="the bad worker is gone")
    if what == "exits":
        assert attempts[0]["reason"] == "the program ended with exit code 3"
    if what == "dies":
        assert attempts[0]["reason"] == "the program was ended by signal 11 (SIGSEGV)"
    for child in left_behind(folder):
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def left_behind(folder):
    """Processes of a worker that has left them."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                if str(folder / "worker").encode() in f.read() and int(pid) not in pids(folder):
                    found.append(int(pid))
        except OSError:
            pass
    return found


@pytest.mark.parametrize("cut", [*range(0, 31, 3), 31, 32])
def test_a_worker_may_end_at_any_byte_of_an_answer(make_daemon, folder, cut):
    text = PRELUDE + f"""
d = json.loads(sys.stdin.readline())
answer = json.dumps({{"delivery": d["delivery"], "status": "ok"}}).encode() + b"\\n"
note(d)
if os.path.exists(folder + "/second"):
    os.write(1, answer)
else:
    open(folder + "/second", "w").close()
    os.write(1, answer[:{cut}])
"""
    daemon = make_daemon({"handler w": handler(worker(folder, text))})
    delivery = daemon.delivery(daemon.stored(body()), "w")
    answer_length = len('{"delivery": 1, "status": "ok"}\n')
    assert answer_length == 32
    assert delivery["attempts"] == (1 if cut >= answer_length else 2)


def test_answers_that_were_given_before_the_end_count(make_daemon, folder):
    text = PRELUDE + r"""
for line in sys.stdin:
    d = json.loads(line)
    note(d)
    say(d["delivery"])
    os._exit(1)
"""
    daemon = make_daemon({"handler w": handler(worker(folder, text))})
    seqs = []
    for _ in range(5):
        seqs.append(daemon.stored(body()))
        daemon.delivery(seqs[-1], "w")
    # one that goes to a program which is about to end is tried again, but nobody has read it
    assert [d["seq"] for d in seen(folder)] == seqs


def test_an_answer_given_twice_and_one_that_nobody_asked_for_are_ignored(make_daemon, folder):
    text = PRELUDE + r"""
for line in sys.stdin:
    d = json.loads(line)
    say(987654321)
    say(d["delivery"])
    say(d["delivery"], "dead")
"""
    daemon = make_daemon({"handler w": handler(worker(folder, text))})
    for seq in [daemon.stored(body()) for _ in range(10)]:
        assert daemon.delivery(seq, "w")["attempts"] == 1
    assert len(pids(folder)) == 1


@pytest.mark.parametrize("text", [PRELUDE + "sys.exit(1)\n",
                                  PRELUDE + "say(987654321); sys.exit(0)\n"])
def test_a_worker_that_dies_at_once_again_and_again_is_started_ever_more_rarely(
        make_daemon, folder, text):
    daemon = make_daemon({"handler w": handler(worker(folder, text)),
                          "handler fine": {"type": "exec", "command": "/bin/true"}})
    seq = daemon.stored(body())

    def starts():
        return metrics.read(daemon).value("riskhook_worker_starts_total")

    wait_until(lambda: starts() >= 3, what="three starts")
    daemon.delivery(seq, "fine")
    # the delays are at least 100, 200, 400 ms and so on: no busy loop
    assert 3 <= starts() <= 12
    assert daemon.log().count("does not answer; its deliveries wait") == 1


def test_a_program_that_is_not_there_uses_up_no_attempts(make_daemon, folder):
    path = folder / "worker"
    daemon = make_daemon({"handler w": handler(path)})
    seq = daemon.stored(body())
    wait_until(lambda: "does not answer" in daemon.log())
    worker(folder, LOOP)
    assert daemon.delivery(seq, "w", timeout=40)["attempts"] == 1


def test_a_poisoned_event_cannot_block_other_evaluations(make_daemon, folder):
    text = PRELUDE + r"""
for line in sys.stdin:
    d = json.loads(line)
    if d["payload"]["data"]["decision"] == "POISON":
        os._exit(9)
    say(d["delivery"])
"""
    daemon = make_daemon({"handler w": handler(worker(folder, text), retry_initial="50ms",
                                               retry_max="10s")})
    poisoned = daemon.stored(body("evaluation_paused", eval_id="A", decision="POISON"))
    behind = daemon.stored(body("evaluation_completed", eval_id="A"))
    others = [daemon.stored(body()) for _ in range(20)]
    for seq in others:
        daemon.delivery(seq, "w", timeout=60)
    states = {seq: daemon.routed(seq)["w"]["state"] for seq in (poisoned, behind)}
    assert states[behind] == "pending" and states[poisoned] in ("pending", "running")


# Standard error

def test_standard_error_goes_to_the_log_within_bounds(make_daemon, folder):
    text = PRELUDE + r"""
print("first\x1b[31m line", file=sys.stderr, flush=True)
print("y" * 5000, file=sys.stderr, flush=True)
for i in range(20000):
    print(f"flood {i}", file=sys.stderr)
sys.stderr.flush()
""" + LOOP[len(PRELUDE):]
    daemon = make_daemon({"handler w": handler(worker(folder, text))})
    daemon.delivery(daemon.stored(body()), "w")
    daemon.stop()
    log = daemon.log()
    assert "INFO w: first\\x1b[31m line handler=w" in log
    assert f"w: {'y' * 400}... handler=w" in log
    lines = sum("w: flood" in line for line in log.splitlines())
    assert 0 < lines < 1000
    left_out = [int(n) for n in re.findall(r"w: \((\d+) lines of its standard error left", log)]
    assert lines + sum(left_out) == 20000


def test_standard_error_can_be_kept_out_of_the_log(make_daemon, folder):
    text = PRELUDE + 'print("FAKEGIVEN", file=sys.stderr, flush=True)\n' + LOOP[len(PRELUDE):]
    daemon = make_daemon({"handler w": handler(worker(folder, text), log_stderr="no")})
    daemon.delivery(daemon.stored(body()), "w")
    assert "FAKEGIVEN" not in daemon.log()


# Stop

def test_a_stop_asks_first_and_kills_then(make_daemon, folder):
    stubborn = PRELUDE + r"""
signal.signal(signal.SIGTERM, lambda *_: open(folder + "/termed", "w").close())
while True:
    line = sys.stdin.readline()
    if not line:
        time.sleep(0.05)
    else:
        say(json.loads(line)["delivery"])
"""
    daemon = make_daemon({"handler w": handler(worker(folder, stubborn))})
    daemon.delivery(daemon.stored(body()), "w")
    pid = pids(folder)[0]
    daemon.stop()
    assert (folder / "termed").exists() and not process_is_alive(pid)


@pytest.mark.parametrize("ends_by", ["input", "TERM", "KILL"])
def test_a_stop_lets_a_worker_clean_up_what_it_is_at(make_daemon, folder, ends_by):
    """When stop_timeout is over; as it does a program that is run for each event."""
    busy = PRELUDE + rf"""
def on_term(*_):
    open(folder + "/termed", "w").close()
    if {ends_by == "TERM"}:
        os._exit(0)
signal.signal(signal.SIGTERM, on_term)
note(json.loads(sys.stdin.readline()))
sys.stdin.readline()
open(folder + "/at-end", "w").close()
while {ends_by != "input"}:
    time.sleep(0.05)
"""
    daemon = make_daemon({"server": {"stop_timeout": "0s"},
                          "handler w": handler(worker(folder, busy))})
    seq = daemon.stored(body())
    wait_until((folder / "seen").exists, what="it is at it")
    daemon.stop()
    assert (folder / "at-end").exists() and not process_is_alive(pids(folder)[0])
    assert (folder / "termed").exists() == (ends_by != "input")
    assert daemon.query("SELECT state, outcome FROM delivery_log WHERE seq = ?", seq) == \
        [{"state": "pending", "outcome": "interrupted"}]


def test_a_stop_ends_idle_workers_of_all_handlers_at_the_same_time(make_daemon, folder):
    """A second after SIGTERM, as those that have something to do."""
    names = [f"w{i}" for i in range(4)]
    path = worker(folder, STUBBORN)
    daemon = make_daemon({f"handler {name}": handler(path) for name in names})
    seq = daemon.stored(body())
    for name in names:
        daemon.delivery(seq, name)
    start = time.monotonic()
    daemon.stop()
    assert time.monotonic() - start < scaled(4)
    assert len(pids(folder)) == 4 and not any(map(process_is_alive, pids(folder)))


def test_a_large_payload_and_a_slow_reader(make_daemon, folder):
    text = PRELUDE + r"""
data = b""
while True:
    piece = os.read(0, 777)
    if not piece:
        break
    data += piece
    while b"\n" in data:
        line, _, data = data.partition(b"\n")
        say(json.loads(line)["delivery"])
"""
    daemon = make_daemon({"handler w": handler(worker(folder, text))})
    for seq in [daemon.stored(body_of_size(1_000_000)) for _ in range(3)]:
        daemon.delivery(seq, "w", timeout=60)


def test_workers_that_a_reload_removes_hold_nobody_up(make_daemon, folder):
    """Each has ten seconds to end, all at the same time; what has nothing to do with them goes on,
    other reloads too. A handler of the same name waits for its own."""
    names = ["w0", "w1", "w2"]
    path = worker(folder, STUBBORN)
    daemon = make_daemon({"handler true": {"type": "exec", "command": "/bin/true"},
                          **{f"handler {name}": handler(path) for name in names}})
    seq = daemon.stored(body())
    for name in names:
        daemon.delivery(seq, name)
    old = pids(folder)
    assert len(old) == 3
    (folder / "new").mkdir()
    daemon.config.update({"handler w0": {"command": worker(folder / "new", LOOP)},
                          "handler w1": None, "handler w2": None})
    daemon.config.write()
    for _ in range(2):
        assert daemon.ctl("reload").code == 0
        seq = daemon.stored(body())
        daemon.delivery(seq, "true")
    assert all(process_is_alive(pid) for pid in old)
    daemon.delivery(seq, "w0")
    assert not all(process_is_alive(pid) for pid in old)
    wait_until(lambda: not any(process_is_alive(pid) for pid in old))
