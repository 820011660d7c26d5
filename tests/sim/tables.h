/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A look into a worker's own tables, for what its counters and the shared counts claim about them.
 * Only the checks look; nothing that happens depends on it.
 */
#ifndef SLUICE_TESTS_SIM_TABLES_H
#define SLUICE_TESTS_SIM_TABLES_H

#include "proxy/worker.h"

/** Half-open clients of one backend at one worker; their slots are found by the snapshot. */
struct half_open_count {
	uint32_t entries;
	uint32_t young; /**< of them, those whose SYN-ACK was never repeated */
};

/** Adds what the worker has of each slot to counts[slot]; returns its entries of all slots. */
uint32_t tables_count(const struct worker *w, struct half_open_count *counts);

/** True when the worker has a connection or a half-open client with the packet's tuple. */
bool tables_know(const struct worker *w, const struct pkt *pkt);

#endif
