/* SPDX-License-Identifier: BSD-3-Clause */
#include "frames.h"

#include "base/mix.h"
#include "net/bytes.h"
#include "net/csum.h"

#define OFFERED_MSS 1460
#define OFFERED_MSS_IP6 1440
#define OFFERED_WSCALE 7
#define WINDOW 64240
#define TTL 64

enum { TCP_FLAG_SYN = 2, TCP_FLAG_ACK = 16 };

/* A frame on its way: what is at hand when its headers are written. */
struct draft {
	struct tuple tuple;
	bool is_syn;
	uint32_t isn;	/* the client's */
	uint32_t ack;	/* of an ACK */
	uint32_t tsval; /* the client's clock */
	uint32_t tsecr; /* of an ACK */
	uint8_t options[40];
	unsigned options_length;
};

void
frames_init(struct frames *frames, const struct order *order)
{
	const struct cookie_plan plan = cookie_plan_make(&order->secret);

	*frames = (struct frames){.order = order, .random = order->seed};
	jar_init(&frames->jar, &plan, order->now);
}

/* The tags as Sluice's own packet parser notes them (struct tuple). */
static vlan_tags_t
vlan_tags(const struct order *order)
{
	if (order->vlan_count == 0)
		return 0;
	if (order->vlan_count == 1)
		return order->vlans[0] | (vlan_tags_t)VLAN_TAG_8100 << 12;
	return order->vlans[0] | (vlan_tags_t)VLAN_TAG_88A8 << 12 |
	       (vlan_tags_t)order->vlans[1] << 16 | (vlan_tags_t)VLAN_TAG_8100 << 28;
}

static struct tuple
tuple_draw(struct frames *frames)
{
	const struct order *order = frames->order;
	const uint64_t bits = mix_next(&frames->random);
	const uint64_t mask =
			order->from_bits == 64 ? UINT64_MAX : (UINT64_C(1) << order->from_bits) - 1;
	struct tuple tuple = {
			.client = order->from,
			.backend = order->to,
			.client_port = order->source_port,
			.backend_port = order->port,
			.vlan = vlan_tags(order),
			.family = order->family,
	};
	/* An IPv4 address has 32 bits, and what is before them stays. */
	const uint64_t low = be64toh(order->from.halves_be[1]);

	tuple.client.halves_be[1] = htobe64((low & ~mask) | (bits & mask));
	if (tuple.client_port == 0)
		tuple.client_port = (uint16_t)(1024 + mix_next(&frames->random) % 64512);
	return tuple;
}

static void
option_add(struct draft *draft, const void *option, unsigned length)
{
	memcpy(draft->options + draft->options_length, option, length);
	draft->options_length += length;
}

static void
timestamp_add(struct draft *draft)
{
	uint8_t option[10] = {8, sizeof(option)};

	store_be32(option + 2, draft->tsval);
	store_be32(option + 6, draft->tsecr);
	option_add(draft, option, sizeof(option));
}

static uint16_t
offered_mss(const struct order *order)
{
	return order->family == FAMILY_IP6 ? OFFERED_MSS_IP6 : OFFERED_MSS;
}

static void
syn_options(struct draft *draft, const struct order *order)
{
	uint8_t mss[4] = {2, sizeof(mss)};

	if (order->options == ORDER_OPTIONS_NONE)
		return;
	store_be16(mss + 2, offered_mss(order));
	option_add(draft, mss, sizeof(mss));
	if (order->options == ORDER_OPTIONS_MSS)
		return;
	option_add(draft, (const uint8_t[]){4, 2}, 2);
	timestamp_add(draft);
	option_add(draft, (const uint8_t[]){1, 3, 3, OFFERED_WSCALE}, 4);
}

/* The ACK of a client that was answered with a cookie, or one of nobody. */
static void
ack_draw(struct draft *draft, struct frames *frames)
{
	const struct order *order = frames->order;
	const bool has_all = order->options == ORDER_OPTIONS_ALL;
	const uint64_t bits = mix_next(&frames->random);
	const struct cookie_syn syn = {
			.isn = draft->isn,
			.mss = order->options == ORDER_OPTIONS_NONE ? 0 : offered_mss(order),
			.wscale = has_all ? OFFERED_WSCALE : TCP_WSCALE_NONE,
			.sack_permitted = has_all,
			.has_timestamp = has_all,
	};

	if (order->has_secret) {
		const struct cookie cookie = cookie_encode(&frames->jar, &draft->tuple, &syn);

		draft->ack = cookie.iss + 1;
		draft->tsecr = cookie.tsval;
	} else {
		draft->ack = (uint32_t)bits;
		draft->tsecr = (uint32_t)(bits >> 32);
	}
	if (has_all) {
		option_add(draft, (const uint8_t[]){1, 1}, 2);
		timestamp_add(draft);
	}
}

