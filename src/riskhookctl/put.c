/* SPDX-License-Identifier: Apache-2.0 */
#include "riskhookctl/put.h"

#include <stdarg.h>

void put(FILE *out, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vfprintf(out, fmt, ap); /* print_flush() tells */
	va_end(ap);
}

void put_slice(FILE *out, struct slice text)
{
	if (text.n > 0)
		(void)fwrite(text.p, 1, text.n, out); /* print_flush() tells */
}
