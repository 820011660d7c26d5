/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Byte by byte on purpose: nothing here may share an idea, and so a mistake, with lib/net.
 * Wrong use stops the test program at once.
 */
#include "packets.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mix.h"

#define ETHER_TYPE_IP4 0x0800
#define ETHER_TYPE_IP6 0x86dd

/* Where the headers of a frame are. */
struct layout {
	unsigned ip_version;
	size_t l3;
	size_t l4;
	size_t end; /* of the IP packet */
};

static void
require(bool expression, const char *text)
{
	if (!expression) {
		fprintf(stderr, "packets.c: %s\n", text);
		abort();
	}
}

static unsigned
get16(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

static uint32_t
get32(const uint8_t *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static void
put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void
put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value & 0xffff);
}

/* One's complement addition of big-endian 16-bit numbers, as RFC 1071 section 1 tells it. */
static unsigned
sum16(unsigned sum, const uint8_t *at, size_t length)
{
	size_t i;

	for (i = 0; i < length; i++) {
		sum += i % 2 == 0 ? (unsigned)at[i] << 8 : at[i];
		if (sum > 0xffff)
			sum -= 0xffff;
	}
	return sum;
}

static unsigned
sum_pseudo(const uint8_t *frame, const struct layout *layout)
{
	size_t length = layout->end - layout->l4;
	uint8_t tail[8] = {0};
	unsigned sum;

	put32(tail, (uint32_t)length);
	tail[7] = 6;
	if (layout->ip_version == 4)
		sum = sum16(0, frame + layout->l3 + 12, 8);
	else
		sum = sum16(0, frame + layout->l3 + 8, 32);
	return sum16(sum, tail, sizeof(tail));
}

static void
write_checksums(uint8_t *frame, const struct layout *layout)
{
	uint8_t *ip = frame + layout->l3;
	uint8_t *tcp = frame + layout->l4;

	if (layout->ip_version == 4) {
		put16(ip + 10, 0);
		put16(ip + 10, 0xffff - sum16(0, ip, layout->l4 - layout->l3));
	}
	put16(tcp + 16, 0);
	put16(tcp + 16, 0xffff - sum16(sum_pseudo(frame, layout), tcp, layout->end - layout->l4));
}

static struct packet
packet_default(unsigned ip_version, uint16_t source_port, uint16_t port)
{
	struct packet packet = {
			.ether_destination = {0x02, 0, 0, 0, 0, 0xd0},
			.ether_source = {0x02, 0, 0, 0, 0, 0x50},
			.ip_version = ip_version,
			.ttl = 64,
			.ip4_fragment = 0x4000,
			.source_port = source_port,
			.destination_port = port,
			.flags = PACKET_ACK,
			.window = 65535,
	};

	return packet;
}

struct packet
packet_ip4(const char *source, uint16_t source_port, const char *destination, uint16_t port)
{
	struct packet packet = packet_default(4, source_port, port);

	require(inet_pton(AF_INET, source, packet.source) == 1, "source is no IPv4 address");
	require(inet_pton(AF_INET, destination, packet.destination) == 1,
			"destination is no IPv4 address");
	return packet;
}

struct packet
packet_ip6(const char *source, uint16_t source_port, const char *destination, uint16_t port)
{
	struct packet packet = packet_default(6, source_port, port);

	require(inet_pton(AF_INET6, source, packet.source) == 1, "source is no IPv6 address");
	require(inet_pton(AF_INET6, destination, packet.destination) == 1,
			"destination is no IPv6 address");
	return packet;
}

void
packet_add_vlan(struct packet *packet, uint16_t protocol, uint16_t tci)
{
	require(packet->vlan_count < PACKET_VLANS_MAX, "too many VLAN tags");
	packet->vlans[packet->vlan_count].protocol = protocol;
	packet->vlans[packet->vlan_count].tci = tci;
	packet->vlan_count++;
}

static uint8_t *
add_option(struct packet *packet, enum packet_option kind, unsigned length)
{
	uint8_t *at = packet->options + packet->options_length;

	require(packet->options_length + length <= sizeof(packet->options), "options too long");
	packet->options_length += length;
	at[0] = (uint8_t)kind;
	if (length > 1)
		at[1] = (uint8_t)length;
	return at;
}

void
packet_add_nop(struct packet *packet)
{
	add_option(packet, PACKET_OPTION_NOP, 1);
}

