#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs clang-tidy (.clang-tidy names the checks), two files at a time.
#
# usage: tidy.sh FILE... -- COMPILER-FLAG...
set -eu

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

n=0
: >"$scratch/files"
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    printf '%s\0' "$1" >>"$scratch/files"
    n=$((n + 1))
    shift
done
[ "${1:-}" != -- ] || shift

status=0
xargs -0 -r -I '{}' -P 2 clang-tidy --quiet '{}' -- "$@" \
    <"$scratch/files" >"$scratch/out" 2>&1 || status=1

# "N warnings generated" counts what it found in system headers and does not show.
grep -Ev '^([0-9]+ warnings? (generated|treated as errors)|Suppressed )' "$scratch/out" || true
[ "$status" -ne 0 ] || echo "clang-tidy: $n files"
exit "$status"
