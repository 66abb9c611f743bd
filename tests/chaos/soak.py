# SPDX-License-Identifier: Apache-2.0
"""What must stay as it is while the load does: samples of a running daemon, and the judgement."""

import json
import pathlib
import re
import statistics
import time

from lib import metrics

KIB, MIB = 1 << 10, 1 << 20
QUARTERS = 4

# name -> what it is, its unit for people, divisor
SERIES = {
    "rss": ("resident memory", "MiB", MIB),
    "anon": ("of it, its own", "MiB", MIB),
    "descriptors": ("open descriptors", "", 1),
    "threads": ("threads", "", 1),
    "wal": ("write-ahead log", "MiB", MIB),
    "store": ("store", "MiB", MIB),
    "bodies": ("bodies in it", "MiB", MIB),
    "kept": ("events with a body", "", 1),
    "events": ("events, ever", "", 1),
    "queue": ("deliveries waiting", "", 1),
    "p50": ("a 200 takes, p50", "ms", 1e-3),
    "p99": ("a 200 takes, p99", "ms", 1e-3),
}


def size_of(path):
    return path.stat().st_size if path.exists() else 0


def sample(world):
    """One look at the daemon. The latencies are those since the look before."""
    daemon, store = world.daemon, world.daemon.config.store
    metrics.read(daemon)  # it fails when Prometheus would
    proc = pathlib.Path(f"/proc/{daemon.pid}")
    status = dict(re.findall(r"^(\w+):\s+(\d+)", (proc / "status").read_text(), re.M))
    latencies = sorted(world.ledger.take_latencies()) or [0]
    return {
        "at": time.monotonic(),
        "rss": int(status["VmRSS"]) * KIB, "anon": int(status["RssAnon"]) * KIB,
        "descriptors": len(list((proc / "fd").iterdir())), "threads": int(status["Threads"]),
        "wal": size_of(store.with_name(store.name + "-wal")), "store": size_of(store),
        # pages in use: what is free is used again
        "bodies": daemon.value("SELECT sum(pgsize) FROM dbstat WHERE name = 'payloads'") or 0,
        "kept": daemon.value("SELECT count(*) FROM payloads"),
        "events": daemon.value("SELECT max(seq) FROM events") or 0,
        "queue": sum(daemon.value(f"SELECT count(*) FROM deliveries WHERE state = '{state}'")
                     for state in ("pending", "running")),  # each has an index
        "p50": latencies[len(latencies) // 2], "p99": latencies[len(latencies) * 99 // 100]}


class Course:
    """All samples of the calm."""

    def __init__(self, samples):
        self.samples = samples

    def quarter(self, name, number):
        """Values of one series in the first (1) to the last (4) quarter of the time."""
        n = len(self.samples)
        return [s[name] for s in self.samples[n * (number - 1) // QUARTERS:n * number // QUARTERS]]

    def median(self, name, number):
        return statistics.median(self.quarter(name, number))

    def line_bytes(self):
        """What the store keeps of an event for ever: growth by events, over the second half."""
        first, last = self.samples[len(self.samples) // 2], self.samples[-1]
        return (last["store"] - first["store"]) / max(1, last["events"] - first["events"])

    def cache_growth(self):
        """SQLite's page caches fill as long as the store is smaller than they are (store.c: 16 MiB
        for the writer; 2 MiB for each of some four readers). After that they stay as they are;
        with caches of 64 KiB nothing grows at all."""
        sizes = [self.median("store", n) for n in (2, QUARTERS)]
        before, after = (min(size, 16 * MIB) + 4 * min(size, 2 * MIB) for size in sizes)
        return after - before

    def complaints(self):
        """What has grown. The second quarter is the measure: in the first one caches fill."""
        def grows(name, measure, factor, more):
            before, after = (measure(self.quarter(name, n)) for n in (2, QUARTERS))
            if after > before * factor + more:
                what, unit, divisor = SERIES[name]
                yield f"{what}: from {before / divisor:.1f} to {after / divisor:.1f} {unit}"

        yield from grows("anon", statistics.median, 1.1, 4 * MIB + self.cache_growth())
        yield from grows("descriptors", max, 1, 8)
        yield from grows("threads", max, 1, 4)
        yield from grows("wal", max, 1.5, 4 * MIB)
        yield from grows("bodies", statistics.median, 1.5, 2 * MIB)
        yield from grows("queue", statistics.median, 2, 200)
        yield from grows("p50", statistics.median, 2, 0.005)
        yield from grows("p99", statistics.median, 2, 0.02)
        if self.line_bytes() > 4 * KIB:
            yield f"the store grows by {self.line_bytes():.0f} bytes an event"

    def table(self):
        heads = ["", "start", "1st quarter", "2nd", "3rd", "4th", "end", ""]
        rows = [heads]
        for name, (what, unit, divisor) in SERIES.items():
            values = [self.samples[0][name], *(self.median(name, q + 1) for q in range(QUARTERS)),
                      self.samples[-1][name]]
            rows.append([what, *(f"{value / divisor:.1f}" if divisor != 1 else f"{value:.0f}"
                                 for value in values), unit])
        lines = ["{:<20}{:>12}{:>12}{:>12}{:>12}{:>12}{:>12} {}".format(*row) for row in rows]
        return "\n".join([*lines, f"the store keeps {self.line_bytes():.0f} bytes an event"])

    def save(self, path, **more):
        path.write_text(json.dumps({**more, "samples": self.samples}, indent=1) + "\n")
