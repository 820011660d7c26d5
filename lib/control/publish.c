/* SPDX-License-Identifier: BSD-3-Clause */
/* One allocation per snapshot; everything in it is snapshot.c's. */
#include "control/publish.h"

#include <stdlib.h>

struct snapshot *
snapshot_from_config(const struct config *config, uint64_t generation, uint64_t seed)
{
	size_t size = cache_align(snapshot_memsize(config->backend_count));
	void *mem = aligned_alloc(CACHE_LINE_SIZE, size);
	struct snapshot *snapshot;

	if (mem == NULL)
		return NULL;
	snapshot = snapshot_init(mem, config->backend_count, generation, seed);
	for (unsigned i = 0; i < config->backend_count; i++) {
		/* config_check() has found all duplicates. */
		ENSURE(snapshot_insert(snapshot, &config->backends[i]) == 0);
	}
	return snapshot;
}

void
snapshot_free(struct snapshot *snapshot)
{
	free(snapshot);
}

const struct snapshot *
snapshot_publish(const struct snapshot **where, const struct snapshot *snapshot)
{
	/* Relaxed: only this thread ever stores. */
	const struct snapshot *before = __atomic_load_n(where, __ATOMIC_RELAXED);

	/* Pairs with the acquire load of the pointer in sluice_burst() and sluice_tick(): a worker
	 * that sees it sees all that snapshot_from_config() wrote. */
	__atomic_store_n(where, snapshot, __ATOMIC_RELEASE);
	return before;
}
