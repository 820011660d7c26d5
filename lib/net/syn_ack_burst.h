/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The SYNs of a burst turned into SYN-ACKs, cookies and frames together, since that is all that a
 * flood makes us do. What each may be promised is the caller's to say; whether it is answered at
 * all, too. Every variant does what cookie_encode() and syn_ack_build() do one by one.
 */
#ifndef SLUICE_NET_SYN_ACK_BURST_H
#define SLUICE_NET_SYN_ACK_BURST_H

#include "base/kernel.h"
#include "net/cookie.h"
#include "net/early_window.h"
#include "net/syn_ack.h"

#define SYN_ACK_BURST_MAX COOKIE_BURST_MAX

enum syn_terms_flag {
	SYN_TERMS_SACK = 1,
	SYN_TERMS_TIMESTAMPS = 2,
	SYN_TERMS_ECN = 4,
	SYN_TERMS_ECN_KEPT = 8, /**< also where the cookie has no room for it: an entry keeps it */
	SYN_TERMS_DATA = 16,	/**< the window lets first data in */
};

/** What a SYN-ACK promises to a client that offers everything. */
struct syn_terms {
	uint16_t mss;	/**< 0 to leave it out */
	uint8_t wscale; /**< 0..14 */
	uint8_t flags;	/**< enum syn_terms_flag */
};
static_assert(sizeof(struct syn_terms) == sizeof(uint32_t), "a word per packet");

struct syn_ack_burst {
	/* The SYNs: checked, as received; with what each is promised. Set by the caller. */
	unsigned count;
	struct pkt *pkts[SYN_ACK_BURST_MAX];
	struct syn_terms terms[SYN_ACK_BURST_MAX] __attribute__((aligned(CACHE_LINE_SIZE)));
	/* Of each, whether answered or not; tsval 0 without timestamps. */
	uint32_t iss[SYN_ACK_BURST_MAX] __attribute__((aligned(CACHE_LINE_SIZE)));
	uint32_t tsval[SYN_ACK_BURST_MAX] __attribute__((aligned(CACHE_LINE_SIZE)));
};

/**
 * Makes the cookies of all, and turns into SYN-ACKs those whose answer is no longer a frame than
 * they are (syn_ack_fits()) and has an MSS: bit i of the result for pkts[i]. The others stay as
 * they are.
 */
uint32_t syn_ack_burst_answer(
		const struct jar *jar, enum kernel kernel, struct syn_ack_burst *burst);

/** The options of the SYN-ACK for pkts[i], once its cookie is made. */
struct tcp_opt_syn syn_ack_burst_announce(const struct syn_ack_burst *burst, unsigned i);

/** Turns pkts[i] into a SYN-ACK with these options, once its cookie is made. */
void syn_ack_burst_build(
		struct syn_ack_burst *burst, unsigned i, const struct tcp_opt_syn *announce);

/** The variant, for syn_ack_burst_answer(). */
uint32_t syn_ack_burst_avx512(const struct jar *jar, struct syn_ack_burst *burst);

#endif
