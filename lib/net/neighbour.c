/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ARP for IPv4 over Ethernet, behind the EtherType:
 *
 *	hardware 1 (2)  protocol 0x0800 (2)  6 (1)  4 (1)  operation (2)
 *	sender's MAC (6)  sender's address (4)  target's MAC (6)  target's address (4)
 *
 * Neighbour solicitation and advertisement, behind an IPv6 header with hop limit 255:
 *
 *	type (1)  code 0 (1)  checksum (2)  flags (4)  target's address (16)  options
 *
 * with the sender's, or the target's, MAC as an option: type (1), length 1 in units of 8 (1), MAC
 * (6).
 */
#include "net/neighbour.h"

#include "net/bytes.h"
#include "net/csum.h"

enum {
	ETHER_TYPE_ARP = 0x0806,

	ARP_OPERATION_AT = 6,
	ARP_SENDER_MAC_AT = 8,
	ARP_SENDER_AT = 14,
	ARP_TARGET_MAC_AT = 18,
	ARP_TARGET_AT = 24,
	ARP_BYTES = 28,
	ARP_REQUEST = 1,
	ARP_REPLY = 2,

	ND_CHECKSUM_AT = 2,
	ND_FLAGS_AT = 4,
	ND_TARGET_AT = 8,
	ND_BYTES = 24, /* without options */
	ND_OPTION_UNIT = 8,
	ND_OPTION_MAC_BYTES = 8,
	ND_SOLICITATION = 135,
	ND_ADVERTISEMENT = 136,
	ND_SOURCE_MAC = 1,
	ND_TARGET_MAC = 2,
	ND_HOP_LIMIT = 255,
	ND_FLAG_SOLICITED = 0x40,
	ND_FLAG_OVERRIDE = 0x20,
};

static_assert(ETHER_BYTES + IP6_BYTES + ND_BYTES + ND_OPTION_MAC_BYTES == 86,
		"as neighbour_answer() says");
static_assert(ETHER_BYTES + VLAN_TAGS_MAX * VLAN_TAG_BYTES + IP6_BYTES + ND_BYTES +
						ND_OPTION_MAC_BYTES <=
				PKT_BUILD_BYTES_MAX,
		"a question fits");

/* Ethernet, IPv4 as protocol, and the lengths of their addresses. */
static const uint8_t arp_head[ARP_OPERATION_AT] = {0, 1, 8, 0, 6, 4};

static const union ip_addr all_nodes = {.bytes = {0xff, 2, [15] = 1}};

static bool
is_host_mac(const uint8_t *mac)
{
	static const uint8_t none[ETHER_ADDR_BYTES];

	return !(mac[0] & 1) && memcmp(mac, none, sizeof(none)) != 0;
}

static bool
is_unspecified(const uint8_t *ip6)
{
	static const uint8_t none[sizeof(union ip_addr)];

	return memcmp(ip6, none, sizeof(none)) == 0;
}

static void
pkt_resize(struct pkt *pkt, uint32_t length)
{
	uint32_t room = pkt->len + pkt->tailroom - length;

	pkt->len = length;
	pkt->tailroom = (uint16_t)(room < UINT16_MAX ? room : UINT16_MAX);
}

/* The Ethernet address of an IPv6 multicast address (RFC 2464 7). */
static void
group_mac(uint8_t mac[ETHER_ADDR_BYTES], const uint8_t *group)
{
	mac[0] = mac[1] = 0x33;
	memcpy(mac + 2, group + 12, 4);
}

