/* SPDX-License-Identifier: BSD-3-Clause */
/* Pure but for text_print() and text_has_colour(). */
#include "text.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "control/word.h"

/* Bytes of the character at text that a terminal would obey; 0 when it is harmless. */
static size_t
control_length(const char *text)
{
	const unsigned char *c = (const unsigned char *)text;

	if (c[0] < ' ' || c[0] == 0x7f)
		return 1;
	/* C1 controls: U+0080 to U+009F. */
	if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0)
		return 2;
	/* U+200E, U+200F, U+2028 to U+202E and U+2066 to U+2069: lines and directions. */
	if (c[0] == 0xe2 && c[1] == 0x80 && (c[2] == 0x8e || c[2] == 0x8f))
		return 3;
	if (c[0] == 0xe2 && c[1] == 0x80 && c[2] >= 0xa8 && c[2] <= 0xae)
		return 3;
	if (c[0] == 0xe2 && c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9)
		return 3;
	return 0;
}

char *
text_clean(const char *text)
{
	static const char digits[] = "0123456789abcdef";
	/* "\xNN" is four times as long as what it stands for. */
	char *clean = malloc(4 * strlen(text) + 1);
	char *end = clean;

	ENSURE(clean != NULL);
	while (*text != '\0') {
		size_t length = control_length(text);

		if (length == 0)
			*end++ = *text++;
		for (; length > 0; length--) {
			const unsigned byte = (unsigned char)*text++;

			*end++ = '\\';
			*end++ = 'x';
			*end++ = digits[byte >> 4];
			*end++ = digits[byte & 15];
		}
	}
	*end = '\0';
	return clean;
}

void
text_print(FILE *out, const char *text)
{
	char *clean = text_clean(text);

	fputs(clean, out);
	free(clean);
}

size_t
text_width(const char *text)
{
	size_t width = 0;

	for (; *text != '\0'; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

void
text_rate(char text[TEXT_BYTES], double per_second)
{
	static const char *const units[] = {"", "k", "M", "G", "T"};
	unsigned unit = 0;

	/* 999.5 would be written as 1000. */
	while (per_second >= 999.5 && unit + 1 < ARRAY_COUNT(units)) {
		per_second /= 1000;
		unit++;
	}
	if (per_second < 9.95 && (unit > 0 || per_second != floor(per_second)))
		snprintf(text, TEXT_BYTES, "%.1f %s/s", per_second, units[unit]);
	else
		snprintf(text, TEXT_BYTES, "%.0f %s/s", per_second, units[unit]);
}

void
text_duration(char text[TEXT_BYTES], double seconds)
{
	const uint64_t whole = seconds > 0 && seconds < 1e15 ? (uint64_t)seconds : 0;
	const uint64_t minutes = whole / 60;
	const uint64_t hours = minutes / 60;

	if (seconds < 10)
		snprintf(text, TEXT_BYTES, "%.1f s", seconds);
	else if (minutes == 0)
		snprintf(text, TEXT_BYTES, "%u s", (unsigned)whole);
	else if (hours == 0)
		snprintf(text, TEXT_BYTES, "%u min %u s", (unsigned)minutes,
				(unsigned)(whole % 60));
	else if (hours < 24)
		snprintf(text, TEXT_BYTES, "%u h %u min", (unsigned)hours,
				(unsigned)(minutes % 60));
	else
		snprintf(text, TEXT_BYTES, "%llu d %u h", (unsigned long long)(hours / 24),
				(unsigned)(hours % 24));
}

void
text_nearest_try(struct text_nearest *nearest, const char *candidate)
{
	unsigned distance = word_distance(nearest->word, candidate);

	/* With every letter wrong it is another word. */
	if (distance >= strlen(candidate))
		return;
	if (nearest->best != NULL && distance >= nearest->distance)
		return;
	nearest->best = candidate;
	nearest->distance = distance;
}

bool
text_has_colour(FILE *out)
{
	const char *no_colour = getenv("NO_COLOR");
	const char *terminal = getenv("TERM");

	if (no_colour != NULL && no_colour[0] != '\0')
		return false;
	if (terminal == NULL || strcmp(terminal, "dumb") == 0)
		return false;
	return isatty(fileno(out)) == 1;
}
