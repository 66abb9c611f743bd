# SPDX-License-Identifier: Apache-2.0
"""Programs as handlers: what they are given, and what becomes of what they say."""

import json
import os
import signal

import pytest

from lib.events import body, encode, envelope, fixture, new_id
from lib.hooks import Probe, script
from lib.settings import BUILD
from lib.waiting import process_is_alive, wait_until

ENVIRONMENT = {"PATH", "LANG", "HOME", "RISKHOOK_SEQ", "RISKHOOK_EVENT_ID", "RISKHOOK_EVENT_TYPE",
               "RISKHOOK_CATEGORY", "RISKHOOK_EVAL_ID", "RISKHOOK_CUSTOMER_ID", "RISKHOOK_DECISION",
               "RISKHOOK_WORKFLOW", "RISKHOOK_ENVIRONMENT", "RISKHOOK_ENDPOINT",
               "RISKHOOK_HANDLER", "RISKHOOK_DELIVERY_ID", "RISKHOOK_ATTEMPT",
               "RISKHOOK_RECEIVED_AT", "RISKHOOK_TEST",
               "RISKHOOK_REPLAY"}

ATTEMPT_KEYS = {"attempt", "delivery", "started_at", "ended_at", "outcome", "code", "signal",
                "reason", "output", "output_cut"}

FAST = {"retry_initial": "20ms", "retry_max": "100ms"}


@pytest.fixture(scope="module")
def probe(module_folder):
    return Probe(module_folder / "probe")


@pytest.fixture(scope="module")
def module_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("hooks")


@pytest.fixture(scope="module")
def daemon(make_module_daemon, module_folder, probe):
    """One daemon with a handler for each behaviour, chosen by an event type of the same name."""
    leak_read, leak_write = os.pipe()

    def hook(name, text, **options):
        path = script(module_folder, name, text)
        return {f"handler {name}": {"type": "exec", "command": path, "events": name, **FAST,
                                    **options}}

    sections = {"handler probe": {"type": "exec", "command": probe.command, "test_events": "yes",
                                  "events": "probe, evaluation_completed",
                                  "env": ["EXTRA=a value = with signs", "EMPTY="]}}
    words = r"""'a b' "c \"d\" \\" e\ f $HOME * ~ '' a'b'"c" """
    sections["handler quoting"] = {"type": "exec", "events": "quoting",
                                   "command": f"{probe.command} {words}"}
    for code in (64, 65, 77, 78):
        sections.update(hook(f"exit_{code}", f"echo because; exit {code}\n"))
    for code in (75, 1, 127):
        sections.update(hook(f"retry_{code}", f'[ "$RISKHOOK_ATTEMPT" -ge 3 ] || exit {code}\n'))
    sections.update(hook("killed", '[ "$RISKHOOK_ATTEMPT" -ge 2 ] || kill -9 $$\n'))
    sections.update(hook("give_up", "exit 75\n", retry_for="0s"))
    sections.update(hook("output", "echo to stdout; echo to stderr >&2\n"))
    sections.update(hook("flood", "echo begins; head -c 200000 /dev/zero | tr '\\0' x; echo ends\n"))
    sections.update(hook("binary", "printf 'a\\000b\\377c'\n"))
    sections.update(hook("deaf", "exec <&-; exit 0\n"))
    sections.update(hook("detached", "setsid sleep 600 & "
                                     f"echo $! > {module_folder}/detached.pid\n"))
    # again until the 300 ms have sufficed to leave the number
    slow, stubborn = module_folder / "slow.pid", module_folder / "stubborn.pid"
    sections.update(hook("slow", f"[ ! -s {slow} ] || exit 65; sleep 600 & "
                         f"echo $! > {slow}; wait\n", timeout="300ms"))
    sections.update(hook("stubborn", f"[ ! -s {stubborn} ] || exit 65; trap '' TERM; sleep 600 & "
                         f"echo $! > {stubborn}; while :; do wait; done\n", timeout="300ms"))
    sections["handler absent"] = {"type": "exec", "command": "/nonexistent/program",
                                  "events": "absent", "retry_for": "0s"}
    daemon = make_module_daemon(sections, pass_fds=(leak_read,),
                                environment={"LEAK": "from the daemon's environment"})
    yield daemon
    os.close(leak_read)
    os.close(leak_write)


