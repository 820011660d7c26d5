/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counters of one worker. Each is written by its worker only and read by the control thread
 * at any time: plain relaxed stores and loads, no lock, no shared cache line. Names in the
 * .def files are an interface; Linux's names where Linux has one (SNMP, netstat -s).
 */
#ifndef SLUICE_TABLE_COUNTERS_H
#define SLUICE_TABLE_COUNTERS_H

#include <assert.h>

#include "base/base.h"
#include "base/reason.h"

enum backend_counter {
#define COUNTER(name, text) COUNTER_##name,
#include "table/counters.def"
#undef COUNTER
	BACKEND_COUNTER_COUNT
};

/** The counter's name, for example "SyncookiesSent". */
const char *backend_counter_name(enum backend_counter counter);

/** One sentence for an operator. */
const char *backend_counter_text(enum backend_counter counter);

/** Packets we sent beside those edited in place: made from nothing, or held a while; not part of
 * the sum of reasons. */
enum emitted {
	EMITTED_SYN_ACK_AGAIN, /**< to a client: SYN-ACK repeated from the syn queue */
	EMITTED_WINDOW_UPDATE, /**< to a client: its backend answered, it may send */
	EMITTED_SYN,	       /**< to a backend: first SYN of a client that waited in the ring,
				  or whose proof carried data */
	EMITTED_SYN_AGAIN,     /**< to a backend: SYN repeated */
	EMITTED_RST_CLIENT,    /**< to a client: its backend stayed silent */
	EMITTED_RST_BACKEND,   /**< to a backend: connection replaced, or given up */
	EMITTED_ACK,	       /**< to a backend: of its SYN-ACK, ahead of data that was held */
	EMITTED_EARLY_DATA, /**< to a backend: a client's packet that was held until it answered */
	EMITTED_PROBE_SYN,  /**< to a backend: begins a probe of ours */
	EMITTED_PROBE_QUESTION, /**< to the servers' side: for the MAC of a probe's next hop */
	EMITTED_COUNT
};

/** The name, for example "window_update". */
const char *emitted_name(enum emitted emitted);

struct worker_counters {
	uint64_t received[SIDE_COUNT];	/**< packets handed to sluice_burst, by the side they came
					   from */
	uint64_t reasons[REASON_COUNT]; /**< their sum is the sum of received, whenever no burst is
					   under way */
	uint64_t emitted[EMITTED_COUNT];
	uint64_t emit_failed; /**< wanted to emit, but there was no buffer */
	uint64_t connections; /**< connections held now, in any state */
	uint64_t early_held;  /**< packets of clients' first data held now */
	uint64_t ticks_late;  /**< ticks that ended with work left over (budget spent) */
} __attribute__((aligned(CACHE_LINE_SIZE)));

/*
 * How long clients waited in the accept ring, from their proof to the backend's SYN-ACK: bucket i
 * counts waits below 2^(WAIT_SHIFT + i) microseconds and not below the one before; the last has no
 * upper bound.
 */
#define WAIT_SHIFT 8
#define WAIT_BUCKETS 19
static_assert(UINT64_C(1) << (WAIT_SHIFT + WAIT_BUCKETS - 2) == 33554432,
		"the last bound is about 34 s, the first 256 us");

struct backend_counters {
	uint64_t values[BACKEND_COUNTER_COUNT];
	uint64_t wait[WAIT_BUCKETS];
	uint64_t wait_us;     /**< sum of all waits, microseconds */
	uint64_t connections; /**< held now, in any state, TIME_WAIT included */
} __attribute__((aligned(CACHE_LINE_SIZE)));

/** The bucket of a wait. */
static inline unsigned
wait_bucket(uint64_t us)
{
	unsigned bucket = us >> WAIT_SHIFT == 0 ? 0
						: 64 - (unsigned)__builtin_clzll(us >> WAIT_SHIFT);

	return bucket < WAIT_BUCKETS ? bucket : WAIT_BUCKETS - 1;
}

static inline void
counter_add(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

static inline uint64_t
counter_read(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

#endif
