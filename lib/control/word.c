/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/word.h"

#include <string.h>

#define WORD_BYTES_MAX 48 /* nothing longer is near any word of ours */

/* Fewest insertions, deletions and replacements that turn one word into the other (Levenshtein
 * 1966); both at most WORD_BYTES_MAX long. */
static unsigned
edit_distance(const char *from, const char *to)
{
	unsigned row[WORD_BYTES_MAX + 1];
	size_t length = strlen(to);

	for (unsigned i = 0; i <= length; i++)
		row[i] = i;
	for (size_t i = 0; from[i] != '\0'; i++) {
		unsigned diagonal = row[0]++;

		for (size_t j = 0; j < length; j++) {
			unsigned best = diagonal + (from[i] != to[j]);

			diagonal = row[j + 1];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j + 1] + 1 < best)
				best = row[j + 1] + 1;
			row[j + 1] = best;
		}
	}
	return row[length];
}

unsigned
word_distance(const char *typed, const char *word)
{
	unsigned distance;

	if (strlen(typed) > WORD_BYTES_MAX || strlen(word) > WORD_BYTES_MAX)
		return UINT32_MAX;
	distance = edit_distance(typed, word);
	/* A quarter of the letters wrong, and one more, is a typing error. */
	return distance <= 1 + strlen(word) / 4 ? distance : UINT32_MAX;
}
