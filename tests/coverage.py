#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Lines and branches of src/ that the tests have run, by folder, and the files that need more.

usage: coverage.py BUILD [FILE...]    with FILEs: their lines that no test has run
"""

import collections
import json
import pathlib
import subprocess
import sys

LEAST = 15  # files that are named


def reports(build):
    """The reports of gcov, one an object file."""
    data = sorted(str(path.resolve()) for path in pathlib.Path(build).glob("obj/**/*.gcda"))
    for first in range(0, len(data), 20):
        done = subprocess.run(["gcov", "--json-format", "--branch-probabilities", "--stdout",
                               *data[first:first + 20]], capture_output=True, text=True,
                              check=True)
        for line in done.stdout.splitlines():
            if line.startswith("{"):
                yield json.loads(line)


def collect(build):
    """{file: ({line: runs}, {(line, branch): runs})}. A header, or checkpoint.c, is in several."""
    files = collections.defaultdict(lambda: (collections.Counter(), collections.Counter()))
    for report in reports(build):
        for file in report["files"]:
            if not file["file"].startswith("src/"):
                continue
            lines, branches = files[file["file"]]
            for line in file["lines"]:
                lines[line["line_number"]] += line["count"]
                for i, branch in enumerate(line["branches"]):
                    branches[line["line_number"], i] += branch["count"]
    return files


def covered(counts):
    return sum(1 for n in counts.values() if n), len(counts)


def percent(pair):
    return f"{100 * pair[0] / pair[1]:5.1f} %" if pair[1] else "    - %"


def add(a, b):
    return a[0] + b[0], a[1] + b[1]


def print_row(name, lines, branches):
    print(f"{name:32} {lines[1]:6} lines {percent(lines)}   {branches[1]:6} branches "
          f"{percent(branches)}")


def print_summary(files):
    folders = collections.defaultdict(lambda: ((0, 0), (0, 0)))
    for name, (lines, branches) in files.items():
        for folder in (str(pathlib.Path(name).parent), "src"):
            before = folders[folder]
            folders[folder] = add(before[0], covered(lines)), add(before[1], covered(branches))
    for folder in sorted(folders, key=lambda f: (f == "src", f)):
        print_row(folder, *folders[folder])
    print(f"\nthe {LEAST} files with the most lines that no test runs:")
    by_missing = sorted(files, key=lambda name: len(files[name][0]) - covered(files[name][0])[0],
                        reverse=True)
    for name in by_missing[:LEAST]:
        print_row(name, covered(files[name][0]), covered(files[name][1]))


def print_missing(files, name):
    source = pathlib.Path(name).read_text().splitlines()
    for number in sorted(n for n, runs in files[name][0].items() if not runs):
        print(f"{name}:{number}: {source[number - 1].strip()}")


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    files = collect(sys.argv[1])
    if not files:
        sys.exit(f"no counts below {sys.argv[1]}: make coverage builds and runs what counts")
    for name in sys.argv[2:]:
        print_missing(files, name)
    if not sys.argv[2:]:
        print_summary(files)


if __name__ == "__main__":
    main()
