/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The immutable configuration that workers read. The control thread builds one in memory of its
 * own, publishes it by one pointer (store-release; the worker's load-acquire per burst is its
 * partner), and frees it when no worker can hold it any more. Nothing in it changes after
 * publication; what changes per backend lives in struct backend, found by slot.
 */
#ifndef SLUICE_TABLE_SNAPSHOT_H
#define SLUICE_TABLE_SNAPSHOT_H

#include "net/cookie.h"
#include "net/tuple.h"
#include "table/egress_budget.h"
#include "table/exempt.h"
#include "table/probe_config.h"
#include "table/source_limit.h"
#include "table/source_lists.h"
#include "table/timeouts.h"

#define BACKEND_NAME_BYTES 64

/** Whose limits the queues follow; see queue_rules in config/README.md. */
enum queue_rules {
	QUEUE_RULES_LINUX_2_6,
	QUEUE_RULES_LINUX_4_4,
	QUEUE_RULES_LINUX_6_18,
	QUEUE_RULES_CLASSIC
};

/** Where what our SYN-ACKs announce comes from; see profile in config/README.md. */
enum profile_policy {
	PROFILE_LEARN,
	PROFILE_FIXED,
	PROFILE_PROBE, /**< as PROFILE_LEARN, and a probe begins */
};

/** What becomes of data that a client sends before its backend has answered; see early_data in
 * config/README.md. */
enum early_data { EARLY_DATA_AUTO, EARLY_DATA_ZERO_WINDOW, EARLY_DATA_HOLD };
/** What becomes of a segment for a backend without connection, half-open client or cookie. */
enum stray_policy {
	STRAY_DROP,
	STRAY_RESET, /**< its sender is reset, within a budget */
	STRAY_PASS,  /**< forwarded, its flow tracked */
};

/** What becomes of IP fragments of TCP to or from a protected address. */
enum fragment_policy {
	FRAGMENTS_DROP,
	FRAGMENTS_PASS /**< unchanged, but for those that could carry a SYN past the proof */
};

/** What is done with a backend's traffic. */
enum backend_mode {
	MODE_PROTECT,
	MODE_MONITOR, /**< everything passes, and is counted as if it were protected */
	MODE_OFF,     /**< everything passes */
};

/** The word for it, as in a configuration file. */
const char *backend_mode_name(enum backend_mode mode);

/** Effective settings of one backend: global values with the backend's overrides applied. */
struct backend_config {
	union ip_addr address;
	uint16_t port;	/**< host order */
	uint16_t slot;	/**< where its struct backend lives in every worker; stable while it exists
			 */
	uint8_t family; /**< enum family */
	uint8_t tcp_syncookies; /**< 0, 1, 2 */
	uint8_t tcp_abort_on_overflow;
	uint8_t tcp_synack_retries;
	uint8_t tcp_syn_retries; /**< SYNs in all before the backend counts as silent: at least 1 */
	uint8_t queue_rules;	 /**< enum queue_rules */
	uint8_t early_data;	 /**< enum early_data */
	uint8_t fragments;	 /**< enum fragment_policy */
	uint8_t stray;		 /**< enum stray_policy */
	uint8_t exempt_count;	 /**< prefixes in exempt; on the line that finds the backend */
	uint8_t mode;		 /**< enum backend_mode; the same */
	uint32_t backlog;
	uint32_t somaxconn;
	uint32_t tcp_max_syn_backlog;
	uint32_t connect_window; /**< SYNs to the backend under way at a time, per worker: at least
				    1 */
	uint16_t announced_mss;	 /**< in our SYN-ACK until the backend's is learned */
	uint8_t profile;	 /**< enum profile_policy */
	/* What a fixed profile says the backend speaks: 0 or 1. */
	uint8_t profile_sack;
	uint8_t profile_timestamps;
	uint8_t profile_ecn;
	uint8_t announced_wscale; /**< 0..9; by epoch: backend_config_wscale() */
	/** What was announced in the first epochs of the snapshot's plan, plus 1; 0: the same. */
	uint8_t earlier_wscale[COOKIE_PLAN_EPOCHS - 1];
	bool is_draining; /**< removed by the operator: no new connections, the old ones finish */
	uint32_t incarnation; /**< differs for each use of a slot: what was learned about another
				 backend in it doesn't count */
	char name[BACKEND_NAME_BYTES];
	struct exempt_list exempt; /**< sources whose traffic passes untouched */
};
static_assert(offsetof(struct backend_config, mode) < 32, "near the address and port");

/** Most entries the accept ring of a backend holds before it counts as full (SEMANTICS:
 * min(backlog, somaxconn); full when occupancy is above it). */
static inline uint32_t
backend_config_accept_limit(const struct backend_config *config)
{
	return config->backlog < config->somaxconn ? config->backlog : config->somaxconn;
}

/** True when what passes is counted as if: not for one that was removed, too. */
static inline bool
backend_config_is_monitored(const struct backend_config *config)
{
	return config->mode == MODE_MONITOR && !config->is_draining;
}

