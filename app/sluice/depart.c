/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The library's parser finds the headers again: they may have moved since the frame came in. An
 * IPv4 header's checksum is only ever changed by difference, and so stays wrong where it was.
 */
#include "depart.h"

#include <string.h>

#include "net/bytes.h"
#include "net/csum.h"
#include "partial.h"

#define IP4_ID_AT 4

/* Sum of length bytes from offset on, over all buffers, folded. */
static uint16_t
chain_sum(const struct rte_mbuf *m, uint32_t offset, uint32_t length)
{
	uint64_t sum = 0;
	bool is_odd = false;

	for (; m != NULL && length > 0; m = m->next) {
		const uint32_t n = offset < m->data_len ? RTE_MIN(length, m->data_len - offset) : 0;
		const uint8_t *data = rte_pktmbuf_mtod_offset(m, const uint8_t *, n ? offset : 0);
		const uint16_t part = csum_fold(csum_add(0, data, n));

		sum += is_odd ? (uint16_t)(part << 8 | part >> 8) : part;
		is_odd ^= n % 2 != 0;
		length -= n;
		offset -= n != 0 ? offset : m->data_len;
	}
	return csum_fold(sum);
}

/* Fills in the TCP checksum. */
static void
tcp_sum(struct rte_mbuf *m, const struct tuple *tuple, uint32_t l4_offset, uint32_t l4_length)
{
	uint8_t *check = rte_pktmbuf_mtod_offset(m, uint8_t *, l4_offset + TCP_CHECKSUM_AT);
	const uint64_t pseudo = csum_pseudo(tuple, l4_length);

	store_raw16(check, 0);
	store_raw16(check, (uint16_t)~csum_fold(pseudo + chain_sum(m, l4_offset, l4_length)));
}

static struct pkt
depart_parse(struct rte_mbuf *m)
{
	struct pkt pkt = {
			.data = rte_pktmbuf_mtod(m, uint8_t *),
			.len = m->data_len,
			.rest = m->pkt_len - m->data_len,
			.kind = PKT_UNPARSED,
	};

	pkt_parse(&pkt, SIDE_CLIENT);
	if (pkt.kind == PKT_TCP &&
			(pkt.tcp_header_length < TCP_BYTES_MIN ||
					pkt.tcp_header_length > pkt.l4_length ||
					(uint32_t)pkt.l4_offset + pkt.tcp_header_length > pkt.len))
		pkt.kind = PKT_BAD;
	return pkt;
}

/* The port does the rest of a TCP checksum, which begins with the pseudo-header's sum; and cuts
 * the frame into segments of size bytes, unless that is 0. */
static void
port_told(struct rte_mbuf *m, const struct depart *depart, const struct pkt *pkt, uint32_t size)
{
	const bool is_ip4 = pkt->tuple.family == FAMILY_IP4;
	uint8_t *check = pkt->data + pkt->l4_offset + TCP_CHECKSUM_AT;

	store_raw16(check, csum_fold(csum_pseudo(&pkt->tuple, pkt->l4_length)));
	m->l2_len = pkt->l3_offset;
	m->l3_len = pkt->l4_offset - pkt->l3_offset;
	m->l4_len = pkt->tcp_header_length;
	m->tso_segsz = (uint16_t)size;
	m->ol_flags = (m->ol_flags & DEPART_FLAGS_KEPT) | RTE_MBUF_F_TX_TCP_CKSUM |
		      (is_ip4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6) |
		      (size > 0 ? RTE_MBUF_F_TX_TCP_SEG : 0) |
		      (size > 0 && is_ip4 && depart->sums_ip4 ? RTE_MBUF_F_TX_IP_CKSUM : 0);
}

/* A port counts on finding TCP right behind IP. */
static bool
has_extensions(const struct pkt *pkt)
{
	return pkt->tuple.family == FAMILY_IP6 && pkt->l4_offset - pkt->l3_offset != IP6_BYTES;
}

/* Only what came in merged is cut again, and never into larger segments than it came from. */
static enum departure
depart_cut(struct rte_mbuf *m, const struct depart *depart, const struct pkt *pkt,
		struct segment_cut *cut)
{
	const uint32_t headers = pkt->l4_offset - pkt->l3_offset + (uint32_t)pkt->tcp_header_length;
	uint32_t size = m->tso_segsz;

