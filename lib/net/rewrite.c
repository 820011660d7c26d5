/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two halves that share no state: building sums words on their way to memory, since reading back
 * what was just written in other pieces costs more than all the rest; the translation of a segment
 * carries one running difference from field to field and touches the checksum once, at the end.
 */
#include "net/rewrite.h"

#include "net/tcp_opt_words.h"

#define IP4_DONT_FRAGMENT 0x4000u

#define OPTION_NOP 1
#define TIMESTAMP_BYTES 10
#define SACK_EDGE_BYTES 4

static unsigned
ip_header_length(const struct tuple *tuple)
{
	return tuple->family == FAMILY_IP4 ? IP4_BYTES_MIN : IP6_BYTES;
}

static const union ip_addr *
segment_source(const struct tuple *tuple, enum side to)
{
	return to == SIDE_CLIENT ? &tuple->backend : &tuple->client;
}

static const union ip_addr *
segment_destination(const struct tuple *tuple, enum side to)
{
	return segment_source(tuple, side_other(to));
}

static uint8_t
build_tos(const struct pkt_build *build)
{
	return (uint8_t)(build->tos & ~(unsigned)IP_ECN_MASK);
}

/* Writes the header; returns the running sum of both addresses. */
static inline uint64_t
build_ip4(uint8_t *ip, const struct tuple *tuple, const struct pkt_build *build,
		uint32_t tcp_length)
{
	uint32_t source_be = segment_source(tuple, build->to)->words_be[3];
	uint32_t destination_be = segment_destination(tuple, build->to)->words_be[3];
	uint64_t addresses = (uint64_t)source_be + destination_be, sum = addresses;
	uint8_t *at = ip;

	at = tcp_opt_put_word(at,
			0x45000000u | (uint32_t)build_tos(build) << 16 |
					((uint32_t)IP4_BYTES_MIN + tcp_length),
			&sum);
	at = tcp_opt_put_word(at, IP4_DONT_FRAGMENT, &sum);
	tcp_opt_put_word(at, (uint32_t)build->ttl << 24 | PROTOCOL_TCP << 16, &sum);
	store_raw32(ip + IP4_SOURCE_AT, source_be);
	store_raw32(ip + IP4_DESTINATION_AT, destination_be);
	store_raw16(ip + IP4_CHECKSUM_AT, (uint16_t)~csum_fold(sum));
	return addresses;
}

static uint64_t
build_ip6(uint8_t *ip, const struct tuple *tuple, const struct pkt_build *build,
		uint32_t tcp_length)
{
	const union ip_addr *source = segment_source(tuple, build->to);
	const union ip_addr *destination = segment_destination(tuple, build->to);

	store_be32(ip, 6u << 28 | (uint32_t)build_tos(build) << 20 | (build->flow_label & 0xfffff));
	store_be32(ip + IP6_PAYLOAD_LENGTH_AT,
			tcp_length << 16 | PROTOCOL_TCP << 8 | (uint32_t)build->ttl);
	memcpy(ip + IP6_SOURCE_AT, source, sizeof(*source));
	memcpy(ip + IP6_DESTINATION_AT, destination, sizeof(*destination));
	return csum_add(csum_add(0, source, sizeof(*source)), destination, sizeof(*destination));
}

/* sum: of the addresses. */
static inline void
build_tcp(uint8_t *tcp, const struct tuple *tuple, const struct pkt_build *build,
		uint32_t tcp_length, uint64_t sum)
{
	const unsigned options_length = build->options_length;
	uint32_t ack = build->flags & TCP_ACK ? build->ack : 0;
	uint32_t ports = build->to == SIDE_CLIENT
					 ? (uint32_t)tuple->backend_port << 16 | tuple->client_port
					 : (uint32_t)tuple->client_port << 16 | tuple->backend_port;
	uint8_t *at = tcp;

	at = tcp_opt_put_word(at, ports, &sum);
	at = tcp_opt_put_word(at, build->seq, &sum);
	at = tcp_opt_put_word(at, ack, &sum);
	at = tcp_opt_put_word(at,
			tcp_length / 4 << 28 | (uint32_t)build->flags << 16 | build->window, &sum);
	at += sizeof(uint32_t);
	for (unsigned i = 0; i < options_length; i += sizeof(uint32_t))
		at = tcp_opt_put_word(at, load_be32(build->options + i), &sum);
	/* The pseudo-header's rest. */
	sum += htobe32(PROTOCOL_TCP << 16 | tcp_length);
	/* The urgent pointer lies behind the checksum. */
	store_raw32(tcp + TCP_CHECKSUM_AT, 0);
	store_raw16(tcp + TCP_CHECKSUM_AT, (uint16_t)~csum_fold(sum));
}

