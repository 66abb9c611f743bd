#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Print the dictionary, given as a file name, as a C file.
#
# 1.txt is what bodies have in common: the sender's published event shapes, indented and not, with
# its own words and nobody's values. It is part of every body that is stored with it, so it never
# changes: a better one would be 2.txt, with an encoding of its own.
set -eu
echo '/* made by src/store/dictionaries/embed.sh; do not edit */'
echo '#include "store/payload.h"'
echo 'const char payload_dictionary_1[] ='
sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/.*/\t"&\\n"/' "$1"
echo '	;'
echo 'const size_t payload_dictionary_1_n = sizeof(payload_dictionary_1) - 1;'
