# SPDX-License-Identifier: Apache-2.0
"""The figures of all runs, as tables for people."""

from runs import Runs, spread

COLUMNS = ("case", "body", "conns", "server", "rate/s", "ratio", "spread", "p50 ms", "p90 ms",
           "p99 ms", "p99.9 ms", "errors", "peak MiB")
LEFT = ("case", "body", "server")
LATENCIES = ("p50", "p90", "p99", "p999")
FIGURES = ("rate", *LATENCIES, "late_p50", "late_p99", "late_max", "peak_kib")


def summarise(runs):
    """One row a combination of case, body, connections and server: medians over the repetitions."""
    return [_row(key, group, runs)
            for key, group in runs.groups("case", "body", "connections", "server").items()]


def _row(key, group, runs):
    case, body, connections, server = key
    base = group[0]["base"]
    others = runs.of(case=case, body=body, connections=connections, server=base)
    row = {"case": case, "body": body, "connections": connections, "server": server, "base": base,
           "runs": len(group), "errors": sum(group.values("errors")),
           "ratio": spread(group.over(others)) if server != base else None}
    for name in FIGURES:
        row[name] = spread([run[name] for run in group if name in run])
    return row


def table(rows):
    lines = [_cells(row) for row in rows]
    return columns([COLUMNS, *lines], [name in LEFT for name in COLUMNS])


def _cells(row):
    ratio = row["ratio"]
    return (row["case"], row["body"], str(row["connections"]), row["server"],
            f"{row['rate']['median']:,.0f}",
            f"{ratio['median']:.2f}" if ratio else "",
            f"{ratio['least']:.2f}-{ratio['most']:.2f}" if ratio else "",
            *(f"{row[name]['median'] / 1000:.2f}" for name in LATENCIES),
            str(row["errors"]), f"{row['peak_kib']['median'] / 1024:.0f}")


def columns(lines, is_left):
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) if left else cell.rjust(width)
                  for cell, width, left in zip(line, widths, is_left)).rstrip()
        for line in lines)


def late_text(rows):
    """How well the schedule of an offered rate was kept."""
    return [f"{row['case']}, {row['server']}: {row['rate']['median']:,.0f}/s reached, sent "
            f"{row['late_p50']['median'] / 1000:.2f} ms after the slot (median), "
            f"{row['late_p99']['median'] / 1000:.2f} ms (p99)" for row in rows if row["late_p99"]]


def delivered_text(runs):
    """How far the handlers had come when the load ended; only the acknowledged rate is measured."""
    delivered = Runs(run for run in runs if "delivered" in run)
    for (case, server), group in delivered.groups("case", "server").items():
        taken = ", ".join(
            f"{name} {spread([run['delivered'][name] for run in group])['median']:,.0f}"
            for name in group[0]["delivered"])
        yield (f"{case}, {server}: {spread(group.values('stored'))['median']:,.0f} events, the "
               f"warm-up's with them, of which were delivered so far: {taken} (medians)")


def machine_text(machine):
    versions = ", ".join(f"{name}: {text}" for name, text in machine["versions"].items() if text)
    return (f"{machine['cores']} x {machine['cpu']}, {machine['memory_mib']} MiB, "
            f"Linux {machine['kernel']}, fdatasync {machine['fdatasync_ms']:.2f} ms (median)\n"
            f"{versions}")
