/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UTF-8 (RFC 3629)
 *
 * Threads: pure.
 */
#pragma once

#include <stddef.h>

/**
 * utf8_length() - length of the well-formed character at the start of @p
 * @p: bytes
 * @n: how many there are, at least 1
 *
 * Overlong forms, surrogates and code points above U+10FFFF are not well-formed.
 *
 * Return: 1 to 4, or 0 when the bytes are not well-formed UTF-8.
 */
size_t utf8_length(const char *p, size_t n);
