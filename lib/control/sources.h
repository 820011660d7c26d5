/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which networks a backend's unproved SYNs come from: a summary by Misra and Gries (1982) per
 * backend, fed by the workers' samples. A network is a /24 of IPv4 or a /48 of IPv6, the ranges
 * that routing and blocking are done by. A network's share is never told too large, and too small
 * by one part in SOURCES_TRACKED at most; a flood of forged sources has no network at all.
 *
 * A fixed number of backends has a summary at a time; the one that got no sample for longest makes
 * way. Control thread only.
 */
#ifndef SLUICE_CONTROL_SOURCES_H
#define SLUICE_CONTROL_SOURCES_H

#include "table/syn_samples.h"

#define SOURCES_TRACKED 64  /**< networks in a summary */
#define SOURCES_BACKENDS 64 /**< summaries */
#define SOURCES_TOP 3	    /**< networks that are told */
#define SOURCES_TEXT_BYTES 256
#define SOURCES_QUIET_S 60 /**< a summary ends when no sample was added for so long */

struct source {
	union ip_addr network; /**< host bits are 0 */
	uint64_t weight;       /**< SYNs, at least; 0: a free place */
	uint8_t family;	       /**< enum family */
};

struct sources {
	uint32_t slot;
	ticks_t began;	/**< when the first sample was added */
	ticks_t last;	/**< when a sample was added; 0: a free summary */
	uint64_t total; /**< SYNs that all samples stood for */
	struct source tracked[SOURCES_TRACKED];
};

/** All zero is empty. */
struct sources_pool {
	struct sources all[SOURCES_BACKENDS];
};

/** Adds a sample to its backend's summary, which begins with it if there is none, or none that got
 * a sample in the last SOURCES_QUIET_S. */
void sources_add(struct sources_pool *pool, const struct syn_sample *sample, ticks_t now);

/** A slot's summary, or NULL. */
const struct sources *sources_find(const struct sources_pool *pool, uint32_t slot);

/** Begins a slot's summary anew. */
void sources_forget(struct sources_pool *pool, uint32_t slot);

/**
 * Writes the networks with a twentieth of all SYNs or more, largest first, at most SOURCES_TOP:
 * "198.18.7.0/24 61 %, 2001:db8:1::/48 12 %". How many; 0 leaves text empty. sources may be NULL.
 */
unsigned sources_write(const struct sources *sources, char text[SOURCES_TEXT_BYTES]);

#endif
