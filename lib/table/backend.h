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

/** True when nothing that was learned counts. */
static inline bool
backend_profile_is_fixed(const struct backend_config *config)
{
	return config->profile == PROFILE_FIXED;
}

/** The MSS that our SYN-ACKs announce. */
static inline uint16_t
backend_profile_mss(const struct backend_profile *profile, const struct backend_config *config)
{
	return profile->mss != 0 && !backend_profile_is_fixed(config) ? profile->mss
								      : config->announced_mss;
}

/**
 * What our SYN-ACKs may announce, to a client that offers everything: what is known of the backend,
 * with the configuration's values where nothing is known; in a fixed profile always those. tsval
 * and tsecr are left 0.
 */
static inline struct tcp_opt_syn
backend_profile_offer(const struct backend_profile *profile, const struct backend_config *config,
		ticks_t now)
{
	bool believed = now - profile->refused_at < PROFILE_REFUSAL_S * TICKS_PER_S;
	struct tcp_opt_syn offer = {
			.mss = backend_profile_mss(profile, config),
			.wscale = config->announced_wscale,
			.sack_permitted = !(believed && profile->sack == LEARNED_NO),
			.has_timestamp = !(believed && profile->timestamps == LEARNED_NO),
			.ecn = !(believed && profile->ecn == LEARNED_NO),
	};

	if (backend_profile_is_fixed(config)) {
		offer.sack_permitted = config->profile_sack;
		offer.has_timestamp = config->profile_timestamps;
		offer.ecn = config->profile_ecn;
	}
	return offer;
}

#endif