void
packet_add_mss(struct packet *packet, uint16_t mss)
{
	put16(add_option(packet, PACKET_OPTION_MSS, 4) + 2, mss);
}

void
packet_add_wscale(struct packet *packet, uint8_t shift)
{
	add_option(packet, PACKET_OPTION_WSCALE, 3)[2] = shift;
}

void
packet_add_sack_permitted(struct packet *packet)
{
	add_option(packet, PACKET_OPTION_SACK_PERMITTED, 2);
}

void
packet_add_timestamp(struct packet *packet, uint32_t tsval, uint32_t tsecr)
{
	uint8_t *at = add_option(packet, PACKET_OPTION_TIMESTAMP, 10);

	put32(at + 2, tsval);
	put32(at + 6, tsecr);
}

void
packet_add_sack(struct packet *packet, unsigned blocks, const uint32_t *edges)
{
	uint8_t *at = add_option(packet, PACKET_OPTION_SACK, 2 + 8 * blocks);
	unsigned i;

	for (i = 0; i < 2 * blocks; i++)
		put32(at + 2 + 4 * i, edges[i]);
}

const uint8_t *
packet_find_option(const struct packet *packet, enum packet_option kind)
{
	unsigned i = 0;

	while (i < packet->options_length && packet->options[i] != PACKET_OPTION_END) {
		if (packet->options[i] == kind)
			return packet->options + i;
		if (packet->options[i] == PACKET_OPTION_NOP) {
			i++;
			continue;
		}
		if (i + 1 >= packet->options_length || packet->options[i + 1] < 2)
			return NULL;
		i += packet->options[i + 1];
	}
	return NULL;
}

unsigned
packet_mss(const struct packet *packet)
{
	const uint8_t *at = packet_find_option(packet, PACKET_OPTION_MSS);

	return at ? get16(at + 2) : 0;
}

int
packet_wscale(const struct packet *packet)
{
	const uint8_t *at = packet_find_option(packet, PACKET_OPTION_WSCALE);

	return at ? at[2] : -1;
}

bool
packet_timestamp(const struct packet *packet, uint32_t *tsval, uint32_t *tsecr)
{
	const uint8_t *at = packet_find_option(packet, PACKET_OPTION_TIMESTAMP);

	if (!at)
		return false;
	*tsval = get32(at + 2);
	*tsecr = get32(at + 6);
	return true;
}

static size_t
options_padded(const struct packet *packet)
{
	return (packet->options_length + 3) / 4 * 4;
}

static size_t
ip_header_length(const struct packet *packet)
{
	return packet->ip_version == 4 ? 20 + packet->ip4_options_length
				       : 40 + packet->extensions_length;
}

size_t
packet_size(const struct packet *packet)
{
	return 14 + 4 * packet->vlan_count + ip_header_length(packet) + 20 +
	       options_padded(packet) + packet->payload_length + packet->padding_length;
}

static size_t
write_ether(const struct packet *packet, uint8_t *frame)
{
	size_t at = 12;
	unsigned i;

	memcpy(frame, packet->ether_destination, 6);
	memcpy(frame + 6, packet->ether_source, 6);
	for (i = 0; i < packet->vlan_count; i++, at += 4) {
		put16(frame + at, packet->vlans[i].protocol);
		put16(frame + at + 2, packet->vlans[i].tci);
	}
	put16(frame + at, packet->ip_version == 4 ? ETHER_TYPE_IP4 : ETHER_TYPE_IP6);
	return at + 2;
}

static void
write_ip4(const struct packet *packet, uint8_t *ip, size_t tcp_length)
{
	size_t header_length = ip_header_length(packet);

	ip[0] = (uint8_t)(0x40 | header_length / 4);
	ip[1] = packet->tos;
	put16(ip + 2, (unsigned)(header_length + tcp_length));
	put16(ip + 4, packet->ip4_id);
	put16(ip + 6, packet->ip4_fragment);
	ip[8] = packet->ttl;
	ip[9] = 6;
	memcpy(ip + 12, packet->source, 4);
	memcpy(ip + 16, packet->destination, 4);
	memcpy(ip + 20, packet->ip4_options, packet->ip4_options_length);
}

