/* SPDX-License-Identifier: BSD-3-Clause */
#include "table/early_pool.h"

size_t
early_pool_memsize(uint32_t capacity)
{
	return capacity * sizeof(struct early_packet);
}

void
early_pool_init(struct early_pool *pool, void *mem, uint32_t capacity)
{
	ENSURE(capacity <= EARLY_PACKETS_MAX);
	*pool = (struct early_pool){.packets = mem, .capacity = capacity};
	/* The lowest number is taken first, so that a calm worker touches few lines. */
	for (uint32_t id = capacity; id > 0; id--)
		early_pool_put(pool, id);
}

uint32_t
early_pool_take(struct early_pool *pool)
{
	uint32_t id = pool->free;

	if (id == EARLY_NONE)
		return EARLY_NONE;
	pool->free = early_pool_packet(pool, id)->next;
	pool->left--;
	return id;
}

void
early_pool_put(struct early_pool *pool, uint32_t id)
{
	*early_pool_packet(pool, id) = (struct early_packet){.next = pool->free};
	pool->free = id;
	pool->left++;
}
