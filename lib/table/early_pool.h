/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What one worker remembers of the packets it keeps: clients' first data, until their backends
 * answer. A fixed number of records, linked in lists; whose list it is, and what is done with the
 * packets, the caller knows (proxy/early.h).
 */
#ifndef SLUICE_TABLE_EARLY_POOL_H
#define SLUICE_TABLE_EARLY_POOL_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"

#define EARLY_NONE 0 /**< no record: they are numbered from 1 */
#define EARLY_PACKETS_MAX (1 << 20)

/** A packet as it was received, and the sequence space it fills. */
struct early_packet {
	uint8_t *data; /**< NULL while the record is free */
	void *owner;
	uint32_t len;
	uint32_t rest;	   /**< as in struct pkt */
	uint32_t seq;	   /**< of its first byte, host order */
	uint32_t end;	   /**< behind its last */
	uint32_t next;	   /**< in its list, or EARLY_NONE */
	uint16_t tailroom; /**< writable bytes behind data + len */
};
static_assert(sizeof(struct early_packet) == 40, "memory per packet kept");

struct early_pool {
	struct early_packet *packets;
	uint32_t capacity;
	uint32_t left; /**< free records */
	uint32_t free; /**< the first of them, or EARLY_NONE */
};

/** Bytes for so many records, 0..EARLY_PACKETS_MAX. */
size_t early_pool_memsize(uint32_t capacity);

/** Builds the pool in mem (8-byte aligned, owned by the caller). */
void early_pool_init(struct early_pool *pool, void *mem, uint32_t capacity);

static inline struct early_packet *
early_pool_packet(const struct early_pool *pool, uint32_t id)
{
	return &pool->packets[id - 1];
}

/** A free record's number, its members the caller's to fill; EARLY_NONE when there is none. */
uint32_t early_pool_take(struct early_pool *pool);

/** Takes a record back. Its packet is the caller's to give back first. */
void early_pool_put(struct early_pool *pool, uint32_t id);

#endif
