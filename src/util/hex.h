/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hexadecimal text. Threads: pure.
 */
#pragma once

#include <stddef.h>

#include "util/macros.h"
#include "util/slice.h"

/* write 2 * @n lower-case digits and a NUL to @out */
void hex_encode(const void *p, size_t n, char *out);

/**
 * hex_decode() - read exactly @n bytes from 2 * @n digits of either case
 *
 * Return: 0, or -EINVAL.
 */
int hex_decode(struct slice text, void *out, size_t n) MUST_USE;