def delivered(daemon, handler, **fields):
    """Post an event for a handler and wait until it is done. Returns the delivery."""
    seq = daemon.stored(body(handler, **fields))
    return daemon.delivery(seq, handler)


# What a program is given

@pytest.mark.parametrize("file", ["evaluation_completed.json", "evaluation_completed_large.json",
                                  "evaluation_completed_no_event_id.json"])
def test_stdin_is_the_body_byte_for_byte(daemon, probe, file):
    raw = fixture(file).body
    delivery = daemon.delivery(daemon.stored(raw), "probe")
    assert probe.result("probe", delivery["delivery"]).stdin == raw


def test_stdin_takes_a_body_larger_than_any_pipe(daemon, probe):
    raw = body("probe", padding="x" * 2_000_000)
    delivery = daemon.delivery(daemon.stored(raw), "probe")
    assert probe.result("probe", delivery["delivery"]).stdin == raw


@pytest.mark.parametrize("size", [0, 60_000, 900_000])
def test_stdin_is_whole_when_the_daemon_is_killed(make_daemon, folder, size):
    hook = script(folder, "hook", f"""
        if [ "$RISKHOOK_ATTEMPT" = 1 ]; then
            until [ -e {folder}/answered ]; do sleep 0.05; done
            kill -9 $PPID
        fi
        cat > {folder}/body-$RISKHOOK_ATTEMPT.part
        mv {folder}/body-$RISKHOOK_ATTEMPT.part {folder}/body-$RISKHOOK_ATTEMPT
        """)
    daemon = make_daemon({"handler h": {"type": "exec", "command": hook, **FAST}})
    raw = body(padding="x" * size)
    daemon.stored(raw)
    (folder / "answered").touch()  # the hook may be quicker than the 200
    first = folder / "body-1"
    wait_until(first.exists, what="the program has read all that came")
    assert first.read_bytes() == raw
    daemon.kill9()  # which the hook has done
    daemon.start()
    second = folder / "body-2"
    wait_until(second.exists, what="it comes again")
    assert second.read_bytes() == raw


def test_the_environment_is_the_documented_one_and_nothing_else(daemon, probe):
    event = envelope("probe", id="customer-1", decision="REVIEW", workflow="onboarding")
    seq = daemon.stored(encode(event))
    delivery = daemon.delivery(seq, "probe")
    environ = probe.result("probe", delivery["delivery"]).environ
    assert set(environ) == ENVIRONMENT | {"EXTRA", "EMPTY"}
    shown = daemon.show(seq)
    assert environ["RISKHOOK_SEQ"] == str(seq)
    assert environ["RISKHOOK_EVENT_ID"] == event["event_id"]
    assert environ["RISKHOOK_EVENT_TYPE"] == "probe"
    assert environ["RISKHOOK_CATEGORY"] == "unknown"
    assert environ["RISKHOOK_EVAL_ID"] == event["data"]["eval_id"]
    assert environ["RISKHOOK_CUSTOMER_ID"] == "customer-1"
    assert environ["RISKHOOK_DECISION"] == "REVIEW"
    assert environ["RISKHOOK_WORKFLOW"] == "onboarding"
    assert environ["RISKHOOK_ENVIRONMENT"] == "Sandbox"
    assert environ["RISKHOOK_ENDPOINT"] == "riskos"
    assert environ["RISKHOOK_HANDLER"] == "probe"
    assert environ["RISKHOOK_DELIVERY_ID"] == str(delivery["delivery"])
    assert environ["RISKHOOK_ATTEMPT"] == "1"
    assert environ["RISKHOOK_RECEIVED_AT"][:19] == shown["received_at"][:19]
    assert environ["RISKHOOK_RECEIVED_AT"].endswith("Z")
    assert environ["RISKHOOK_TEST"] in ("0", "false", "no")
    assert environ["EXTRA"] == "a value = with signs"
    assert environ["EMPTY"] == ""


def test_what_the_sender_did_not_give_is_empty(daemon, probe):
    seq = daemon.stored(b'{"event_type":"probe","n":"%s"}' % new_id().encode())
    environ = probe.result("probe", daemon.delivery(seq, "probe")["delivery"]).environ
    assert set(environ) == ENVIRONMENT | {"EXTRA", "EMPTY"}
    for name in ("EVAL_ID", "CUSTOMER_ID", "DECISION", "WORKFLOW", "ENVIRONMENT"):
        assert environ[f"RISKHOOK_{name}"] == ""
    assert environ["RISKHOOK_EVENT_ID"].startswith("sha256:")


