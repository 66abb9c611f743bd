#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# A line for each module of src/: its file, and what the first words of its header say that it is; a
# .c file without a header says it itself. Fails when one says nothing.
#
# usage: map.sh [SRC]
set -eu

src=${1:-src}

# the sentence that begins in line 3, up to an empty line of the comment or its end
title() {
    awk '
        FNR == 2 && $0 != "/*" { exit }
        FNR > 2 {
            if ($0 !~ /^ \* ./)
                exit
            text = text (text ? " " : "") substr($0, 4)
        }
        END { print text }' "$1"
}

status=0
for file in "$src"/*/*.[ch]; do
    case $file in
    *.c) [ ! -e "${file%.c}.h" ] || continue ;;
    esac
    says=$(title "$file")
    if [ -z "$says" ]; then
        echo "$file: no line says what it is (behind the licence: /*, then its title)" >&2
        status=1
    fi
    printf '%-32s %s\n' "${file#"$src"/}" "$says"
done
exit "$status"
