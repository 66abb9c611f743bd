/* SPDX-License-Identifier: Apache-2.0 */
#include "util/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *e, int code, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return code;
	va_start(ap, fmt);
	(void)vsnprintf(e->text, sizeof(e->text), fmt, ap); /* a cut sentence is still one */
	va_end(ap);
	return code;
}

int error_prefix(struct error *e, int code, const char *fmt, ...)
{
	struct error old;
	char context[256];
	va_list ap;

	if (!e)
		return code;
	old = *e;
	va_start(ap, fmt);
	(void)vsnprintf(context, sizeof(context), fmt, ap); /* a cut context still helps */
	va_end(ap);
	return error_set(e, code, "%s: %s", context, old.text);
}

const char *error_name(int code)
{
	const char *s = strerrordesc_np(code < 0 ? -code : code);

	return s ? s : "unknown error";
}
