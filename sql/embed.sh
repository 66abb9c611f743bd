#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Print the numbered migrations as a C file: one string literal each, in order.
set -eu
echo '/* made by sql/embed.sh; do not edit */'
echo '#include "store/schema.h"'
echo 'const char *const schema_migrations[] = {'
for f in "$@"; do
	sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/.*/\t"&\\n"/' "$f"
	echo '	,'
done
echo '};'
echo 'const int schema_version = sizeof(schema_migrations) / sizeof(schema_migrations[0]);'
