/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * All workers: their memory, what they share, and their cores. The control thread builds them,
 * starts and joins them; between start and join each belongs to its core, except for counters
 * and the stop flag.
 */
#ifndef SLUICE_APP_WORKERS_H
#define SLUICE_APP_WORKERS_H

#include "control/config.h"
#include "control/stats.h"
#include "keys.h"
#include "loop.h"
#include "mbufs.h"
#include "port.h"

struct workers {
	unsigned count;
	unsigned running; /**< of the first ones; the rest was never started */
	bool is_built;	  /**< all of it: counters can be read */
	bool stop;
	struct loop *loops[CONFIG_WORKERS_MAX]; /**< each on its worker's node */
	struct stats_worker stats[CONFIG_WORKERS_MAX];
	const struct snapshot *snapshot; /**< what workers load; owned here */
	uint32_t *accept_occupancy;	 /**< shared by all, by backend slot */
	struct sluice_limits limits;
	struct steer steer;
};

/** Builds everything on started ports. False when out of memory, already said; call
 * workers_fini() in either case. */
bool workers_init(struct workers *workers, const struct config *config, const struct keys *keys,
		const struct port ports[SIDE_COUNT], const struct mbufs *mbufs);

/** Launches every worker on its core. */
bool workers_start(struct workers *workers);

/** Stops and joins them, frees the packets on their way between them, and lets the ports give
 * back what was sent. Counters stay readable. */
void workers_stop(struct workers *workers);

/** Packets that the port of that side refused to send, all workers. */
uint64_t workers_refused(const struct workers *workers, enum side side);

/** Packets that changed workers. */
uint64_t workers_steered(const struct workers *workers);

void workers_fini(struct workers *workers);

#endif
