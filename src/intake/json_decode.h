/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of a JSON string whose escapes are still in it (RFC 8259 section 7)
 *
 * Threads: pure.   Ownership: borrows what it reads, writes to the caller's room.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "util/macros.h"
#include "util/slice.h"

/**
 * json_decode() - text of a string, its escapes resolved
 * @raw:   what is between the quotes, as json_scan() gave it
 * @out:   where to; UTF-8 without a terminating NUL
 * @max:   room at @out
 * @ret_n: bytes written, never a part of a character
 *
 * "\u0000" becomes U+FFFD, so that the text may end up where a NUL ends it.
 *
 * Return: true when the whole text fitted.
 */
bool json_decode(struct slice raw, char *out, size_t max, size_t *ret_n) MUST_USE;

/* the UTF-16 unit that the four digits of a \u escape at @p name, or -1 when they are not digits */
int json_unit(const char *p, const char *end);

static inline bool json_is_high_surrogate(int unit)
{
	return unit >= 0xD800 && unit <= 0xDBFF;
}

static inline bool json_is_low_surrogate(int unit)
{
	return unit >= 0xDC00 && unit <= 0xDFFF;
}
