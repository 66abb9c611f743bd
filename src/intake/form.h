/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names and values of application/x-www-form-urlencoded
 *
 * Source: RFC 6749 appendix B, as OAuth uses it.
 *
 * Threads: pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "util/buf.h"
#include "util/macros.h"
#include "util/slice.h"

/* append @text encoded. Return: 0, or the buffer's error. */
int form_append(struct buf *out, struct slice text);

/**
 * form_decode() - one name or value: '+' is a blank, %41 is 'A'
 * @out: room for text.n bytes
 *
 * Return: false when a percent sign is not followed by two hexadecimal digits.
 */
bool form_decode(struct slice text, char *out, size_t *ret_n) MUST_USE;
