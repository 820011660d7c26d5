/* SPDX-License-Identifier: BSD-3-Clause */
/* One pool per node, not per worker: a reply may leave through a ring another worker filled. */
#include "mbufs.h"

#include <stdio.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_mbuf.h>

#include "cpus.h"
#include "net/pkt.h"
#include "proxy/burst.h"
#include "say.h"
#include "steer.h"

/* Per-lcore cache of a pool, and what a worker may hold in its bursts, those received ahead, and
 * transmit lanes. */
#define POOL_CACHE 256
#define WORKER_MBUFS (2 * POOL_CACHE + 12 * BURST_MAX)

static_assert(MBUFS_NODES_MAX >= RTE_MAX_NUMA_NODES, "one pool per node");
static_assert(RTE_MBUF_DEFAULT_DATAROOM >= PKT_BUILD_BYTES_MAX,
		"every mbuf can carry what we build");

/* Data room, headroom included, that suits both ports: a packet received by one leaves by the
 * other. */
static unsigned
mbufs_room(const struct port ports[SIDE_COUNT])
{
	unsigned room = RTE_MBUF_DEFAULT_BUF_SIZE;

	for (unsigned side = 0; side < SIDE_COUNT; side++)
		room = RTE_MAX(room, ports[side].mbuf_room);
	return RTE_ALIGN(room, RTE_CACHE_LINE_SIZE);
}

size_t
mbufs_memsize(const struct config *config, const struct port ports[SIDE_COUNT])
{
	/* Each object also has a header, and may wait in its pool's ring (a power of two). */
	const size_t object = sizeof(struct rte_mempool_objhdr) + sizeof(struct rte_mbuf) +
			      mbufs_room(ports) + 2 * sizeof(void *) + RTE_CACHE_LINE_SIZE;

	return config->mbufs * object;
}

/* What waits for workers that stand still while all others hand over to them, at most. */
static unsigned
steered_most(unsigned workers)
{
	return workers > 1 ? STEER_PACKETS : 0;
}

static bool
mbufs_suffice(const struct config *config, const struct port ports[SIDE_COUNT])
{
	const unsigned least =
			port_mbufs_held(&ports[SIDE_CLIENT]) +
			port_mbufs_held(&ports[SIDE_BACKEND]) +
			config->worker_count * (WORKER_MBUFS + config_early_packets(config)) +
			steered_most(config->worker_count);

	if (config->mbufs >= least)
		return true;
	say("limits.mbufs: %u are too few for these ports and workers: at least %u", config->mbufs,
			least);
	return false;
}

/* The share of all mbufs that a node's workers make up. */
static unsigned
node_share(const struct config *config, int node)
{
	unsigned workers = 0;

	for (unsigned i = 0; i < config->worker_count; i++)
		workers += cpus_node(config->worker_cpus[i]) == node;
	return (unsigned)((uint64_t)config->mbufs * workers / config->worker_count);
}

/* The node's pool, created when its first worker asks. NULL: already said. */
static struct rte_mempool *
node_pool(struct mbufs *mbufs, const struct config *config, int node, unsigned room)
{
	const unsigned count = node_share(config, node);
	char name[RTE_MEMPOOL_NAMESIZE];
	struct rte_mempool *pool;

	snprintf(name, sizeof(name), "mbufs_node%d", node);
	for (unsigned i = 0; i < mbufs->count; i++)
		if (strcmp(mbufs->pools[i]->name, name) == 0)
			return mbufs->pools[i];

	pool = rte_pktmbuf_pool_create(name, count, POOL_CACHE, 0, (uint16_t)room, node);
	if (pool == NULL) {
		say("limits.mbufs: no memory for %u buffers of %u bytes on node %d (%s): lower it, "
		    "or give DPDK more memory",
				count, room, node, rte_strerror(rte_errno));
		return NULL;
	}
	mbufs->pools[mbufs->count++] = pool;
	return pool;
}

bool
mbufs_init(struct mbufs *mbufs, const struct config *config, const struct port ports[SIDE_COUNT])
{
	const unsigned room = mbufs_room(ports);

	*mbufs = (struct mbufs){0};
	if (!mbufs_suffice(config, ports))
		return false;
	for (unsigned i = 0; i < config->worker_count; i++) {
		const int node = cpus_node(config->worker_cpus[i]);

		mbufs->by_worker[i] = node_pool(mbufs, config, node, room);
		if (mbufs->by_worker[i] == NULL)
			return false;
	}
	return true;
}

unsigned
mbufs_total(const struct mbufs *mbufs)
{
	unsigned total = 0;

	for (unsigned i = 0; i < mbufs->count; i++)
		total += mbufs->pools[i]->size;
	return total;
}

unsigned
mbufs_in_use(const struct mbufs *mbufs)
{
	unsigned in_use = 0;

	for (unsigned i = 0; i < mbufs->count; i++)
		in_use += rte_mempool_in_use_count(mbufs->pools[i]);
	return in_use;
}

void
mbufs_mark_start(struct mbufs *mbufs)
{
	mbufs->in_use_at_start = mbufs_in_use(mbufs);
}

void
mbufs_fini(struct mbufs *mbufs)
{
	while (mbufs->count > 0)
		rte_mempool_free(mbufs->pools[--mbufs->count]);
}
