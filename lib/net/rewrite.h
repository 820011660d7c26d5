/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writing packets: a new TCP header stack over a received packet or an empty buffer, and the
 * translation of a segment in place. Built packets carry freshly computed checksums;
 * translated ones keep theirs by difference, so that a bad checksum is never made good.
 */
#ifndef SLUICE_NET_REWRITE_H
#define SLUICE_NET_REWRITE_H

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

/**
 * Translates a checked TCP packet (pkt_check_tcp returned REASON_NONE) in place, with all
 * checksums by difference; options at odd offsets included. pkt's parsed fields seq, ack,
 * window and opt keep the values from before.
 */
void rewrite_segment(struct pkt *pkt, const struct rewrite *rewrite);

/** Clears, then sets flag bits (enum tcp_flag) of a checked TCP packet in place, with its checksum
 * by difference. pkt->flags keeps the value from before. */
void rewrite_flags(struct pkt *pkt, uint8_t clear, uint8_t set);

/** Makes an IP packet not ECN-capable, with IPv4's header checksum by difference. pkt->tos keeps
 * the value from before. */
void rewrite_not_ect(struct pkt *pkt);

#endif
