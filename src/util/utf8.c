/* SPDX-License-Identifier: Apache-2.0 */
#include "util/utf8.h"

#include <stdbool.h>

static bool is_between(unsigned char c, unsigned char lo, unsigned char hi)
{
	return c >= lo && c <= hi;
}

static bool is_continuation(unsigned char c)
{
	return (c & 0xC0) == 0x80;
}

/* What the second byte of three or four may be depends on the first (RFC 3629 section 4): this is
 * where overlong forms, surrogates and what is above U+10FFFF drop out. */
static bool is_second(unsigned char first, unsigned char c)
{
	switch (first) {
	case 0xE0:
		return is_between(c, 0xA0, 0xBF);
	case 0xED:
		return is_between(c, 0x80, 0x9F);
	case 0xF0:
		return is_between(c, 0x90, 0xBF);
	case 0xF4:
		return is_between(c, 0x80, 0x8F);
	default:
		return is_continuation(c);
	}
}

size_t utf8_length(const char *p, size_t n)
{
	const unsigned char *u = (const unsigned char *)p;

	if (u[0] < 0x80)
		return 1;
	if (u[0] < 0xC2 || u[0] > 0xF4 || n < 2)
		return 0;
	if (u[0] < 0xE0)
		return is_continuation(u[1]) ? 2 : 0;
	if (!is_second(u[0], u[1]) || n < 3 || !is_continuation(u[2]))
		return 0;
	if (u[0] < 0xF0)
		return 3;
	return n >= 4 && is_continuation(u[3]) ? 4 : 0;
}
