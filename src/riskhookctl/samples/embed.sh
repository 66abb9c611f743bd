#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Print the sample bodies, given as file names, as a C file: one string literal each.
set -eu
echo '/* made by src/riskhookctl/samples/embed.sh; do not edit */'
echo '#include "riskhookctl/sample.h"'
echo 'const struct sample_shape sample_shapes[] = {'
for f in "$@"; do
	echo "	{\"$(basename "$f" .json)\","
	sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/.*/\t "&\\n"/' "$f"
	echo '	},'
done
echo '};'
echo 'const size_t n_sample_shapes = sizeof(sample_shapes) / sizeof(sample_shapes[0]);'
