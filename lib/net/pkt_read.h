/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A burst's packets parsed and judged together: what pkt_parse() and pkt_check_tcp() do one by one,
 * with the widest instructions there are. A variant knows the common shapes and says only what is
 * right with them; whatever else there is, or is wrong, goes the way of those two, which are its
 * twin and have the last word on every refusal.
 */
#ifndef SLUICE_NET_PKT_READ_H
#define SLUICE_NET_PKT_READ_H

#include "base/kernel.h"
#include "net/pkt.h"

#define PKT_READ_LANES 16

/** Which packets of a group are what floods are made of: PKT_TCP, PKT_SOUND, from a client, and for
 * the same address and port as the group's first packet. Bit i for pkts[i]; never more than that,
 * but maybe less. */
struct pkt_alike {
	uint16_t syns; /**< with SYN, without ACK */
	uint16_t acks; /**< with neither SYN nor RST */
};
static_assert(PKT_READ_LANES <= 16, "a bit for each");

/** pkt_parse() for each of count packets; those parsed already stay as they are. Beside it may find
 * parts of pkt_check_tcp() right, which pkt_check() then leaves out. Reads up to 110 bytes from
 * data on where len + tailroom are as many, whatever the frame's length; what lies behind the frame
 * counts for nothing. Says what the first PKT_READ_LANES of them have in common. */
struct pkt_alike pkt_read(enum kernel kernel, struct pkt *pkts, unsigned count, enum side from);

/** At most so many packets are read as segments at a time. */
#define PKT_SEGMENTS_MAX 32

/**
 * pkt_parse() for each of count packets, as pkt_read(), where most are segments of connections: one
 * after the other, with their payload's sum. What is sound all over is then known to be. Bit i of
 * what it returns for pkts[i]: PKT_TCP, PKT_SOUND, with neither SYN nor RST, and for the same
 * backend address and port as the first such; never more than that, but maybe less.
 */
uint32_t pkt_read_segments(enum kernel kernel, struct pkt *pkts, unsigned count, enum side from);

/** pkt_check() for what pkt_read() has not found all right. */
enum reason pkt_check_rest(enum kernel kernel, struct pkt *pkt);

/** pkt_check_tcp() of a PKT_TCP packet after pkt_read() or pkt_parse(); once, before pkt->conn is
 * set and before any of its bytes change. */
static inline enum reason
pkt_check(enum kernel kernel, struct pkt *pkt)
{
	return LIKELY(pkt->checked == PKT_SOUND) ? REASON_NONE : pkt_check_rest(kernel, pkt);
}

/** The variant, for pkt_read(): takes PKT_READ_LANES packets; fills those that are of a common
 * shape and PKT_UNPARSED, and leaves the others alone. */
struct pkt_alike pkt_read_avx512(struct pkt *pkts, enum side from);

/** The variant, for pkt_read_segments(): fills those of count packets that are PKT_UNPARSED, of the
 * most common shape and sound, and leaves the others alone. */
uint32_t pkt_read_segments_avx512(struct pkt *pkts, unsigned count, enum side from);

/** The variant, for pkt_read_lone(). False: it was left alone. */
bool pkt_read_lone_avx512(struct pkt *pkt, enum side from);

/** pkt_read_segments() of a single packet, be it a segment or a SYN. */
static inline void
pkt_read_lone(enum kernel kernel, struct pkt *pkt, enum side from)
{
#if defined(__x86_64__)
	if (kernel == KERNEL_AVX512 && LIKELY(pkt_read_lone_avx512(pkt, from)))
		return;
#else
	(void)kernel;
#endif
	pkt_parse(pkt, from);
}

/** Where the sum that pkt_read() has begun ends: bytes behind l3_offset. Shorter packets' is whole.
 */
#define PKT_READ_IP_BYTES 92u

#endif
