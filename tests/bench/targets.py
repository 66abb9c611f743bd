# SPDX-License-Identifier: Apache-2.0
"""What is to be reached, beside what this run measured. A judgement, not a test: the absolute
figures and the ratio to one fdatasync are meant for a quiet machine."""

from report import columns
from runs import Runs, spread

SMALL, LARGE = "2.8 KB", "46 KB"
MS = 1000 # microseconds


def verdicts(runs):
    """(what, to reach, measured, "yes", "no" or "not measured") of each target."""
    return [*_ratios(runs), *_latencies(runs), *_questions(runs), _memory(runs)]


def _ratios(runs):
    """Rates within one repetition: (what, at least, case, body, ours, theirs)"""
    for what, least, case, body, ours, theirs in (
            ("2.8 KB, 64 connections, of nginx", 0.40, "load", SMALL, "riskhookd", "nginx"),
            ("46 KB, 64 connections, of nginx", 0.45, "load", LARGE, "riskhookd", "nginx"),
            ("46 KB, 64 connections, of webhook", 5, "load", LARGE, "riskhookd", "webhook"),
            ("new TLS connection per event, of nginx", 0.80, "new TLS", SMALL, "riskhookd",
             "nginx"),
            ("three matching handlers, of none", 0.75, "handlers", SMALL, "3 handlers",
             "riskhookd"),
            ("full store, of empty", 0.80, "store", SMALL, "full store", "riskhookd")):
        found = runs.of(case=case, body=body, connections=64)
        ratio = spread(found.of(server=ours).over(found.of(server=theirs)))
        yield _verdict(f"rate: {what}", f">= {least:.2f}", ratio, "{:.2f}",
                       lambda value, least=least: value >= least)


def _latencies(runs):
    large = runs.of(case="load", body=LARGE, connections=64)
    bounds = spread([3 * p99 / MS + 10 for p99 in large.of(server="nginx").values("p99")])
    most = bounds["median"] if bounds else 0
    ours = [p99 / MS for p99 in large.of(server="riskhookd").values("p99")] if bounds else []
    yield _verdict("46 KB, 64 connections: p99",
                   "< 3 x nginx's + 10 ms" + (f" = {most:.1f} ms" if bounds else ""),
                   spread(ours), "{:.1f} ms", lambda value: value < most)

    one = runs.of(case="load", body=SMALL, connections=1, server="riskhookd")
    yield _verdict("2.8 KB, 1 connection: p50 / fdatasync", "<= 3",
                   spread([run["p50"] / MS / run["fdatasync_ms"] for run in one]), "{:.2f}",
                   lambda value: value <= 3)

    offered = runs.of(case="offered", server="riskhookd")
    for name, label, most_ms in (("p99", "p99", 5), ("p999", "p99.9", 20)):
        yield _verdict(f"2,000/s offered: {label}", f"<= {most_ms} ms",
                       spread([us / MS for us in offered.values(name)]), "{:.1f} ms",
                       lambda value, most_ms=most_ms: value <= most_ms)


def _questions(runs):
    full = runs.of(case="store", server="full store")
    for name, command in (("show", "show SEQ"), ("show by id", "show EVENT_ID"),
                          ("evaluation", "evaluation EVAL_ID"),
                          ("events", "events --limit 50")):
        yield _verdict(f"full store: riskhookctl {command}", "< 50 ms",
                       spread([ms for run in full for ms in run["asked_ms"][name]]), "{:.1f} ms",
                       lambda value: value < 50)


def _memory(runs):
    busy = runs.of(case="load", body=LARGE, connections=256, server="riskhookd")
    return _verdict("46 KB, 256 connections: peak memory", "< 128 MiB",
                    spread([kib / 1024 for kib in busy.values("peak_kib")]), "{:.0f} MiB",
                    lambda value: value < 128)


def _verdict(what, goal, found, form, is_met):
    if not found:
        return (what, goal, "", "not measured")
    text = form.format(found["median"])
    text += f" ({form.format(found['least'])} - {form.format(found['most'])})"
    return (what, goal, text, "yes" if is_met(found["median"]) else "no")


def table(runs):
    lines = [("target", "to reach", "measured: median (extremes)", "met"), *verdicts(Runs(runs))]
    return columns(lines, [True] * 4)