void
pkt_build_tcp(struct pkt *pkt, const struct pkt_build *build)
{
	uint32_t tcp_length = TCP_BYTES_MIN + (uint32_t)build->options_length;
	uint32_t l4_offset = pkt->l3_offset + ip_header_length(&pkt->tuple);
	uint8_t *ip = pkt->data + pkt->l3_offset;
	uint64_t sum;

	ENSURE(build->options_length <= TCP_OPT_BYTES_MAX && build->options_length % 4 == 0);
	ENSURE(pkt->len + pkt->tailroom >= l4_offset + tcp_length);
	sum = pkt->tuple.family == FAMILY_IP4 ? build_ip4(ip, &pkt->tuple, build, tcp_length)
					      : build_ip6(ip, &pkt->tuple, build, tcp_length);
	build_tcp(pkt->data + l4_offset, &pkt->tuple, build, tcp_length, sum);

	pkt_set_length(pkt, l4_offset + tcp_length);
	pkt->l4_offset = (uint16_t)l4_offset;
	pkt->l4_length = tcp_length;
	pkt->tcp_header_length = (uint8_t)tcp_length;
	pkt->csum = PKT_CSUM_GOOD;
}

void
pkt_build_ether(struct pkt *pkt, const uint8_t destination[ETHER_ADDR_BYTES],
		const uint8_t source[ETHER_ADDR_BYTES])
{
	static const uint16_t tag_types[] = {
			[VLAN_TAG_8100] = ETHER_TYPE_VLAN,
			[VLAN_TAG_88A8] = ETHER_TYPE_QINQ,
			[VLAN_TAG_9100] = ETHER_TYPE_QINQ_OLD,
	};
	uint8_t *at = pkt->data + ETHER_TYPE_AT;
	vlan_tags_t tags = pkt->tuple.vlan;

	ENSURE(pkt->len + pkt->tailroom >= ETHER_BYTES + VLAN_TAGS_MAX * VLAN_TAG_BYTES);
	memcpy(pkt->data, destination, ETHER_ADDR_BYTES);
	memcpy(pkt->data + ETHER_ADDR_BYTES, source, ETHER_ADDR_BYTES);
	for (; tags != 0; tags >>= 16, at += VLAN_TAG_BYTES) {
		store_be16(at, tag_types[tags >> 12 & 3]);
		store_be16(at + 2, tags & 0xfff);
	}
	store_be16(at, pkt->tuple.family == FAMILY_IP4 ? ETHER_TYPE_IP4 : ETHER_TYPE_IP6);
	pkt->l3_offset = (uint8_t)(at + 2 - pkt->data);
	pkt_set_length(pkt, pkt->l3_offset);
}

/* A TCP header whose bytes change, and by how much its checksum has to. */
struct edit {
	uint8_t *tcp;
	uint64_t diff;
};

static void
edit_add32(struct edit *edit, unsigned offset, uint32_t add)
{
	uint8_t *at = edit->tcp + offset;
	uint32_t old_be, new_be;

	if (add == 0)
		return;
	old_be = load_raw32(at);
	new_be = htobe32(be32toh(old_be) + add);
	store_raw32(at, new_be);
	if (offset % 2 == 0)
		edit->diff = csum_diff32(edit->diff, old_be, new_be);
	else
		edit->diff = csum_diff32_odd(edit->diff, old_be, new_be);
}

static void
edit_window(struct edit *edit, uint16_t window)
{
	uint8_t *at = edit->tcp + TCP_WINDOW_AT;
	uint16_t new_be = htobe16(window);

	edit->diff = csum_diff16(edit->diff, load_raw16(at), new_be);
	store_raw16(at, new_be);
}