def test_the_test_ping_is_marked(daemon, probe):
    seq = daemon.stored(fixture("test_ping_evaluation_completed.json").body)
    environ = probe.result("probe", daemon.delivery(seq, "probe")["delivery"]).environ
    assert environ["RISKHOOK_TEST"] in ("1", "true", "yes")


@pytest.mark.parametrize("nasty", ["line\nbreak", "\x1b[31mred", "nul\0inside", "\x7f\t\r",
                                   "$(reboot) `id` ; | & > <", "x" * 3000])
def test_values_in_the_environment_are_printable(daemon, probe, nasty):
    seq = daemon.stored(body("probe", decision=nasty, workflow=nasty, id=nasty, eval_id=nasty,
                             event_id=nasty + new_id()))
    result = probe.result("probe", daemon.delivery(seq, "probe")["delivery"])
    assert set(result.environ) == ENVIRONMENT | {"EXTRA", "EMPTY"}
    for name, value in result.environ.items():
        assert value == "" or value.isprintable(), name


def test_a_shell_never_sees_the_command_line(daemon, probe):
    delivery = delivered(daemon, "quoting")
    argv = probe.result("quoting", delivery["delivery"]).argv
    assert argv[argv.index(str(probe.folder)) + 1:] == [
        "a b", 'c "d" \\', "e f", "$HOME", "*", "~", "", "abc"]


def test_the_program_starts_in_the_root_folder(daemon, probe):
    assert probe.result("probe", delivered(daemon, "probe")["delivery"]).cwd == "/"


def test_the_program_inherits_no_descriptor(daemon, probe):
    descriptors = probe.result("probe", delivered(daemon, "probe")["delivery"]).descriptors
    # dash keeps its script open.
    inherited = {n for n, what in descriptors.items() if what != str(probe.path)}
    assert inherited == {0, 1, 2}, descriptors
    for n in (0, 1, 2):
        assert descriptors[n].startswith(("pipe:", "socket:")), descriptors


def test_the_program_leads_its_own_process_group(daemon, probe):
    result = probe.result("probe", delivered(daemon, "probe")["delivery"])
    assert result.process_group == result.pid


@pytest.mark.skipif(BUILD.name == "thread", reason="libtsan's posix_spawn keeps signals blocked")
def test_the_program_starts_with_default_signals(daemon, probe):
    status = probe.result("probe", delivered(daemon, "probe")["delivery"]).status
    assert int(status["SigBlk"], 16) == 0
    # Signals 32 and 33 are the C library's own: posix_spawn(3) ignores them.
    assert int(status["SigIgn"], 16) & 0x7fffffff == 0


def test_a_program_that_does_not_read_its_stdin_is_fine(daemon):
    raw = body("deaf", padding="x" * 1_000_000)
    daemon.delivery(daemon.stored(raw), "deaf")


# What becomes of its exit status

def test_exit_0_is_done_at_the_first_attempt(daemon):
    delivery = delivered(daemon, "probe")
    assert (delivery["attempts"], delivery["outcome"]) == (1, "ok")
    attempts = daemon.attempts(delivery["delivery"])
    assert len(attempts) == 1
    attempt = attempts[0]
    assert set(attempt) == ATTEMPT_KEYS
    assert attempt["attempt"] == 1 and attempt["delivery"] == delivery["delivery"]
    assert attempt["outcome"] == "ok" and attempt["code"] == 0
    assert not attempt["signal"]
    assert attempt["started_at"] <= attempt["ended_at"]


@pytest.mark.parametrize("code", [75, 1, 127])
def test_tempfail_and_unknown_codes_are_tried_again(daemon, code):
    delivery = delivered(daemon, f"retry_{code}")
    assert delivery["attempts"] == 3
    attempts = daemon.attempts(delivery["delivery"])
    assert [(a["attempt"], a["outcome"], a["code"]) for a in attempts] == [
        (1, "retry", code), (2, "retry", code), (3, "ok", 0)]
    for before, after in zip(attempts, attempts[1:]):
        assert before["ended_at"] <= after["started_at"]


