/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Publication of snapshots by one pointer, and their end through QSBR (rte_rcu_qsbr): a snapshot
 * that was replaced is freed once every worker has reported a quiescent state since. Control
 * thread only.
 */
#ifndef SLUICE_CONTROL_PUBLISH_H
#define SLUICE_CONTROL_PUBLISH_H

#include "control/config.h"

struct rte_rcu_qsbr;

/** Snapshots that may wait for their end; more means that a worker does not move. */
#define PUBLICATION_RETIRED_MAX 256

struct publication {
	const struct snapshot **where; /**< what workers load with acquire */
	struct rte_rcu_qsbr *qsbr;     /**< NULL: nobody reads, snapshots end at once */
	unsigned retired_count;
	struct retired {
		const struct snapshot *snapshot;
		uint64_t token;
	} retired[PUBLICATION_RETIRED_MAX];
};

void publication_init(struct publication *publication, const struct snapshot **where,
		struct rte_rcu_qsbr *qsbr);

/** A snapshot of the configuration's backends as they stand there, without the prefixes of its
 * lists, or NULL when out of memory. For tests and tools that never reload; the appliance's come
 * from its registry. */
struct snapshot *snapshot_from_config(
		const struct config *config, uint64_t generation, uint64_t seed);

/** Memory for a snapshot of count backends, or NULL. snapshot_free() it unless it was published. */
struct snapshot *snapshot_new(unsigned count, uint64_t generation, uint64_t seed);
void snapshot_free(struct snapshot *snapshot);

/** True when there is room to retire one more. */
bool publication_has_room(const struct publication *publication);

/** Makes the snapshot the one that workers load next (store-release; the acquire load in
 * sluice_burst() and sluice_tick() is its partner), and retires the one before. Owns it from then
 * on. Needs room. */
void publication_publish(struct publication *publication, struct snapshot *snapshot);

/** Frees what no worker can hold any more. Returns how many are still waiting. */
unsigned publication_reclaim(struct publication *publication);

/** Takes the source lists out of every snapshot; after the workers have ended, while what the lists
 * are made of is still there. */
void publication_forget_lists(struct publication *publication);

/** Frees everything, the published one too; after the workers have ended. */
void publication_fini(struct publication *publication);

#endif
