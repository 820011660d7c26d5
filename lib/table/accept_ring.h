/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The accept ring of a backend: proved clients whose backend has not answered yet. It is one
 * count for the backend, shared by all workers and bounded as Linux bounds its accept queue, and
 * one lane per worker: the clients that wait for the connect window, first in, first out. A client
 * counts from its proof until the backend's answer, whether it waits or is being connected.
 *
 * A lane is a list through the nodes of the waiting connections, which arm no timer meanwhile. So
 * it needs no memory of its own, a limit can change at any time, and a client that gives up leaves
 * from the middle in O(1).
 */
#ifndef SLUICE_TABLE_ACCEPT_RING_H
#define SLUICE_TABLE_ACCEPT_RING_H

#include "table/timer_wheel.h"

#define ACCEPT_NONE UINT32_MAX

/** True when the ring counts as full: occupancy above limit (Linux sk_acceptq_is_full), so limit +
 * 1 fit. Any thread. */
static inline bool
accept_ring_is_full(const uint32_t *occupancy, uint32_t limit)
{
	return __atomic_load_n(occupancy, __ATOMIC_RELAXED) > limit;
}

/** Counts one client in, unless the ring is full; exact with any number of workers. Any thread. */
bool accept_ring_enter(uint32_t *occupancy, uint32_t limit);

/** Counts one client out. Any thread. */
void accept_ring_leave(uint32_t *occupancy);

/** One worker's part of a backend's ring. */
struct accept_lane {
	uint32_t head; /**< waiting longest, or ACCEPT_NONE */
	uint32_t tail;
	uint32_t waiting;
	uint32_t connecting; /**< SYN sent to the backend, not answered */
};

void accept_lane_init(struct accept_lane *lane);

/** Where the nodes of the lanes are: node id at nodes + id * stride. */
struct accept_nodes {
	uint8_t *nodes;
	uint32_t stride;
};

/** Puts id at the end. */
void accept_lane_push(struct accept_lane *lane, const struct accept_nodes *nodes, uint32_t id);

/** Takes the id that waited longest, or ACCEPT_NONE. */
uint32_t accept_lane_pop(struct accept_lane *lane, const struct accept_nodes *nodes);

/** Takes id out from wherever it waits. */
void accept_lane_remove(struct accept_lane *lane, const struct accept_nodes *nodes, uint32_t id);

#endif
