/* SPDX-License-Identifier: BSD-3-Clause */
/*
 *	Ethernet  IP  ICMP (8)  IP of the quoted packet  TCP of it, 8 bytes or more
 *	              ^ l4_offset                        ^ quote_offset      ^ l4_offset + l4_length
 */
#include "net/icmp.h"

#include "net/bytes.h"
#include "net/csum.h"

enum {
	ICMP_TYPE_AT = 0,
	ICMP_CHECKSUM_AT = 2,
	ICMP_BYTES = 8, /* up to the quoted packet */
	QUOTE_TCP_BYTES_MIN = 8,

	ICMP4_UNREACHABLE = 3,
	ICMP4_TIME_EXCEEDED = 11,
	ICMP4_PARAMETER_PROBLEM = 12,
	ICMP6_ERROR_FIRST = 1, /* unreachable, packet too big, time exceeded, parameter problem */
	ICMP6_ERROR_LAST = 4,
};

#define IP4_OFFSET_MASK 0x1fff
#define OPTION_TSVAL_AT 2
#define OPTION_TSECR_AT 6
#define OPTION_SACK_AT 2
#define SACK_EDGE_BYTES 4

static bool
is_error(enum family family, uint8_t type)
{
	if (family == FAMILY_IP6)
		return type >= ICMP6_ERROR_FIRST && type <= ICMP6_ERROR_LAST;
	return type == ICMP4_UNREACHABLE || type == ICMP4_TIME_EXCEEDED ||
	       type == ICMP4_PARAMETER_PROBLEM;
}

struct quote {
	union ip_addr source;
	union ip_addr destination;
	uint32_t tcp; /* offset from data */
};

/* The quoted IPv4 header; false when it isn't a TCP segment's, or ends too soon. */
static bool
quote_ip4(const struct pkt *pkt, uint32_t offset, uint32_t end, struct quote *quote)
{
	const uint8_t *ip = pkt->data + offset;
	uint32_t header_length;

	if (end - offset < IP4_BYTES_MIN || ip[0] >> 4 != 4)
		return false;
	header_length = (ip[0] & 15u) * 4;
	if (header_length < IP4_BYTES_MIN || end - offset < header_length + QUOTE_TCP_BYTES_MIN ||
			ip[IP4_PROTOCOL_AT] != PROTOCOL_TCP ||
			(load_be16(ip + IP4_FRAGMENT_AT) & IP4_OFFSET_MASK) != 0)
		return false;
	quote->source = ip_addr_from_ip4(load_raw32(ip + IP4_SOURCE_AT));
	quote->destination = ip_addr_from_ip4(load_raw32(ip + IP4_DESTINATION_AT));
	quote->tcp = offset + header_length;
	return true;
}

/* Segments with extension headers are not quoted by anybody we sent them to; they pass. */
static bool
quote_ip6(const struct pkt *pkt, uint32_t offset, uint32_t end, struct quote *quote)
{
	const uint8_t *ip = pkt->data + offset;

	if (end - offset < IP6_BYTES + QUOTE_TCP_BYTES_MIN || ip[0] >> 4 != 6 ||
			ip[IP6_NEXT_HEADER_AT] != PROTOCOL_TCP)
		return false;
	memcpy(&quote->source, ip + IP6_SOURCE_AT, sizeof(quote->source));
	memcpy(&quote->destination, ip + IP6_DESTINATION_AT, sizeof(quote->destination));
	quote->tcp = offset + IP6_BYTES;
	return true;
}