static void
edit_strip(struct edit *edit, unsigned offset, unsigned length)
{
	uint8_t *at = edit->tcp + offset;
	uint16_t old = csum_fold(csum_add(0, at, length));
	uint16_t new;

	memset(at, OPTION_NOP, length);
	new = csum_fold(csum_add(0, at, length));
	if (offset % 2 == 0)
		edit->diff = csum_diff32(edit->diff, old, new);
	else
		edit->diff = csum_diff32_odd(edit->diff, old, new);
}

static void
edit_timestamp(struct edit *edit, const struct pkt *pkt, const struct rewrite *rewrite)
{
	unsigned offset = (unsigned)TCP_BYTES_MIN + pkt->opt.timestamp_offset;

	if (rewrite->strip_timestamp) {
		edit_strip(edit, offset, TIMESTAMP_BYTES);
		return;
	}
	edit_add32(edit, offset + TCP_OPT_TSVAL_AT, rewrite->tsval_add);
	if (pkt->flags & TCP_ACK)
		edit_add32(edit, offset + TCP_OPT_TSECR_AT, rewrite->tsecr_add);
}

static void
edit_sack(struct edit *edit, const struct pkt *pkt, const struct rewrite *rewrite)
{
	unsigned offset = (unsigned)TCP_BYTES_MIN + pkt->opt.sack_offset;
	unsigned length = TCP_OPT_SACK_EDGES_AT + pkt->opt.sack_blocks * TCP_OPT_SACK_BLOCK_BYTES;
	unsigned at;

	if (rewrite->strip_sack) {
		edit_strip(edit, offset, length);
		return;
	}
	if (!(pkt->flags & TCP_ACK))
		return;
	for (at = TCP_OPT_SACK_EDGES_AT; at < length; at += SACK_EDGE_BYTES)
		edit_add32(edit, offset + at, rewrite->ack_add);
}

void
rewrite_any(struct pkt *pkt, const struct rewrite *rewrite)
{
	struct edit edit = {.tcp = pkt->data + pkt->l4_offset};
	uint8_t *check = edit.tcp + TCP_CHECKSUM_AT;

	edit_add32(&edit, TCP_SEQ_AT, rewrite->seq_add);
	if (pkt->flags & TCP_ACK)
		edit_add32(&edit, TCP_ACK_AT, rewrite->ack_add);
	if (rewrite->window != pkt->window)
		edit_window(&edit, rewrite->window);
	if (pkt->opt.has_timestamp)
		edit_timestamp(&edit, pkt, rewrite);
	if (pkt->opt.sack_blocks > 0)
		edit_sack(&edit, pkt, rewrite);
	if (edit.diff != 0)
		store_raw16(check, csum_apply(load_raw16(check), edit.diff));
}

void
rewrite_flags(struct pkt *pkt, uint8_t clear, uint8_t set)
{
	uint8_t *tcp = pkt->data + pkt->l4_offset;
	uint8_t *at = tcp + TCP_DATA_OFFSET_AT;
	uint8_t *check = tcp + TCP_CHECKSUM_AT;
	uint16_t old_be = load_raw16(at);

	at[1] = (uint8_t)((at[1] & ~(unsigned)clear) | set);
	if (load_raw16(at) != old_be)
		store_raw16(check, csum_apply(load_raw16(check),
						   csum_diff16(0, old_be, load_raw16(at))));
}

void
rewrite_not_ect(struct pkt *pkt)
{
	uint8_t *ip = pkt->data + pkt->l3_offset;
	uint8_t *check = ip + IP4_CHECKSUM_AT;
	uint16_t old_be = load_raw16(ip);

	if ((pkt->tos & IP_ECN_MASK) == IP_ECN_NOT_ECT)
		return;
	if (pkt->tuple.family == FAMILY_IP6) {
		ip[1] &= (uint8_t) ~((unsigned)IP_ECN_MASK << 4);
		return;
	}
	ip[IP4_TOS_AT] &= (uint8_t) ~(unsigned)IP_ECN_MASK;
	store_raw16(check, csum_apply(load_raw16(check), csum_diff16(0, old_be, load_raw16(ip))));
}
