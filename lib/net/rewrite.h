/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writing packets: a new TCP header stack over a received packet or an empty buffer, and the
 * translation of a segment in place. Built packets carry freshly computed checksums;
 * translated ones keep theirs by difference, so that a bad checksum is never made good.
 */
#ifndef SLUICE_NET_REWRITE_H
#define SLUICE_NET_REWRITE_H

#include "net/bytes.h"
#include "net/csum.h"
#include "net/pkt.h"

#define ETHER_ADDR_BYTES 6
#define PKT_TTL_DEFAULT                                                                            \
	64 /**< RFC 1700's and Linux's default, for packets nobody's TTL is known for */

/** A segment without payload that we make: SYN, SYN-ACK, ACK or RST. */
struct pkt_build {
	enum side to; /**< who receives it: the other end of the tuple is the source */
	uint32_t seq;
	uint32_t ack; /**< written as 0 unless flags has TCP_ACK */
	uint16_t window;
	uint8_t flags;	     /**< enum tcp_flag bits */
	uint8_t ttl;	     /**< TTL or hop limit */
	uint8_t tos;	     /**< DSCP; ECN bits are not taken: no SYN, RST or pure ACK may be
				ECN-capable (RFC 3168 6.1.1, 6.1.4) */
	uint32_t flow_label; /**< IPv6 only */
	/** Options, already laid out; length a multiple of 4, at most 40. */
	uint8_t options[TCP_OPT_BYTES_MAX];
	uint8_t options_length;
};

/**
 * Replaces everything from l3_offset on by the segment, between the ends of pkt->tuple, and sets
 * len, l4_offset, l4_length, tcp_header_length and csum. The Ethernet header and tags stay as
 * they are. The buffer must have room: len + tailroom >= PKT_BUILD_BYTES_MAX. IPv4: DF set, ID 0
 * (RFC 6864 4.1), no options.
 */
void pkt_build_tcp(struct pkt *pkt, const struct pkt_build *build);

/** Sets len, with nothing elsewhere; what the packet no longer fills is room again. */
static inline void
pkt_set_length(struct pkt *pkt, uint32_t length)
{
	uint32_t room = pkt->len + pkt->tailroom - length;

	pkt->len = length;
	pkt->rest = 0;
	pkt->tailroom = (uint16_t)(room < UINT16_MAX ? room : UINT16_MAX);
}

/** Exchanges the Ethernet source and destination: the packet goes back where it came from. */
static inline void
pkt_turn_round(struct pkt *pkt)
{
	uint8_t destination[ETHER_ADDR_BYTES];

	memcpy(destination, pkt->data, ETHER_ADDR_BYTES);
	memcpy(pkt->data, pkt->data + ETHER_ADDR_BYTES, ETHER_ADDR_BYTES);
	memcpy(pkt->data + ETHER_ADDR_BYTES, destination, ETHER_ADDR_BYTES);
}

/**
 * Writes an Ethernet header and the tuple's VLAN tags (priority 0) at data, and sets l3_offset. For
 * packets made from nothing; pkt->tuple must be set; pkt->len is set to the header's length.
 */
void pkt_build_ether(struct pkt *pkt, const uint8_t destination[ETHER_ADDR_BYTES],
		const uint8_t source[ETHER_ADDR_BYTES]);

/** What a splice changes in one segment; 0 everywhere changes nothing. */
struct rewrite {
	uint32_t seq_add;
	uint32_t ack_add; /**< also added to both edges of every SACK block; only if ACK is set */
	uint32_t tsval_add;
	uint32_t tsecr_add;   /**< only if ACK is set (RFC 7323 3.2) */
	uint16_t window;      /**< the window field to write, host order */
	bool strip_timestamp; /**< overwrite the option by NOPs: its receiver never agreed to it */
	bool strip_sack;      /**< the same for SACK blocks */
};

/** rewrite_segment() for what is rare: options at odd offsets or overwritten, no ACK. Right for
 * all. */
