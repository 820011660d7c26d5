/* SPDX-License-Identifier: BSD-3-Clause */
#include "pipeline_flow.h"

#include <string.h>

#define ICMP_HEAD 8

static uint16_t
backend_port(unsigned flow)
{
	return flow == 3 ? 443 : 80;
}

struct packet
flow_packet(unsigned flow, enum side from)
{
	bool is_ip6 = flow >= FLOWS / 2;
	const char *client = is_ip6 ? "fd00::1" : "10.0.0.1";
	const char *backend = is_ip6 ? "fd00::2" : "10.0.0.2";
	uint16_t port = (uint16_t)(FLOW_FIRST_PORT + flow), to = backend_port(flow);
	struct packet packet;

	if (from == SIDE_BACKEND) {
		const char *other = client;

		client = backend;
		backend = other;
		to = port;
		port = backend_port(flow);
	}
	packet = is_ip6 ? packet_ip6(client, port, backend, to)
			: packet_ip4(client, port, backend, to);
	if (flow == 2)
		packet_add_vlan(&packet, 0x88a8, 20);
	if (flow == 2 || flow == 7)
		packet_add_vlan(&packet, 0x8100, 10);
	return packet;
}

int
flow_of(const struct packet *packet, enum side from)
{
	uint16_t port = from == SIDE_CLIENT ? packet->source_port : packet->destination_port;
	unsigned flow = (unsigned)port - FLOW_FIRST_PORT;
	struct packet sample;

	if (flow >= FLOWS)
		return -1;
	sample = flow_packet(flow, from);
	if (packet->ip_version != sample.ip_version || packet->vlan_count != sample.vlan_count ||
			packet->source_port != sample.source_port ||
			packet->destination_port != sample.destination_port ||
			memcmp(packet->source, sample.source, sizeof(sample.source)) != 0 ||
			memcmp(packet->destination, sample.destination,
					sizeof(sample.destination)) != 0)
		return -1;
	for (unsigned i = 0; i < sample.vlan_count; i++) {
		if (packet->vlans[i].protocol != sample.vlans[i].protocol ||
				(packet->vlans[i].tci ^ sample.vlans[i].tci) & 0xfff)
			return -1;
	}
	return (int)flow;
}

struct packet
flow_segment(struct fuzz_flow *flow, unsigned index, enum side from, uint8_t flags)
{
	struct flow_end *end = &flow->ends[from];
	struct packet packet = flow_packet(index, from);

	packet.flags = flags;
	packet.seq = end->snd_nxt;
	packet.ack = flags & PACKET_ACK ? end->rcv_nxt : 0;
	if (end->has_timestamp && !(flags & PACKET_RST))
		packet_add_timestamp(&packet, end->clock++, end->echoed);
	return packet;
}

static uint32_t
sequence_length(const struct packet *packet)
{
	return (uint32_t)packet->payload_length + !!(packet->flags & PACKET_SYN) +
	       !!(packet->flags & PACKET_FIN);
}

void
flow_note_sent(struct fuzz_flow *flow, enum side from, const struct packet *packet,
		const uint8_t *frame, size_t length)
{
	struct flow_end *end = &flow->ends[from];

	if (packet->seq == end->snd_nxt || packet->flags & PACKET_SYN)
		end->snd_nxt = packet->seq + sequence_length(packet);
	if (from == SIDE_CLIENT && !(packet->flags & (PACKET_SYN | PACKET_RST)) &&
			packet->flags & PACKET_ACK && flow_was_issued(flow, packet->ack))
		flow->is_proved = true;
	if (length <= sizeof(end->sent)) {
		memcpy(end->sent, frame, length);
		end->sent_length = length;
	}
}

void
flow_note_heard(struct fuzz_flow *flow, enum side at, const struct packet *packet,
		const uint8_t *frame, size_t length)
{
	struct flow_end *end = &flow->ends[at];
	uint32_t tsval, tsecr;
	bool has_timestamp = packet_timestamp(packet, &tsval, &tsecr);

	if (length <= sizeof(end->heard)) {
		memcpy(end->heard, frame, length);
		end->heard_length = length;
	}
	if (has_timestamp)
		end->echoed = tsval;
	if (packet->flags & PACKET_SYN) {
		end->rcv_nxt = packet->seq + 1;
		end->has_timestamp = has_timestamp;
	} else if (packet->seq == end->rcv_nxt && !(packet->flags & PACKET_RST)) {
		end->rcv_nxt += sequence_length(packet);
	}
}

