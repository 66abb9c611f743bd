/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/form.h"

#include <ctype.h>

#include "util/hex.h"

int form_append(struct buf *out, struct slice text)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		/* a blank as %20, not +: both are right, and not every server knows + here */
		if ((c < 0x80 && isalnum(c)) || c == '-' || c == '.' || c == '_')
			buf_append_char(out, (char)c);
		else
			buf_printf(out, "%%%02X", c);
	}
	return buf_error(out);
}

bool form_decode(struct slice text, char *out, size_t *ret_n)
{
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (c == '%') {
			if (text.n - i < 3 || hex_decode(slice_make(text.p + i + 1, 2), &c, 1) < 0)
				return false;
			i += 2;
		} else if (c == '+') {
			c = ' ';
		}
		out[n++] = c;
	}
	*ret_n = n;
	return true;
}
