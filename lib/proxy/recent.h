/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The last verdict of tuples that were not simply spliced, for "sluicectl explain". A small cache,
 * one store per packet, by the tuple's hash: under a flood it forgets within a millisecond, in calm
 * it remembers what became of a client's last try.
 */
#ifndef SLUICE_PROXY_RECENT_H
#define SLUICE_PROXY_RECENT_H

#include "base/reason.h"
#include "base/ticks.h"

#define RECENT_CELLS 512u

struct recent_cell {
	uint32_t hash;
	uint32_t ms_reason; /**< milliseconds modulo 2^24, reason in the low 8 bits; 0: empty */
};

struct recent {
	struct recent_cell cells[RECENT_CELLS];
};

static inline void
recent_note(struct recent *recent, uint32_t hash, enum reason reason, ticks_t now)
{
	recent->cells[hash % RECENT_CELLS] = (struct recent_cell){
			.hash = hash, .ms_reason = (uint32_t)(now / TICKS_PER_MS) << 8 | reason};
}

/** The reason noted last for that hash, or REASON_NONE; *ago_ms how long ago (wraps at 4.6 hours).
 */
enum reason recent_find(const struct recent *recent, uint32_t hash, ticks_t now, uint64_t *ago_ms);

#endif
