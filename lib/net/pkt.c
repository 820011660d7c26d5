/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every parse_x() function takes the offset of its header, checks its length against what the
 * header before it (or the frame) allows, and only then loads. It returns the packet's kind;
 * the next header's function is called last, so that a kind comes back from where it was found:
 *
 *	ether ─► tags ─┬► ip4 ───────────────┬► tcp
 *	               └► ip6 ─► extensions ─┴► ICMP error about TCP (icmp.c)
 */
#include "net/pkt.h"

#include "net/bytes.h"
#include "net/csum.h"
#include "net/fragment.h"
#include "net/icmp.h"
#include "net/pkt_valid.h"

/* As in struct ip6_hdr's next-header chain; what is not listed ends the walk as foreign. */
enum {
	EXTENSION_HOP_BY_HOP = 0,
	EXTENSION_ROUTING = 43,
	EXTENSION_FRAGMENT = 44,
	EXTENSION_AUTHENTICATION = 51,
	EXTENSION_DESTINATION = 60,
	EXTENSION_MOBILITY = 135,
};

#define EXTENSIONS_MAX 8
#define EXTENSION_BYTES_MIN 8
#define EXTENSION_BYTES_MAX (256 * 8)
static_assert(ETHER_BYTES + VLAN_TAGS_MAX * VLAN_TAG_BYTES + IP6_BYTES +
						EXTENSIONS_MAX * EXTENSION_BYTES_MAX <=
				UINT16_MAX,
		"l4_offset is 16 bits");

#define IP6_OFFSET_MASK 0xfff8
#define FRAGMENT_OFFSET_AT 2
#define IP4_FRAGMENT_UNIT 8 /* bytes */

static enum pkt_kind
pkt_refuse(struct pkt *pkt, enum reason reason)
{
	pkt->reason = (uint8_t)reason;
	return PKT_BAD;
}

static enum pkt_kind
pkt_pass(struct pkt *pkt, enum reason reason)
{
	pkt->reason = (uint8_t)reason;
	return PKT_FOREIGN;
}

static void
parse_addresses(struct pkt *pkt, enum family family, const union ip_addr *source,
		const union ip_addr *destination)
{
	bool from_client = pkt->from == SIDE_CLIENT;

	pkt->tuple.family = family;
	pkt->tuple.client = *(from_client ? source : destination);
	pkt->tuple.backend = *(from_client ? destination : source);
}

/* How far a header may reach: the IP packet's end, or where the bytes at hand end before it. */
static uint32_t
head_end(const struct pkt *pkt, uint32_t end)
{
	return end < pkt->len ? end : pkt->len;
}

static enum pkt_kind
parse_tcp(struct pkt *pkt, uint32_t offset, uint32_t end)
{
	const uint8_t *tcp = pkt->data + offset;
	uint16_t source, destination;
	bool from_client = pkt->from == SIDE_CLIENT;

	pkt->l4_offset = (uint16_t)offset;
	pkt->l4_length = end - offset;
	if (head_end(pkt, end) < offset + TCP_BYTES_MIN)
		return pkt_refuse(pkt, REASON_tcp_truncated);

	source = load_be16(tcp + TCP_SOURCE_PORT_AT);
	destination = load_be16(tcp + TCP_DESTINATION_PORT_AT);
	pkt->tuple.client_port = from_client ? source : destination;
	pkt->tuple.backend_port = from_client ? destination : source;
	pkt->seq = load_be32(tcp + TCP_SEQ_AT);
	pkt->ack = load_be32(tcp + TCP_ACK_AT);
	pkt->tcp_header_length = (uint8_t)((tcp[TCP_DATA_OFFSET_AT] >> 4) * 4);
	pkt->flags = tcp[TCP_FLAGS_AT];
	pkt->window = load_be16(tcp + TCP_WINDOW_AT);
	return PKT_TCP;
}

static enum pkt_kind
parse_fragment(struct pkt *pkt, uint32_t offset, uint32_t end, uint32_t at)
{
	pkt->fragment = (uint8_t)fragment_judge(
			pkt->data + offset, head_end(pkt, end) - offset, at);
	return PKT_FRAGMENT;
}