enum pkt_kind
icmp_parse(struct pkt *pkt, enum family family, uint32_t offset, uint32_t end,
		const union ip_addr *destination)
{
	bool from_client = pkt->from == SIDE_CLIENT;
	struct quote quote;
	const uint8_t *tcp;
	uint16_t source, target;

	if (end - offset < ICMP_BYTES || !is_error(family, pkt->data[offset + ICMP_TYPE_AT]))
		return PKT_FOREIGN;
	if (!(family == FAMILY_IP4 ? quote_ip4(pkt, offset + ICMP_BYTES, end, &quote)
				   : quote_ip6(pkt, offset + ICMP_BYTES, end, &quote)))
		return PKT_FOREIGN;
	if (!ip_addr_is_equal(&quote.source, destination))
		return PKT_FOREIGN;

	tcp = pkt->data + quote.tcp;
	source = load_be16(tcp + TCP_SOURCE_PORT_AT);
	target = load_be16(tcp + TCP_DESTINATION_PORT_AT);
	/* What comes from the client's side is about a segment that went there. */
	pkt->tuple.family = family;
	pkt->tuple.client = from_client ? quote.destination : quote.source;
	pkt->tuple.backend = from_client ? quote.source : quote.destination;
	pkt->tuple.client_port = from_client ? target : source;
	pkt->tuple.backend_port = from_client ? source : target;
	pkt->seq = load_be32(tcp + TCP_SEQ_AT);
	pkt->l4_offset = (uint16_t)offset;
	pkt->l4_length = end - offset;
	pkt->quote_offset = quote.tcp;
	return PKT_ICMP_ERROR;
}

/* A translation under way: the quoted header, how much of it there is, and what has changed. */
struct quote_edit {
	uint8_t *tcp;
	uint32_t length;
	uint64_t diff;
};

static void
edit_add32(struct quote_edit *edit, uint32_t offset, uint32_t add)
{
	uint32_t old_be, new_be;

	if (add == 0 || offset + sizeof(old_be) > edit->length)
		return;
	old_be = load_raw32(edit->tcp + offset);
	new_be = htobe32(be32toh(old_be) + add);
	store_raw32(edit->tcp + offset, new_be);
	edit->diff = offset % 2 == 0 ? csum_diff32(edit->diff, old_be, new_be)
				     : csum_diff32_odd(edit->diff, old_be, new_be);
}

/* Options only when the whole header was quoted. */
static void
edit_options(struct quote_edit *edit, const struct icmp_rewrite *rewrite)
{
	uint32_t header_length = edit->length > TCP_DATA_OFFSET_AT
						 ? (edit->tcp[TCP_DATA_OFFSET_AT] >> 4) * 4u
						 : 0;
	struct tcp_opt opt;

	if (header_length <= TCP_BYTES_MIN || header_length > edit->length ||
			!tcp_opt_parse(edit->tcp + TCP_BYTES_MIN,
					header_length - (uint32_t)TCP_BYTES_MIN, &opt))
		return;
	if (opt.has_timestamp) {
		uint32_t at = (uint32_t)TCP_BYTES_MIN + opt.timestamp_offset;

		edit_add32(edit, at + OPTION_TSVAL_AT, rewrite->tsval_add);
		edit_add32(edit, at + OPTION_TSECR_AT, rewrite->tsecr_add);
	}
	for (unsigned i = 0; i < 2u * opt.sack_blocks; i++)
		edit_add32(edit,
				(uint32_t)TCP_BYTES_MIN + opt.sack_offset + OPTION_SACK_AT +
						i * SACK_EDGE_BYTES,
				rewrite->ack_add);
}

static void
field_apply(uint8_t *field, uint64_t diff)
{
	store_raw16(field, csum_apply(load_raw16(field), diff));
}

void
icmp_rewrite_quote(struct pkt *pkt, const struct icmp_rewrite *rewrite)
{
	struct quote_edit edit = {
			.tcp = pkt->data + pkt->quote_offset,
			.length = pkt->l4_offset + pkt->l4_length - pkt->quote_offset,
	};
	uint8_t *icmp = pkt->data + pkt->l4_offset;

	edit_add32(&edit, TCP_SEQ_AT, rewrite->seq_add);
	edit_add32(&edit, TCP_ACK_AT, rewrite->ack_add);
	edit_options(&edit, rewrite);
	/* The quoted checksum and what it covers change by opposite amounts: together nothing. */
	if (edit.length >= TCP_CHECKSUM_AT + sizeof(uint16_t))
		field_apply(edit.tcp + TCP_CHECKSUM_AT, edit.diff);
	else
		field_apply(icmp + ICMP_CHECKSUM_AT, edit.diff);
}
