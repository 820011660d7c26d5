/* SPDX-License-Identifier: BSD-3-Clause */
#include "proxy/recent.h"

#include <assert.h>

static_assert(REASON_COUNT <= 256, "a reason fits the low byte");

enum reason
recent_find(const struct recent *recent, uint32_t hash, ticks_t now, uint64_t *ago_ms)
{
	const struct recent_cell *cell = &recent->cells[hash % RECENT_CELLS];
	const uint32_t now_ms = (uint32_t)(now / TICKS_PER_MS) & 0xffffff;

	if (cell->hash != hash || cell->ms_reason == 0)
		return REASON_NONE;
	*ago_ms = (now_ms - (cell->ms_reason >> 8)) & 0xffffff;
	return (enum reason)(cell->ms_reason & 0xff);
}
