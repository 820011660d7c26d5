/* SPDX-License-Identifier: BSD-3-Clause */
/* Each ring lives on its consumer's node, and holds one packet less than its size. */
#include "steer.h"

#include <stdio.h>
#include <stdlib.h>

#include <rte_mbuf.h>
#include <rte_ring.h>

#include "cpus.h"
#include "owner.h"
#include "proxy/burst.h"

static_assert(STEER_PACKETS / CONFIG_WORKERS_MAX >= BURST_MAX, "a ring takes a whole burst");

static struct rte_ring **
ring_at(const struct steer *steer, unsigned from, unsigned to)
{
	return &steer->rings[from * steer->count + to];
}

bool
steer_init(struct steer *steer, const struct config *config, unsigned table_size)
{
	*steer = (struct steer){.count = config->worker_count, .table_size = table_size};
	if (steer->count == 1)
		return true;
	const unsigned size = rte_align32prevpow2(STEER_PACKETS / (steer->count - 1));

	steer->rings = calloc((size_t)steer->count * steer->count, sizeof(struct rte_ring *));
	if (steer->rings == NULL)
		return false;
	for (unsigned from = 0; from < steer->count; from++) {
		for (unsigned to = 0; to < steer->count; to++) {
			char name[RTE_RING_NAMESIZE];

			if (to == from)
				continue;
			snprintf(name, sizeof(name), "steer_%u_%u", from, to);
			*ring_at(steer, from, to) = rte_ring_create(name, size,
					cpus_node(config->worker_cpus[to]),
					RING_F_SP_ENQ | RING_F_SC_DEQ);
			if (*ring_at(steer, from, to) == NULL)
				return false;
		}
	}
	return true;
}

unsigned
steer_owner(const struct steer *steer, const struct tuple *tuple)
{
	return owner_of(tuple, steer->table_size, steer->count);
}

bool
steer_send(const struct steer *steer, unsigned from, unsigned to, struct rte_mbuf *m)
{
	return rte_ring_sp_enqueue(*ring_at(steer, from, to), m) == 0;
}

unsigned
steer_receive(const struct steer *steer, unsigned from, unsigned to, struct rte_mbuf **mbufs,
		unsigned count)
{
	return rte_ring_sc_dequeue_burst(*ring_at(steer, from, to), (void **)mbufs, count, NULL);
}

void
steer_drain(struct steer *steer)
{
	void *m;

	for (unsigned i = 0; steer->rings != NULL && i < steer->count * steer->count; i++)
		while (steer->rings[i] != NULL && rte_ring_sc_dequeue(steer->rings[i], &m) == 0)
			rte_pktmbuf_free(m);
}

void
steer_fini(struct steer *steer)
{
	steer_drain(steer);
	for (unsigned i = 0; steer->rings != NULL && i < steer->count * steer->count; i++)
		rte_ring_free(steer->rings[i]);
	free(steer->rings);
	steer->rings = NULL;
}
