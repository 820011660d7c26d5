/* SPDX-License-Identifier: BSD-3-Clause */
/* The packet buffers: limits.mbufs of them, shared out over the NUMA nodes that have workers. */
#ifndef SLUICE_APP_MBUFS_H
#define SLUICE_APP_MBUFS_H

#include "control/config.h"
#include "port.h"

/** More nodes than DPDK knows (RTE_MAX_NUMA_NODES) can't occur. */
#define MBUFS_NODES_MAX 32

struct rte_mempool;

struct mbufs {
	unsigned count; /**< pools, one per node that has workers */
	struct rte_mempool *pools[MBUFS_NODES_MAX];
	struct rte_mempool *by_worker[CONFIG_WORKERS_MAX]; /**< each one of the pools */
	unsigned in_use_at_start;
};

/** Bytes of EAL memory that the pools will take, about. */
size_t mbufs_memsize(const struct config *config, const struct port ports[SIDE_COUNT]);

/** Creates the pools. False when limits.mbufs is too low or memory short, already said. */
bool mbufs_init(struct mbufs *mbufs, const struct config *config,
		const struct port ports[SIDE_COUNT]);

/** Remembers how many are in use now: those lent to the ports' rings. */
void mbufs_mark_start(struct mbufs *mbufs);

unsigned mbufs_total(const struct mbufs *mbufs);
unsigned mbufs_in_use(const struct mbufs *mbufs);

/** Frees the pools; all ports are closed by then. */
void mbufs_fini(struct mbufs *mbufs);

#endif
