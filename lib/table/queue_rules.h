/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What Linux's two TCP queues would do, as pure functions: the limits of each kernel generation,
 * what becomes of a SYN, how often a SYN-ACK is repeated, and when mode 1 changes between its queue
 * and cookies. Rows are numbered in tests/unit/test_queue_rules.c.
 */
#ifndef SLUICE_TABLE_QUEUE_RULES_H
#define SLUICE_TABLE_QUEUE_RULES_H

#include "table/backend_shared.h"
#include "table/snapshot.h"

/** How full a backend's queues are, as seen by one SYN. */
struct queue_load {
	uint32_t accept;
	uint32_t syn;
	uint32_t young;
	bool cookies;	/**< mode 1 is sending cookies (queue_rules_cookies()) */
	bool is_proven; /**< the client completed a connection before; only asked in mode 0 */
};

enum syn_outcome {
	SYN_QUEUE,	       /**< SYN-ACK with a syn queue entry */
	SYN_COOKIE,	       /**< SYN-ACK without one */
	SYN_COOKIE_QUEUE_FULL, /**< the same because the queue is full: TCPReqQFullDoCookies */
	SYN_DROP_QUEUE_FULL,   /**< TCPReqQFullDrop + ListenDrops */
	SYN_DROP_ACCEPT_FULL,  /**< ListenOverflows + ListenDrops */
	SYN_DROP_RESERVED,     /**< mode 0, last quarter: ListenDrops */
};

/** queue_rules_syn_limit() under any rules but today's kernel's, out of line. */
uint32_t queue_rules_syn_limit_older(const struct backend_config *config);

/** Entries that fit into the backend's syn queue under its queue_rules: full when as many are in
 * it. */
static inline uint32_t
queue_rules_syn_limit(const struct backend_config *config)
{
	if (LIKELY(config->queue_rules == QUEUE_RULES_LINUX_6_18))
		return backend_config_accept_limit(config) + 1;
	return queue_rules_syn_limit_older(config);
}

/** Entries that fit before mode 0 keeps the rest for proven clients; the limit in other modes. */
uint32_t queue_rules_syn_limit_unproven(const struct backend_config *config);

/* The old kernels take a SYN for a full accept queue as long as at most one client is young. */
static inline bool
queue_rules_is_accept_full(const struct backend_config *config, const struct queue_load *load)
{
	if (load->accept <= backend_config_accept_limit(config))
		return false;
	switch ((enum queue_rules)config->queue_rules) {
	case QUEUE_RULES_LINUX_2_6:
	case QUEUE_RULES_LINUX_4_4:
		return load->young > 1;
	case QUEUE_RULES_LINUX_6_18:
	case QUEUE_RULES_CLASSIC:
		break;
	}
	return true;
}

/** What becomes of a SYN of a client that is not queued (Linux tcp_conn_request). */
static inline enum syn_outcome
queue_rules_syn(const struct backend_config *config, const struct queue_load *load)
{
	bool is_full = load->syn >= queue_rules_syn_limit(config);

	if (is_full && config->tcp_syncookies == 0)
		return SYN_DROP_QUEUE_FULL;
	if (queue_rules_is_accept_full(config, load))
		return SYN_DROP_ACCEPT_FULL;
	if (is_full)
		return SYN_COOKIE_QUEUE_FULL;
	if (config->tcp_syncookies == 2 || (config->tcp_syncookies == 1 && load->cookies))
		return SYN_COOKIE;
	if (!load->is_proven && load->syn >= queue_rules_syn_limit_unproven(config))
		return SYN_DROP_RESERVED;
	return SYN_QUEUE;
}

/**
 * How often a SYN-ACK is repeated at most when the queue holds syn entries, young of them never
 * repeated: tcp_synack_retries, less when more than half of the queue is old (Linux
 * reqsk_timer_handler).
 */
unsigned queue_rules_synack_retries(
		const struct backend_config *config, uint32_t syn, uint32_t young);

/** Time from one SYN-ACK to the next after retries repetitions: 1 s doubling, at most 120 s
 * (TCP_RTO_MAX). */
ticks_t queue_rules_synack_timeout(unsigned retries);

/** How long mode 1 stays with cookies after the queue was last full, at least. */
#define QUEUE_RULES_HOLD_MS 1000

/**
 * Whether mode 1 sends cookies now: it begins when the queue is full and ends once the queue is
 * below three quarters of its limit and was not full for QUEUE_RULES_HOLD_MS. cookies: what was
 * the case before; full_ms: when it was last full. Mode 0: never; mode 2: always.
 */
bool queue_rules_cookies(const struct backend_config *config, uint32_t syn, bool cookies,
		uint32_t full_ms, uint32_t now_ms);

/** Time in milliseconds modulo 2^32. */
static inline uint32_t
queue_rules_ms(ticks_t now)
{
	return (uint32_t)(now / TICKS_PER_MS);
}

#endif
