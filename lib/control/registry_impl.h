/* SPDX-License-Identifier: BSD-3-Clause */
/* How the slots change and are published; for registry.c and registry_reload.c only. */
#ifndef SLUICE_CONTROL_REGISTRY_IMPL_H
#define SLUICE_CONTROL_REGISTRY_IMPL_H

#include "control/registry.h"

/** True for what workers see in the published snapshot. */
static inline bool
slot_is_published(const struct slot *slot)
{
	return slot->use != SLOT_FREE;
}

/** Frees what no worker can see any more: snapshots, and slots with their shared numbers. True when
 * every worker has seen the last publication. */
bool registry_settle(struct registry *registry);

/**
 * Begins a publication of count slots: from here on it can't fail, and changes of the slots count
 * for the epochs that no worker has begun. Returns what prevents it, or NULL with *snapshot the
 * empty one for registry_publish(); secret is the one of the future epochs.
 */
const char *registry_begin(struct registry *registry, unsigned count,
		const struct siphash_key *secret, ticks_t now, struct snapshot **snapshot);

/** Fills the snapshot with what the slots hold now, and publishes it. */
void registry_publish(struct registry *registry, struct snapshot *snapshot);

/** The secret of the future epochs as it is. */
const struct siphash_key *registry_secret(const struct registry *registry);

/** Tables for a configuration's lists, held once: those of now where the lists say the same. NULL:
 * none are needed, or they can't be made, with what prevents it in message, else "". */
struct source_lists *registry_make_lists(const struct registry *registry,
		const struct config *config, char *message, size_t size);

/** Puts a backend into a free slot. */
void registry_take(struct registry *registry, struct slot *slot,
		const struct backend_config *config, ticks_t now);

/** Gives a serving or draining slot other settings for the same address and port, or the same. */
void registry_keep(struct registry *registry, struct slot *slot,
		const struct backend_config *config, ticks_t now);

/** Lets a serving slot drain. */
void registry_drain(struct slot *slot, ticks_t now, ticks_t deadline);

#endif