/* Not TCP: it passes, unless it is an ICMP error about TCP. */
static enum pkt_kind
parse_icmp(struct pkt *pkt, enum family family, uint32_t offset, uint32_t end,
		const union ip_addr *destination)
{
	if (UNLIKELY(end > pkt->len))
		return pkt_refuse(pkt, REASON_frame_too_large);
	if (icmp_parse(pkt, family, offset, end, destination) == PKT_ICMP_ERROR)
		return PKT_ICMP_ERROR;
	return pkt_pass(pkt, REASON_pass_not_tcp);
}

static enum pkt_kind
parse_ip4_other(struct pkt *pkt, uint32_t header_length, uint32_t total_length)
{
	const uint8_t *ip = pkt->data + pkt->l3_offset;
	union ip_addr destination = ip_addr_from_ip4(load_raw32(ip + IP4_DESTINATION_AT));

	if (ip[IP4_PROTOCOL_AT] != PROTOCOL_ICMP ||
			(load_be16(ip + IP4_FRAGMENT_AT) & (IP4_MORE_FRAGMENTS | IP4_OFFSET_MASK)))
		return pkt_pass(pkt, REASON_pass_not_tcp);
	return parse_icmp(pkt, FAMILY_IP4, pkt->l3_offset + header_length,
			pkt->l3_offset + total_length, &destination);
}

static enum pkt_kind
parse_ip4(struct pkt *pkt)
{
	const uint8_t *ip = pkt->data + pkt->l3_offset;
	uint32_t room = pkt->len - pkt->l3_offset;
	uint32_t header_length, total_length, fragment;
	union ip_addr source, destination;

	if (room < IP4_BYTES_MIN)
		return pkt_refuse(pkt, REASON_ip4_truncated);
	if (ip[0] >> 4 != 4)
		return pkt_refuse(pkt, REASON_ip4_version);
	header_length = (ip[0] & 15u) * 4;
	total_length = load_be16(ip + IP4_TOTAL_LENGTH_AT);
	if (header_length < IP4_BYTES_MIN || header_length > room)
		return pkt_refuse(pkt, REASON_ip4_header_length);
	if (total_length < header_length || total_length > room + pkt->rest)
		return pkt_refuse(pkt, REASON_ip4_total_length);
	if (ip[IP4_PROTOCOL_AT] != PROTOCOL_TCP)
		return parse_ip4_other(pkt, header_length, total_length);

	pkt->tos = ip[IP4_TOS_AT];
	pkt->ttl = ip[IP4_TTL_AT];
	source = ip_addr_from_ip4(load_raw32(ip + IP4_SOURCE_AT));
	destination = ip_addr_from_ip4(load_raw32(ip + IP4_DESTINATION_AT));
	parse_addresses(pkt, FAMILY_IP4, &source, &destination);
	fragment = load_be16(ip + IP4_FRAGMENT_AT);
	if (fragment & (IP4_MORE_FRAGMENTS | IP4_OFFSET_MASK))
		return parse_fragment(pkt, pkt->l3_offset + header_length,
				pkt->l3_offset + total_length,
				(uint32_t)(fragment & IP4_OFFSET_MASK) * IP4_FRAGMENT_UNIT);
	return parse_tcp(pkt, pkt->l3_offset + header_length, pkt->l3_offset + total_length);
}

static bool
is_extension(uint8_t next_header)
{
	switch (next_header) {
	case EXTENSION_HOP_BY_HOP:
	case EXTENSION_ROUTING:
	case EXTENSION_FRAGMENT:
	case EXTENSION_AUTHENTICATION:
	case EXTENSION_DESTINATION:
	case EXTENSION_MOBILITY:
		return true;
	default:
		return false;
	}
}

/* RFC 8200 4 counts in units of 8 bytes, RFC 4302 2.2 in units of 4. */
static uint32_t
extension_length(uint8_t kind, const uint8_t *extension)
{
	switch (kind) {
	case EXTENSION_FRAGMENT:
		return EXTENSION_BYTES_MIN;
	case EXTENSION_AUTHENTICATION:
		return (extension[1] + 2u) * 4;
	default:
		return (extension[1] + 1u) * 8;
	}
}

/* What was met on the way along a chain of extension headers. */
struct chain {
	unsigned fragment_headers;
	uint32_t at;	/* bytes before this piece, by the last of them */
	bool is_direct; /* no other header stands behind it */
};