static void
write_ip6(const struct packet *packet, uint8_t *ip, size_t tcp_length)
{
	put32(ip, 6u << 28 | (uint32_t)packet->tos << 20 | packet->flow_label);
	put16(ip + 4, (unsigned)(packet->extensions_length + tcp_length));
	ip[6] = packet->extensions_length > 0 ? packet->extensions_first : 6;
	ip[7] = packet->ttl;
	memcpy(ip + 8, packet->source, 16);
	memcpy(ip + 24, packet->destination, 16);
	memcpy(ip + 40, packet->extensions, packet->extensions_length);
}

static void
write_tcp(const struct packet *packet, uint8_t *tcp)
{
	size_t padded = options_padded(packet);

	put16(tcp, packet->source_port);
	put16(tcp + 2, packet->destination_port);
	put32(tcp + 4, packet->seq);
	put32(tcp + 8, packet->ack);
	tcp[12] = (uint8_t)((20 + padded) / 4 << 4);
	tcp[13] = packet->flags;
	put16(tcp + 14, packet->window);
	put16(tcp + 18, packet->urgent);
	memcpy(tcp + 20, packet->options, packet->options_length);
	memset(tcp + 20 + packet->options_length, PACKET_OPTION_NOP,
			padded - packet->options_length);
	if (packet->payload_length > 0)
		memcpy(tcp + 20 + padded, packet->payload, packet->payload_length);
}

size_t
packet_write(const struct packet *packet, uint8_t *frame, size_t room)
{
	size_t size = packet_size(packet);
	size_t tcp_length = 20 + options_padded(packet) + packet->payload_length;
	struct layout layout = {.ip_version = packet->ip_version};

	require(size <= room, "frame too small");
	memset(frame, 0, size);
	layout.l3 = write_ether(packet, frame);
	layout.l4 = layout.l3 + ip_header_length(packet);
	layout.end = layout.l4 + tcp_length;
	if (packet->ip_version == 4)
		write_ip4(packet, frame + layout.l3, tcp_length);
	else
		write_ip6(packet, frame + layout.l3, tcp_length);
	write_tcp(packet, frame + layout.l4);
	memset(frame + layout.end, 0xa5, packet->padding_length);
	write_checksums(frame, &layout);
	return size;
}

static bool
is_vlan(unsigned ether_type)
{
	return ether_type == 0x8100 || ether_type == 0x88a8 || ether_type == 0x9100;
}

/* Steps over extension headers that have a length; 0 means the chain is no whole TCP packet. */
static size_t
skip_extensions(const uint8_t *frame, size_t at, size_t end, unsigned next)
{
	while (next == 0 || next == 43 || next == 60 || next == 135 || next == 51) {
		if (at + 8 > end)
			return 0;
		size_t length = next == 51 ? (frame[at + 1] + 2u) * 4 : (frame[at + 1] + 1u) * 8;

		next = frame[at];
		at += length;
	}
	return next == 6 ? at : 0;
}

static bool
find_layout(struct layout *layout, const uint8_t *frame, size_t length)
{
	size_t at = 12;

	while (at + 2 <= length && is_vlan(get16(frame + at)))
		at += 4;
	layout->l3 = at + 2;
	if (layout->l3 + 20 <= length && get16(frame + at) == ETHER_TYPE_IP4) {
		const uint8_t *ip = frame + layout->l3;

		layout->ip_version = 4;
		layout->l4 = layout->l3 + (ip[0] & 15) * 4u;
		layout->end = layout->l3 + get16(ip + 2);
		if (ip[0] >> 4 != 4 || (ip[0] & 15) < 5 || ip[9] != 6 ||
				(get16(ip + 6) & 0x3fff) != 0)
			return false;
	} else if (layout->l3 + 40 <= length && get16(frame + at) == ETHER_TYPE_IP6) {
		const uint8_t *ip = frame + layout->l3;

		layout->ip_version = 6;
		layout->end = layout->l3 + 40 + get16(ip + 4);
		if (ip[0] >> 4 != 6 || layout->end > length)
			return false;
		layout->l4 = skip_extensions(frame, layout->l3 + 40, layout->end, ip[6]);
	} else {
		return false;
	}
	return layout->l4 > layout->l3 && layout->end <= length && layout->l4 + 20 <= layout->end;
}

