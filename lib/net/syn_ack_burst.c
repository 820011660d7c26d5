/* SPDX-License-Identifier: BSD-3-Clause */
/* Chooses the variant, and is the scalar one: the cookies together, then one SYN-ACK after the
 * other. */
#include "net/syn_ack_burst.h"

/* A vector's way takes as long for one packet as for sixteen: shorter bursts don't gain. */
#define PACKETS_WORTH_A_VECTOR 4
#define PACKETS_WORTH_LANES 3

struct tcp_opt_syn
syn_ack_burst_announce(const struct syn_ack_burst *burst, unsigned i)
{
	const struct syn_terms *terms = &burst->terms[i];
	struct tcp_opt_syn offer = {
			.mss = terms->mss,
			.wscale = terms->wscale,
			.sack_permitted = terms->flags & SYN_TERMS_SACK,
			.has_timestamp = terms->flags & SYN_TERMS_TIMESTAMPS,
			.ecn = terms->flags & SYN_TERMS_ECN,
	};
	struct tcp_opt_syn announce = {.tsval = burst->tsval[i]};

	syn_ack_offer(&announce, &offer, burst->pkts[i]);
	return announce;
}

void
syn_ack_burst_build(struct syn_ack_burst *burst, unsigned i, const struct tcp_opt_syn *announce)
{
	const struct syn_terms *terms = &burst->terms[i];
	struct pkt *pkt = burst->pkts[i];
	struct syn_ack syn_ack = {
			.seq = burst->iss[i],
			.ack = pkt->seq + 1,
			.window = early_window(
					terms->flags & SYN_TERMS_DATA, terms->mss, pkt->opt.mss),
			.ecn = announce->ecn &&
			       (announce->has_timestamp || terms->flags & SYN_TERMS_ECN_KEPT),
	};

	pkt_turn_round(pkt);
	syn_ack_build(pkt, &syn_ack, announce);
}

/* The cookie keeps what was agreed, not what was offered. */
static inline struct cookie_syn
syn_agreed(const struct syn_ack_burst *burst, unsigned i)
{
	const struct pkt *pkt = burst->pkts[i];
	const uint8_t flags = burst->terms[i].flags;
	const bool has_timestamp = pkt->opt.has_timestamp & (flags / SYN_TERMS_TIMESTAMPS);

	return (struct cookie_syn){
			.isn = pkt->seq,
			.mss = pkt->opt.mss,
			.wscale = pkt->opt.wscale,
			.sack_permitted = pkt->opt.sack_permitted & (flags / SYN_TERMS_SACK),
			.has_timestamp = has_timestamp,
			.ecn = has_timestamp & (flags / SYN_TERMS_ECN) & pkt_offers_ecn(pkt),
	};
}

/* Of so few that lanes would only be a detour. */
static void
cookies_make_few(const struct jar *jar, struct syn_ack_burst *burst)
{
	for (unsigned i = 0; i < burst->count; i++) {
		const struct cookie_syn syn = syn_agreed(burst, i);
		const struct cookie cookie = cookie_encode(jar, &burst->pkts[i]->tuple, &syn);

		burst->iss[i] = cookie.iss;
		burst->tsval[i] = cookie.tsval;
	}
}

static void
cookies_make(const struct jar *jar, enum kernel kernel, struct syn_ack_burst *burst)
{
	const struct tuple *tuples[SYN_ACK_BURST_MAX];
	struct cookie_syn syns[SYN_ACK_BURST_MAX];
	struct cookie cookies[SYN_ACK_BURST_MAX];

	for (unsigned i = 0; i < burst->count; i++) {
		tuples[i] = &burst->pkts[i]->tuple;
		syns[i] = syn_agreed(burst, i);
	}
	cookie_encode_burst(jar, kernel, tuples, syns, cookies, burst->count);
	for (unsigned i = 0; i < burst->count; i++) {
		burst->iss[i] = cookies[i].iss;
		burst->tsval[i] = cookies[i].tsval;
	}
}

static uint32_t
answer_one_by_one(const struct jar *jar, enum kernel kernel, struct syn_ack_burst *burst)
{
	uint32_t answered = 0;

	if (burst->count < PACKETS_WORTH_LANES)
		cookies_make_few(jar, burst);
	else
		cookies_make(jar, kernel, burst);
	for (unsigned i = 0; i < burst->count; i++) {
		struct tcp_opt_syn announce = syn_ack_burst_announce(burst, i);

		if (UNLIKELY(announce.mss == 0 ||
				    !syn_ack_fits(burst->pkts[i], tcp_opt_syn_length(&announce))))
			continue;
		syn_ack_burst_build(burst, i, &announce);
		answered |= UINT32_C(1) << i;
	}
	return answered;
}
static_assert(SYN_ACK_BURST_MAX <= 32, "a bit for each");

uint32_t
syn_ack_burst_answer(const struct jar *jar, enum kernel kernel, struct syn_ack_burst *burst)
{
	ENSURE(burst->count <= SYN_ACK_BURST_MAX);
#if defined(__x86_64__)
	if (kernel == KERNEL_AVX512 && burst->count >= PACKETS_WORTH_A_VECTOR)
		return syn_ack_burst_avx512(jar, burst);
#endif
	return answer_one_by_one(jar, kernel, burst);
}
