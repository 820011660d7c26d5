/* SPDX-License-Identifier: BSD-3-Clause */
/* Pure. */
#include "bar.h"

#include <stdio.h>
#include <string.h>

#include "base/base.h"

static unsigned
filled(int64_t value, int64_t limit, unsigned width)
{
	double places;

	if (value <= 0)
		return 0;
	if (value >= limit)
		return width;
	places = (double)value / (double)limit * width;
	if (places < 1)
		return 1;
	return places > width - 1 ? width - 1 : (unsigned)places;
}

void
bar_draw(char text[BAR_BYTES], int64_t value, int64_t limit, unsigned width)
{
	char places[BAR_WIDTH_MAX + 1];

	ENSURE(width <= BAR_WIDTH_MAX);
	if (width == 0) {
		snprintf(text, BAR_BYTES, "%lld/%lld", (long long)value, (long long)limit);
		return;
	}
	memset(places, '.', width);
	memset(places, '#', filled(value, limit, width));
	places[width] = '\0';
	snprintf(text, BAR_BYTES, "[%s] %lld/%lld", places, (long long)value, (long long)limit);
}
