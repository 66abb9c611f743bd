#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs test programs, as many at once as there are cores. What one says comes in one piece; what it
# says on stderr is of interest only when it fails.
#
# usage: each.sh PROGRAM...
set -u

if [ "$1" = --one ]; then
    program=$2
    "$program" >"$program.out" 2>"$program.err"
    status=$?
    {
        flock 9
        echo "== $program"
        cat "$program.out"
        if [ "$status" -ne 0 ]; then
            tail -n 100 "$program.err" >&2
            echo "failed: $program (status $status)" >&2
        fi
    } 9<"$0"
    exit "$status"
fi

printf '%s\n' "$@" | xargs -n 1 -P "$(nproc)" "$0" --one
