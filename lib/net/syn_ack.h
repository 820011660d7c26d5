/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The packet that a flood makes us build most: a SYN-ACK, written in one pass with both checksums
 * summed on the way. The same as pkt_build_tcp() would write, which its test compares with.
 */
#ifndef SLUICE_NET_SYN_ACK_H
#define SLUICE_NET_SYN_ACK_H

#include "net/pkt.h"
#include "net/tcp_opt.h"

struct syn_ack {
	uint32_t seq;
	uint32_t ack;
	uint16_t window;
	bool ecn; /**< accepts ECN: ECE is set (RFC 3168 6.1.1) */
};

/**
 * Replaces everything from l3_offset on by a SYN-ACK to the client of pkt->tuple, with the options
 * of announce and our own TTL, and sets what pkt_build_tcp() sets. The Ethernet header and tags
 * stay as they are. The buffer must have room: len + tailroom >= PKT_BUILD_BYTES_MAX.
 */
void syn_ack_build(
		struct pkt *pkt, const struct syn_ack *syn_ack, const struct tcp_opt_syn *announce);

#endif
