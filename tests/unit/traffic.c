/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "traffic.h"

#define PORT_FIRST 30000

static const uint8_t payload[1024] = "sluice";

uint32_t
traffic_draw(struct traffic *t)
{
	return (uint32_t)packet_random(&t->random);
}

bool
traffic_once_in(struct traffic *t, unsigned n)
{
	return traffic_draw(t) % n == 0;
}

/* A number that wraps soon, or any. */
static uint32_t
draw_number(struct traffic *t)
{
	return traffic_once_in(t, 3) ? UINT32_MAX - traffic_draw(t) % 2000 : traffic_draw(t);
}

static int
draw_wscale(struct traffic *t)
{
	return traffic_once_in(t, 4) ? -1 : (int)(traffic_draw(t) % 15);
}

static void
flow_renew(struct traffic *t, struct traffic_flow *flow)
{
	const unsigned n = (unsigned)(flow - t->flows);
	struct flow_script f = flow_script_default(n % 4 == 3 ? 6 : 4, (uint16_t)(PORT_FIRST + n));

	if (n % 8 == 1)
		f.backend_port = 443;
	f.vlan_count = n % 7 == 2 ? 1 + n % 2 : 0;
	f.client_isn = draw_number(t);
	f.backend_isn = draw_number(t);
	f.client_tsval = draw_number(t);
	f.backend_tsval = draw_number(t);
	f.client_wscale = draw_wscale(t);
	f.backend_wscale = draw_wscale(t);
	f.client_sack = !traffic_once_in(t, 4);
	f.backend_sack = !traffic_once_in(t, 4);
	f.client_timestamp = !traffic_once_in(t, 3);
	f.backend_timestamp = !traffic_once_in(t, 4);
	f.client_mss = !t->is_paid && traffic_once_in(t, 6)
				       ? 0
				       : (uint16_t)(500 + traffic_draw(t) % 1000);
	*flow = (struct traffic_flow){.script = f};
}

void
traffic_init(struct traffic *t, uint64_t seed, bool is_paid)
{
	*t = (struct traffic){.random = seed, .is_paid = is_paid};
	for (unsigned n = 0; n < TRAFFIC_FLOWS; n++)
		flow_renew(t, &t->flows[n]);
}

static void
add_payload(struct traffic *t, struct packet *p)
{
	const uint32_t bits = traffic_draw(t);

	p->payload = payload;
	p->payload_length = bits & 1 ? 0 : bits >> 8 & (bits & 2 ? 63 : sizeof(payload) - 1);
}

static void
add_sack(struct traffic *t, struct packet *p, uint32_t first)
{
	const unsigned blocks = 1 + traffic_draw(t) % 3;
	uint32_t edges[2 * 3];

	for (unsigned i = 0; i < 2 * blocks; i++)
		edges[i] = first + i * 100 + traffic_draw(t) % 50;
	packet_add_nop(p);
	packet_add_nop(p);
	packet_add_sack(p, blocks, edges);
}

/* Its payload, and what may be odd about a segment of a connection. */
static void
segment_vary(struct traffic *t, struct packet *p, uint32_t *sent)
{
	if (traffic_once_in(t, 4))
		add_sack(t, p, p->ack + 1000);
	add_payload(t, p);
	if (!traffic_once_in(t, 6))
		*sent += (uint32_t)p->payload_length;
	if (traffic_once_in(t, 10))
		p->seq += traffic_draw(t) % 200000 - 100000;
	if (traffic_once_in(t, 10))
		p->window = (uint16_t)traffic_draw(t);
}

static struct packet
client_syn(struct traffic *t, const struct flow_script *f)
{
	struct packet p = flow_syn(f);

	if (traffic_once_in(t, 6))
		p.flags |= PACKET_ECE | PACKET_CWR;
	if (traffic_once_in(t, 8))
		add_payload(t, &p);
	if (traffic_once_in(t, 16))
		p.seq = traffic_draw(t);
	return p;
}

static struct packet
client_proof(struct traffic *t, const struct flow_script *f)
{
	struct packet p = flow_ack(f);

	if (traffic_once_in(t, 8))
		p.seq--;
	if (traffic_once_in(t, 8))
		p.ack += 1 + traffic_draw(t) % 1000;
	if (traffic_once_in(t, 4))
		add_payload(t, &p);
	return p;
}