/*
 * What the chain ends in, once it had a fragment header. The receiver goes by the first fragment's
 * chain alone (RFC 8200 4.5), so a later one that names something else than TCP is judged like one
 * that does when it could overlap a TCP header; else it passes, since its first fragment, by which
 * the receiver needs to begin, is judged by its whole chain. With more headers between
 * fragment header and TCP, offsets say nothing about TCP's bytes.
 */
static enum pkt_kind
parse_ip6_fragment(struct pkt *pkt, const struct chain *chain, uint8_t next_header, uint32_t offset,
		uint32_t end)
{
	bool is_tcp = next_header == PROTOCOL_TCP;

	if (!is_tcp && (chain->at == 0 || chain->at >= TCP_BYTES_MIN))
		return pkt_pass(pkt, REASON_pass_not_tcp);
	if (is_tcp && chain->is_direct && chain->fragment_headers == 1)
		return parse_fragment(pkt, offset, end, chain->at);
	pkt->fragment = FRAGMENT_UNSAFE;
	return PKT_FRAGMENT;
}

/*
 * A later fragment (offset above 0) starts somewhere inside what was fragmented, so nothing
 * behind its fragment header can be read as a header.
 */
static enum pkt_kind
parse_extensions(struct pkt *pkt, uint8_t next_header, uint32_t offset, uint32_t end)
{
	const uint32_t head = head_end(pkt, end);
	struct chain chain = {.fragment_headers = 0};

	for (unsigned n = 0; chain.at == 0 && is_extension(next_header); n++) {
		const uint8_t *extension = pkt->data + offset;
		uint32_t length;

		if (n == EXTENSIONS_MAX || head < offset + EXTENSION_BYTES_MIN)
			return pkt_refuse(pkt, REASON_ip6_extension);
		length = extension_length(next_header, extension);
		if (length > head - offset)
			return pkt_refuse(pkt, REASON_ip6_extension);
		chain.is_direct = next_header == EXTENSION_FRAGMENT;
		if (chain.is_direct) {
			chain.fragment_headers++;
			chain.at = load_be16(extension + FRAGMENT_OFFSET_AT) & IP6_OFFSET_MASK;
		}
		next_header = extension[0];
		offset += length;
	}
	if (UNLIKELY(chain.fragment_headers > 0))
		return parse_ip6_fragment(pkt, &chain, next_header, offset, end);
	if (next_header == PROTOCOL_ICMP6)
		return parse_icmp(pkt, FAMILY_IP6, offset, end,
				pkt->from == SIDE_CLIENT ? &pkt->tuple.backend
							 : &pkt->tuple.client);
	if (next_header != PROTOCOL_TCP)
		return pkt_pass(pkt, REASON_pass_not_tcp);
	return parse_tcp(pkt, offset, end);
}

static enum pkt_kind
parse_ip6(struct pkt *pkt)
{
	const uint8_t *ip = pkt->data + pkt->l3_offset;
	uint32_t room = pkt->len - pkt->l3_offset;
	uint32_t first_word, payload_length, payload;
	union ip_addr source, destination;

	if (room < IP6_BYTES)
		return pkt_refuse(pkt, REASON_ip6_truncated);
	first_word = load_be32(ip);
	if (first_word >> 28 != 6)
		return pkt_refuse(pkt, REASON_ip6_version);
	payload_length = load_be16(ip + IP6_PAYLOAD_LENGTH_AT);
	if (payload_length > room - IP6_BYTES + pkt->rest)
		return pkt_refuse(pkt, REASON_ip6_payload_length);

	pkt->tos = (uint8_t)(first_word >> 20);
	pkt->flow_label = first_word & 0xfffff;
	pkt->ttl = ip[IP6_HOP_LIMIT_AT];
	memcpy(&source, ip + IP6_SOURCE_AT, sizeof(source));
	memcpy(&destination, ip + IP6_DESTINATION_AT, sizeof(destination));
	parse_addresses(pkt, FAMILY_IP6, &source, &destination);
	payload = pkt->l3_offset + IP6_BYTES;
	return parse_extensions(pkt, ip[IP6_NEXT_HEADER_AT], payload, payload + payload_length);
}

static enum vlan_tag
vlan_tag_from(uint16_t ether_type)
{
	switch (ether_type) {
	case ETHER_TYPE_VLAN:
		return VLAN_TAG_8100;
	case ETHER_TYPE_QINQ:
		return VLAN_TAG_88A8;
	case ETHER_TYPE_QINQ_OLD:
		return VLAN_TAG_9100;
	default:
		return VLAN_TAG_NONE;
	}
}

