/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of strings, and command lines split into them
 *
 * Threads: whoever holds the list.   Ownership: it owns its strings.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "util/macros.h"
#include "util/slice.h"

struct string_list {
	char **items; /* a NULL stands behind the last, so a list with items can be an argv */
	size_t n;
};

void string_list_deinit(struct string_list *list);
int string_list_append(struct string_list *list, struct slice s) MUST_USE;
bool string_list_has_nocase(const struct string_list *list, struct slice s);

/**
 * command_split() - split a command line into an argv, without a shell
 *
 * Blanks separate words; '...' takes everything literally; "..." knows \" and \\; outside quotes a
 * backslash takes the next character literally. Nothing else has a meaning: no $, *, ~, |, ;.
 *
 * Return: 0, -EINVAL (open quote, trailing backslash, no word), or -ENOMEM.
 */
int command_split(struct slice text, struct string_list *ret_argv) MUST_USE;
