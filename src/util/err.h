/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors
 *
 * Functions return int: 0 is success; a negative errno is forwarded unchanged; a positive value is
 * an outcome that the function's header documents and the caller must handle.
 *
 * Where a person has to read what is wrong (configuration, start-up, CLI) the function takes a
 * `struct error *` besides and writes one sentence into it: what is wrong and what to do.
 */
#pragma once

#include "util/macros.h"

struct error {
	char text[1024];
};

#define ERROR_INIT                                                                                 \
	{                                                                                          \
		""                                                                                 \
	}

/**
 * error_set() - write the sentence
 * @e:    where to, or NULL when nobody wants it
 * @code: returned unchanged, so that `return error_set(e, -EINVAL, "...")` works
 */
int error_set(struct error *e, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/**
 * error_prefix() - put context in front of the sentence: "context: sentence"
 *
 * Return: @code.
 */
int error_prefix(struct error *e, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* strerror() that is safe in every thread; @code is a negative errno */
const char *error_name(int code);
