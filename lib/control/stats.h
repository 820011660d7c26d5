/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counters of all workers summed and written as JSON. Control thread only; workers go on
 * counting meanwhile, so sums of a running appliance are of one moment only per counter.
 */
#ifndef SLUICE_CONTROL_STATS_H
#define SLUICE_CONTROL_STATS_H

#include <jansson.h>

#include "control/load.h"
#include "control/watchdog.h"
#include "table/counters.h"
#include "table/snapshot.h"
#include "table/syn_samples.h"

/** One worker's counters; backends is indexed by slot. */
struct stats_worker {
	unsigned cpu;
	const struct worker_counters *counters;
	const struct backend_counters *backends;
	const struct watchdog *watch; /**< NULL until its tables exist */
	const struct load *load;      /**< the same */
	struct syn_samples *samples;  /**< of SYNs, for the control thread to take; the same */
};

struct registry;
struct slot;

/** The sum of the workers' own counters. */
void stats_sum(const struct registry *registry, struct worker_counters *sum);

/**
 * {"generation": n, "received": n, "connections": n,
 *  "total": {COUNTER: n, ...}, "backends": {NAME: {COUNTER: n, ...}}, "reasons": {REASON: n, ...},
 *  "emitted": {NAME: n, ..., "failed": n}, "workers": [{"cpu": n, "received": {"client": n,
 * "server": n}, "connections": n, ..., "stalled": bool, "stalls": n, "pauses": n, "paused_ms": n,
 * "busy_percent": x or null, "busy_cycles": n, "idle_cycles":
 * n}]} A new reference, or NULL when out of memory. NAME is what
 * registry_name() says; "total" counts removed backends too. The appliance adds "ports" and
 * "mbufs".
 */
json_t *stats_json(const struct registry *registry);

/** The same without the member "backends". */
json_t *stats_sums(const struct registry *registry);

/** One backend's {COUNTER: n, ...}. A new reference, or NULL when out of memory. */
json_t *stats_backend(const struct backend_counters *counters);

/** The members "total", "backends", "reasons" and "emitted" of that; with one backend only unless
 * slot is NULL. A new reference, or NULL when out of memory. */
json_t *stats_netstat(const struct registry *registry, const struct slot *slot);

/** The member "workers" of that, and the member "reasons". New references, or NULL when out of
 * memory. */
json_t *stats_workers(const struct registry *registry);
json_t *stats_reasons(const struct registry *registry);

#endif
