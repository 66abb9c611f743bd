# SPDX-License-Identifier: Apache-2.0
"""make bench: riskhookd, nginx `return 200` and webhook under the same load, in one run.

Everything is on loopback and the load generator shares the cores, so the ratios say more than
the rates. Bounded by BENCH_SECONDS x BENCH_RUNS per combination. Exit status: 0, or 1 when
riskhookd answered with errors or when a 200 has no row in the store.
"""

import json
import os
import shutil
import sys
import tempfile

import load
import machine
import report
from servers import SERVERS, Riskhookd, make_certificate, tls_version

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build")
BODIES = {"2.8 KB": "evaluation_completed.json", "46 KB": "evaluation_completed_large.json"}
WARM_UP_SECONDS = 1

SECONDS = int(os.environ.get("BENCH_SECONDS", "5"))
RUNS = int(os.environ.get("BENCH_RUNS", "3"))
CONNECTIONS = [int(n) for n in os.environ.get("BENCH_CONNECTIONS", "1 16 64 256").split()]
NAMES = os.environ.get("BENCH_SERVERS", "nginx riskhookd webhook").split()


class Bench:
    def __init__(self, folder):
        self.folder = folder
        self.certificate, self.key = make_certificate(folder)
        self.runs = []
        self.wrong = []

    def server(self, name):
        return SERVERS[name](os.path.join(self.folder, "server"), self.certificate, self.key)

    def measure(self, name, body, connections, repetition):
        """Start a server, warm it up, load it, check it, stop it, drop its folder."""
        path = fixture(body)
        try:
            with self.server(name) as server:
                load.post(server, path, connections, WARM_UP_SECONDS)
                run = load.post(server, path, connections, SECONDS)
                run["resident_kib"] = machine.resident_kib(server.pids())
                run.update(server=name, body=body, connections=connections, repetition=repetition)
                if isinstance(server, Riskhookd):
                    self.check(server, run)
        finally:
            shutil.rmtree(os.path.join(self.folder, "server"), ignore_errors=True)
        self.runs.append(run)

    def check(self, server, run):
        """Conservation: a row for each 200. wrk leaves without the answers to what is still
        under way when its time is over, so there may be up to one more row a connection."""
        run["rows"] = server.rows(run["tag"], 0)
        unanswered = run["rows"] - run["ok"]
        where = f"{run['server']}, {run['body']}, {run['connections']} connections"
        if not 0 <= unanswered <= run["connections"]:
            self.wrong.append(f"{where}: {run['ok']} answers 200, but {run['rows']} rows")
        if run["errors"]:
            self.wrong.append(f"{where}: {run['errors']} errors")

    def generator(self):
        """What the load generator itself can do: nginx with bytes that are not built anew."""
        result = {}
        for body in BODIES:
            try:
                with self.server("nginx") as server:
                    load.post(server, fixture(body), 64, WARM_UP_SECONDS)
                    result[body] = {
                        "tls": tls_version(server.port),
                        "fixed": load.post(server, fixture(body), 64, SECONDS, fixed=True)["rate"],
                        "unique": load.post(server, fixture(body), 64, SECONDS)["rate"],
                    }
            finally:
                shutil.rmtree(os.path.join(self.folder, "server"), ignore_errors=True)
        return result


def fixture(body):
    return os.path.join(ROOT, "tests", "fixtures", BODIES[body])


def progress(text):
    print(text, file=sys.stderr, flush=True)


def main():
    unknown = set(NAMES) - set(SERVERS)
    if unknown:
        sys.exit(f"BENCH_SERVERS: no such server: {', '.join(sorted(unknown))}")
    os.makedirs(BUILD, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=BUILD) as folder:
        bench = Bench(folder)
        facts = machine.facts(folder)
        progress(report.machine_text(facts))
        generator = bench.generator() if "nginx" in NAMES else {}
        for body in BODIES:
            for connections in CONNECTIONS:
                progress(f"{body}, {connections} connections ...")
                for repetition in range(RUNS):
                    for name in NAMES:
                        bench.measure(name, body, connections, repetition)

    rows = report.summarise(bench.runs)
    with open(os.path.join(BUILD, "bench.json"), "w", encoding="utf-8") as out:
        json.dump({"machine": facts, "generator": generator, "table": rows, "runs": bench.runs,
                   "seconds": SECONDS, "wrong": bench.wrong}, out, indent=1)

    print(report.machine_text(facts))
    for body, rates in generator.items():
        print(f"wrk and nginx alone, {body}, 64 connections, {rates['tls']}: the same bytes "
              f"{rates['fixed']:,.0f}/s, unique bytes {rates['unique']:,.0f}/s")
    print()
    print(report.table(rows))
    print()
    conserved = [run for run in bench.runs if "rows" in run]
    if conserved:
        print(f"{sum(r['ok'] for r in conserved):,} answers 200, {sum(r['rows'] for r in conserved):,}"
              " rows (the difference was under way when wrk's time was over)")
    for text in bench.wrong:
        print(f"WRONG: {text}")
    return 1 if bench.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
