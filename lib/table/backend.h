/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What one worker keeps per backend slot besides the configuration: its lane of the accept
 * ring, and the profile that the backend's real SYN-ACKs taught it. Written by its worker only.
 */
#ifndef SLUICE_TABLE_BACKEND_H
#define SLUICE_TABLE_BACKEND_H

#include "net/pkt.h"
#include "table/accept_ring.h"
#include "table/egress_budget.h"
#include "table/probe_config.h"
#include "table/snapshot.h"

/** What is known of something the backend may or may not speak. */
enum learned { LEARNED_NOTHING, LEARNED_NO, LEARNED_YES };

/** How long a refusal is believed: then the next client is offered the option again, and so the
 * backend asked. */
#define PROFILE_REFUSAL_S 600

struct backend_profile {
	uint16_t mss;	    /**< 0: not learned */
	uint16_t window;    /**< initial window in bytes; 0: not learned, or closed */
	uint8_t wscale;	    /**< the backend's; valid when scales is LEARNED_YES; shown, not used */
	uint8_t scales;	    /**< enum learned */
	uint8_t sack;	    /**< enum learned */
	uint8_t timestamps; /**< enum learned */
	uint8_t ecn;	    /**< enum learned */
	/** Answers that differed from what was known, or, before anything was or in a fixed
	 * profile, from what is configured; wraps. */
	uint32_t drift;
	ticks_t learned_at; /**< last SYN-ACK taken in; 0: none yet */
	ticks_t refused_at; /**< when SACK, timestamps or ECN was last refused; 0: never */
};

struct backend {
	/* What every SYN needs. */
	struct accept_lane lane;
	struct backend_profile profile;
	uint32_t incarnation; /**< backend_config.incarnation of whom profile and probe are */
	struct egress_flood flood;
	struct egress_doubt doubt;
	struct backend_probe probe;
} __attribute__((aligned(CACHE_LINE_SIZE)));
static_assert(offsetof(struct backend, flood) <= CACHE_LINE_SIZE, "one line per SYN");

/** Takes in a backend's SYN-ACK (checked, as received) at time now; asked: what our SYN offered. */
void backend_profile_learn(struct backend_profile *profile, const struct backend_config *config,
		const struct tcp_opt_syn *asked, const struct pkt *answer, ticks_t now);

/**
 * What our SYN-ACKs may announce, to a client that offers everything: what is known of the backend,
 * with the configuration's values where nothing is known; in a fixed profile always those. tsval
 * and tsecr are left 0.
 */
struct tcp_opt_syn backend_profile_offer(const struct backend_profile *profile,
		const struct backend_config *config, ticks_t now);

/** The MSS that our SYN-ACKs announce. */
uint16_t backend_profile_mss(
		const struct backend_profile *profile, const struct backend_config *config);

#endif
