# SPDX-License-Identifier: Apache-2.0
"""make bench: riskhookd, nginx `return 200` and webhook under the same load, in one run.

    load        as fast as answers come, keep-alive, 64 connections
    handlers    three handlers match each event, or one that is a script and computes; beside none
    offered     2,000 events a second, whatever the server does
    handshake   a new TLS connection, with a full handshake, for each event; the latencies are from
                the request on
    connections fewer and more of them than 64
    store       millions of events in the store, beside an empty one

Everything is on loopback and the load generator shares the cores, so the ratios say more than
the rates. The servers of a cell run one right after the other, and its repetitions minutes apart,
each with other cells between: a machine that is quicker for a minute is so in one of them.
load and handlers have twice as many, as their ratios come nearest to what is to be reached.

Exit status: 0, or 1 when riskhookd answered with errors or when a 200 has no row in the store; a
target that is missed is only reported.

BENCH_SECONDS (3) a run, BENCH_RUNS (3) of all the parts, BENCH_CONNECTIONS ("1 256"),
BENCH_SERVERS, BENCH_STORE_EVENTS (5000000), BENCH_PARTS (in their order, "load handlers offered
handshake connections load handlers store"), BENCH_IDS ("scattered", as real ones are;
"sequential").
"""

import collections
import contextlib
import json
import os
import shutil
import sys
import tempfile
import time

import history
import load
import machine
import report
import targets
from consumer import consumer
from runs import Runs
from servers import SERVERS, Riskhookd, make_certificate, tls_version

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build")
BODIES = {"2.8 KB": "evaluation_completed.json", "46 KB": "evaluation_completed_large.json"}
WARM_UP_SECONDS = 1
OFFERED_RATE = 2000
SCRIPT = "/usr/bin/python3 -c pass" # for each event, some 40 ms of a processor

SECONDS = int(os.environ.get("BENCH_SECONDS", "3"))
RUNS = int(os.environ.get("BENCH_RUNS", "3"))
CONNECTIONS = [int(n) for n in os.environ.get("BENCH_CONNECTIONS", "1 256").split()]
NAMES = os.environ.get("BENCH_SERVERS", "nginx riskhookd webhook").split()
STORE_EVENTS = int(os.environ.get("BENCH_STORE_EVENTS", "5000000"))
IDS = os.environ.get("BENCH_IDS", "scattered") # read by post.lua
PARTS = os.environ.get("BENCH_PARTS", "load handlers offered handshake connections load handlers"
                       " store").split()


