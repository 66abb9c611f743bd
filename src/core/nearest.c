/* SPDX-License-Identifier: Apache-2.0 */
#include "core/nearest.h"

#include <stdio.h>

#include "util/macros.h"

#define LENGTH_MAX 64 /* of a word that is worth comparing */

/* Levenshtein distance, one row of the matrix at a time */
static size_t edit_distance(struct slice a, struct slice b)
{
	size_t row[LENGTH_MAX + 1];

	for (size_t j = 0; j <= b.n; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.n; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b.n; j++) {
			size_t replaced = diagonal + (a.p[i - 1] != b.p[j - 1]);

			diagonal = row[j];
			row[j] = MIN_OF(replaced, MIN_OF(row[j], row[j - 1]) + 1);
		}
	}
	return row[b.n];
}

/* 'check' of 'check-config' */
static bool is_first_word(struct slice word, struct slice whole)
{
	return whole.n > word.n && (whole.p[word.n] == '-' || whole.p[word.n] == '_') &&
	       slice_eq(word, slice_make(whole.p, word.n));
}

void nearest_offer(struct nearest *n, const char *candidate)
{
	struct slice other = slice_of(candidate);
	size_t distance;

	if (n->word.n > LENGTH_MAX || other.n > LENGTH_MAX)
		return;
	distance = is_first_word(n->word, other) ? 1 : edit_distance(n->word, other);
	/* two letters of a very short word may be all of it */
	if (distance >= n->distance || distance >= other.n)
		return;
	n->best = candidate;
	n->distance = distance;
}

const char *nearest_text(const struct nearest *n, char out[NEAREST_TEXT_SIZE])
{
	out[0] = '\0';
	if (n->best) /* names are shorter than the room for them */
		(void)snprintf(out, NEAREST_TEXT_SIZE, " (did you mean '%s'?)", n->best);
	return out;
}
