/* SPDX-License-Identifier: BSD-3-Clause */
/* What every packet is asked, whoever reads it: for pkt_check_tcp() and its variants only. */
#ifndef SLUICE_NET_PKT_VALID_H
#define SLUICE_NET_PKT_VALID_H

#include "net/bytes.h"
#include "net/pkt.h"

#define IP4_MORE_FRAGMENTS 0x2000
#define IP4_OFFSET_MASK 0x1fff

/* EtherType, version and header length of an untagged IPv4 packet without header options, then the
 * byte of DSCP and ECN. */
#define COMMON_HEAD ((uint32_t)ETHER_TYPE_IP4 << 16 | (4u << 4 | IP4_BYTES_MIN / 4) << 8)
#define COMMON_HEAD_MASK 0xffffff00u
/* Fragment field, TTL, protocol. */
#define COMMON_PROTOCOL_MASK ((uint32_t)(IP4_MORE_FRAGMENTS | IP4_OFFSET_MASK) << 16 | 0xff)
#define COMMON_BYTES_MIN (ETHER_BYTES + IP4_BYTES_MIN + TCP_BYTES_MIN)

/** The shape of nearly all packets: no tags, IPv4 without header options, no fragment, TCP. False,
 * and nothing is said, for any other and all that is wrong. */
static inline bool
pkt_is_common(const struct pkt *pkt)
{
	const uint8_t *ip = pkt->data + ETHER_BYTES;
	uint32_t total_length;

	if (pkt->len < COMMON_BYTES_MIN)
		return false;
	if ((load_be32(pkt->data + ETHER_TYPE_AT) & COMMON_HEAD_MASK) != COMMON_HEAD ||
			(load_be32(ip + IP4_FRAGMENT_AT) & COMMON_PROTOCOL_MASK) != PROTOCOL_TCP)
		return false;
	total_length = load_be16(ip + IP4_TOTAL_LENGTH_AT);
	return total_length >= IP4_BYTES_MIN + TCP_BYTES_MIN &&
	       total_length <= pkt->len - ETHER_BYTES + pkt->rest;
}

/** RFC 1122 3.2.1.3 and RFC 6890: not "this network", loopback, multicast, broadcast. ip4_be: as it
 * lies. Not known beforehand under a flood of random sources: no branches. */
static inline bool
ip4_is_host(uint32_t ip4_be)
{
	uint32_t ip4 = be32toh(ip4_be);
	uint32_t first = ip4 >> 24;

	return (first != 0) & (first != 127) & (first >> 4 != 0xe) & (ip4 != UINT32_MAX);
}

#define TCP_FLAGS_JUDGED (TCP_FIN | TCP_SYN | TCP_RST | TCP_PSH | TCP_ACK | TCP_URG)
/* A bit for the combination, and for it with PSH. */
#define TCP_FLAGS_BITS(flags) (UINT64_C(1) << (flags) | UINT64_C(1) << ((flags) | TCP_PSH))

/** Linux nf_conntrack_proto_tcp.c tcp_valid_flags: ECE, CWR and PSH may come with any of them. */
static inline bool
tcp_flags_are_valid(uint8_t flags)
{
	const uint64_t valid = TCP_FLAGS_BITS(TCP_SYN) | TCP_FLAGS_BITS(TCP_SYN | TCP_URG) |
			       TCP_FLAGS_BITS(TCP_SYN | TCP_ACK) | TCP_FLAGS_BITS(TCP_RST) |
			       TCP_FLAGS_BITS(TCP_RST | TCP_ACK) |
			       TCP_FLAGS_BITS(TCP_FIN | TCP_ACK) |
			       TCP_FLAGS_BITS(TCP_FIN | TCP_ACK | TCP_URG) |
			       TCP_FLAGS_BITS(TCP_ACK) | TCP_FLAGS_BITS(TCP_ACK | TCP_URG);

	return valid >> (flags & TCP_FLAGS_JUDGED) & 1;
}

#endif