@pytest.mark.parametrize("code", [64, 65, 77, 78])
def test_final_codes_are_dead_at_once_with_a_reason(daemon, code):
    seq = daemon.stored(body(f"exit_{code}"))
    delivery = daemon.delivery(seq, f"exit_{code}", "dead")
    assert (delivery["attempts"], delivery["outcome"]) == (1, "dead")
    assert str(code) in delivery["reason"]
    assert [a["code"] for a in daemon.attempts(delivery["delivery"])] == [code]


def test_death_by_signal_is_tried_again_and_the_signal_recorded(daemon):
    attempts = daemon.attempts(delivered(daemon, "killed")["delivery"])
    assert [(a["outcome"], a["signal"] or None) for a in attempts] == [
        ("retry", signal.SIGKILL), ("ok", None)]
    assert attempts[0]["code"] is None


def test_when_retry_for_is_over_the_delivery_is_dead_with_a_reason(daemon):
    seq = daemon.stored(body("give_up"))
    delivery = daemon.delivery(seq, "give_up", "dead")
    assert delivery["attempts"] >= 1 and delivery["reason"]


def test_a_program_that_is_not_there_is_a_failed_attempt(daemon):
    seq = daemon.stored(body("absent"))
    delivery = daemon.delivery(seq, "absent", "dead")
    assert delivery["outcome"] == "failed" and delivery["reason"]


def test_output_is_recorded(daemon):
    attempt = daemon.attempts(delivered(daemon, "output")["delivery"])[0]
    assert "to stdout" in attempt["output"] and "to stderr" in attempt["output"]
    assert not attempt["output_cut"]


def test_the_first_and_the_last_8_kib_of_output_are_kept(daemon):
    attempt = daemon.attempts(delivered(daemon, "flood")["delivery"])[0]
    head, tail = attempt["output"].split("\n[183628 bytes left out]\n")
    assert head == "begins\n" + "x" * 8185
    assert tail == "x" * 8187 + "ends\n"
    assert attempt["output_cut"]


def test_binary_output_does_no_harm(daemon):
    delivery = delivered(daemon, "binary")["delivery"]
    assert daemon.attempts(delivery)[0]["output"].startswith("a")
    assert daemon.value("SELECT output FROM attempts WHERE delivery = ?", delivery) == b"a\0b\xffc"
    assert daemon.ctl("attempts", delivery).code == 0


# Time limit

def pid_in(path):
    wait_until(lambda: path.exists() and path.read_text().strip())
    return int(path.read_text())


def test_the_time_limit_ends_the_whole_group(daemon, module_folder):
    seq = daemon.stored(body("slow"))
    delivery = daemon.delivery(seq, "slow", "dead", timeout=30)
    *_, attempt, _ = daemon.attempts(delivery["delivery"])
    assert attempt["outcome"] == "timeout"
    grandchild = pid_in(module_folder / "slow.pid")
    wait_until(lambda: not process_is_alive(grandchild), what="the grandchild has ended")


def test_a_group_that_ignores_term_is_killed(daemon, module_folder):
    seq = daemon.stored(body("stubborn"))
    delivery = daemon.delivery(seq, "stubborn", "dead", timeout=40)
    *_, attempt, _ = daemon.attempts(delivery["delivery"])
    assert (attempt["outcome"], attempt["signal"]) == ("timeout", signal.SIGKILL)
    grandchild = pid_in(module_folder / "stubborn.pid")
    wait_until(lambda: not process_is_alive(grandchild), what="the grandchild has ended")


def test_a_detached_grandchild_that_holds_the_pipe_does_not_hang_the_worker(daemon, module_folder):
    seq = daemon.stored(body("detached"))
    try:
        assert daemon.delivery(seq, "detached")["outcome"] == "ok"
    finally:
        os.kill(pid_in(module_folder / "detached.pid"), signal.SIGKILL)


# Several at once, and in order

def test_no_more_programs_run_at_once_than_allowed(make_daemon, folder):
    (folder / "running").mkdir()
    # Each waits until it has company, so that two do run at once.
    hook = script(folder, "hook", f"""
mkdir {folder}/running/$$
for i in 1 2 3 4 5 6 7 8 9 10; do
    n=$(ls {folder}/running | wc -l)
    echo $n >> {folder}/counts
    [ $n -ge 2 ] && break
    sleep 0.1
done
rmdir {folder}/running/$$
""")
    daemon = make_daemon({"handler bounded": {"type": "exec", "command": hook, "concurrency": 2}})
    for seq in [daemon.stored(body()) for _ in range(20)]:
        daemon.delivery(seq, "bounded", timeout=60)
    counts = [int(n) for n in (folder / "counts").read_text().split()]
    assert max(counts) == 2


