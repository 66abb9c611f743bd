/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "Did you mean ...?"
 *
 *	struct nearest n = NEAREST_INIT(word);
 *	for each candidate: nearest_offer(&n, candidate);
 *	if (n.best) ...
 *
 * Threads: pure.   Ownership: borrows the word and the candidates.
 */
#pragma once

#include "util/slice.h"

#define NEAREST_MAX_DISTANCE 2

struct nearest {
	struct slice word;
	const char *best; /* the nearest so far, or NULL when none is near */
	size_t distance;
};

#define NEAREST_INIT(text)                                                                         \
	{                                                                                          \
		.word = (text), .distance = NEAREST_MAX_DISTANCE + 1                               \
	}

/* keep @candidate if it is nearer than what was offered before; a name's first word is near */
void nearest_offer(struct nearest *n, const char *candidate);

/* write " (did you mean 'xyz'?)" or nothing; returns @out */
#define NEAREST_TEXT_SIZE 96
const char *nearest_text(const struct nearest *n, char out[NEAREST_TEXT_SIZE]);