class Bench:
    def __init__(self, folder):
        self.folder = folder
        self.certificate, self.key = make_certificate(folder)
        self.generator = {}
        self.history = None # path of the store with millions of events
        self.repetition = 0 # of the part that runs
        self.runs = Runs()
        self.wrong = []

    def server(self, name, **options):
        """A new one, in a folder of its own."""
        place = tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder)
        return SERVERS[name](os.path.join(place, "server"), self.certificate, self.key, **options)

    # --- the parts ---

    def repeat(self, parts):
        done = collections.Counter()
        for part in parts * RUNS:
            self.repetition = done[part]
            part(self)
            done[part] += 1

    def load(self):
        if "nginx" in NAMES and not self.generator:
            self.generator = {body: self._generator(body) for body in BODIES}
        for body in BODIES:
            for name in self._each(f"{body}, 64 connections"):
                self.measure(self.server(name), "load", body=body)

    def connections(self):
        for body in BODIES:
            for connections in CONNECTIONS:
                for name in self._each(f"{body}, {connections} connections"):
                    if name != "webhook":
                        self.measure(self.server(name), "load", body=body, connections=connections)

    def offered(self):
        # for twice as long: a p99.9 needs its thousands
        for name in self._each(f"{OFFERED_RATE:,}/s offered"):
            if name != "webhook":
                self.measure(self.server(name), "offered", seconds=2 * SECONDS, rate=OFFERED_RATE)

    def handshake(self):
        for name in self._each("a new TLS connection for each event"):
            if name != "webhook":
                self.measure(self.server(name), "new TLS", close=True)

    def handlers(self):
        sockets = [os.path.join(self.folder, name) for name in ("plain.sock", "filtered.sock")]
        handlers = {
            "riskhookd": {},
            "3 handlers": {
                "program": {"type": "exec", "command": "/bin/true"},
                "plain": {"type": "unix", "socket": sockets[0]},
                "filtered": {"type": "unix", "socket": sockets[1],
                             "filter": '.data.decision == "REVIEW"'},
            },
            "a script": {"script": {"type": "exec", "command": SCRIPT}},
        }
        with consumer(sockets[0]), consumer(sockets[1]):
            for name in self._each("handlers", handlers):
                self.measure(self.server("riskhookd", handlers=handlers[name]), "handlers",
                             base="riskhookd", label=name)

    def store(self):
        self.history = self.history or self._write_history()
        for name in self._each(f"{STORE_EVENTS:,} events in the store",
                               ["riskhookd", "full store"]):
            options = {"store": self.history} if name == "full store" else {}
            self.measure(self.server("riskhookd", **options), "store", base="riskhookd", label=name)

    def _write_history(self):
        progress(f"writing {STORE_EVENTS:,} events ...")
        began = time.monotonic()
        with self.server("riskhookd") as new:
            pass
        history.write(new.store, STORE_EVENTS)
        progress(f"{os.path.getsize(new.store) / 2**20:,.0f} MiB in "
                 f"{time.monotonic() - began:.0f} s")
        return new.store

    def _each(self, text, names=None):
        progress(f"{text}, run {self.repetition + 1} ...")
        return names or NAMES

    # --- one run ---

    def measure(self, server, case, base="nginx", label=None, body="2.8 KB", connections=64,
                seconds=SECONDS, **options):
        """Start a server, warm it up, load it, check it, stop it, drop its folder."""
        run = {"case": case, "server": label or server.name, "base": base, "body": body,
               "connections": connections, "repetition": self.repetition}
        try:
            with server:
                load.post(server, fixture(body), connections, WARM_UP_SECONDS, **options)
                with self._fdatasync_beside(run):
                    self._load(server, run, seconds, options)
        finally:
            shutil.rmtree(server.folder, ignore_errors=True)
        self.runs.append(run)

    @contextlib.contextmanager
    def _fdatasync_beside(self, run):
        """What a commit waits for, before and after: with one connection, where it tells most."""
        before = machine.fdatasync_ms(self.folder, 50) if run["connections"] == 1 else None
        yield
        if before:
            run["fdatasync_ms"] = (before + machine.fdatasync_ms(self.folder, 50)) / 2

    def _load(self, server, run, seconds, options):
        is_ours = isinstance(server, Riskhookd)
        behind = server.last_seq() if is_ours else None
        accepted = machine.accepted()
        run.update(load.post(server, fixture(run["body"]), run["connections"], seconds, **options))
        run["accepted"] = machine.accepted() - accepted
        run["peak_kib"] = machine.peak_kib(server.pids())
        if options.get("close"):
            self.check_handshakes(server, run)
        if is_ours:
            self.check_rows(server, run, behind)
            self.check_handlers(server, run)
        if run["server"] == "full store":
            run["asked_ms"] = history.ask(server, STORE_EVENTS)

    def _generator(self, body):
        """What the load generator itself can do: nginx with bytes that are not built anew."""
        progress(f"wrk and nginx alone, {body} ...")
        with self.server("nginx") as server:
            load.post(server, fixture(body), 64, WARM_UP_SECONDS)
            return {
                "tls": tls_version(server.port),
                "fixed": load.post(server, fixture(body), 64, SECONDS, fixed=True)["rate"],
                "unique": load.post(server, fixture(body), 64, SECONDS)["rate"],
            }

    # --- what must be so, however fast ---

    def check_rows(self, server, run, behind):
        """Conservation: a row for each 200. wrk leaves without the answers to what is still
        under way when its time is over, so there may be up to one more row a connection."""
        run["rows"] = server.rows(run["tag"], behind)
        unanswered = run["rows"] - run["ok"]
        if not 0 <= unanswered <= run["connections"]:
            self.is_wrong(run, f"{run['ok']} answers 200, but {run['rows']} rows")
        if run["errors"]:
            self.is_wrong(run, f"{run['errors']} errors")

    def check_handshakes(self, server, run):
        """A connection for each answer (others on this machine may open some, too), and no session
        that is resumed."""
        if run["accepted"] < run["ok"]:
            self.is_wrong(run, f"{run['ok']} answers over {run['accepted']} connections")
        if server.resumes():
            self.is_wrong(run, "sessions are resumed")

    def check_handlers(self, server, run):
        """Each handler takes deliveries, and none is given up."""
        run["stored"] = server.last_seq()
        for name in server.handlers:
            done, dead = (server.value("SELECT count(*) FROM deliveries"
                                       " WHERE handler = ? AND state = ?", name, state)
                          for state in ("done", "dead"))
            run.setdefault("delivered", {})[name] = done
            if dead or not done:
                self.is_wrong(run, f"handler {name}: {done} deliveries done, {dead} dead")

    def is_wrong(self, run, text):
        self.wrong.append(f"{run['case']}, {run['server']}, {run['body']}, "
                          f"{run['connections']} connections: {text}")


