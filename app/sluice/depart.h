/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames that can't leave a port as they stand: segments of TCP that a virtual peer handed over
 * merged (up to 64 KB), and those whose checksum it left open. Where the port has the hardware (or
 * a peer) for it, it is told to do the rest; else that is done here. All that is for rare
 * frames: a worker asks depart_is_plain() first.
 */
#ifndef SLUICE_APP_DEPART_H
#define SLUICE_APP_DEPART_H

#include <stdbool.h>

#include <rte_mbuf.h>

#include "net/pkt.h"

/** What a port takes; fixed before workers run. */
struct depart {
	uint32_t mtu;	    /**< bytes of an IP packet */
	uint32_t frame_max; /**< bytes of a frame with as many tags as may lengthen it */
	bool cuts_segments; /**< takes merged segments in several buffers, and cuts them (TSO) */
	bool sums_tcp;	    /**< fills in TCP checksums */
	bool sums_ip4;	    /**< wants to be told to fill in IPv4 header checksums when it cuts */
};

enum departure {
	DEPART_WHOLE, /**< made ready; RTE_MBUF_F_TX_ flags tell the port what is left to do */
	DEPART_IN_SEGMENTS, /**< segment_next() makes what is sent */
	DEPART_NOT,	    /**< larger than the port's MTU, and not to be cut */
};

/** A merged frame that is being cut. The caller owns whole, which must stay until the end. */
struct segment_cut {
	struct rte_mbuf *whole;
	uint32_t l3_offset;
	uint32_t l4_offset;
	uint32_t headers; /**< bytes up to the TCP payload */
	uint32_t size;	  /**< payload of each segment but the last */
	uint32_t payload;
	uint32_t done;
	struct tuple tuple;
};

/** Bits that say where the buffer's memory is; no other flag of a received frame is meant for a
 * port to send. */
#define DEPART_FLAGS_KEPT (RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL)

/** True when the TCP or UDP checksum of a received frame was left to us. */
static inline bool
depart_is_open(const struct rte_mbuf *m)
{
	return (m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_NONE;
}

static inline bool
depart_fits(uint32_t length, uint32_t l3_offset, const struct depart *depart)
{
	return length <= depart->frame_max && length - l3_offset <= depart->mtu;
}

/** True for nearly all frames: nothing is left to do. l3_offset: as in struct pkt. */
static inline bool
depart_is_plain(const struct rte_mbuf *m, uint32_t l3_offset, const struct depart *depart)
{
	return depart_fits(m->pkt_len, l3_offset, depart) && !depart_is_open(m);
}

/** Makes a frame that is not plain ready to leave, or says how else it ends; fills *cut for
 * DEPART_IN_SEGMENTS. The caller keeps the mbuf. */
enum departure depart_prepare(
		struct rte_mbuf *m, const struct depart *depart, struct segment_cut *cut);

/** True while segments are left. */
static inline bool
segment_is_left(const struct segment_cut *cut)
{
	return cut->done < cut->payload;
}

/** The next segment as a frame of its own from the pool, the caller's; NULL when the pool is
 * empty. Numbers, lengths, flags and checksums are those that the sender's hardware would make. */
struct rte_mbuf *segment_next(struct segment_cut *cut, struct rte_mempool *pool);

#endif
