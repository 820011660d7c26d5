/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How busy a worker is, although its CPU never rests: the share of its cycles that went into
 * iterations which found something to do. Control thread only.
 */
#ifndef SLUICE_CONTROL_LOAD_H
#define SLUICE_CONTROL_LOAD_H

#include "table/progress.h"

/** A share is of at least this time. */
#define LOAD_TIME TICKS_PER_S

#define LOAD_UNKNOWN UINT32_MAX

/** One worker's. Set progress, leave the rest 0. */
struct load {
	const struct progress *progress;
	ticks_t since;	    /**< when cycles were read last; 0: not yet */
	struct spent spent; /**< as they were then */
	uint32_t permille;  /**< 0..1000 of the time before; see load_permille() */
	bool is_known;	    /**< permille says something */
};

/** Looks at it now, a few times a second. */
void load_look(struct load *load, ticks_t now);

/** Busy cycles of 1,000 in the latest whole second; LOAD_UNKNOWN before the first one is over, and
 * when the worker got nowhere in it. */
static inline uint32_t
load_permille(const struct load *load)
{
	return load->is_known ? load->permille : LOAD_UNKNOWN;
}

#endif
