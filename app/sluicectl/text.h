/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Text for people: strings of others without what a terminal would obey, rates and times with their
 * units, and the word that was probably meant.
 */
#ifndef SLUICECTL_TEXT_H
#define SLUICECTL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TEXT_BYTES 32 /**< enough for a rate or a duration */

/** A copy in which control characters, also those of Unicode that turn the direction of writing,
 * are written as \xNN per byte. The caller frees it. */
char *text_clean(const char *text);

/** Writes text_clean(text). */
void text_print(FILE *out, const char *text);

/** Characters of UTF-8, which is what a cell takes on a terminal. */
size_t text_width(const char *text);

/** "0.5 /s", "34 k/s", "1.2 M/s". */
void text_rate(char text[TEXT_BYTES], double per_second);

/** "4.2 s", "2 min 5 s", "3 h 10 min", "2 d 4 h". */
void text_duration(char text[TEXT_BYTES], double seconds);

/** Remembers the candidate nearest to a mistyped word. */
struct text_nearest {
	const char *word;
	const char *best; /**< NULL: none is near */
	unsigned distance;
};

/** Looks at one more candidate, which must live as long. */
void text_nearest_try(struct text_nearest *nearest, const char *candidate);

/** True when colours may be used on out: a terminal, and nobody asked for none (NO_COLOR, TERM). */
bool text_has_colour(FILE *out);

#define TEXT_RED "\033[31m"
#define TEXT_PLAIN "\033[m"

#endif
