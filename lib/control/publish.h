/* SPDX-License-Identifier: BSD-3-Clause */
/* From configuration to the snapshot that workers read. Control thread only. */
#ifndef SLUICE_CONTROL_PUBLISH_H
#define SLUICE_CONTROL_PUBLISH_H

#include "control/config.h"

/**
 * Builds a snapshot of the configuration's backends. NULL when out of memory. The caller owns
 * it: snapshot_free() once no worker can hold it.
 */
struct snapshot *snapshot_from_config(
		const struct config *config, uint64_t generation, uint64_t seed);

void snapshot_free(struct snapshot *snapshot);

/** Makes the snapshot the one that workers load next (store-release; sluice_burst's acquire is its
 * partner). Returns the one before, maybe NULL. */
const struct snapshot *snapshot_publish(
		const struct snapshot **where, const struct snapshot *snapshot);

#endif
