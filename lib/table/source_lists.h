/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which clients the operator denies or allows by their address, as a worker sees it: something to
 * look up in, lent by the appliance, whose tables need DPDK's memory (app/sluice/lists.c). Part of
 * a snapshot, immutable like it; the control thread counts the snapshots that hold it, and the last
 * one ends it.
 */
#ifndef SLUICE_TABLE_SOURCE_LISTS_H
#define SLUICE_TABLE_SOURCE_LISTS_H

#include "net/tuple.h"

/** What the longest prefix that has an address says. */
enum source_verdict {
	SOURCE_UNLISTED,
	SOURCE_DENIED,	/**< begins nothing here */
	SOURCE_ALLOWED, /**< neither denied by a shorter prefix nor limited; proved like any other
			 */
};

/** Most addresses of one look-up. */
#define SOURCE_LISTS_BURST_MAX 32

struct source_lists {
	/** Looks 1..SOURCE_LISTS_BURST_MAX addresses up, tuples' clients, at once; sets an enum
	 * source_verdict for each. For any thread. */
	void (*find)(const struct source_lists *lists, const struct tuple *const *tuples,
			unsigned count, uint8_t *verdicts);
	/** Frees it; control thread only. */
	void (*end)(struct source_lists *lists);
	/** Snapshots and others that hold it; control thread only. */
	unsigned holders;
};

/** One more holds it. NULL is none. */
static inline struct source_lists *
source_lists_hold(struct source_lists *lists)
{
	if (lists != NULL)
		lists->holders++;
	return lists;
}

/** One fewer holds it; the last one ends it. */
static inline void
source_lists_drop(struct source_lists *lists)
{
	if (lists != NULL && --lists->holders == 0)
		lists->end(lists);
}

#endif
