# SPDX-License-Identifier: Apache-2.0
"""The figures of all runs, as a table for people."""

import statistics

COLUMNS = ("body", "conns", "server", "rate/s", "of nginx", "spread", "p50 ms", "p90 ms", "p99 ms",
           "p99.9 ms", "errors", "RSS MiB")
LATENCIES = ("p50", "p90", "p99", "p999")


def summarise(runs):
    """One row a combination of body, connections and server: medians over the repetitions.

    The ratio is taken within each repetition, where nginx ran moments before on the same
    machine, and only then its median and its extremes.
    """
    groups = {}
    for run in runs:
        groups.setdefault((run["body"], run["connections"], run["server"]), []).append(run)
    ceiling = {(r["body"], r["connections"], r["repetition"]): r["rate"]
               for r in runs if r["server"] == "nginx"}
    return [_row(key, group, ceiling) for key, group in groups.items()]


def _row(key, group, ceiling):
    body, connections, server = key
    ratios = [run["rate"] / ceiling[body, connections, run["repetition"]] for run in group
              if ceiling.get((body, connections, run["repetition"]))]
    row = {
        "body": body,
        "connections": connections,
        "server": server,
        "rate": statistics.median(run["rate"] for run in group),
        "ratio": statistics.median(ratios) if ratios else None,
        "ratio_least": min(ratios, default=None),
        "ratio_most": max(ratios, default=None),
        "errors": sum(run["errors"] for run in group),
        "resident_kib": max(run["resident_kib"] for run in group),
    }
    for name in LATENCIES:
        row[name] = statistics.median(run[name] for run in group)
    return row


def table(rows):
    lines = [COLUMNS]
    for row in rows:
        has_ratio = row["ratio"] is not None and row["server"] != "nginx"
        lines.append((
            row["body"], str(row["connections"]), row["server"], f"{row['rate']:,.0f}",
            f"{row['ratio']:.2f}" if has_ratio else "",
            f"{row['ratio_least']:.2f}-{row['ratio_most']:.2f}" if has_ratio else "",
            *(f"{row[name] / 1000:.2f}" for name in LATENCIES),
            str(row["errors"]), f"{row['resident_kib'] / 1024:.0f}"))
    widths = [max(len(line[i]) for line in lines) for i in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(cell.ljust(width) if i in (0, 2) else cell.rjust(width)
                  for i, (cell, width) in enumerate(zip(line, widths))).rstrip()
        for line in lines)


def machine_text(machine):
    versions = ", ".join(f"{name}: {text}" for name, text in machine["versions"].items() if text)
    return (f"{machine['cores']} x {machine['cpu']}, {machine['memory_mib']} MiB, "
            f"Linux {machine['kernel']}, fdatasync {machine['fdatasync_ms']:.2f} ms (median)\n"
            f"{versions}")