static struct packet
from_client(struct traffic *t, struct traffic_flow *flow)
{
	struct flow_script *f = &flow->script;
	const uint32_t kind = traffic_draw(t) % 32;
	uint32_t seq, ack;
	struct packet p;

	if (kind == 0 && traffic_once_in(t, 4))
		flow_renew(t, flow);
	seq = f->client_isn + 1 + flow->sent;
	ack = f->iss + 1 + flow->returned;
	if (kind < 4)
		return client_syn(t, f);
	if (kind < 8)
		return client_proof(t, f);
	if (kind == 8)
		return flow_client(f, PACKET_RST | (traffic_once_in(t, 2) ? PACKET_ACK : 0),
				seq + (traffic_once_in(t, 2) ? traffic_draw(t) % 100000 : 0), ack);
	if (kind == 9)
		return flow_client(f, (uint8_t)traffic_draw(t), seq, ack);
	if (kind == 10 && traffic_once_in(t, 2)) {
		flow->sent++;
		return flow_client(f, PACKET_ACK | PACKET_FIN, seq, ack);
	}
	f->client_tsval += traffic_draw(t) % 3;
	p = flow_client(f, PACKET_ACK, seq, ack);
	segment_vary(t, &p, &flow->sent);
	return p;
}

static struct packet
from_backend(struct traffic *t, struct traffic_flow *flow)
{
	struct flow_script *f = &flow->script;
	const uint32_t kind = traffic_draw(t) % 32;
	const uint32_t seq = f->backend_isn + 1 + flow->returned;
	const uint32_t ack = f->client_isn + 1 + flow->sent;
	struct packet p;

	if (kind < 8) {
		p = flow_synack(f);
		p.ack += traffic_once_in(t, 12);
		return p;
	}
	if (kind == 8)
		return flow_backend(f, PACKET_RST | PACKET_ACK,
				seq + (traffic_once_in(t, 2) ? traffic_draw(t) % 100000 : 0), ack);
	if (kind == 9)
		return flow_backend(f, (uint8_t)traffic_draw(t), seq, ack);
	if (kind == 10 && traffic_once_in(t, 2)) {
		flow->returned++;
		return flow_backend(f, PACKET_ACK | PACKET_FIN, seq, ack);
	}
	f->backend_tsval += traffic_draw(t) % 3;
	p = flow_backend(f, PACKET_ACK, seq, ack);
	segment_vary(t, &p, &flow->returned);
	return p;
}

static void
add_syn_options(struct packet *p, uint32_t bits, bool has_mss)
{
	if (has_mss || bits & 7)
		packet_add_mss(p, (uint16_t)(500 + (bits >> 8) % 1000));
	if (bits & 8)
		packet_add_sack_permitted(p);
	if (bits & 16)
		packet_add_timestamp(p, bits, 0);
	if (bits & 32) {
		packet_add_nop(p);
		packet_add_wscale(p, bits >> 16 & 15);
	}
	if (bits & 64)
		p->flags |= PACKET_ECE | PACKET_CWR;
}

static void
turn_round(struct packet *p)
{
	const struct packet before = *p;

	memcpy(p->source, before.destination, sizeof(p->source));
	memcpy(p->destination, before.source, sizeof(p->destination));
	p->source_port = before.destination_port;
	p->destination_port = before.source_port;
}

/* Of a flood, by either side. */
static struct packet
from_stranger(struct traffic *t, enum side from, bool is_syn)
{
	const unsigned n = traffic_once_in(t, 3) ? traffic_draw(t) % 64 : t->strangers++;
	struct packet p = world_stranger_syn(n % 100000);

	if (traffic_once_in(t, 8))
		p = packet_ip6("fd00::77", (uint16_t)(1024 + n % 60000), "fd00::2", 80);
	if (traffic_once_in(t, 16))
		p.destination_port = traffic_once_in(t, 4) ? 22 : 443;
	p.options_length = 0;
	p.seq = n * 77;
	if (is_syn) {
		p.flags = PACKET_SYN | (from == SIDE_BACKEND ? PACKET_ACK : 0);
		add_syn_options(&p, t->is_paid ? n * UINT32_C(2654435761) : traffic_draw(t),
				t->is_paid);
	} else {
		p.flags = traffic_once_in(t, 8) ? PACKET_ACK | PACKET_FIN : PACKET_ACK;
		p.ack = traffic_draw(t);
		if (traffic_once_in(t, 2)) {
			packet_add_nop(&p);
			packet_add_nop(&p);
			packet_add_timestamp(&p, traffic_draw(t), traffic_draw(t));
		}
		if (traffic_once_in(t, 4))
			add_payload(t, &p);
	}
	if (from == SIDE_BACKEND)
		turn_round(&p);
	return p;
}

