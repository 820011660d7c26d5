/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a worker is made of; for the files of lib/proxy only. Everything a worker writes is in here
 * or behind these pointers, and nobody else writes it, except the counts that all workers share
 * (table/backend_shared.h).
 */
#ifndef SLUICE_PROXY_WORKER_IMPL_H
#define SLUICE_PROXY_WORKER_IMPL_H

#include "net/cookie.h"
#include "proxy/as_if.h"
#include "proxy/conn.h"
#include "proxy/recent.h"
#include "proxy/worker.h"
#include "table/backend.h"
#include "table/early_pool.h"
#include "table/egress_budget.h"
#include "table/proven.h"
#include "table/queue_rules.h"
#include "table/syn_queue.h"

/** The probe of backends: see proxy/probe.h. */
struct prober {
	struct siphash_key key;	    /**< of the probes' numbers; the same for all workers */
	ticks_t due;		    /**< when to go on walking; TICKS_NEVER: no more */
	ticks_t soonest;	    /**< of the walk under way: when the first backend is due */
	uint32_t cursor;	    /**< the walk's next backend */
	uint32_t port;		    /**< of the last probe, above PROBE_PORT_FIRST */
	uint32_t sends;		    /**< of this step of the walk */
	struct probe_config config; /**< of the last plan */
	uint8_t series;		    /**< counts its changes; wraps */
	bool is_on;		    /**< there is an address for probes */
};

/** Tuples that backends were heard from by which are not protected: see proxy/bypass.h. What has no
 * cell any more is only looked at once too often. */
#define WORKER_PASSING_CELLS 65536u

/** How the packets of a burst are read: by what most of those before them were. */
enum reading {
	READING_ALONE,	  /**< pkt_parse() */
	READING_TOGETHER, /**< unproved: pkt_read() */
	READING_SEGMENTS, /**< of connections: pkt_read_segments() */
};

/** What pkt_read() or pkt_read_segments() found alike, bit i for the burst's i-th packet: each
 * group of PKT_READ_LANES by itself. Without a bit nothing is known. */
struct alike {
	uint32_t syns;
	uint32_t acks; /**< or segments */
};
static_assert(BURST_MAX <= 32, "a bit for each");

struct worker {
	/* Fixed at init. */
	struct sluice_env env;
	struct sluice_limits limits;
	struct backend *backends;		   /**< by slot */
	struct backend_counters *backend_counters; /**< by slot */
	struct conn_setup *setups;		   /**< by connection id */

	/* Of the call under way. */
	const struct snapshot *snapshot;
	uint64_t generation; /**< of the snapshot whose secrets the jar has */
	ticks_t now;
	uint32_t changes; /**< counts insertions and removals: a look-up made before is stale */
	bool denies;	  /**< the snapshot of that generation has lists */
	bool screens;	  /**< it has lists or a limit */
	uint8_t reading[SIDE_COUNT]; /**< enum reading: what the side's latest burst was worth */
	struct alike alike;	     /**< of a burst that sluice_read() has read; else zero */
	const uint8_t *loaded[SIDE_COUNT]; /**< first frame of those that it had loaded ahead */
	const struct burst_ahead *ahead, *ahead_end; /**< the next burst's frames still to load */

	struct jar jar;
	struct flow_table flows;
	struct timer_wheel timers;
	struct syn_queue syns;
	struct proven proven;
	struct recent recent;
	struct early_pool early;
	struct prober prober;
	struct egress_budget egress;
	struct as_if as_if;
	struct source_limit sources;
	uint32_t unanswered;			  /**< connections with CONN_IS_UNANSWERED */
	const struct backend_config *last_config; /**< of a lone packet, in the snapshot; or NULL */
	uint8_t ack_tries_failed;  /**< in a row, of bursts of ACKs: see proxy/ack_flood.c */
	uint8_t ack_tries_skipped; /**< that are still to be */
	struct worker_counters counters;
	uint32_t passing[WORKER_PASSING_CELLS]; /**< hashes; forgotten with each snapshot */
};

static inline struct conn *
worker_conn(const struct worker *w, uint32_t id)
{
	return flow_table_record(&w->flows, id);
}

/** Begins a call from outside: time, the published configuration, keys. */
void worker_enter(struct worker *w, ticks_t now);

/** What is kept of a backend beside its configuration; what was learned of an earlier one in the
 * same slot is forgotten. */
static inline struct backend *
worker_backend(const struct worker *w, const struct backend_config *config)
{
	struct backend *backend = &w->backends[config->slot];

	if (UNLIKELY(backend->incarnation != config->incarnation)) {
		backend->incarnation = config->incarnation;
		backend->profile = (struct backend_profile){.mss = 0};
		backend->probe = (struct backend_probe){.step = PROBE_OFF};
		backend->flood = (struct egress_flood){.until = 0};
		backend->doubt = (struct egress_doubt){.until = 0};
	}
	return backend;
}

/* The MSS as far as a segment of it fits both ports; 0, for none named, stays (RFC 6691 2). */
static inline uint16_t
worker_mss(const struct worker *w, enum family family, uint16_t mss)
{
	const uint16_t headers = family == FAMILY_IP4 ? 40 : 60;

	return w->env.mtu != 0 && mss > w->env.mtu - headers ? (uint16_t)(w->env.mtu - headers)
							     : mss;
}

/** Starts loading one frame of the next burst. */
static PREFETCHING void
worker_load_ahead(struct worker *w)
{
	if (w->ahead < w->ahead_end) {
		burst_prefetch(w->ahead->data, w->ahead->len);
		w->ahead++;
	}
}

static inline struct accept_nodes
worker_accept_nodes(const struct worker *w)
{
	return (struct accept_nodes){(uint8_t *)w->setups, sizeof(struct conn_setup)};
}

static inline void
worker_count(struct worker *w, uint16_t slot, enum backend_counter counter, uint64_t n)
{
	counter_add(&w->backend_counters[slot].values[counter], n);
}

/** A SYN or ACK dropped on its way in; why: the counter that says so beside ListenDrops. */
static inline void
worker_count_drop(struct worker *w, const struct backend_config *config, enum backend_counter why)
{
	worker_count(w, config->slot, why, 1);
	worker_count(w, config->slot, COUNTER_ListenDrops, 1);
}

static inline uint32_t *
worker_occupancy(const struct worker *w, uint16_t slot)
{
	return &w->env.shared[slot].accept;
}

#endif
