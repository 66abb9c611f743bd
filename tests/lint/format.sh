#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Fails when clang-format would change a file, or when one lacks its licence line.
#
# usage: format.sh FILE...
set -eu

scratch=$(mktemp)
trap 'rm -f "$scratch"' EXIT

# one line a file is enough to know what to run clang-format -i on
clang-format --dry-run -Werror "$@" 2>&1 | sed -n 's/^\([^ :]*\):[0-9]*:[0-9]*: error:.*/\1/p' |
    sort | uniq -c >"$scratch"
if [ -s "$scratch" ]; then
    awk '{ print $2 ": " $1 " places differ; run clang-format -i on it" }' "$scratch" >&2
    exit 1
fi

bad=$(grep -L '^/\* SPDX-License-Identifier: Apache-2.0 \*/$' "$@" || true)
[ -z "$bad" ] || {
    printf '%s\n' "no SPDX line in:" "$bad" >&2
    exit 1
}
echo "format: $# files"