/**
 * The window scale that a SYN-ACK announces in an epoch. A cookie has no room for it; so a change
 * begins with an epoch that no worker has begun, and the cookie's epoch tells what was announced.
 */
static inline uint8_t
backend_config_wscale(
		const struct backend_config *config, const struct cookie_plan *plan, uint64_t epoch)
{
	unsigned index = cookie_plan_index(plan, epoch);
	uint8_t earlier = index < COOKIE_PLAN_EPOCHS - 1 ? config->earlier_wscale[index] : 0;

	return earlier != 0 ? (uint8_t)(earlier - 1) : config->announced_wscale;
}

struct snapshot;

/** Bytes that a snapshot of count backends needs. */
size_t snapshot_memsize(unsigned count);

/** Makes an empty snapshot for up to count backends in mem (aligned to a cache line, owned by the
 * caller). seed keys the look-up's hash. */
struct snapshot *snapshot_init(void *mem, unsigned count, uint64_t generation, uint64_t seed);

/** Sets the secrets of cookies; before publication. Without, all are zero (tests). foreign: other
 * nodes send cookies with the same secrets, so any ACK may carry a valid one. */
void snapshot_set_cookies(struct snapshot *snapshot, const struct cookie_plan *plan, bool foreign);
const struct cookie_plan *snapshot_cookies(const struct snapshot *snapshot);
bool snapshot_has_foreign_cookies(const struct snapshot *snapshot);

/** Sets the connections' timeouts; before publication. Without, they are timeouts_default(). */
void snapshot_set_timeouts(struct snapshot *snapshot, const struct timeouts *timeouts);
const struct timeouts *snapshot_timeouts(const struct snapshot *snapshot);

/** Sets the address that probes of backends have; before publication. Without, there is none. */
void snapshot_set_probe(struct snapshot *snapshot, const struct probe_config *probe);
const struct probe_config *snapshot_probe(const struct snapshot *snapshot);

/** Sets the egress budgets' rates; before publication. Without, they are egress_rates_default(). */
void snapshot_set_egress(struct snapshot *snapshot, const struct egress_rates *rates);
const struct egress_rates *snapshot_egress(const struct snapshot *snapshot);

/** What is asked about clients that have no connection; all zero: nothing. */
struct source_policy {
	struct source_lists *lists; /**< NULL: none */
	struct source_rule rule;
};

/** Sets it; before publication. Whoever frees the snapshot has counted its hold of the lists. */
void snapshot_set_sources(struct snapshot *snapshot, const struct source_policy *sources);
const struct source_policy *snapshot_sources(const struct snapshot *snapshot);

/** Adds a copy of config. 0, or -EEXIST (same address and port), -ENOSPC. Only before publication.
 */
int snapshot_insert(struct snapshot *snapshot, const struct backend_config *config);

/** The backend at that address and port, or NULL. O(1). */
const struct backend_config *snapshot_find(
		const struct snapshot *snapshot, const union ip_addr *address, uint16_t port);

/** snapshot_find() for packets that come in rows for one backend: last is what the one before
 * found, or NULL. */
static inline const struct backend_config *
snapshot_find_again(const struct snapshot *snapshot, const struct backend_config *last,
		const union ip_addr *address, uint16_t port)
{
	if (last != NULL && last->port == port && ip_addr_is_equal(&last->address, address))
		return last;
	return snapshot_find(snapshot, address, port);
}

/** True when there are so many backends that looking for one waits for memory: then it pays to
 * prefetch for all packets of a burst before the first snapshot_find(). */
bool snapshot_is_large(const struct snapshot *snapshot);

/** Begins: returns what snapshot_prefetch_config() wants. */
uint64_t snapshot_prefetch_cell(
		const struct snapshot *snapshot, const union ip_addr *address, uint16_t port);

/** Goes on: returns the slot of the backend that probably will be found, or -1. */
int snapshot_prefetch_config(const struct snapshot *snapshot, uint64_t hash);

/** What is known about an address without its port. */
enum address_policy {
	ADDRESS_FOREIGN,	/**< no backend has it */
	ADDRESS_UNPROTECTED,	/**< none of its backends is protected */
	ADDRESS_FRAGMENTS_DROP, /**< at least one of those that are says so */
	ADDRESS_FRAGMENTS_PASS, /**< none of them does */
};

/** That address's policy: a fragment names no port. O(1). */
enum address_policy snapshot_address(const struct snapshot *snapshot, const union ip_addr *address);

/** A backend with that address and exempt sources, if all backends with that address have the same
 * ones; else NULL. O(1). */
const struct backend_config *snapshot_address_exempt(
		const struct snapshot *snapshot, const union ip_addr *address);

/** Backends in insertion order, 0 <= index < snapshot_count(). */
const struct backend_config *snapshot_at(const struct snapshot *snapshot, unsigned index);
unsigned snapshot_count(const struct snapshot *snapshot);
uint64_t snapshot_generation(const struct snapshot *snapshot);

#endif