/* Steps over the tags; leaves the EtherType behind them in *ether_type. PKT_UNPARSED: go on. */
static enum pkt_kind
parse_ether(struct pkt *pkt, uint16_t *ether_type)
{
	uint32_t type_offset = ETHER_TYPE_AT;
	enum vlan_tag tag;

	if (pkt->len < ETHER_BYTES)
		return pkt_refuse(pkt, REASON_eth_truncated);
	*ether_type = load_be16(pkt->data + type_offset);
	for (unsigned n = 0; (tag = vlan_tag_from(*ether_type)) != VLAN_TAG_NONE; n++) {
		uint32_t vid;

		if (n == VLAN_TAGS_MAX)
			return pkt_refuse(pkt, REASON_vlan_depth);
		if (pkt->len - type_offset < VLAN_TAG_BYTES + sizeof(*ether_type))
			return pkt_refuse(pkt, REASON_vlan_truncated);
		vid = load_be16(pkt->data + type_offset + sizeof(*ether_type)) & 0xfff;
		pkt->tuple.vlan |= (vid | (uint32_t)tag << 12) << (16 * n);
		type_offset += VLAN_TAG_BYTES;
		*ether_type = load_be16(pkt->data + type_offset);
	}
	pkt->l3_offset = (uint8_t)(type_offset + sizeof(*ether_type));
	return PKT_UNPARSED;
}

/* What the long way through ether, ip4 and tcp finds in a packet of that shape, at one go. */
static inline void
parse_common(struct pkt *pkt, enum side from)
{
	const uint8_t *ip = pkt->data + ETHER_BYTES;
	const uint8_t *tcp = ip + IP4_BYTES_MIN;
	union ip_addr source = ip_addr_from_ip4(load_raw32(ip + IP4_SOURCE_AT));
	union ip_addr destination = ip_addr_from_ip4(load_raw32(ip + IP4_DESTINATION_AT));
	uint16_t source_port = load_be16(tcp + TCP_SOURCE_PORT_AT);
	uint16_t destination_port = load_be16(tcp + TCP_DESTINATION_PORT_AT);
	bool from_client = from == SIDE_CLIENT;

	pkt->kind = PKT_TCP;
	pkt->l3_offset = ETHER_BYTES;
	pkt->l4_offset = ETHER_BYTES + IP4_BYTES_MIN;
	pkt->l4_length = load_be16(ip + IP4_TOTAL_LENGTH_AT) - (uint32_t)IP4_BYTES_MIN;
	pkt->tcp_header_length = (uint8_t)((tcp[TCP_DATA_OFFSET_AT] >> 4) * 4);
	pkt->seq = load_be32(tcp + TCP_SEQ_AT);
	pkt->ack = load_be32(tcp + TCP_ACK_AT);
	pkt->window = load_be16(tcp + TCP_WINDOW_AT);
	pkt->flags = tcp[TCP_FLAGS_AT];
	pkt->ttl = ip[IP4_TTL_AT];
	pkt->tos = ip[IP4_TOS_AT];
	pkt->tuple.client = from_client ? source : destination;
	pkt->tuple.backend = from_client ? destination : source;
	pkt->tuple.client_port = from_client ? source_port : destination_port;
	pkt->tuple.backend_port = from_client ? destination_port : source_port;
	pkt->tuple.vlan = 0;
	pkt->tuple.family = FAMILY_IP4;
	pkt->tuple.zero = 0;
}

/* Apart, so that the common way needs no registers saved. */
static __attribute__((noinline)) void
parse_other(struct pkt *pkt)
{
	uint16_t ether_type = 0;

	memset(&pkt->tuple, 0, sizeof(pkt->tuple));
	pkt->kind = (uint8_t)parse_ether(pkt, &ether_type);
	if (pkt->kind == PKT_BAD)
		return;
	if (ether_type == ETHER_TYPE_IP4)
		pkt->kind = (uint8_t)parse_ip4(pkt);
	else if (ether_type == ETHER_TYPE_IP6)
		pkt->kind = (uint8_t)parse_ip6(pkt);
	else
		pkt->kind = (uint8_t)pkt_pass(pkt, REASON_pass_not_ip);
}

