/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What one worker keeps per backend slot besides the configuration: its lane of the accept
 * ring, and the profile that the backend's real SYN-ACKs taught it. Written by its worker only.
 */
#ifndef SLUICE_TABLE_BACKEND_H
#define SLUICE_TABLE_BACKEND_H

#include "net/tcp_opt.h"
#include "table/accept_ring.h"
#include "table/snapshot.h"

/** What is known of an option the backend may or may not speak. */
enum learned { LEARNED_NOTHING, LEARNED_NO, LEARNED_YES };

/** How long a refusal is believed: then the next client is offered the option again, and so the
 * backend asked. */
#define PROFILE_REFUSAL_S 600

struct backend_profile {
	uint16_t mss;	    /**< 0: not learned */
	uint8_t sack;	    /**< enum learned */
	uint8_t timestamps; /**< enum learned */
	ticks_t refused_at; /**< when sack or timestamps was last refused */
};

struct backend {
	struct accept_lane lane;
	struct backend_profile profile;
	uint32_t incarnation; /**< backend_config.incarnation of whom the profile is */
};

/** Takes in a backend's SYN-ACK options; asked: what our SYN offered. */
void backend_profile_learn(struct backend_profile *profile, const struct tcp_opt_syn *asked,
		const struct tcp_opt *answer, ticks_t now);

/**
 * What our SYN-ACK may announce to a client that offered `offer`: the intersection of the offer and
 * what is known of the backend, with the configuration's values where nothing is known. tsval and
 * tsecr are left 0.
 */
struct tcp_opt_syn backend_profile_announce(const struct backend_profile *profile,
		const struct backend_config *config, const struct tcp_opt *offer, ticks_t now);

#endif
