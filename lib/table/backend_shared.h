/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The few numbers of a backend that all workers share: how full its two queues are. One cache line
 * per backend, so that a busy backend slows no other. Written once per connection or half-open
 * client, read once per SYN; never written for a SYN that finds its queue full.
 *
 * All accesses are relaxed atomics: they bound and inform, and order nothing. The control thread
 * reads them for listings and clears them before it gives a slot to another backend, when no worker
 * can touch it.
 */
#ifndef SLUICE_TABLE_BACKEND_SHARED_H
#define SLUICE_TABLE_BACKEND_SHARED_H

#include <assert.h>

#include "base/base.h"
#include "base/ticks.h"
#include "net/cookie.h"

struct backend_shared {
	uint32_t accept;   /**< accept ring occupancy: see accept_ring.h */
	uint32_t syn;	   /**< syn queue entries of all workers: see syn_queue.h */
	uint32_t young;	   /**< of them, those whose SYN-ACK was never repeated */
	uint32_t cookie_s; /**< when a SYN-ACK was last sent that no entry backs; 0: never */
	uint32_t full_ms;  /**< when a SYN last met a full syn queue (queue_rules.h) */
	uint32_t cookies;  /**< mode 1: 1 while cookies are sent instead of queueing */
} __attribute__((aligned(CACHE_LINE_SIZE)));
static_assert(sizeof(struct backend_shared) == CACHE_LINE_SIZE, "backends share no line");

static inline uint32_t
shared_read(const uint32_t *value)
{
	return __atomic_load_n(value, __ATOMIC_RELAXED);
}

/** True for a cookie's lifetime after a SYN-ACK was last sent that no entry backs. */
static inline bool
shared_cookie_is_out(const struct backend_shared *shared, ticks_t now)
{
	const uint32_t sent_s = shared_read(&shared->cookie_s);

	return sent_s != 0 && (uint32_t)(now / TICKS_PER_S) - sent_s <= 2 * COOKIE_EPOCH_S;
}

/** Counts one in, unless most are in already; exact with any number of workers. */
static inline bool
shared_enter(uint32_t *value, uint32_t most)
{
	uint32_t seen = shared_read(value);

	do {
		if (seen >= most)
			return false;
	} while (!__atomic_compare_exchange_n(
			value, &seen, seen + 1, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return true;
}

/** Counts one out. */
static inline void
shared_leave(uint32_t *value)
{
	uint32_t before = __atomic_fetch_sub(value, 1, __ATOMIC_RELAXED);

	ENSURE(before > 0);
}

/** Writes only what changes, so that a line that all read stays shared. */
static inline void
shared_write(uint32_t *value, uint32_t to)
{
	if (shared_read(value) != to)
		__atomic_store_n(value, to, __ATOMIC_RELAXED);
}

#endif
