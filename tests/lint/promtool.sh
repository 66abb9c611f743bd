#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Prints the path of promtool. Debian has it in the package prometheus alone, whose installation
# starts a server; so it is taken out of the package into build/tools.
#
# usage: promtool.sh [fetch]
set -eu

tools=$(dirname "$0")/../../build/tools
found=$(command -v promtool || true)
[ -n "$found" ] || [ ! -x "$tools/promtool" ] || found=$tools/promtool
if [ -z "$found" ] && [ "${1:-}" = fetch ]; then
    mkdir -p "$tools/package"
    (cd "$tools/package" && apt-get -q download prometheus &&
        dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool) >&2
    mv "$tools/package/usr/bin/promtool" "$tools/promtool"
    rm -r "$tools/package"
    found=$tools/promtool
fi
[ -n "$found" ] || { echo "promtool is missing; tests/lint/promtool.sh fetch gets it" >&2; exit 1; }
echo "$found"
