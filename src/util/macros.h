/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The few macros that every file may use.
 */
#pragma once

#include <stddef.h>

/* the caller must look at the result; ignoring is spelled (void) with a reason */
#define MUST_USE          __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* what a macro stands for, as a string */
#define STRING_OF(macro) STRING_OF_(macro)
#define STRING_OF_(text) #text

#define MIN_OF(a, b) ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b) ((a) > (b) ? (a) : (b))

/* the word behind a number */
#define PLURAL(n, one, many) ((n) == 1 ? (one) : (many))
