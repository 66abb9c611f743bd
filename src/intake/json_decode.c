/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/json_decode.h"

#include <stdint.h>
#include <string.h>

#include "util/hex.h"
#include "util/utf8.h"

int json_unit(const char *p, const char *end)
{
	unsigned char bytes[2];

	if (end - p < 4 || hex_decode(slice_make(p, 4), bytes, sizeof(bytes)) != 0)
		return -1;
	return bytes[0] << 8 | bytes[1];
}

static size_t encode_utf8(uint32_t c, char out[4])
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xC0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3F));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xE0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3F));
		out[2] = (char)(0x80 | (c & 0x3F));
		return 3;
	}
	out[0] = (char)(0xF0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3F));
	out[2] = (char)(0x80 | (c >> 6 & 0x3F));
	out[3] = (char)(0x80 | (c & 0x3F));
	return 4;
}

/* the character of the escape at *@at, which is moved behind it */
static uint32_t decode_escape(struct slice raw, size_t *at)
{
	static const char letters[] = "bfnrt", meanings[] = "\b\f\n\r\t";
	const char *end = raw.p + raw.n, *p = raw.p + *at + 1, *letter;
	int unit, low;

	*at += 2;
	if (*p != 'u') {
		letter = memchr(letters, *p, sizeof(letters) - 1);
		return (unsigned char)(letter ? meanings[letter - letters] : *p);
	}
	unit = json_unit(p + 1, end);
	*at += 4;
	if (unit <= 0) /* a NUL; below zero it did not come from json_scan() */
		return 0xFFFD;
	if (!json_is_high_surrogate(unit))
		return (uint32_t)unit;
	low = end - p > 7 ? json_unit(p + 7, end) : -1;
	*at += 6;
	return json_is_low_surrogate(low)
		       ? 0x10000 + ((uint32_t)(unit - 0xD800) << 10) + (uint32_t)(low - 0xDC00)
		       : 0xFFFD;
}

bool json_decode(struct slice raw, char *out, size_t max, size_t *ret_n)
{
	size_t n = 0, at = 0, length;
	char character[4];

	while (at < raw.n) {
		const char *from = raw.p + at;

		if (*from == '\\' && raw.n - at >= 2) {
			length = encode_utf8(decode_escape(raw, &at), character);
			from = character;
		} else {
			length = utf8_length(from, raw.n - at);
			length = length ? length : 1;
			at += length;
		}
		*ret_n = n;
		if (length > max - n)
			return false;
		memcpy(out + n, from, length);
		n += length;
	}
	*ret_n = n;
	return true;
}