static enum neighbour_kind
parse_arp(const struct pkt *pkt, struct neighbour *neighbour)
{
	const uint8_t *arp = pkt->data + pkt->l3_offset;
	uint16_t operation;

	if (pkt->len - pkt->l3_offset < ARP_BYTES || memcmp(arp, arp_head, sizeof(arp_head)) != 0)
		return NEIGHBOUR_NONE;
	operation = load_be16(arp + ARP_OPERATION_AT);
	if (!is_host_mac(arp + ARP_SENDER_MAC_AT))
		return NEIGHBOUR_NONE;
	if (operation == ARP_REQUEST) {
		neighbour->target = ip_addr_from_ip4(load_raw32(arp + ARP_TARGET_AT));
		return NEIGHBOUR_QUESTION;
	}
	if (operation != ARP_REPLY)
		return NEIGHBOUR_NONE;
	neighbour->target = ip_addr_from_ip4(load_raw32(arp + ARP_SENDER_AT));
	neighbour->destination = ip_addr_from_ip4(load_raw32(arp + ARP_TARGET_AT));
	memcpy(neighbour->mac, arp + ARP_SENDER_MAC_AT, ETHER_ADDR_BYTES);
	return NEIGHBOUR_ANSWER;
}

static uint64_t
nd_sum(const uint8_t *ip, const uint8_t *nd, uint32_t length)
{
	uint64_t sum = (uint64_t)htobe32(length) + htobe16(PROTOCOL_ICMP6);

	sum = csum_add(sum, ip + IP6_SOURCE_AT, 2 * sizeof(union ip_addr));
	return csum_add(sum, nd, length);
}

/* The MAC in the options, or NULL; *sound: whether all of them have a length and fit (RFC 4861 7.1:
 * else the message is to be discarded). */
static const uint8_t *
nd_find_mac(const uint8_t *options, uint32_t length, uint8_t type, bool *sound)
{
	const uint8_t *mac = NULL;

	*sound = true;
	while (length > 0) {
		uint32_t size = length >= 2 ? (uint32_t)options[1] * ND_OPTION_UNIT : 0;

		if (size == 0 || size > length) {
			*sound = false;
			return NULL;
		}
		if (options[0] == type && size == ND_OPTION_MAC_BYTES)
			mac = options + 2;
		options += size;
		length -= size;
	}
	return mac;
}

/* RFC 4861 7.1.1, but that the address it was sent to is left to the sender. */
static enum neighbour_kind
read_solicitation(const uint8_t *ip, const uint8_t *nd, uint32_t length)
{
	const uint8_t *mac;
	bool sound;

	mac = nd_find_mac(nd + ND_BYTES, length - ND_BYTES, ND_SOURCE_MAC, &sound);
	if (!sound || ip[IP6_SOURCE_AT] == 0xff ||
			(is_unspecified(ip + IP6_SOURCE_AT) && mac != NULL))
		return NEIGHBOUR_NONE;
	return NEIGHBOUR_QUESTION;
}

/* RFC 4861 7.1.2. */
static enum neighbour_kind
read_advertisement(const uint8_t *nd, uint32_t length, struct neighbour *neighbour)
{
	const uint8_t *mac;
	bool sound;

	mac = nd_find_mac(nd + ND_BYTES, length - ND_BYTES, ND_TARGET_MAC, &sound);
	if (!sound || mac == NULL || !is_host_mac(mac))
		return NEIGHBOUR_NONE;
	memcpy(neighbour->mac, mac, ETHER_ADDR_BYTES);
	return NEIGHBOUR_ANSWER;
}

static enum neighbour_kind
parse_nd(const struct pkt *pkt, struct neighbour *neighbour)
{
	const uint8_t *ip = pkt->data + pkt->l3_offset;
	const uint8_t *nd = ip + IP6_BYTES;
	uint32_t length;

	/* pkt_parse() has checked the IPv6 header and its payload's length. */
	length = load_be16(ip + IP6_PAYLOAD_LENGTH_AT);
	if (ip[IP6_NEXT_HEADER_AT] != PROTOCOL_ICMP6 || ip[IP6_HOP_LIMIT_AT] != ND_HOP_LIMIT ||
			length < ND_BYTES || nd[1] != 0 || nd[ND_TARGET_AT] == 0xff ||
			csum_fold(nd_sum(ip, nd, length)) != 0xffff)
		return NEIGHBOUR_NONE;
	memcpy(&neighbour->target, nd + ND_TARGET_AT, sizeof(neighbour->target));
	memcpy(&neighbour->destination, ip + IP6_DESTINATION_AT, sizeof(neighbour->destination));
	switch (nd[0]) {
	case ND_SOLICITATION:
		return read_solicitation(ip, nd, length);
	case ND_ADVERTISEMENT:
		return read_advertisement(nd, length, neighbour);
	default:
		return NEIGHBOUR_NONE;
	}
}

