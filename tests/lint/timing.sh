#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Fails when the work of checking a credential depends on where it differs from the right one, on
# whether the user exists, or on which of several credentials it is nearest to. Counts instructions
# (valgrind --tool=callgrind), so the result is the same on every run and machine.
#
# The check first proves on a comparison that ends early that it would notice.
#
# usage: timing.sh PROGRAM    (the program of tests/timing/credentials.c)
set -eu

program=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# instructions below probe() for one case
count() {
    valgrind --tool=callgrind --toggle-collect=probe --callgrind-out-file="$scratch/out" \
        "$program" "$1" >"$scratch/said" 2>"$scratch/err" || {
        cat "$scratch/said" "$scratch/err" >&2
        exit 2
    }
    sed -n 's/^\(totals\|summary\): \([0-9]*\).*/\2/p' "$scratch/out" | tail -n 1
}

# same GROUP CASE...: every case of a group must cost the same
same() {
    group=$1
    shift
    wanted=
    for name in "$@"; do
        n=$(count "$name") || exit 2
        echo "timing: $group: $name: $n instructions" >>"$scratch/all"
        [ -n "$wanted" ] || wanted=$n
        [ "$n" -gt 0 ] && [ "$n" = "$wanted" ] || return 1
    done
}

if same "an early exit" early-first early-last; then
    echo "timing.sh: self-test: a comparison that ends early was not noticed" >&2
    exit 2
fi
: >"$scratch/all"

status=0
same basic basic-first-byte basic-last-byte basic-second basic-shorter basic-longer basic-nobody ||
    status=1
same bearer bearer-first-byte bearer-last-byte bearer-second bearer-shorter || status=1
same right-basic right-basic-1 right-basic-2 || status=1
same right-bearer right-bearer-1 right-bearer-2 || status=1
cat "$scratch/all"
[ "$status" -eq 0 ] || echo "timing.sh: the counts above differ within a group" >&2
exit "$status"
