/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SYN cookies: the initial sequence number of every SYN-ACK we send, from which the client's
 * ACK alone proves that it received it. The design, bit by bit, stands above cookie_encode()
 * in cookie.c; its numbers are asserted in tests/unit/test_cookie.c.
 */
#ifndef SLUICE_NET_COOKIE_H
#define SLUICE_NET_COOKIE_H

#include "base/siphash_lanes.h"
#include "base/ticks.h"
#include "net/pkt.h"

#define COOKIE_EPOCH_S                                                                             \
	64 /**< a cookie is accepted for 64 to 128 seconds (Linux: COUNTER_TRIES 2 minutes) */
#define COOKIE_MAC_BITS 24	     /**< in the ISN: one forged ACK in 2^24 is accepted */
#define COOKIE_MAC_BITS_TIMESTAMP 24 /**< more in the TSval: with timestamps one in 2^48 */

/** Epochs whose secrets a plan names one by one. */
#define COOKIE_PLAN_EPOCHS 4

/**
 * Which master secret counts in which epoch: secrets[i] in epoch first + i, the last one also in
 * all after. Made with first = the epoch before the current one, so that a change, which is the
 * last entry, begins with an epoch that no worker's clock has reached.
 */
struct cookie_plan {
	uint64_t first;
	struct siphash_key secrets[COOKIE_PLAN_EPOCHS];
};

/** The entry of an epoch: 0..COOKIE_PLAN_EPOCHS - 1. */
static inline unsigned
cookie_plan_index(const struct cookie_plan *plan, uint64_t epoch)
{
	uint64_t index = epoch >= plan->first ? epoch - plan->first : 0;

	return index < COOKIE_PLAN_EPOCHS ? (unsigned)index : COOKIE_PLAN_EPOCHS - 1;
}

/** A plan with one secret for all epochs. */
struct cookie_plan cookie_plan_make(const struct siphash_key *secret);

/** The plan that follows another at time now and ends with a new secret; those of the epoch before,
 * the current and the next stay as they were. */
struct cookie_plan cookie_plan_next(
		const struct cookie_plan *plan, const struct siphash_key *secret, ticks_t now);

/** The epoch of a time. */
static inline uint64_t
cookie_epoch(ticks_t now)
{
	return now / (COOKIE_EPOCH_S * TICKS_PER_S);
}

/** The live secrets: the keys of this epoch and the one before. Owned by one worker. */
struct jar {
	struct siphash_key key[2]; /**< by parity of the epoch */
	uint64_t epoch;		   /**< now / 64 s */
	struct cookie_plan plan;
	uint32_t mac_mask;	     /**< COOKIE_MAC_BITS ones; tests reduce it */
	uint32_t mac_mask_timestamp; /**< COOKIE_MAC_BITS_TIMESTAMP ones; tests reduce it */
};

/** Derives the keys for the epoch of now from the plan's secrets. */
void jar_init(struct jar *jar, const struct cookie_plan *plan, ticks_t now);

/** Takes a plan that was made by cookie_plan_next() from the one in use; for the epochs to come. */
void jar_plan(struct jar *jar, const struct cookie_plan *plan);

/** The epoch that a cookie came from, if it is valid: the current one or the one before. iss: its
 * ISN. */
uint64_t jar_epoch_of(const struct jar *jar, uint32_t iss);

/** Rolls the keys when now lies in another epoch; cheap otherwise. now may jump by any amount. */
void jar_advance(struct jar *jar, ticks_t now);

/** What a SYN offered, as far as a cookie carries it. */
struct cookie_syn {
	uint32_t isn; /**< the client's */
	uint16_t mss; /**< 0: no option; the family's default counts (RFC 9293 3.7.1: 536, RFC 8200:
			 1220) */
	uint8_t wscale; /**< 0..14 or TCP_WSCALE_NONE */
	bool sack_permitted;
	bool has_timestamp;
	bool ecn; /**< ECE and CWR were set (RFC 3168 6.1.1); kept only with timestamps */
};

/** What goes into the SYN-ACK. */
struct cookie {
	uint32_t iss;
	uint32_t tsval; /**< valid when the SYN had timestamps */
};

/**
 * The cookie for a SYN. Within an epoch the same SYN gives the same cookie.
 */
struct cookie cookie_encode(
		const struct jar *jar, const struct tuple *tuple, const struct cookie_syn *syn);

#define COOKIE_BURST_MAX SIPHASH_LANES

/** cookie_encode() for up to COOKIE_BURST_MAX SYNs at once: cookies[i] is that of tuples[i] and
 * syns[i]. */
void cookie_encode_burst(const struct jar *jar, enum kernel kernel,
		const struct tuple *const *tuples, const struct cookie_syn *syns,
		struct cookie *cookies, unsigned count);

enum cookie_outcome {
	COOKIE_VALID,
	COOKIE_INVALID, /**< forged, from another tuple, or older than 128 s */
};

/** What a valid cookie says about the SYN it answered. */
struct cookie_proof {
	uint32_t isn;	       /**< the client's initial sequence number */
	uint32_t iss;	       /**< ours */
	struct cookie_syn syn; /**< mss rounded down to the tables in cookie.c; wscale exact with
				  timestamps, else rounded down to one that real stacks send; isn as
				  above */
};

/**
 * Checks the ACK that ends a handshake: seq and ack are its header fields, host order;
 * has_timestamp and tsecr its option. At most one MAC is computed. With timestamps a
 * zero-window probe (seq one below, RFC 9293 3.8.6.1) proves the client as well; proof->isn is
 * right in both cases.
 */
enum cookie_outcome cookie_check(const struct jar *jar, const struct tuple *tuple, uint32_t seq,
		uint32_t ack, bool has_timestamp, uint32_t tsecr, struct cookie_proof *proof);

/** The fields of an ACK that cookie_check() wants. */
struct cookie_ack {
	const struct tuple *tuple;
	uint32_t seq;
	uint32_t ack;
	uint32_t tsecr; /**< valid when has_timestamp */
	bool has_timestamp;
};

/** Those of a checked packet. */
static inline struct cookie_ack
cookie_ack_from(const struct pkt *pkt)
{
	return (struct cookie_ack){
			&pkt->tuple, pkt->seq, pkt->ack, pkt->opt.tsecr, pkt->opt.has_timestamp};
}

/** cookie_check() for up to COOKIE_BURST_MAX ACKs at once: bit i says that acks[i] is
 * COOKIE_VALID. */
uint32_t cookie_check_burst(const struct jar *jar, enum kernel kernel,
		const struct pkt *const *acks, unsigned count);

/** The variant, for cookie_check_burst(). */
uint32_t cookie_check_burst_avx512(
		const struct jar *jar, const struct pkt *const *acks, unsigned count);

/** What an ACK says whose cookie is known to be valid. */
void cookie_read(const struct cookie_ack *ack, struct cookie_proof *proof);

/** The largest MSS in the cookie tables that is not above mss (0: the family's default); at
 * least 88. */
uint16_t cookie_mss_round(enum family family, uint16_t mss);

#endif