/* Any byte behind the IPv4 header changed, its sums right. */
static void
change_byte(struct traffic *t, struct traffic_frame *frame)
{
	if (frame->length < 54 || frame->bytes[12] != 8 || frame->bytes[14] != 0x45)
		return;
	frame->bytes[34 + traffic_draw(t) % (frame->length - 34)] = (uint8_t)traffic_draw(t);
	packet_fix_checksums(frame->bytes, frame->length);
}

static void
damage(struct traffic *t, struct traffic_frame *frame)
{
	switch (traffic_draw(t) % 48) {
	case 0:
	case 1:
	case 2:
		frame->csum = (uint8_t)(traffic_draw(t) % (PKT_CSUM_BAD + 1));
		break;
	case 3:
		frame->bytes[traffic_draw(t) % frame->length] ^=
				(uint8_t)(1u << traffic_draw(t) % 8);
		break;
	case 4:
		frame->bytes[traffic_draw(t) % (frame->length < 74 ? frame->length : 74)] =
				(uint8_t)traffic_draw(t);
		break;
	case 5:
		frame->length -= traffic_draw(t) % frame->length;
		break;
	case 6:
		packet_make_checksum_partial(frame->bytes, frame->length);
		frame->csum = traffic_once_in(t, 2) ? PKT_CSUM_PARTIAL : PKT_CSUM_LATER;
		break;
	case 7:
		if (frame->length < 120)
			break;
		frame->rest = traffic_draw(t) % (frame->length - 100);
		frame->length -= frame->rest;
		frame->csum = traffic_once_in(t, 4) ? PKT_CSUM_UNKNOWN : PKT_CSUM_LATER;
		break;
	case 8:
		change_byte(t, frame);
		break;
	default:
		break;
	}
}

/* What a burst is made of, for the most part. */
enum crowd { CROWD_SYNS, CROWD_ACKS, CROWD_BOTH, CROWD_FLOWS, CROWD_COUNT = 6 };

static struct packet
one_of(struct traffic *t, enum side from, enum crowd crowd, struct traffic_flow *flow)
{
	if (crowd == CROWD_BOTH)
		return from_stranger(t, from, traffic_draw(t) & 1);
	if (crowd < CROWD_BOTH && !traffic_once_in(t, 10))
		return from_stranger(t, from, crowd == CROWD_SYNS);
	return from == SIDE_CLIENT ? from_client(t, flow) : from_backend(t, flow);
}

void
traffic_fill(struct traffic *t, enum side from, struct traffic_frame *frames, unsigned count)
{
	const enum crowd crowd = traffic_draw(t) % CROWD_COUNT;
	const unsigned first = traffic_draw(t) % TRAFFIC_FLOWS;
	/* Of few connections there are several packets. */
	const unsigned flows = traffic_once_in(t, 2) ? 2 : TRAFFIC_FLOWS;
	const bool is_damaged = traffic_once_in(t, 2);

	for (unsigned i = 0; i < count; i++) {
		struct traffic_frame *frame = &frames[i];
		struct packet p = one_of(t, from, crowd,
				&t->flows[(first + traffic_draw(t) % flows) % TRAFFIC_FLOWS]);

		if (traffic_once_in(t, 16))
			p.padding_length = traffic_draw(t) % 20;
		if (p.ip_version == 4 && traffic_once_in(t, 64))
			p.ip4_options_length = 4;
		if (traffic_once_in(t, 8))
			p.tos = (uint8_t)traffic_draw(t);
		frame->length = packet_write(&p, frame->bytes, sizeof(frame->bytes));
		frame->csum = PKT_CSUM_UNKNOWN;
		frame->rest = 0;
		if (is_damaged)
			damage(t, frame);
	}
}

void
traffic_learn(struct traffic *t, const uint8_t *frame, size_t length)
{
	struct traffic_flow *flow;
	struct flow_script *f;
	struct packet p;
	uint32_t tsecr;

	if (!packet_read(&p, frame, length) ||
			(p.flags & (PACKET_SYN | PACKET_RST)) != PACKET_SYN ||
			p.destination_port < PORT_FIRST ||
			p.destination_port >= PORT_FIRST + TRAFFIC_FLOWS)
		return;
	flow = &t->flows[p.destination_port - PORT_FIRST];
	f = &flow->script;
	if (p.ack != f->client_isn + 1)
		return;
	f->iss = p.seq;
	flow->sent = flow->returned = 0;
	f->synack_tsval = 0;
	packet_timestamp(&p, &f->synack_tsval, &tsecr);
}
