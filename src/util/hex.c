/* SPDX-License-Identifier: Apache-2.0 */
#include "util/hex.h"

#include <errno.h>

void hex_encode(const void *p, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *u = p;

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[u[i] >> 4];
		out[2 * i + 1] = digits[u[i] & 15];
	}
	out[2 * n] = '\0';
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int hex_decode(struct slice text, void *out, size_t n)
{
	unsigned char *u = out;

	if (text.n != 2 * n)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		int hi = digit_value(text.p[2 * i]), lo = digit_value(text.p[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return -EINVAL;
		u[i] = (unsigned char)(hi << 4 | lo);
	}
	return 0;
}