def test_an_evaluation_waits_for_its_first_event_and_others_do_not(make_daemon, folder):
    hook = script(folder, "hook", f"""
[ "$RISKHOOK_DECISION" != BLOCKED ] || [ -e {folder}/open ] || exit 75
echo "$RISKHOOK_EVAL_ID $RISKHOOK_SEQ" >> {folder}/order
""")
    daemon = make_daemon({"handler ordered": {"type": "exec", "command": hook, "concurrency": 4,
                                              "order": "evaluation", **FAST}})
    first = daemon.stored(body("evaluation_paused", eval_id="A", decision="BLOCKED"))
    later = [daemon.stored(body(f"step_{i}", eval_id="A")) for i in range(5)]
    others = [daemon.stored(body(eval_id=f"B{i}")) for i in range(5)]
    for seq in others:
        daemon.delivery(seq, "ordered")
    wait_until(lambda: daemon.value("SELECT attempts FROM deliveries WHERE seq = ?", first) >= 3,
               what="the first event was tried several times")
    assert {d["attempts"] for seq in later for d in daemon.routed(seq).values()} == {0}
    (folder / "open").touch()
    for seq in [first, *later]:
        daemon.delivery(seq, "ordered")
    done = [line.split() for line in (folder / "order").read_text().splitlines()]
    assert [int(seq) for eval_id, seq in done if eval_id == "A"] == [first, *later]


def test_a_dead_delivery_lets_the_evaluation_go_on(make_daemon, folder):
    hook = script(folder, "hook", '[ "$RISKHOOK_DECISION" != BAD ] || exit 65\n')
    daemon = make_daemon({"handler ordered": {"type": "exec", "command": hook}})
    first = daemon.stored(body("evaluation_paused", eval_id="A", decision="BAD"))
    second = daemon.stored(body("evaluation_completed", eval_id="A"))
    daemon.delivery(first, "ordered", "dead")
    daemon.delivery(second, "ordered")


def test_without_order_a_blocked_event_blocks_no_other(make_daemon, folder):
    hook = script(folder, "hook", '[ "$RISKHOOK_DECISION" != BLOCKED ] || exit 75\n')
    daemon = make_daemon({"handler loose": {"type": "exec", "command": hook, "order": "none",
                                            **FAST}})
    daemon.stored(body("evaluation_paused", eval_id="A", decision="BLOCKED"))
    daemon.delivery(daemon.stored(body("evaluation_completed", eval_id="A")), "loose")


def test_events_without_an_evaluation_do_not_wait_for_each_other(make_daemon, folder):
    hook = script(folder, "hook", '[ "$RISKHOOK_DECISION" != BLOCKED ] || exit 75\n')
    daemon = make_daemon({"handler ordered": {"type": "exec", "command": hook, **FAST}})
    daemon.stored(body("fraud_confirming", eval_id=None, decision="BLOCKED"))
    daemon.delivery(daemon.stored(body("fraud_confirming", eval_id=None)), "ordered")


def test_a_blocked_handler_blocks_no_other_handler(make_daemon, folder):
    stuck = script(folder, "stuck", "exit 75\n")
    daemon = make_daemon({"handler stuck": {"type": "exec", "command": stuck, **FAST},
                          "handler fine": {"type": "exec", "command": "/bin/true"}})
    for _ in range(5):
        daemon.delivery(daemon.stored(body()), "fine")


# Ends in the middle

RESUMING = """
[ "$RISKHOOK_ATTEMPT" -ge 2 ] && exit 0
echo $$ > {folder}/pid
exec sleep 600
"""


def test_after_kill_9_the_attempt_is_interrupted_and_made_again(make_daemon, folder):
    hook = script(folder, "hook", RESUMING.format(folder=folder))
    daemon = make_daemon({"handler resumed": {"type": "exec", "command": hook, **FAST}})
    seq = daemon.stored(body())
    pid = pid_in(folder / "pid")
    daemon.kill9()
    try:
        daemon.start()
        delivery = daemon.delivery(seq, "resumed")
        assert delivery["attempts"] == 2
        attempts = daemon.attempts(delivery["delivery"])
        assert [a["outcome"] for a in attempts] == ["interrupted", "ok"]
    finally:
        if process_is_alive(pid):
            os.kill(pid, signal.SIGKILL)


