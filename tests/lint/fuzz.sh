#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs each libFuzzer program for FUZZ_SECONDS from the fixtures and its own corpus. New inputs go
# to a folder beside the program, never into the repository. Fails on a finding, and when a program
# got through fewer than 10,000 inputs: then it is too slow to find anything.
#
# A program NAME has the dictionary tests/fuzz/NAME.dict; those without one read JSON.
#
# usage: FUZZ_SECONDS=60 fuzz.sh PROGRAM...
set -eu

LEAST=10000
root=$(cd "$(dirname "$0")/../.." && pwd)

executed() {
    sed -n 's/^stat::number_of_executed_units: *//p' "$1"
}

# one target: its corpus, its dictionary, its bound
fuzz_one() {
    program=$1
    name=$(basename "$program")
    found=$program.corpus
    log=$program.log
    mkdir -p "$found"
    corpus="$found $root/tests/fixtures"
    [ ! -d "$root/tests/fuzz/corpus/$name" ] || corpus="$corpus $root/tests/fuzz/corpus/$name"

    dictionary=$root/tests/fuzz/$name.dict
    [ -f "$dictionary" ] || dictionary=$root/tests/fuzz/json.dict

    # $corpus is a list; paths of a checkout with blanks in them would not survive make either
    if ! "$program" -max_total_time="${FUZZ_SECONDS:-60}" -max_len=65536 -timeout=10 -dict="$dictionary" \
        -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$program." $corpus \
        >"$log" 2>&1; then
        tail -n 60 "$log" >&2
        echo "fuzz $name: FAILED, see $log" >&2
        return 1
    fi

    n=$(executed "$log")
    echo "fuzz $name: ${n:-0} inputs, no finding"
    if [ "${n:-0}" -lt "$LEAST" ]; then
        echo "fuzz $name: FAILED, fewer than $LEAST inputs" >&2
        return 1
    fi
}

if [ "$1" = --one ]; then
    fuzz_one "$2"
    exit
fi

# each uses one processor
printf '%s\n' "$@" | xargs -n 1 -P "$(nproc)" "$0" --one
