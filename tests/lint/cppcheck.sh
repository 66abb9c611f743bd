#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs cppcheck over every file. Only our own headers are given; what it must know of the libraries
# is in cppcheck.cfg beside this script. Left to others: autoVariables to clang-tidy's
# StackAddressEscape, which sees that a waiter outlives the wait, and memleak to the address
# sanitizer, because cppcheck does not know the cleanup attribute. In tests __typeof__ of what a null
# pointer points at would be a dereference to it.
#
# usage: cppcheck.sh FILE...
set -eu

here=$(dirname "$0")

cppcheck --quiet --std=c11 --language=c --inline-suppr --error-exitcode=1 -j 2 \
    --enable=warning,performance,portability \
    --suppress=missingInclude --suppress=missingIncludeSystem --suppress=autoVariables \
    --suppress=memleak '--suppress=nullPointer:tests/unit/*' \
    --library=posix,"$here/cppcheck.cfg" \
    -D__GNUC__ -D_GNU_SOURCE -DRISKHOOK_VERSION='"lint"' -Isrc \
    --template='{file}:{line}: {severity}: {message} [{id}]' "$@"
echo "cppcheck: $# files"