def test_a_stop_ends_what_runs_too_long_and_the_next_start_goes_on(make_daemon, folder):
    hook = script(folder, "hook", RESUMING.format(folder=folder))
    daemon = make_daemon({"server": {"stop_timeout": "200ms"},
                          "handler resumed": {"type": "exec", "command": hook, **FAST}})
    seq = daemon.stored(body())
    pid = pid_in(folder / "pid")
    daemon.stop()
    wait_until(lambda: not process_is_alive(pid), what="the program has ended")
    assert daemon.value("SELECT state FROM deliveries WHERE seq = ?", seq) == "pending"
    daemon.start()
    delivery = daemon.delivery(seq, "resumed")
    assert [a["outcome"] for a in daemon.attempts(delivery["delivery"])] == ["interrupted", "ok"]


@pytest.mark.parametrize("ends_by", ["TERM", "KILL"])
def test_a_stop_lets_a_program_clean_up(make_daemon, folder, ends_by):
    """It gets SIGTERM before anything that it cannot catch."""
    last = "exit 0" if ends_by == "TERM" else ":"
    hook = script(folder, "hook", f"""
trap 'touch {folder}/cleaned; {last}' TERM
echo $$ > {folder}/pid.tmp; mv {folder}/pid.tmp {folder}/pid
while :; do sleep 0.05; done
""")
    daemon = make_daemon({"server": {"stop_timeout": "0s"},
                          "handler tidy": {"type": "exec", "command": hook}})
    seq = daemon.stored(body())
    pid = pid_in(folder / "pid")
    daemon.stop()
    assert (folder / "cleaned").exists() and not process_is_alive(pid)
    assert daemon.query("SELECT state, outcome FROM delivery_log WHERE seq = ?", seq) == \
        [{"state": "pending", "outcome": "interrupted"}]


def test_a_stop_lets_a_quick_program_finish(make_daemon, folder):
    hook = script(folder, "hook", f"""
touch {folder}/started
while [ ! -e {folder}/stopping ]; do sleep 0.05; done
""")
    daemon = make_daemon({"handler quick": {"type": "exec", "command": hook}})
    seq = daemon.stored(body())
    wait_until((folder / "started").exists, what="the program has started")
    daemon.terminate()
    daemon.wait_stopping()
    (folder / "stopping").touch()
    daemon.wait_stopped()
    assert daemon.query("SELECT state, attempts FROM deliveries WHERE seq = ?", seq) == [
        {"state": "done", "attempts": 1}]


def test_a_restart_in_the_middle_of_retries_goes_on_with_them(make_daemon, folder):
    hook = script(folder, "hook", f"[ -e {folder}/open ] || exit 75\n")
    daemon = make_daemon({"handler patient": {"type": "exec", "command": hook, **FAST}})
    seq = daemon.stored(body())

    def tries():
        return daemon.value("SELECT attempts FROM deliveries WHERE seq = ?", seq) or 0

    for stop in (daemon.stop, daemon.kill9):
        reached = tries()
        wait_until(lambda: tries() >= reached + 2, what="two more attempts")
        stop()
        daemon.start()
    (folder / "open").touch()
    delivery = daemon.delivery(seq, "patient")
    attempts = daemon.attempts(delivery["delivery"])
    assert [a["attempt"] for a in attempts] == list(range(1, delivery["attempts"] + 1))
    assert attempts[-1]["outcome"] == "ok"


def test_what_was_stored_without_the_handler_is_not_held_back_for_it(make_daemon):
    # A handler gets what is routed while it exists.
    daemon = make_daemon()
    old = daemon.stored(body())
    assert daemon.routed(old) == {}
    daemon.stop()
    daemon.config.update({"handler late": {"type": "exec", "command": "/bin/true"}})
    daemon.config.write()
    daemon.start()
    daemon.delivery(daemon.stored(body()), "late")
    assert daemon.routed(old) == {}


def test_show_tells_the_deliveries_and_attempts_of_an_event(daemon):
    delivery = delivered(daemon, "retry_75")
    result = daemon.ctl("show", delivery["seq"])
    assert result.code == 0
    assert "retry_75" in result.out and "done" in result.out
    text = daemon.ctl("show", delivery["seq"], "--json").out
    assert f'"{delivery["handler"]}"' in text
    for line in text.splitlines():
        json.loads(line)
