# SPDX-License-Identifier: Apache-2.0
"""Whatever happens in whatever order, the deliveries keep their promises.

A schedule of arrivals, outcomes, kill -9, pauses, holds, retries, replays and reloads comes from a
seed that is printed. Afterwards everything is let go, and the checker looks at what the store and the handlers
say. RISKHOOK_SEED repeats a schedule, RISKHOOK_ROUNDS makes more of them.
"""

import collections
import os
import random
import threading
import time

import pytest

from lib.consumer import Consumer, dead, ok, retry
from lib.events import body
from lib.hooks import script

SEED = int(os.environ.get("RISKHOOK_SEED") or random.SystemRandom().randrange(1 << 32))
ROUNDS = int(os.environ.get("RISKHOOK_ROUNDS") or 1)
ACTIONS = 140
EVALUATIONS = 5
CONCURRENCY = 3
TYPES = ["evaluation_completed", "evaluation_paused", "decision_update", "case_notes_added"]
ENDS = {"done": "ok", "dead": "dead"}  # state -> outcome of the last attempt

# One line as the program begins and one as it ends; the outcome follows from the numbers.
HOOK = r"""
line="$PPID $RISKHOOK_DELIVERY_ID $RISKHOOK_SEQ $RISKHOOK_ATTEMPT $RISKHOOK_REPLAY"
echo "S $(date +%s%N) $line ${RISKHOOK_EVAL_ID:--}" >> LOG
case $(( (RISKHOOK_DELIVERY_ID * 7 + RISKHOOK_ATTEMPT * 3 + NUMBER) % 10 )) in
0 | 1) code=75 ;;
2) code=65 ;;
*) code=0 ;;
esac
echo "E $(date +%s%N) $line ${RISKHOOK_EVAL_ID:--}" >> LOG
exit $code
"""


def now():
    return time.time_ns() // 1000


