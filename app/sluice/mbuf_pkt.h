/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Between DPDK's mbuf and the library's struct pkt: the pkt borrows the mbuf's bytes for one
 * burst, and what became of them is written back before the mbuf travels on.
 */
#ifndef SLUICE_APP_MBUF_PKT_H
#define SLUICE_APP_MBUF_PKT_H

#include <rte_ether.h>
#include <rte_mbuf.h>

#include "net/pkt.h"

/** What the NIC's flags say; `unverified` where they say nothing. */
static inline enum pkt_csum
mbuf_pkt_csum(const struct rte_mbuf *m, enum pkt_csum unverified)
{
	const uint64_t ip = m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;
	const uint64_t l4 = m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;

	if (ip == RTE_MBUF_F_RX_IP_CKSUM_GOOD && l4 == RTE_MBUF_F_RX_L4_CKSUM_GOOD)
		return PKT_CSUM_GOOD;
	if (l4 == RTE_MBUF_F_RX_L4_CKSUM_BAD)
		return PKT_CSUM_BAD;
	if (UNLIKELY(l4 == RTE_MBUF_F_RX_L4_CKSUM_NONE) && unverified == PKT_CSUM_PARTIAL)
		return PKT_CSUM_LATER;
	return unverified;
}

/**
 * Wraps a received mbuf. A tag that a driver took out is put back: the library sees the frame as it
 * was on the wire. Its bytes are made contiguous; where they don't fit one buffer, the library gets
 * the first one, which has the headers. False when nobody vouches for such a frame's checksum.
 */
static inline bool
mbuf_pkt_wrap(struct rte_mbuf *m, struct pkt *pkt, enum pkt_csum unverified)
{
	const enum pkt_csum csum = mbuf_pkt_csum(m, unverified);

	if (UNLIKELY(m->nb_segs > 1) && rte_pktmbuf_linearize(m) != 0 && csum != PKT_CSUM_LATER &&
			csum != PKT_CSUM_GOOD)
		return false;
	if (UNLIKELY((m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_NONE) &&
			csum != PKT_CSUM_LATER)
		m->ol_flags &= ~RTE_MBUF_F_RX_L4_CKSUM_MASK; /* nobody's word for it is taken */
	if (UNLIKELY(m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) && rte_vlan_insert(&m) != 0)
		return false;
	pkt->data = rte_pktmbuf_mtod(m, uint8_t *);
	pkt->owner = m;
	pkt->len = m->data_len;
	pkt->rest = m->pkt_len - m->data_len;
	pkt->tailroom = rte_pktmbuf_tailroom(m);
	pkt->csum = (uint8_t)csum;
	pkt->kind = PKT_UNPARSED;
	pkt->reason = REASON_NONE;
	return true;
}

/**
 * Gives the outer one of two tags its protocol 0x88a8 back. For net_af_packet, which re-inserts
 * the tag that the kernel took off, always as 0x8100, and marks the mbuf.
 */
static inline void
mbuf_pkt_restore_qinq(const struct rte_mbuf *m, struct pkt *pkt)
{
	struct rte_ether_hdr *ether = (struct rte_ether_hdr *)(void *)pkt->data;
	const struct rte_vlan_hdr *outer = (const struct rte_vlan_hdr *)(ether + 1);

	if ((m->ol_flags & RTE_MBUF_F_RX_VLAN) == 0 || pkt->len < sizeof(*ether) + sizeof(*outer))
		return;
	if (ether->ether_type == RTE_BE16(RTE_ETHER_TYPE_VLAN) &&
			outer->eth_proto == RTE_BE16(RTE_ETHER_TYPE_VLAN))
		ether->ether_type = RTE_BE16(RTE_ETHER_TYPE_QINQ);
}

/** The mbuf of a pkt that travels on: length as the library left it. Its flags are still those of
 * its arrival (depart.h). */
static inline struct rte_mbuf *
mbuf_pkt_unwrap(const struct pkt *pkt)
{
	struct rte_mbuf *m = pkt->owner;

	if (UNLIKELY(m->nb_segs > 1) && pkt->rest == 0) {
		rte_pktmbuf_free(m->next);
		m->next = NULL;
		m->nb_segs = 1;
	}
	m->data_len = (uint16_t)pkt->len;
	m->pkt_len = pkt->len + pkt->rest;
	return m;
}

#endif