static struct draft
draft_draw(struct frames *frames)
{
	const struct order *order = frames->order;
	struct draft draft = {.tuple = tuple_draw(frames)};
	const uint64_t bits = mix_next(&frames->random);

	draft.isn = (uint32_t)bits;
	draft.tsval = (uint32_t)(bits >> 32);
	draft.is_syn = order->kind == ORDER_SYN ||
		       (order->kind == ORDER_MIX &&
				       mix_next(&frames->random) % 100 >= order->ack_percent);
	if (draft.is_syn)
		syn_options(&draft, order);
	else
		ack_draw(&draft, frames);
	return draft;
}

static uint8_t *
ether_write(uint8_t *at, const struct order *order)
{
	memcpy(at, order->destination_mac, ORDER_MAC_BYTES);
	memcpy(at + ORDER_MAC_BYTES, order->source_mac, ORDER_MAC_BYTES);
	at += ETHER_TYPE_AT;
	for (unsigned i = 0; i < order->vlan_count; i++, at += VLAN_TAG_BYTES) {
		const bool is_outer = i + 1 < order->vlan_count;

		store_be16(at, is_outer ? ETHER_TYPE_QINQ : ETHER_TYPE_VLAN);
		store_be16(at + 2, order->vlans[i]);
	}
	store_be16(at, order->family == FAMILY_IP6 ? ETHER_TYPE_IP6 : ETHER_TYPE_IP4);
	return at + 2;
}

static uint8_t *
ip4_write(uint8_t *at, const struct tuple *tuple, unsigned tcp_length)
{
	memset(at, 0, IP4_BYTES_MIN);
	at[0] = 0x45;
	store_be16(at + IP4_TOTAL_LENGTH_AT, (uint16_t)(IP4_BYTES_MIN + tcp_length));
	store_be16(at + IP4_FRAGMENT_AT, 0x4000); /* DF */
	at[IP4_TTL_AT] = TTL;
	at[IP4_PROTOCOL_AT] = PROTOCOL_TCP;
	store_raw32(at + IP4_SOURCE_AT, tuple->client.words_be[3]);
	store_raw32(at + IP4_DESTINATION_AT, tuple->backend.words_be[3]);
	store_raw16(at + IP4_CHECKSUM_AT, (uint16_t)~csum_fold(csum_add(0, at, IP4_BYTES_MIN)));
	return at + IP4_BYTES_MIN;
}

static uint8_t *
ip6_write(uint8_t *at, const struct tuple *tuple, unsigned tcp_length)
{
	memset(at, 0, IP6_BYTES);
	at[0] = 0x60;
	store_be16(at + IP6_PAYLOAD_LENGTH_AT, (uint16_t)tcp_length);
	at[IP6_NEXT_HEADER_AT] = PROTOCOL_TCP;
	at[IP6_HOP_LIMIT_AT] = TTL;
	memcpy(at + IP6_SOURCE_AT, tuple->client.bytes, 16);
	memcpy(at + IP6_DESTINATION_AT, tuple->backend.bytes, 16);
	return at + IP6_BYTES;
}

static void
tcp_write(uint8_t *at, const struct draft *draft, unsigned length)
{
	memset(at, 0, TCP_BYTES_MIN);
	store_be16(at + TCP_SOURCE_PORT_AT, draft->tuple.client_port);
	store_be16(at + TCP_DESTINATION_PORT_AT, draft->tuple.backend_port);
	store_be32(at + TCP_SEQ_AT, draft->is_syn ? draft->isn : draft->isn + 1);
	store_be32(at + TCP_ACK_AT, draft->ack);
	at[TCP_DATA_OFFSET_AT] = (uint8_t)((TCP_BYTES_MIN + draft->options_length) / 4 << 4);
	at[TCP_FLAGS_AT] = draft->is_syn ? TCP_FLAG_SYN : TCP_FLAG_ACK;
	store_be16(at + TCP_WINDOW_AT, WINDOW);
	memcpy(at + TCP_BYTES_MIN, draft->options, draft->options_length);
	memset(at + TCP_BYTES_MIN + draft->options_length, 'x',
			length - TCP_BYTES_MIN - draft->options_length);
	store_raw16(at + TCP_CHECKSUM_AT,
			(uint16_t)~csum_fold(
					csum_add(csum_pseudo(&draft->tuple, length), at, length)));
}

size_t
frames_next(struct frames *frames, uint8_t frame[FRAME_BYTES_MAX])
{
	const struct order *order = frames->order;
	const struct draft draft = draft_draw(frames);
	const unsigned tcp_length =
			TCP_BYTES_MIN + draft.options_length + (draft.is_syn ? 0 : order->payload);
	uint8_t *at = ether_write(frame, order);

	at = order->family == FAMILY_IP6 ? ip6_write(at, &draft.tuple, tcp_length)
					 : ip4_write(at, &draft.tuple, tcp_length);
	tcp_write(at, &draft, tcp_length);
	return (size_t)(at - frame) + tcp_length;
}