void rewrite_any(struct pkt *pkt, const struct rewrite *rewrite);

/** An ACK whose options stand at even offsets and stay: nearly every segment. */
static inline bool
rewrite_is_even(const struct pkt *pkt, const struct rewrite *rewrite)
{
	return ((pkt->opt.timestamp_offset | pkt->opt.sack_offset) & 1) == 0 &&
	       pkt->flags & TCP_ACK && !(rewrite->strip_timestamp | rewrite->strip_sack);
}

/*
 * Writes old + add. Returns the difference that makes in a sum of 16-bit words, host order: 2^32 is
 * 1 there, so a wrap takes one away. It is 0 only if old + add and old have the same sum.
 */
static inline uint64_t
rewrite_add32(uint8_t *at, uint32_t old, uint32_t add)
{
	uint32_t new = old + add;

	store_be32(at, new);
	return (uint64_t)add - (new < old);
}

/**
 * rewrite_segment() for what rewrite_is_even(): one running difference in host order, applied once.
 * What does not change makes no difference, so that a checksum of 0xffff stays as it is.
 */
static inline void
rewrite_even(struct pkt *pkt, const struct rewrite *rewrite)
{
	uint8_t *tcp = pkt->data + pkt->l4_offset;
	uint8_t *options = tcp + TCP_BYTES_MIN;
	uint64_t diff = 0;

	if (rewrite->seq_add != 0)
		diff += rewrite_add32(tcp + TCP_SEQ_AT, pkt->seq, rewrite->seq_add);
	if (rewrite->ack_add != 0)
		diff += rewrite_add32(tcp + TCP_ACK_AT, pkt->ack, rewrite->ack_add);
	if (rewrite->window != pkt->window) {
		store_be16(tcp + TCP_WINDOW_AT, rewrite->window);
		diff = csum_diff16(diff, pkt->window, rewrite->window);
	}
	if (pkt->opt.has_timestamp) {
		uint8_t *timestamp = options + pkt->opt.timestamp_offset;

		if (rewrite->tsval_add != 0)
			diff += rewrite_add32(timestamp + TCP_OPT_TSVAL_AT, pkt->opt.tsval,
					rewrite->tsval_add);
		if (rewrite->tsecr_add != 0)
			diff += rewrite_add32(timestamp + TCP_OPT_TSECR_AT, pkt->opt.tsecr,
					rewrite->tsecr_add);
	}
	if (UNLIKELY(pkt->opt.sack_blocks > 0) && rewrite->ack_add != 0) {
		uint8_t *edge = options + pkt->opt.sack_offset + TCP_OPT_SACK_EDGES_AT;
		const uint8_t *end = edge + pkt->opt.sack_blocks * TCP_OPT_SACK_BLOCK_BYTES;

		for (; edge < end; edge += sizeof(uint32_t))
			diff += rewrite_add32(edge, load_be32(edge), rewrite->ack_add);
	}
	store_be16(tcp + TCP_CHECKSUM_AT, csum_apply(load_be16(tcp + TCP_CHECKSUM_AT), diff));
}

/**
 * Translates a checked TCP packet (pkt_check_tcp returned REASON_NONE) in place, with all
 * checksums by difference; options at odd offsets included. pkt's parsed fields seq, ack,
 * window and opt keep the values from before.
 */
static inline void
rewrite_segment(struct pkt *pkt, const struct rewrite *rewrite)
{
	if (LIKELY(rewrite_is_even(pkt, rewrite)))
		rewrite_even(pkt, rewrite);
	else
		rewrite_any(pkt, rewrite);
}

/** Clears, then sets flag bits (enum tcp_flag) of a checked TCP packet in place, with its checksum
 * by difference. pkt->flags keeps the value from before. */
void rewrite_flags(struct pkt *pkt, uint8_t clear, uint8_t set);

/** Makes an IP packet not ECN-capable, with IPv4's header checksum by difference. pkt->tos keeps
 * the value from before. */
void rewrite_not_ect(struct pkt *pkt);

#endif
