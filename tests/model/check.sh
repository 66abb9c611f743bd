#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Checks the model of the deliveries with spin, and that it finds each of its planted mistakes.
#
# usage: check.sh FOLDER (for what spin makes)
set -eu

model=$(cd "$(dirname "$0")" && pwd)/delivery.pml
mkdir -p "$1"
cd "$1"

# verify MISTAKE: prints pan's report. -a -f: the liveness property too, with weak fairness
verify() {
    rm -f ./*.trail
    spin "-DMISTAKE=$1" -a "$model" >spin.log
    "${CC:-cc}" -w -O1 -DNFAIR=3 -o pan pan.c
    ./pan -a -f -m1000000 >"pan-$1.log"
    cat "pan-$1.log"
}

report=$(verify 0)
if ! echo "$report" | grep -q 'errors: 0' || echo "$report" | grep -q 'max search depth too small'; then
    echo "$report" >&2
    echo "the model is wrong, or the design" >&2
    exit 1
fi
echo "ok 1 - $(echo "$report" | awk '/states, stored/ { print $1; exit }') states, no error"
for mistake in 1 2 3 4; do
    if ! verify "$mistake" | grep -q 'errors: [1-9]'; then
        echo "not ok $((mistake + 1)) - mistake $mistake was not found"
        exit 1
    fi
    echo "ok $((mistake + 1)) - mistake $mistake is found"
done