def fixture(body):
    return os.path.join(ROOT, "tests", "fixtures", BODIES[body])


def progress(text):
    print(text, file=sys.stderr, flush=True)


def save(bench, facts, rows):
    with open(os.path.join(BUILD, "bench.json"), "w", encoding="utf-8") as out:
        json.dump({"machine": facts, "generator": bench.generator, "table": rows,
                   "targets": targets.verdicts(bench.runs), "runs": bench.runs,
                   "seconds": SECONDS, "store_events": STORE_EVENTS, "ids": IDS,
                   "wrong": bench.wrong},
                  out, indent=1)


def show(bench, facts, rows):
    print(report.machine_text(facts))
    for body, rates in bench.generator.items():
        print(f"wrk and nginx alone, {body}, 64 connections, {rates['tls']}: the same bytes "
              f"{rates['fixed']:,.0f}/s, unique bytes {rates['unique']:,.0f}/s")
    print(f"ids of the events: {IDS}\n\n{report.table(rows)}\n")
    for text in [*report.late_text(rows), *report.delivered_text(bench.runs)]:
        print(text)
    conserved = [run for run in bench.runs if "rows" in run]
    print(f"{sum(r['ok'] for r in conserved):,} answers 200, {sum(r['rows'] for r in conserved):,}"
          " rows (the difference was under way when wrk's time was over)")
    print(f"\n{targets.table(bench.runs)}")
    for text in bench.wrong:
        print(f"WRONG: {text}")


def main():
    parts = {name: getattr(Bench, name) for name in
             ("load", "handlers", "offered", "handshake", "connections", "store")}
    for variable, given, known in (("SERVERS", NAMES, SERVERS), ("PARTS", PARTS, parts),
                                   ("IDS", [IDS], ("scattered", "sequential"))):
        if unknown := set(given) - set(known):
            sys.exit(f"BENCH_{variable}: not known: {', '.join(sorted(unknown))}")
    os.makedirs(BUILD, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=BUILD) as folder:
        bench = Bench(folder)
        facts = machine.facts(folder)
        progress(report.machine_text(facts))
        bench.repeat([parts[name] for name in PARTS])
    rows = report.summarise(bench.runs)
    save(bench, facts, rows)
    show(bench, facts, rows)
    return 1 if bench.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