void
flow_note_issued(struct fuzz_flow *flow, uint32_t iss)
{
	flow->issued[flow->issued_count++ % FLOW_ISSUED] = iss;
}

bool
flow_was_issued(const struct fuzz_flow *flow, uint32_t ack)
{
	for (unsigned i = 0; i < flow->issued_count && i < FLOW_ISSUED; i++) {
		if (flow->issued[i] + 1 == ack)
			return true;
	}
	return false;
}

static void
put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* One's complement sum of big-endian words, folded (RFC 1071). */
static unsigned
sum16(unsigned sum, const uint8_t *at, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		sum += i % 2 == 0 ? (unsigned)at[i] << 8 : at[i];
		if (sum > 0xffff)
			sum -= 0xffff;
	}
	return sum;
}

static unsigned
icmp_sum(const uint8_t *ip, size_t icmp_length)
{
	uint8_t tail[8] = {0, 0, (uint8_t)(icmp_length >> 8), (uint8_t)icmp_length, 0, 0, 0, 58};

	if (ip[0] >> 4 == 4)
		return sum16(0, ip + 20, icmp_length);
	return sum16(sum16(sum16(0, ip + 8, 32), tail, sizeof(tail)), ip + 40, icmp_length);
}

/* The router's IP header, sent to where the frame came from. */
static void
router_header(uint8_t *ip, const uint8_t *about, size_t icmp_length)
{
	if (about[0] >> 4 == 4) {
		ip[0] = 0x45;
		put16(ip + 2, (unsigned)(20 + icmp_length));
		ip[8] = 64;
		ip[9] = 1;
		memcpy(ip + 12, "\x0a\x09\x09\x09", 4);
		memcpy(ip + 16, about + 12, 4);
		put16(ip + 10, 0xffff - sum16(0, ip, 20));
	} else {
		ip[0] = 0x60;
		put16(ip + 4, (unsigned)icmp_length);
		ip[6] = 58;
		ip[7] = 64;
		memcpy(ip + 8, "\xfd\x99", 2);
		ip[23] = 9;
		memcpy(ip + 24, about + 8, 16);
	}
}

size_t
icmp_error_write(uint8_t *error, size_t room, const uint8_t *about, size_t length, size_t quoted)
{
	struct packet packet;
	size_t l3, l4, head, icmp_length;
	uint8_t *icmp;

	if (!packet_read(&packet, about, length))
		return 0;
	l3 = packet_l3_offset(about, length);
	l4 = packet_l4_offset(about, length);
	head = packet.ip_version == 4 ? 20 : 40;
	if (quoted > length - l4)
		quoted = length - l4;
	icmp_length = ICMP_HEAD + l4 - l3 + quoted;
	if (l3 + head + icmp_length > room)
		return 0;
	memset(error, 0, l3 + head + icmp_length);
	memcpy(error, about + 6, 6);
	memcpy(error + 6, about, 6);
	memcpy(error + 12, about + 12, l3 - 12);
	router_header(error + l3, about + l3, icmp_length);
	icmp = error + l3 + head;
	icmp[0] = packet.ip_version == 4 ? 3 : 2;
	icmp[1] = packet.ip_version == 4 ? 4 : 0;
	put16(icmp + 6, 1280);
	memcpy(icmp + ICMP_HEAD, about + l3, l4 - l3 + quoted);
	put16(icmp + 2, 0xffff - icmp_sum(error + l3, icmp_length));
	return l3 + head + icmp_length;
}

bool
icmp_error_is_right(const uint8_t *frame, size_t length)
{
	size_t l3 = 14;

	while (frame[l3 - 2] != 0x08 && frame[l3 - 2] != 0x86)
		l3 += 4;
	return icmp_sum(frame + l3, length - l3 - (frame[l3] >> 4 == 4 ? 20 : 40)) == 0xffff;
}
