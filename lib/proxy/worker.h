/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The library's door: one worker is the whole proxy for the packets that one core sees. It
 * reads no clock, touches no NIC and allocates nothing; packets and time come in, verdicts and
 * packets go out. All functions take the worker first and belong to its one thread, except
 * worker_counters() and worker_backend_counters(), which any thread may read.
 *
 *	mem = memory of sluice_worker_memsize() bytes, cache-line aligned
 *	w = sluice_worker_init(mem, &limits, &env)
 *	loop: sluice_burst(w, &burst, now); carry out verdicts; sluice_tick(w, now, budget)
 *
 * A worker owns nothing but its memory, the packets it was lent for the burst, and those it was
 *left with the verdict HOLD, which sluice_give_back() returns at the end.
 */
#ifndef SLUICE_PROXY_WORKER_H
#define SLUICE_PROXY_WORKER_H

#include "base/kernel.h"
#include "base/siphash.h"
#include "base/ticks.h"
#include "proxy/burst.h"
#include "table/backend_shared.h"
#include "table/counters.h"
#include "table/hops.h"
#include "table/inspect.h"
#include "table/snapshot.h"
#include "table/syn_samples.h"

/** Sizes fixed at start; every table is bounded by them. */
struct sluice_limits {
	uint32_t connections;	  /**< per worker, 1..2^26 */
	uint32_t connections_ip6; /**< how many of them may be IPv6, 0..connections */
	uint32_t backends;	  /**< slots, 1..65535 */
	uint32_t syn_entries;	  /**< half-open clients per worker, 64..2^22; 0 for no syn queue */
	uint32_t early_packets;	  /**< of clients' first data, held per worker; 0..2^20 */
	uint32_t monitor_clients; /**< observed for backends in monitor mode, per worker,
				     64..2^22; 0: counts only what needs no memory */
	uint32_t source_prefixes; /**< that the SYN rate limit knows, 64..2^22; 0: no limit then */
};

struct worker;

/** What a worker needs from outside on slow paths; all members are set and outlive the worker. */
struct sluice_env {
	void *context; /**< handed to the functions */
	/**
	 * Lends an empty packet: data, owner, tailroom set, len 0, room for PKT_BUILD_BYTES_MAX.
	 * False when there is none; the worker counts it and a timer tries again.
	 */
	bool (*packet_get)(void *context, struct pkt *pkt);
	/** Takes a packet from packet_get, or one left with the verdict HOLD, back, to be sent
	 * through the port of that side. Of the latter, data, owner, len, rest and tailroom are
	 * what they were. */
	void (*packet_emit)(void *context, enum side out, struct pkt *pkt);
	/** Takes a packet left with the verdict HOLD back, not to be sent. */
	void (*packet_drop)(void *context, struct pkt *pkt);
	/** The published configuration; loaded with acquire once per burst and per tick; never NULL
	 * inside. */
	const struct snapshot *const *snapshot;
	/** limits.backends of them, by slot, zeroed and shared by all workers. */
	struct backend_shared *shared;
	/** The worker's letter-box (table/inspect.h), which holds NULL while empty; NULL for no
	 * box.
	 */
	struct inspect **inspect;
	/** True when packets of that tuple come to this worker, from either side; NULL: all do. */
	bool (*owns)(void *context, const struct tuple *tuple);
	/** MACs of probes' next hops, zeroed and shared by all workers; NULL: no backend is probed,
	 * whatever is configured. */
	struct hops *hops;
	/** Where it leaves a few of the SYNs for another thread to read, zeroed; NULL: nowhere. */
	struct syn_samples *samples;
	uint8_t server_mac[ETHER_ADDR_BYTES]; /**< source of probes: the server port's own MAC */
	struct siphash_key hash_seed; /**< keys the tables' hash; random per start, the same for all
					 workers */
	enum kernel kernel;	      /**< of the loops that have several; supported by this CPU */
	uint16_t mtu; /**< the smaller one of both ports', so that no MSS is announced that does not
			 fit; 0 for no limit */
	ticks_t now;  /**< time of initialisation */
};

/** Bytes a worker needs, or 0 when limits are out of range. */
size_t sluice_worker_memsize(const struct sluice_limits *limits);

/** Builds a worker in mem. The memory may hold anything before. NULL when limits are out of range
 * or mem is misaligned. */
struct worker *sluice_worker_init(
		void *mem, const struct sluice_limits *limits, const struct sluice_env *env);

/**
 * Takes a burst through the proxy. Every packet comes back with a reason, hence a verdict
 * (reason_verdict), edited in place where it travels on. One with VERDICT_HOLD stays with the
 * worker, which gives it back by packet_emit or packet_drop, be it within this call; until then its
 * bytes must not move. now must not go backwards between calls.
 */
void sluice_burst(struct worker *w, struct burst *burst, ticks_t now);

/** Reads a burst's packets before the sluice_burst() that takes it, which must come next; for a
 * caller that has to know their tuples, as steering does. None may have been read before. */
void sluice_read(struct worker *w, struct burst *burst);

/** To be called when packets of a burst that was read are taken out of it, or exchanged. */
void sluice_read_others(struct worker *w);

/** Runs due timers, at most budget of them. Returns how many ran; budget means: more may be due. */
unsigned sluice_tick(struct worker *w, ticks_t now, unsigned budget);

/** A time not later than the next due timer, TICKS_NEVER when there is none. */
ticks_t sluice_next_tick(const struct worker *w);

/** Gives every packet that is held back through packet_drop: the last call to a worker, or the last
 * before its packets' memory or ports change. */
void sluice_give_back(struct worker *w);

/** Counts a packet that never reaches sluice_burst (refused by the port layer), as received from
 * that side. */
void sluice_refuse(struct worker *w, enum side from, enum reason reason);

/** The worker's counters; readable from any thread with counter_read(). */
const struct worker_counters *worker_counters(const struct worker *w);

/** One backend's counters by slot; readable from any thread with counter_read(). */
const struct backend_counters *worker_backend_counters(const struct worker *w, uint16_t slot);

#endif
