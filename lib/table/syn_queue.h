/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The syn queue of one worker: half-open clients (the kernel's SYN_RECV) of all backends, found by
 * tuple, each with a timer for its next SYN-ACK. One writer, one reader, the same thread. The
 * limits per backend are not kept here (queue_rules.h, backend_shared.h); this is the memory behind
 * them. It is bounded: when it is full, the entry that was put in first makes way, which ends no
 * handshake, since every SYN-ACK also carries a cookie.
 *
 * An entry is one cache line; IPv6 addresses take half a line more.
 */
#ifndef SLUICE_TABLE_SYN_QUEUE_H
#define SLUICE_TABLE_SYN_QUEUE_H

#include "net/rewrite.h"
#include "table/flow_table.h"
#include "table/timer_wheel.h"

#define SYN_QUEUE_NONE FLOW_NONE
#define SYN_QUEUE_ENTRIES_LEAST 64 /**< more than a burst: none leaves in the burst it came in */
#define SYN_QUEUE_ENTRIES_MAX (UINT32_C(1) << 22)
#define SYN_WSCALE_NONE 15u

struct syn_entry {
	struct flow flow;	 /**< the flow table's */
	struct timer_node timer; /**< the wheel's */
	uint32_t isn;		 /**< the client's */
	uint32_t iss;		 /**< ours: a cookie */
	uint32_t tsval;	       /**< in our SYN-ACK, part of the cookie; valid when has_timestamp */
	uint32_t client_tsval; /**< the client's latest; valid when has_timestamp */
	uint8_t client_mac[ETHER_ADDR_BYTES];
	uint8_t backend_mac[ETHER_ADDR_BYTES];
	uint16_t mss;		      /**< the client's; 0: it named none */
	uint8_t repeats : 4;	      /**< SYN-ACKs repeated by the timer */
	uint8_t wscale : 4;	      /**< the client's, or SYN_WSCALE_NONE */
	uint8_t announced_wscale : 4; /**< ours, or SYN_WSCALE_NONE */
	uint8_t sack_permitted : 1;   /**< as agreed */
	uint8_t has_timestamp : 1;    /**< as agreed */
	uint8_t is_acked : 1;	      /**< proved, but met a full accept ring */
	uint8_t ecn : 1;	      /**< promised in our SYN-ACK */
};
static_assert(sizeof(struct syn_entry) == CACHE_LINE_SIZE, "one line per half-open client");

struct syn_queue {
	struct flow_table flows;
	struct timer_wheel timers;
	uint32_t capacity; /**< 0: there is no queue */
	uint32_t hand;	   /**< where syn_queue_oldest() goes on */
};

/** Bytes for entries: 0, or SYN_QUEUE_ENTRIES_LEAST..SYN_QUEUE_ENTRIES_MAX. */
size_t syn_queue_memsize(uint32_t entries);

/** An empty queue in mem (cache-line aligned). seed keys the hash, as the connections' table's, so
 * that one hash of a tuple serves both. */
void syn_queue_init(struct syn_queue *queue, void *mem, uint32_t entries,
		const struct siphash_key *seed, ticks_t now);

static inline struct syn_entry *
syn_queue_entry(const struct syn_queue *queue, uint32_t id)
{
	return flow_table_record(&queue->flows, id);
}

/** True when nobody is queued: nothing needs looking up. */
static inline bool
syn_queue_is_empty(const struct syn_queue *queue)
{
	return queue->capacity == 0 || queue->flows.count == 0;
}

/** The entry of a tuple, or SYN_QUEUE_NONE. hash is flow_table_hash(tuple). */
static inline uint32_t
syn_queue_find(const struct syn_queue *queue, uint32_t hash, const struct tuple *tuple)
{
	return syn_queue_is_empty(queue) ? SYN_QUEUE_NONE
					 : flow_table_find(&queue->flows, hash, tuple);
}

/**
 * Takes an entry for a tuple that has none, with its timer armed for when; all but flow and timer
 * is zero. SYN_QUEUE_NONE when there is no room: then syn_queue_oldest() names an entry to remove,
 * unless the reason is a crowded bucket.
 */
uint32_t syn_queue_insert(
		struct syn_queue *queue, uint32_t hash, const struct tuple *tuple, ticks_t when);

/** The entry that should make way for a new one: the one put in first, as far as is known. NONE
 * unless every entry is taken. */
uint32_t syn_queue_oldest(struct syn_queue *queue);

/** Gives an entry back and disarms its timer. */
void syn_queue_remove(struct syn_queue *queue, uint32_t id);

/** An entry whose timer is due, disarmed now, or SYN_QUEUE_NONE; see timer_wheel_next(). Arm it
 * again or remove it. */
uint32_t syn_queue_due(struct syn_queue *queue, ticks_t now, unsigned *budget);

/** Arms the timer of an entry that was due. */
void syn_queue_rearm(struct syn_queue *queue, uint32_t id, ticks_t when);

/** Gives back an entry that was due. */
void syn_queue_remove_due(struct syn_queue *queue, uint32_t id);

#endif