class World:
    """One daemon with an exec and a unix handler, and what was done to them."""

    handlers = ("program", "socket")

    def __init__(self, seed, make_daemon, folder):
        self.random = random.Random(seed)
        self.answers = random.Random(seed + 1)
        self.answers_lock = threading.Lock()
        self.log = folder / "log"
        self.log.touch()
        hook = script(folder, "hook", HOOK.replace("LOG", str(self.log))
                      .replace("NUMBER", str(seed % 1000)))
        self.consumer = Consumer(folder / "consumer.sock", self.answer).start()
        common = {"retry_initial": "10ms", "retry_max": "50ms", "retry_for": "1h"}
        self.daemon = make_daemon({
            "handler program": {"type": "exec", "command": hook, "concurrency": CONCURRENCY,
                                **common},
            "handler socket": {"type": "unix", "socket": folder / "consumer.sock", "window": "4",
                               "concurrency": "2", "timeout": "300ms", **common},
            "log": {"level": "notice"}})
        self.daemons = {str(self.daemon.pid)}
        self.seqs = []  # of stored events
        self.replays = []  # (number, handler, seqs that it must bring)
        self.pauses = []  # (handler, from, to), us
        self.paused = {}  # handler -> since

    def answer(self, _consumer, delivery):
        with self.answers_lock:
            chance = self.answers.random()
        if chance < 0.03:
            raise Consumer.Disconnect
        if chance < 0.05:
            return None  # the attempt times out
        if chance < 0.20:
            return retry(delivery, after=0.01)
        return dead(delivery) if chance < 0.27 else ok(delivery)

    # actions

    def post(self):
        eval_id = self.random.choice([f"eval-{i}" for i in range(EVALUATIONS)] + [None])
        self.seqs.append(self.daemon.stored(
            body(self.random.choice(TYPES), eval_id=eval_id)))

    def kill(self):
        self.daemon.kill9()
        self.daemon.start()
        self.daemons.add(str(self.daemon.pid))

    def pause(self):
        handler = self.random.choice(self.handlers)
        assert self.daemon.admin("/v1/pause", {"handler": handler}).status == 200
        self.paused.setdefault(handler, now())

    def resume(self, handler=None):
        handler = handler or self.random.choice(self.handlers)
        if handler in self.paused:
            self.pauses.append((handler, self.paused.pop(handler), now()))
        assert self.daemon.admin("/v1/resume", {"handler": handler}).status == 200

    def change(self, what):
        rows = self.daemon.query("SELECT delivery FROM deliveries ORDER BY random() LIMIT 5")
        if rows:
            numbers = [row["delivery"] for row in rows]
            assert self.daemon.admin(f"/v1/{what}", {"deliveries": numbers}).status == 200

    def replay(self):
        handler = self.random.choice(self.handlers)
        # what is not routed yet comes anyway, and is no part of a replay
        routed = self.daemon.value("SELECT routed_seq FROM router")
        seqs = [seq for seq in self.seqs if seq <= routed]
        if not seqs:
            return
        first = self.random.choice(seqs)
        last = min(first + self.random.randrange(4), seqs[-1])
        answer = self.daemon.admin("/v1/replay",
                                   {"handler": handler, "first_seq": first, "last_seq": last})
        wanted = [seq for seq in self.seqs if first <= seq <= last]
        self.replays.append((answer.json()["replay"], handler, wanted))

    def reload(self):
        """A handler that has changed is replaced while it works; what has not is left alone."""
        for handler in self.handlers:
            self.daemon.config.update(
                {f"handler {handler}": {"retry_max": self.random.choice(["50ms", "60ms"])}})
        self.daemon.config.write()
        assert self.daemon.admin("/v1/reload", {}).status == 200

    def run(self):
        actions = ([self.post] * 60 + [self.kill] * 3 + [self.pause] * 5 + [self.resume] * 8 +
                   [lambda: self.change("retry")] * 6 + [lambda: self.change("hold")] * 4 +
                   [lambda: self.change("release")] * 4 + [self.replay] * 4 + [self.reload] * 5)
        for _ in range(ACTIONS):
            self.random.choice(actions)()
        self.let_go()

    def let_go(self):
        """Nothing holds anything back any more; wait for the end of everything."""
        for handler in self.handlers:
            self.resume(handler)
        held = [row["delivery"] for row in self.daemon.query(
            "SELECT delivery FROM deliveries WHERE state = 'held'")]
        if held:
            self.daemon.admin("/v1/release", {"deliveries": held})
        self.daemon.all_ended()

    # the checker

    def check(self):
        self.deliveries = {row["delivery"]: row for row in self.daemon.query(
            "SELECT * FROM deliveries")}
        self.attempts = collections.defaultdict(list)
        for row in self.daemon.query("SELECT * FROM attempts ORDER BY delivery, attempt"):
            self.attempts[row["delivery"]].append(row)
        self.check_none_is_lost()
        self.check_states()
        self.check_at_least_once()
        self.check_order()
        self.check_programs()
        self.check_pauses()

    def check_none_is_lost(self):
        wanted = collections.Counter((seq, handler, 0) for seq in self.seqs
                                     for handler in self.handlers)
        wanted.update((seq, handler, number) for number, handler, seqs in self.replays
                      for seq in seqs)
        made = collections.Counter((row["seq"], row["handler"], row["replay"])
                                   for row in self.deliveries.values())
        assert made == wanted

    def check_states(self):
        for number, delivery in self.deliveries.items():
            attempts = self.attempts[number]
            assert [a["attempt"] for a in attempts] == list(range(1, delivery["attempts"] + 1))
            assert attempts[-1]["outcome"] == ENDS[delivery["state"]] == delivery["outcome"]
            # nothing follows a success; after "dead" only an operator's retry
            assert "ok" not in [a["outcome"] for a in attempts[:-1]]
            for before, after in zip(attempts, attempts[1:]):
                assert before["ended_at"] <= after["started_at"]

    def check_at_least_once(self):
        with self.consumer.changed:
            seen = {d["delivery"]: d["replay"] for d in self.consumer.deliveries}
        seen.update({delivery: replay == "1" for _, _, _, delivery, _, _, replay, _ in
                     self.lines()})
        for number, row in self.deliveries.items():
            if row["state"] == "done":
                assert seen[number] == (row["replay"] > 0), row

    def check_order(self):
        """When an attempt begins, every earlier delivery of its evaluation has come to an end."""
        groups = collections.defaultdict(list)
        for number, row in sorted(self.deliveries.items()):
            if row["evaluation"]:
                groups[row["handler"], row["evaluation"]].append(number)
        for numbers in groups.values():
            for place, number in enumerate(numbers):
                for attempt in self.attempts[number]:
                    for earlier in numbers[:place]:
                        self.check_has_ended(earlier, attempt)
            spans = sorted((a["started_at"], a["ended_at"]) for n in numbers
                           for a in self.attempts[n])
            for one, other in zip(spans, spans[1:]):
                assert one[1] <= other[0], "two at once"

    def check_has_ended(self, earlier, attempt):
        before = [a for a in self.attempts[earlier] if a["started_at"] <= attempt["started_at"]]
        assert before, f"{attempt} came before delivery {earlier}"
        assert before[-1]["outcome"] in ("ok", "dead"), f"{attempt} overtook {before[-1]}"
        assert before[-1]["ended_at"] <= attempt["started_at"]

    def lines(self):
        """(S or E, ns, daemon, delivery, seq, attempt, replay, evaluation)"""
        for line in self.log.read_text().splitlines():
            kind, at, parent, delivery, seq, attempt, replay, evaluation = line.split()
            yield (kind, int(at), parent, int(delivery), int(seq), int(attempt), replay, evaluation)

    def check_programs(self):
        """Of one daemon's programs never more than `concurrency` at once, and never two of an
        evaluation. (What a killed daemon has started ends by itself.)"""
        at_once = collections.defaultdict(set)
        for kind, _, parent, delivery, _, _, _, evaluation in sorted(
                self.lines(), key=lambda line: (line[1], line[0] == "S")):
            if parent not in self.daemons:
                continue  # it was killed before the program asked for it
            running = at_once[parent]
            if kind == "E":
                running.discard((delivery, evaluation))
                continue
            assert evaluation == "-" or evaluation not in {e for _, e in running}
            running.add((delivery, evaluation))
            assert len(running) <= CONCURRENCY

    def check_pauses(self):
        for handler, since, until in self.pauses:
            for number, row in self.deliveries.items():
                if row["handler"] == handler:
                    for attempt in self.attempts[number]:
                        assert not since < attempt["started_at"] < until, "it was paused"


@pytest.mark.parametrize("round_number", range(ROUNDS))
def test_random_schedules(make_daemon, folder, round_number):
    seed = SEED + round_number
    print(f"RISKHOOK_SEED={seed}")
    world = World(seed, make_daemon, folder)
    try:
        world.run()
    finally:
        world.consumer.stop()
    print(f"{len(world.seqs)} events, {world.daemon.value('SELECT count(*) FROM deliveries')} "
          f"deliveries, {world.daemon.value('SELECT count(*) FROM attempts')} attempts")
    world.check()