void
pkt_parse(struct pkt *pkt, enum side from)
{
	if (pkt->kind != PKT_UNPARSED)
		return;
	pkt->from = (uint8_t)from;
	pkt->reason = REASON_NONE;
	pkt->flow_label = 0;
	pkt->checked = 0;
	if (LIKELY(pkt_is_common(pkt)))
		parse_common(pkt, from);
	else
		parse_other(pkt);
}

/* RFC 4291 2.5.5.2. */
static bool
is_ip4_mapped(const union ip_addr *addr)
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

	return memcmp(addr->bytes, prefix, sizeof(prefix)) == 0;
}

/* RFC 4291 2.7 (multicast), 2.5.2 and 2.5.3 (:: and ::1). */
static bool
is_ip6_host(const union ip_addr *addr)
{
	static const uint8_t prefix[15] = {0};

	if (addr->bytes[0] == 0xff)
		return false;
	return memcmp(addr->bytes, prefix, sizeof(prefix)) != 0 || addr->bytes[15] > 1;
}

/*
 * IPv4-mapped addresses are not for the wire (RFC 6890 2.2.3). At either end of an IPv6 packet
 * one would be taken for the IPv4 host that it names, so neither end may have one.
 */
static bool
pkt_has_valid_source(const struct pkt *pkt)
{
	const struct tuple *tuple = &pkt->tuple;
	const union ip_addr *source = pkt->from == SIDE_CLIENT ? &tuple->client : &tuple->backend;

	if (tuple->family == FAMILY_IP4)
		return tuple->client.words_be[3] != tuple->backend.words_be[3] &&
		       ip4_is_host(source->words_be[3]);
	return !ip_addr_is_equal(&tuple->client, &tuple->backend) && is_ip6_host(source) &&
	       !is_ip4_mapped(&tuple->client) && !is_ip4_mapped(&tuple->backend);
}

static bool
pkt_has_valid_ip4_checksum(const struct pkt *pkt)
{
	if (pkt->tuple.family != FAMILY_IP4 || pkt->csum == PKT_CSUM_GOOD)
		return true;
	return csum_ip4(pkt->data + pkt->l3_offset, pkt->l4_offset - pkt->l3_offset) == 0;
}

/*
 * For hardware to complete, Linux leaves the folded pseudo-header sum, not complemented, in the
 * checksum field (CHECKSUM_PARTIAL); the sum over everything is then the checksum's complement.
 */
static bool
pkt_has_valid_tcp_checksum(struct pkt *pkt)
{
	uint8_t *tcp = pkt->data + pkt->l4_offset;
	uint64_t pseudo, sum;

	if (pkt->csum == PKT_CSUM_GOOD || pkt->csum == PKT_CSUM_LATER)
		return true;
	if (pkt->csum == PKT_CSUM_BAD || UNLIKELY(pkt->rest > 0))
		return false;
	pseudo = csum_pseudo(&pkt->tuple, pkt->l4_length);
	sum = csum_add(0, tcp, pkt->l4_length);
	if (csum_fold(pseudo + sum) == 0xffff)
		return true;
	if (pkt->csum != PKT_CSUM_PARTIAL || load_raw16(tcp + TCP_CHECKSUM_AT) != csum_fold(pseudo))
		return false;
	store_raw16(tcp + TCP_CHECKSUM_AT, (uint16_t)~csum_fold(sum));
	return true;
}

enum reason
pkt_check_tcp(struct pkt *pkt)
{
	const uint8_t *tcp = pkt->data + pkt->l4_offset;

	if (!pkt_has_valid_source(pkt))
		return REASON_source_invalid;
	if (!pkt_has_valid_ip4_checksum(pkt))
		return REASON_ip4_checksum;
	if (pkt->tcp_header_length < TCP_BYTES_MIN ||
			head_end(pkt, pkt->l4_offset + pkt->l4_length) <
					(uint32_t)pkt->l4_offset + pkt->tcp_header_length)
		return REASON_tcp_data_offset;
	if (!pkt_has_valid_tcp_checksum(pkt))
		return REASON_tcp_checksum;
	if (load_raw16(tcp + TCP_SOURCE_PORT_AT) == 0)
		return REASON_tcp_port_zero;
	if (!tcp_flags_are_valid(pkt->flags))
		return REASON_tcp_flags;
	if (!tcp_opt_parse(tcp + TCP_BYTES_MIN, pkt->tcp_header_length - (unsigned)TCP_BYTES_MIN,
			    &pkt->opt))
		return REASON_tcp_options;
	return REASON_NONE;
}
