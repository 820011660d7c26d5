/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The immutable configuration that workers read. The control thread builds one in memory of its
 * own, publishes it by one pointer (store-release; the worker's load-acquire per burst is its
 * partner), and frees it when no worker can hold it any more. Nothing in it changes after
 * publication; what changes per backend lives in struct backend, found by slot.
 */
#ifndef SLUICE_TABLE_SNAPSHOT_H
#define SLUICE_TABLE_SNAPSHOT_H

#include "base/ticks.h"
#include "net/tuple.h"

#define BACKEND_NAME_BYTES 64

/** Whose limits the queues follow; see queue_rules in config/README.md. */
enum queue_rules {
	QUEUE_RULES_LINUX_2_6,
	QUEUE_RULES_LINUX_4_4,
	QUEUE_RULES_LINUX_6_18,
	QUEUE_RULES_CLASSIC
};

/** Effective settings of one backend: global values with the backend's overrides applied. */
struct backend_config {
	union ip_addr address;
	uint16_t port;	/**< host order */
	uint16_t slot;	/**< where its struct backend lives in every worker; stable while it exists
			 */
	uint8_t family; /**< enum family */
	uint8_t tcp_syncookies; /**< 0, 1, 2 */
	uint8_t tcp_abort_on_overflow;
	uint8_t tcp_synack_retries;
	uint8_t tcp_syn_retries; /**< SYNs in all before the backend counts as silent: at least 1 */
	uint8_t queue_rules;	 /**< enum queue_rules */
	uint32_t backlog;
	uint32_t somaxconn;
	uint32_t tcp_max_syn_backlog;
	uint32_t connect_window;  /**< SYNs to the backend under way at a time, per worker: at least
				     1 */
	uint16_t announced_mss;	  /**< in our SYN-ACK until the backend's is learned */
	uint8_t announced_wscale; /**< the same, 0..9 */
	char name[BACKEND_NAME_BYTES];
};

/** Most entries the accept ring of a backend holds before it counts as full (SEMANTICS:
 * min(backlog, somaxconn); full when occupancy is above it). */
static inline uint32_t
backend_config_accept_limit(const struct backend_config *config)
{
	return config->backlog < config->somaxconn ? config->backlog : config->somaxconn;
}

struct snapshot;

/** Bytes that a snapshot of count backends needs. */
size_t snapshot_memsize(unsigned count);

/** Makes an empty snapshot for up to count backends in mem (aligned to a cache line, owned by the
 * caller). seed keys the look-up's hash. */
struct snapshot *snapshot_init(void *mem, unsigned count, uint64_t generation, uint64_t seed);

/** Adds a copy of config. 0, or -EEXIST (same address and port), -ENOSPC. Only before publication.
 */
int snapshot_insert(struct snapshot *snapshot, const struct backend_config *config);

/** The backend at that address and port, or NULL. O(1). */
const struct backend_config *snapshot_find(
		const struct snapshot *snapshot, const union ip_addr *address, uint16_t port);

/** True when any backend has that address: fragments to it can't pass. O(1). */
bool snapshot_protects(const struct snapshot *snapshot, const union ip_addr *address);

/** Backends in insertion order, 0 <= index < snapshot_count(). */
const struct backend_config *snapshot_at(const struct snapshot *snapshot, unsigned index);
unsigned snapshot_count(const struct snapshot *snapshot);
uint64_t snapshot_generation(const struct snapshot *snapshot);

#endif
