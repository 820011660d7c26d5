/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counters of all workers summed and written as JSON. Control thread only; workers go on
 * counting meanwhile, so sums of a running appliance are of one moment only per counter.
 */
#ifndef SLUICE_CONTROL_STATS_H
#define SLUICE_CONTROL_STATS_H

#include <jansson.h>

#include "table/counters.h"
#include "table/snapshot.h"

/** One worker's counters; backends is indexed by slot. */
struct stats_worker {
	unsigned cpu;
	const struct worker_counters *counters;
	const struct backend_counters *backends;
};

/**
 * {"generation": n, "received": n, "connections": n,
 *  "total": {COUNTER: n, ...}, "backends": {NAME: {COUNTER: n, ...}}, "reasons": {REASON: n, ...},
 *  "emitted": {NAME: n, ..., "failed": n}, "workers": [{"cpu": n, "received": {"client": n,
 * "server": n}, "connections": n, ...}]} A new reference, or NULL when out of memory. The appliance
 * adds "ports" and "mbufs".
 */
json_t *stats_json(const struct snapshot *snapshot, const struct stats_worker *workers,
		unsigned count);

#endif