enum neighbour_kind
neighbour_parse(const struct pkt *pkt, struct neighbour *neighbour)
{
	*neighbour = (struct neighbour){.mac = {0}};
	if (pkt->kind != PKT_FOREIGN)
		return NEIGHBOUR_NONE;
	switch (load_be16(pkt->data + pkt->l3_offset - 2)) {
	case ETHER_TYPE_ARP:
		return parse_arp(pkt, neighbour);
	case ETHER_TYPE_IP6:
		return parse_nd(pkt, neighbour);
	default:
		return NEIGHBOUR_NONE;
	}
}

static void
write_arp(uint8_t *arp, uint16_t operation)
{
	memcpy(arp, arp_head, sizeof(arp_head));
	store_be16(arp + ARP_OPERATION_AT, operation);
}

/* A message of ND_BYTES and the option, from its target address on all written; and its IPv6
 * header. */
static void
write_nd(uint8_t *ip, const union ip_addr *source, const union ip_addr *destination, uint8_t type,
		uint8_t flags)
{
	const uint16_t length = ND_BYTES + ND_OPTION_MAC_BYTES;
	uint8_t *nd = ip + IP6_BYTES;

	store_be32(ip, 6u << 28);
	store_be16(ip + IP6_PAYLOAD_LENGTH_AT, length);
	ip[IP6_NEXT_HEADER_AT] = PROTOCOL_ICMP6;
	ip[IP6_HOP_LIMIT_AT] = ND_HOP_LIMIT;
	memcpy(ip + IP6_SOURCE_AT, source, sizeof(*source));
	memcpy(ip + IP6_DESTINATION_AT, destination, sizeof(*destination));
	store_be32(nd, (uint32_t)type << 24);
	store_be32(nd + ND_FLAGS_AT, (uint32_t)flags << 24);
	store_raw16(nd + ND_CHECKSUM_AT, (uint16_t)~csum_fold(nd_sum(ip, nd, length)));
}

static void
write_mac_option(uint8_t *option, uint8_t type, const uint8_t mac[ETHER_ADDR_BYTES])
{
	option[0] = type;
	option[1] = ND_OPTION_MAC_BYTES / ND_OPTION_UNIT;
	memcpy(option + 2, mac, ETHER_ADDR_BYTES);
}

static void
build_arp_question(struct pkt *pkt, const union ip_addr *source, const union ip_addr *target,
		const uint8_t mac[ETHER_ADDR_BYTES])
{
	static const uint8_t everybody[ETHER_ADDR_BYTES] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	uint8_t *arp;

	pkt_build_ether(pkt, everybody, mac);
	store_be16(pkt->data + pkt->l3_offset - 2, ETHER_TYPE_ARP);
	arp = pkt->data + pkt->l3_offset;
	write_arp(arp, ARP_REQUEST);
	memcpy(arp + ARP_SENDER_MAC_AT, mac, ETHER_ADDR_BYTES);
	store_raw32(arp + ARP_SENDER_AT, source->words_be[3]);
	memset(arp + ARP_TARGET_MAC_AT, 0, ETHER_ADDR_BYTES);
	store_raw32(arp + ARP_TARGET_AT, target->words_be[3]);
	pkt_resize(pkt, pkt->l3_offset + (uint32_t)ARP_BYTES);
}

