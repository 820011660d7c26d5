/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Clients of backends in monitor mode, as one worker sees them come: by tuple, from their SYN until
 * they would have been connected. Nothing of a packet's fate depends on this; it is what the
 * counters of such a backend go by (proxy/as_if.h). A set is bounded: when it is full, the client
 * that was put in first makes way, and is counted no further.
 *
 * A record is one cache line; IPv6 addresses take half a line more.
 */
#ifndef SLUICE_TABLE_OBSERVED_H
#define SLUICE_TABLE_OBSERVED_H

#include "table/flow_table.h"
#include "table/timer_wheel.h"

#define OBSERVED_NONE FLOW_NONE
#define OBSERVED_CLIENTS_LEAST 64 /**< of both sets of a worker together */
#define OBSERVED_CLIENTS_MAX (UINT32_C(1) << 22)

/** How far a client has come. */
enum observed_state {
	OBSERVED_SYN,	   /**< its SYN passed */
	OBSERVED_WAITING,  /**< it tried again, so it is real, and its backend has not answered */
	OBSERVED_ANSWERED, /**< its backend has; it would wait as long as that took */
	OBSERVED_OVER,	   /**< turned away; remembered, so that its SYN again counts no more */
};

struct observed_client {
	struct flow flow;	    /**< the flow table's */
	struct timer_node timer;    /**< the wheel's */
	ticks_t since;		    /**< when its SYN passed; WAITING: when it tried again */
	uint32_t isn;		    /**< the client's */
	uint32_t backend_isn;	    /**< valid when is_answered */
	uint32_t took_us;	    /**< from its SYN to the backend's SYN-ACK; the same */
	uint16_t slot;		    /**< of its backend, whose shared counts it is part of */
	uint8_t state;		    /**< enum observed_state */
	uint8_t wscale;		    /**< what its SYN offered, or TCP_WSCALE_NONE */
	uint16_t data_length;	    /**< bytes that its SYN brought (RFC 7413) */
	uint8_t repeats : 4;	    /**< SYN-ACKs that would have been repeated */
	uint8_t in_queue : 1;	    /**< counts as half-open; young while repeats is 0 */
	uint8_t in_ring : 1;	    /**< counts into the accept ring */
	uint8_t is_cookie : 1;	    /**< would have got a cookie alone */
	uint8_t is_acked : 1;	    /**< proved, but met a full accept ring */
	uint8_t is_answered : 1;    /**< the backend's SYN-ACK was seen */
	uint8_t is_armed : 1;	    /**< the timer */
	uint8_t sack_permitted : 1; /**< offered by its SYN, as the next two */
	uint8_t has_timestamp : 1;
	uint8_t ecn : 1;
} __attribute__((aligned(CACHE_LINE_SIZE)));
static_assert(sizeof(struct observed_client) == CACHE_LINE_SIZE, "one line per client");

struct observed_set {
	struct flow_table flows;
	struct timer_wheel timers;
	uint32_t capacity; /**< 0: nobody is observed */
	uint32_t hand;	   /**< where observed_oldest() goes on */
};

/** Bytes for a set of that many clients, 0..OBSERVED_CLIENTS_MAX. */
size_t observed_memsize(uint32_t clients);

/** An empty set in mem (cache-line aligned). seed keys the hash, as the connections' table's, so
 * that one hash of a tuple serves both. */
void observed_init(struct observed_set *set, void *mem, uint32_t clients,
		const struct siphash_key *seed, ticks_t now);

static inline struct observed_client *
observed_client(const struct observed_set *set, uint32_t id)
{
	return flow_table_record(&set->flows, id);
}

/** True when nobody is in it. */
static inline bool
observed_is_empty(const struct observed_set *set)
{
	return set->capacity == 0 || set->flows.count == 0;
}

/** The record of a tuple, or OBSERVED_NONE. hash is flow_table_hash(tuple). */
static inline uint32_t
observed_find(const struct observed_set *set, uint32_t hash, const struct tuple *tuple)
{
	return observed_is_empty(set) ? OBSERVED_NONE : flow_table_find(&set->flows, hash, tuple);
}

/** Takes a record for a tuple that has none, its timer disarmed; all but flow is zero. When the set
 * is full, observed_oldest() names one to remove before. OBSERVED_NONE when there is no room. */
uint32_t observed_insert(struct observed_set *set, uint32_t hash, const struct tuple *tuple);

/** The record that should make way for a new one. NONE unless all are taken. */
uint32_t observed_oldest(struct observed_set *set);

/** Gives a record back. */
void observed_remove(struct observed_set *set, uint32_t id);

/** Arms the timer, or moves it. It fires never early, and late by up to 256 us, or as ticks come:
 * so short are waits in a calm accept ring. */
void observed_arm(struct observed_set *set, uint32_t id, ticks_t when);

/** A record whose timer is due, disarmed now, or OBSERVED_NONE; see timer_wheel_next(). */
uint32_t observed_due(struct observed_set *set, ticks_t now, unsigned *budget);

/** A time not later than the first due timer; TICKS_NEVER when none is armed. */
ticks_t observed_when(const struct observed_set *set, ticks_t now);

#endif