static void
read_ip(struct packet *packet, const uint8_t *frame, const struct layout *layout)
{
	const uint8_t *ip = frame + layout->l3;

	packet->ip_version = layout->ip_version;
	if (layout->ip_version == 4) {
		packet->tos = ip[1];
		packet->ip4_id = (uint16_t)get16(ip + 4);
		packet->ip4_fragment = (uint16_t)get16(ip + 6);
		packet->ttl = ip[8];
		memcpy(packet->source, ip + 12, 4);
		memcpy(packet->destination, ip + 16, 4);
		packet->ip4_options_length = (unsigned)(layout->l4 - layout->l3 - 20);
		memcpy(packet->ip4_options, ip + 20, packet->ip4_options_length);
	} else {
		packet->tos = (uint8_t)(get16(ip) >> 4);
		packet->flow_label = get32(ip) & 0xfffff;
		packet->ttl = ip[7];
		memcpy(packet->source, ip + 8, 16);
		memcpy(packet->destination, ip + 24, 16);
		packet->extensions_first = ip[6];
		packet->extensions_length = (unsigned)(layout->l4 - layout->l3 - 40);
		require(packet->extensions_length <= sizeof(packet->extensions),
				"more extension headers than a test packet holds");
		memcpy(packet->extensions, ip + 40, packet->extensions_length);
	}
}

bool
packet_read(struct packet *packet, const uint8_t *frame, size_t length)
{
	struct layout layout;
	const uint8_t *tcp;
	size_t header_length;
	unsigned i;

	memset(packet, 0, sizeof(*packet));
	if (!find_layout(&layout, frame, length))
		return false;
	tcp = frame + layout.l4;
	header_length = (tcp[12] >> 4) * 4u;
	packet->vlan_count = (unsigned)(layout.l3 - 14) / 4;
	if (header_length < 20 || layout.l4 + header_length > layout.end ||
			packet->vlan_count > PACKET_VLANS_MAX)
		return false;
	memcpy(packet->ether_destination, frame, 6);
	memcpy(packet->ether_source, frame + 6, 6);
	for (i = 0; i < packet->vlan_count; i++) {
		packet->vlans[i].protocol = (uint16_t)get16(frame + 12 + 4 * i);
		packet->vlans[i].tci = (uint16_t)get16(frame + 14 + 4 * i);
	}
	read_ip(packet, frame, &layout);
	packet->source_port = (uint16_t)get16(tcp);
	packet->destination_port = (uint16_t)get16(tcp + 2);
	packet->seq = get32(tcp + 4);
	packet->ack = get32(tcp + 8);
	packet->flags = tcp[13];
	packet->window = (uint16_t)get16(tcp + 14);
	packet->urgent = (uint16_t)get16(tcp + 18);
	packet->options_length = (unsigned)header_length - 20;
	memcpy(packet->options, tcp + 20, packet->options_length);
	packet->payload = tcp + header_length;
	packet->payload_length = layout.end - layout.l4 - header_length;
	packet->padding_length = length - layout.end;
	return true;
}

bool
packet_checksums_are_right(const uint8_t *frame, size_t length)
{
	struct layout layout;
	size_t ip_length;

	if (!find_layout(&layout, frame, length))
		return false;
	ip_length = layout.l4 - layout.l3;
	if (layout.ip_version == 4 && sum16(0, frame + layout.l3, ip_length) != 0xffff)
		return false;
	return sum16(sum_pseudo(frame, &layout), frame + layout.l4, layout.end - layout.l4) ==
	       0xffff;
}

void
packet_fix_checksums(uint8_t *frame, size_t length)
{
	struct layout layout;

	require(find_layout(&layout, frame, length), "no TCP packet to fix");
	write_checksums(frame, &layout);
}

void
packet_make_checksum_partial(uint8_t *frame, size_t length)
{
	struct layout layout;

	require(find_layout(&layout, frame, length), "no TCP packet to change");
	put16(frame + layout.l4 + 16, sum_pseudo(frame, &layout));
}

size_t
packet_l3_offset(const uint8_t *frame, size_t length)
{
	struct layout layout;

	require(find_layout(&layout, frame, length), "no TCP packet");
	return layout.l3;
}

size_t
packet_l4_offset(const uint8_t *frame, size_t length)
{
	struct layout layout;

	require(find_layout(&layout, frame, length), "no TCP packet");
	return layout.l4;
}

uint64_t
packet_random(uint64_t *state)
{
	return mix_next(state);
}