static void
build_nd_question(struct pkt *pkt, const union ip_addr *source, const union ip_addr *target,
		const uint8_t mac[ETHER_ADDR_BYTES])
{
	union ip_addr group = {.bytes = {0xff, 2, [11] = 1, [12] = 0xff}};
	uint8_t everybody[ETHER_ADDR_BYTES];
	uint8_t *ip, *nd;

	memcpy(group.bytes + 13, target->bytes + 13, 3);
	group_mac(everybody, group.bytes);
	pkt_build_ether(pkt, everybody, mac);
	ip = pkt->data + pkt->l3_offset;
	nd = ip + IP6_BYTES;
	memcpy(nd + ND_TARGET_AT, target, sizeof(*target));
	write_mac_option(nd + ND_BYTES, ND_SOURCE_MAC, mac);
	write_nd(ip, source, &group, ND_SOLICITATION, 0);
	pkt_resize(pkt, pkt->l3_offset + (uint32_t)(IP6_BYTES + ND_BYTES + ND_OPTION_MAC_BYTES));
}

void
neighbour_build_question(struct pkt *pkt, const union ip_addr *source, const union ip_addr *target,
		const uint8_t mac[ETHER_ADDR_BYTES])
{
	ENSURE(pkt->len + pkt->tailroom >= PKT_BUILD_BYTES_MAX);
	if (pkt->tuple.family == FAMILY_IP4)
		build_arp_question(pkt, source, target, mac);
	else
		build_nd_question(pkt, source, target, mac);
}

/* The asker becomes the target. */
static void
answer_arp(struct pkt *pkt, const uint8_t mac[ETHER_ADDR_BYTES])
{
	uint8_t *arp = pkt->data + pkt->l3_offset;
	uint8_t asked[4];

	memcpy(pkt->data, pkt->data + ETHER_ADDR_BYTES, ETHER_ADDR_BYTES);
	memcpy(asked, arp + ARP_TARGET_AT, sizeof(asked));
	memcpy(arp + ARP_TARGET_MAC_AT, arp + ARP_SENDER_MAC_AT, ARP_BYTES - ARP_TARGET_MAC_AT);
	memcpy(arp + ARP_SENDER_MAC_AT, mac, ETHER_ADDR_BYTES);
	memcpy(arp + ARP_SENDER_AT, asked, sizeof(asked));
	write_arp(arp, ARP_REPLY);
}

/* RFC 4861 7.2.4: who has no address yet hears it with everybody, unsolicited. */
static bool
answer_nd(struct pkt *pkt, const uint8_t mac[ETHER_ADDR_BYTES])
{
	const uint32_t length =
			pkt->l3_offset + (uint32_t)(IP6_BYTES + ND_BYTES + ND_OPTION_MAC_BYTES);
	uint8_t *ip = pkt->data + pkt->l3_offset;
	uint8_t *nd = ip + IP6_BYTES;
	union ip_addr asker, target;

	if (pkt->len + pkt->tailroom < length)
		return false;
	memcpy(&asker, ip + IP6_SOURCE_AT, sizeof(asker));
	memcpy(&target, nd + ND_TARGET_AT, sizeof(target));
	memcpy(pkt->data, pkt->data + ETHER_ADDR_BYTES, ETHER_ADDR_BYTES);
	write_mac_option(nd + ND_BYTES, ND_TARGET_MAC, mac);
	if (is_unspecified(asker.bytes)) {
		write_nd(ip, &target, &all_nodes, ND_ADVERTISEMENT, ND_FLAG_OVERRIDE);
		group_mac(pkt->data, all_nodes.bytes);
	} else {
		write_nd(ip, &target, &asker, ND_ADVERTISEMENT,
				ND_FLAG_SOLICITED | ND_FLAG_OVERRIDE);
	}
	pkt_resize(pkt, length);
	return true;
}

bool
neighbour_answer(struct pkt *pkt, const uint8_t mac[ETHER_ADDR_BYTES])
{
	if (load_be16(pkt->data + pkt->l3_offset - 2) == ETHER_TYPE_ARP)
		answer_arp(pkt, mac);
	else if (!answer_nd(pkt, mac))
		return false;
	memcpy(pkt->data + ETHER_ADDR_BYTES, mac, ETHER_ADDR_BYTES);
	return true;
}
