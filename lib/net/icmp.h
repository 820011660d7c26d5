/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ICMP errors about TCP segments (RFC 792, RFC 4443): finding the quoted segment, and translating
 * its numbers, without which the sender it is for can't tell which connection is meant (RFC 5927
 * 4.1) and path MTU discovery has a black hole.
 */
#ifndef SLUICE_NET_ICMP_H
#define SLUICE_NET_ICMP_H

#include "net/pkt.h"

/**
 * Reads an ICMP or ICMPv6 message at offset..end. If it is an error that quotes a TCP segment whose
 * sender the error is for, fills tuple, seq, l4_offset, l4_length and quote_offset and returns
 * PKT_ICMP_ERROR; else leaves all as it is and returns PKT_FOREIGN.
 * destination: of the packet that carries it.
 */
enum pkt_kind icmp_parse(struct pkt *pkt, enum family family, uint32_t offset, uint32_t end,
		const union ip_addr *destination);

/** What a translation adds to the quoted segment's numbers. */
struct icmp_rewrite {
	uint32_t seq_add;
	uint32_t ack_add; /**< also to SACK edges */
	uint32_t tsval_add;
	uint32_t tsecr_add;
};

/** Translates what there is of the quoted segment (8 bytes at least), all checksums by difference.
 */
void icmp_rewrite_quote(struct pkt *pkt, const struct icmp_rewrite *rewrite);

#endif
