#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Fails when a function is longer than 80 lines or a file longer than 600; names those beyond the
# 60 and 500 that we aim at. Relies on the format: a function's body opens and closes in column 1.
#
# usage: limits.sh FILE...
set -eu

awk '
function report(limit, aim, n, where, what) {
    if (n > limit) {
        printf "%s: %s has %d lines, the limit is %d\n", where, what, n, limit
        bad = 1
    } else if (n > aim) {
        printf "%s: %s has %d lines, we aim at %d (passes)\n", where, what, n, aim
    }
}

FNR == 1 {
    if (file != "")
        report(600, 500, n_lines, file, "the file")
    file = FILENAME
    start = 0
}

{ n_lines = FNR }

# the first line of a definition: something in column 1 that calls itself name(
/^[A-Za-z_].*[A-Za-z0-9_]\(/ && !/;[ \t]*$/ {
    name = $0
    sub(/\(.*/, "", name)
    sub(/.*[ *]/, "", name)
    start = FNR
}

/^}/ && start {
    report(80, 60, FNR - start + 1, FILENAME ":" start, name "()")
    n_functions++
    if (FNR - start + 1 > longest)
        longest = FNR - start + 1
    start = 0
}

/^[^ \t].*;[ \t]*$/ && !/^}/ { start = 0 } # a prototype or a variable, after all

END {
    report(600, 500, n_lines, file, "the file")
    printf "limits: %d functions, the longest has %d lines\n", n_functions, longest
    exit bad
}' "$@"
