/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets that arrived at the wrong worker go to their connection's owner, over one
 * single-producer, single-consumer ring per ordered pair of workers: no lock, and packets of
 * one port keep their order. Only TCP has an owner; anything else stays where it arrived.
 */
#ifndef SLUICE_APP_STEER_H
#define SLUICE_APP_STEER_H

#include <stdbool.h>

#include "control/config.h"
#include "net/tuple.h"

struct rte_mbuf;
struct rte_ring;

/** Packets that wait for one worker at most, shared out over the rings that lead to it; beyond
 * that they are dropped, with a reason. */
#define STEER_PACKETS 4096

/** All rings; owned by the control thread, which makes them before and frees them after the
 * workers run. */
struct steer {
	unsigned count;		 /**< workers */
	unsigned table_size;	 /**< entries of the RSS table that owner_of() imitates */
	struct rte_ring **rings; /**< count * count, by producer, then consumer */
};

/** Makes the rings; none for a single worker. False when out of memory. */
bool steer_init(struct steer *steer, const struct config *config, unsigned table_size);

/** The worker that owns the tuple's connection. */
unsigned steer_owner(const struct steer *steer, const struct tuple *tuple);

/** Hands m over; false when the ring is full. Called by worker `from` only. */
bool steer_send(const struct steer *steer, unsigned from, unsigned to, struct rte_mbuf *m);

/** Takes up to count mbufs that worker `from` handed to worker `to`. Called by `to` only. */
unsigned steer_receive(const struct steer *steer, unsigned from, unsigned to,
		struct rte_mbuf **mbufs, unsigned count);

/** Frees the packets still in the rings: they were never counted as received. No worker runs. */
void steer_drain(struct steer *steer);

/** Drains and frees the rings. */
void steer_fini(struct steer *steer);

#endif
