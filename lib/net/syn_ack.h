/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The packet that a flood makes us build most: a SYN-ACK, written in one pass with both checksums
 * summed on the way. The same as pkt_build_tcp() would write, which its test compares with. Fields
 * are put together as 32-bit words in registers, added up there, and stored once: summing what was
 * just stored byte by byte would wait for the stores. Inline, since its callers have just computed
 * half of what it needs.
 */
#ifndef SLUICE_NET_SYN_ACK_H
#define SLUICE_NET_SYN_ACK_H

#include "net/bytes.h"
#include "net/csum.h"
#include "net/pkt.h"
#include "net/rewrite.h"
#include "net/tcp_opt_words.h"

#define SYN_ACK_IP4_FRAGMENT 0x4000u /**< ID 0, DF */

struct syn_ack {
	uint32_t seq;
	uint32_t ack;
	uint16_t window;
	bool ecn; /**< accepts ECN: ECE is set (RFC 3168 6.1.1) */
};

/** Bytes of the shortest Ethernet frame without its checksum: what is shorter gets padded. */
#define SYN_ACK_FRAME_MIN 60

/** True when a segment with that many bytes of options, built over pkt, makes no longer frame than
 * pkt is (PITFALLS 11). */
static inline bool
syn_ack_fits(const struct pkt *pkt, unsigned options_length)
{
	unsigned ip = pkt->tuple.family == FAMILY_IP4 ? IP4_BYTES_MIN : IP6_BYTES;
	unsigned answer = pkt->l3_offset + ip + TCP_BYTES_MIN + options_length;

	return LIKELY(answer <= pkt->len) || answer <= SYN_ACK_FRAME_MIN;
}

/** Of what is offered to clients that offer everything, what the one whose SYN (checked, as
 * received) is given offers too; all but tsval. */
static inline void
syn_ack_offer(struct tcp_opt_syn *announce, const struct tcp_opt_syn *offer, const struct pkt *syn)
{
	announce->tsecr = syn->opt.tsval;
	announce->mss = offer->mss;
	announce->wscale = syn->opt.wscale != TCP_WSCALE_NONE ? offer->wscale : TCP_WSCALE_NONE;
	announce->sack_permitted = offer->sack_permitted & syn->opt.sack_permitted;
	announce->has_timestamp = offer->has_timestamp & syn->opt.has_timestamp;
	announce->ecn = offer->ecn && pkt_offers_ecn(syn);
}

/* Writes the IP header; returns the running sum of both addresses. */
static inline uint64_t
syn_ack_put_ip4(uint8_t *ip, const struct tuple *tuple, uint32_t tcp_length)
{
	uint32_t length_be = htobe32(0x45000000u | (IP4_BYTES_MIN + tcp_length));
	uint32_t fragment_be = htobe32(SYN_ACK_IP4_FRAGMENT);
	uint32_t protocol_be = htobe32((uint32_t)PKT_TTL_DEFAULT << 24 | PROTOCOL_TCP << 16);
	uint32_t source_be = tuple->backend.words_be[3];
	uint32_t destination_be = tuple->client.words_be[3];
	uint64_t addresses = (uint64_t)source_be + destination_be;
	uint64_t sum = addresses + length_be + fragment_be + protocol_be;

	store_raw32(ip, length_be);
	store_raw32(ip + 4, fragment_be);
	store_raw32(ip + IP4_TTL_AT, protocol_be);
	store_raw16(ip + IP4_CHECKSUM_AT, (uint16_t)~csum_fold(sum));
	store_raw32(ip + IP4_SOURCE_AT, source_be);
	store_raw32(ip + IP4_DESTINATION_AT, destination_be);
	return addresses;
}

static inline uint64_t
syn_ack_put_ip6(uint8_t *ip, const struct tuple *tuple, uint32_t tcp_length)
{
	store_raw32(ip, htobe32(6u << 28));
	store_raw32(ip + IP6_PAYLOAD_LENGTH_AT,
			htobe32(tcp_length << 16 | PROTOCOL_TCP << 8 | PKT_TTL_DEFAULT));
	memcpy(ip + IP6_SOURCE_AT, &tuple->backend, sizeof(tuple->backend));
	memcpy(ip + IP6_DESTINATION_AT, &tuple->client, sizeof(tuple->client));
	return csum_add(csum_add(0, &tuple->backend, sizeof(tuple->backend)), &tuple->client,
			sizeof(tuple->client));
}

/* sum: of the addresses. */
static inline void
syn_ack_put_tcp(uint8_t *tcp, const struct tuple *tuple, const struct syn_ack *syn_ack,
		const struct tcp_opt_syn *announce, uint32_t tcp_length, uint64_t sum)
{
	uint32_t flags = TCP_SYN | TCP_ACK | (syn_ack->ecn ? TCP_ECE : 0);
	uint8_t *at = tcp;

	at = tcp_opt_put_word(at, (uint32_t)tuple->backend_port << 16 | tuple->client_port, &sum);
	at = tcp_opt_put_word(at, syn_ack->seq, &sum);
	at = tcp_opt_put_word(at, syn_ack->ack, &sum);
	tcp_opt_put_word(at, tcp_length / 4 << 28 | flags << 16 | syn_ack->window, &sum);
	tcp_opt_put_syn(tcp + TCP_BYTES_MIN, announce, &sum);
	/* The pseudo-header's rest. */
	sum += htobe32(PROTOCOL_TCP << 16 | tcp_length);
	/* The urgent pointer lies behind the checksum. */
	store_raw16(tcp + TCP_CHECKSUM_AT, (uint16_t)~csum_fold(sum));
	store_raw16(tcp + TCP_CHECKSUM_AT + 2, 0);
}

/**
 * Replaces everything from l3_offset on by a SYN-ACK to the client of pkt->tuple, with the options
 * of announce and our own TTL, and sets what pkt_build_tcp() sets. The Ethernet header and tags
 * stay as they are. The buffer must have room: len + tailroom >= PKT_BUILD_BYTES_MAX.
 */
static inline void
syn_ack_build(struct pkt *pkt, const struct syn_ack *syn_ack, const struct tcp_opt_syn *announce)
{
	const struct tuple *tuple = &pkt->tuple;
	uint32_t tcp_length = TCP_BYTES_MIN + tcp_opt_syn_length(announce);
	uint8_t *ip = pkt->data + pkt->l3_offset;
	uint32_t l4_offset = pkt->l3_offset +
			     (tuple->family == FAMILY_IP4 ? (uint32_t)IP4_BYTES_MIN : IP6_BYTES);
	uint64_t sum;

	ENSURE(pkt->len + pkt->tailroom >= l4_offset + tcp_length);
	sum = tuple->family == FAMILY_IP4 ? syn_ack_put_ip4(ip, tuple, tcp_length)
					  : syn_ack_put_ip6(ip, tuple, tcp_length);
	syn_ack_put_tcp(pkt->data + l4_offset, tuple, syn_ack, announce, tcp_length, sum);

	pkt_set_length(pkt, l4_offset + tcp_length);
	pkt->l4_offset = (uint16_t)l4_offset;
	pkt->l4_length = tcp_length;
	pkt->tcp_header_length = (uint8_t)tcp_length;
	pkt->csum = PKT_CSUM_GOOD;
}

#endif