	if ((m->ol_flags & RTE_MBUF_F_RX_LRO) == 0 || size == 0 || headers >= depart->mtu ||
			pkt->flags & TCP_SYN)
		return DEPART_NOT;
	size = RTE_MIN(size, depart->mtu - headers);
	if (depart->cuts_segments && !has_extensions(pkt)) {
		port_told(m, depart, pkt, size);
		return DEPART_WHOLE;
	}
	*cut = (struct segment_cut){
			.whole = m,
			.l3_offset = pkt->l3_offset,
			.l4_offset = pkt->l4_offset,
			.headers = pkt->l3_offset + headers,
			.size = size,
			.payload = pkt_payload_length(pkt),
			.tuple = pkt->tuple,
	};
	return DEPART_IN_SEGMENTS;
}

enum departure
depart_prepare(struct rte_mbuf *m, const struct depart *depart, struct segment_cut *cut)
{
	const struct pkt pkt = depart_parse(m);
	const bool is_open = depart_is_open(m);

	if (!depart_fits(m->pkt_len, pkt.l3_offset, depart))
		return pkt.kind == PKT_TCP ? depart_cut(m, depart, &pkt, cut) : DEPART_NOT;
	if (is_open && pkt.kind == PKT_TCP && depart->sums_tcp && !has_extensions(&pkt)) {
		port_told(m, depart, &pkt, 0);
		return DEPART_WHOLE;
	}
	if (is_open && pkt.kind == PKT_TCP)
		tcp_sum(m, &pkt.tuple, pkt.l4_offset, pkt.l4_length);
	else if (is_open)
		partial_complete(pkt.data, pkt.len, pkt.l3_offset);
	m->ol_flags &= DEPART_FLAGS_KEPT;
	return DEPART_WHOLE;
}

/* Writes a 16-bit field of an IPv4 header and keeps its checksum as right as it was. */
static void
ip4_store(uint8_t *ip, unsigned at, uint16_t value)
{
	const uint16_t old_be = load_raw16(ip + at);

	store_be16(ip + at, value);
	store_raw16(ip + IP4_CHECKSUM_AT,
			csum_apply(load_raw16(ip + IP4_CHECKSUM_AT),
					csum_diff16(0, old_be, load_raw16(ip + at))));
}

/* The headers of a segment that begins done bytes behind the first; n bytes follow them. */
static void
segment_write_headers(const struct segment_cut *cut, struct rte_mbuf *segment, uint32_t n)
{
	uint8_t *ip = rte_pktmbuf_mtod_offset(segment, uint8_t *, cut->l3_offset);
	uint8_t *tcp = rte_pktmbuf_mtod_offset(segment, uint8_t *, cut->l4_offset);
	const uint32_t length = cut->headers - cut->l3_offset + n;

	if (cut->tuple.family == FAMILY_IP4) {
		ip4_store(ip, IP4_TOTAL_LENGTH_AT, (uint16_t)length);
		ip4_store(ip, IP4_ID_AT,
				(uint16_t)(load_be16(ip + IP4_ID_AT) + cut->done / cut->size));
	} else {
		store_be16(ip + IP6_PAYLOAD_LENGTH_AT, (uint16_t)(length - IP6_BYTES));
	}
	store_be32(tcp + TCP_SEQ_AT, load_be32(tcp + TCP_SEQ_AT) + cut->done);
	if (cut->done + n < cut->payload)
		tcp[TCP_FLAGS_AT] &= (uint8_t) ~(unsigned)(TCP_FIN | TCP_PSH);
	if (cut->done > 0) /* once per reduction of the window (RFC 3168 6.1.2) */
		tcp[TCP_FLAGS_AT] &= (uint8_t) ~(unsigned)TCP_CWR;
}

struct rte_mbuf *
segment_next(struct segment_cut *cut, struct rte_mempool *pool)
{
	const uint32_t n = RTE_MIN(cut->size, cut->payload - cut->done);
	struct rte_mbuf *segment = rte_pktmbuf_alloc(pool);
	const void *payload;
	uint8_t *to;

	if (segment == NULL)
		return NULL;
	to = (uint8_t *)rte_pktmbuf_append(segment, (uint16_t)(cut->headers + n));
	payload = to != NULL ? rte_pktmbuf_read(cut->whole, cut->headers + cut->done, n,
					       to + cut->headers)
			     : NULL;
	if (payload == NULL) {
		rte_pktmbuf_free(segment);
		return NULL;
	}
	memcpy(to, rte_pktmbuf_mtod(cut->whole, const void *), cut->headers);
	if (payload != to + cut->headers)
		memcpy(to + cut->headers, payload, n);
	segment_write_headers(cut, segment, n);
	tcp_sum(segment, &cut->tuple, cut->l4_offset, cut->headers - cut->l4_offset + n);
	cut->done += n;
	return segment;
}
