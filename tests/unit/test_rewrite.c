/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Built packets are read back, and translated ones compared byte by byte, with what packets.c
 * makes of the same numbers.
 */
#include "net/rewrite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "packets.h"

#define FRAME_MAX 2048

static uint64_t
random_below(uint64_t *seed, uint64_t bound)
{
	return packet_random(seed) % bound;
}

static bool
one_in(uint64_t *seed, unsigned n)
{
	return random_below(seed, n) == 0;
}

/* Numbers close to where a sum wraps are as frequent as all others. */
static uint32_t
random_number(uint64_t *seed)
{
	static const uint32_t corners[] = {
			0, 1, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffff0000, 0xffffffff};

	if (one_in(seed, 2))
		return corners[random_below(seed, ARRAY_COUNT(corners))];
	return (uint32_t)packet_random(seed);
}

/* Timestamps and SACK blocks in either order, with NOPs that put them at any offset. */
static void
add_random_options(struct packet *packet, uint64_t *seed)
{
	bool timestamp_first = one_in(seed, 2);

	for (unsigned part = 0; part < 2; part++) {
		for (uint64_t n = random_below(seed, 4); n > 0; n--)
			packet_add_nop(packet);
		if (one_in(seed, 4))
			continue;
		if ((part == 0) == timestamp_first) {
			packet_add_timestamp(packet, random_number(seed), random_number(seed));
		} else {
			uint32_t edges[4];

			for (unsigned i = 0; i < ARRAY_COUNT(edges); i++)
				edges[i] = random_number(seed);
			packet_add_sack(packet, 1 + (unsigned)random_below(seed, 2), edges);
		}
	}
}

static struct packet
random_packet(uint64_t *seed)
{
	static const uint8_t flags[] = {PACKET_ACK, PACKET_ACK | PACKET_PSH,
			PACKET_FIN | PACKET_ACK, PACKET_RST, PACKET_RST | PACKET_ACK, PACKET_SYN,
			PACKET_SYN | PACKET_ACK};
	static uint8_t payload[64];
	struct packet packet =
			one_in(seed, 2) ? packet_ip4("192.0.2.1", 40000, "198.51.100.7", 443)
					: packet_ip6("2001:db8::1", 40000, "2001:db8:1::7", 443);

	for (unsigned i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)packet_random(seed);
	packet.seq = random_number(seed);
	packet.ack = random_number(seed);
	packet.window = (uint16_t)random_number(seed);
	packet.flags = flags[random_below(seed, ARRAY_COUNT(flags))];
	packet.urgent = (uint16_t)random_number(seed);
	packet.payload = payload;
	packet.payload_length = (size_t)random_below(seed, sizeof(payload));
	packet.padding_length = (size_t)random_below(seed, 3);
	if (one_in(seed, 3))
		packet_add_vlan(&packet, 0x8100, 7);
	add_random_options(&packet, seed);
	return packet;
}

static struct rewrite
random_rewrite(uint64_t *seed)
{
	return (struct rewrite){
			.seq_add = random_number(seed),
			.ack_add = random_number(seed),
			.tsval_add = random_number(seed),
			.tsecr_add = random_number(seed),
			.window = (uint16_t)random_number(seed),
			.strip_timestamp = one_in(seed, 4),
			.strip_sack = one_in(seed, 4),
	};
}

static void
add_at(uint8_t *at, uint32_t add)
{
	uint32_t value = (uint32_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];

	value += add;
	at[0] = (uint8_t)(value >> 24);
	at[1] = (uint8_t)(value >> 16);
	at[2] = (uint8_t)(value >> 8);
	at[3] = (uint8_t)value;
}

/* What the translation means, said in fields. */
static void
translate(struct packet *packet, const struct rewrite *rewrite)
{
	bool has_ack = packet->flags & PACKET_ACK;
	uint8_t *sack = (uint8_t *)packet_find_option(packet, PACKET_OPTION_SACK);
	uint8_t *timestamp = (uint8_t *)packet_find_option(packet, PACKET_OPTION_TIMESTAMP);

	packet->seq += rewrite->seq_add;
	packet->window = rewrite->window;
	if (has_ack)
		packet->ack += rewrite->ack_add;
	if (sack && rewrite->strip_sack)
		memset(sack, PACKET_OPTION_NOP, sack[1]);
	else if (sack && has_ack)
		for (unsigned at = 2; at < sack[1]; at += 4)
			add_at(sack + at, rewrite->ack_add);
	if (timestamp && rewrite->strip_timestamp) {
		memset(timestamp, PACKET_OPTION_NOP, 10);
	} else if (timestamp) {
		add_at(timestamp + 2, rewrite->tsval_add);
		if (has_ack)
			add_at(timestamp + 6, rewrite->tsecr_add);
	}
}

static struct pkt
load(uint8_t *frame, size_t length)
{
	struct pkt pkt = {.data = frame, .len = (uint32_t)length};

	pkt_parse(&pkt, SIDE_CLIENT);
	assert_int_equal(pkt.kind, PKT_TCP);
	return pkt;
}

static void
test_translation_is_a_rebuild(void **state)
{
	uint8_t frame[FRAME_MAX], expected[FRAME_MAX];
	unsigned odd = 0, stripped = 0;
	uint64_t seed = 1;

	(void)state;
	for (unsigned n = 0; n < 200000; n++) {
		struct packet packet = random_packet(&seed);
		struct rewrite rewrite = random_rewrite(&seed);
		size_t size = packet_write(&packet, frame + n % 4, sizeof(frame) - 4);
		struct pkt pkt = load(frame + n % 4, size);
		struct pkt before;

		assert_int_equal(pkt_check_tcp(&pkt), REASON_NONE);
		before = pkt;
		rewrite_segment(&pkt, &rewrite);
		translate(&packet, &rewrite);
		assert_int_equal(packet_write(&packet, expected, sizeof(expected)), size);
		assert_memory_equal(pkt.data, expected, size);
		assert_memory_equal(&pkt, &before, sizeof(pkt));
		odd += (pkt.opt.has_timestamp && pkt.opt.timestamp_offset % 2) ||
		       (pkt.opt.sack_blocks > 0 && pkt.opt.sack_offset % 2);
		stripped += pkt.opt.has_timestamp && rewrite.strip_timestamp;
	}
	/* The rare paths were really taken. */
	assert_true(odd > 10000);
	assert_true(stripped > 10000);
}

#ifdef __SANITIZE_ADDRESS__
#define TWIN_ROUNDS 500000
#else
#define TWIN_ROUNDS 10000000
#endif

/* A checked segment whose numbers stand where even offsets let them: timestamps, then blocks. The
 * header's other bytes are left as they are. */
static struct pkt
even_segment(uint8_t tcp[60], uint64_t *seed)
{
	uint64_t bits = packet_random(seed);
	unsigned blocks = bits & 3, nops = bits >> 2 & 2;
	struct pkt pkt = {.data = tcp, .l4_length = 60, .flags = PACKET_ACK};

	pkt.seq = random_number(seed);
	pkt.ack = random_number(seed);
	pkt.window = (uint16_t)random_number(seed);
	if (bits & 16) {
		pkt.opt.has_timestamp = true;
		pkt.opt.timestamp_offset = (uint8_t)nops;
		pkt.opt.tsval = random_number(seed);
		pkt.opt.tsecr = random_number(seed);
		store_be32(tcp + 20 + nops + 2, pkt.opt.tsval);
		store_be32(tcp + 20 + nops + 6, pkt.opt.tsecr);
	}
	pkt.opt.sack_blocks = (uint8_t)blocks;
	pkt.opt.sack_offset = (uint8_t)(blocks > 0 ? nops + 10 : 0);
	for (unsigned i = 0; i < 2 * blocks; i++)
		store_be32(tcp + 20 + pkt.opt.sack_offset + 2 + 4 * i, random_number(seed));
	store_be32(tcp + 4, pkt.seq);
	store_be32(tcp + 8, pkt.ack);
	store_be16(tcp + 14, pkt.window);
	store_be16(tcp + 16, (uint16_t)random_number(seed));
	return pkt;
}

/* The way of nearly all segments against that of any, whatever the checksum was. */
static void
test_even_is_any(void **state)
{
	uint8_t frames[2][60] = {{0}};
	uint64_t seed = 5;

	(void)state;
	for (unsigned n = 0; n < TWIN_ROUNDS; n++) {
		struct pkt pkt = even_segment(frames[0], &seed), twin = pkt;
		struct rewrite rewrite = random_rewrite(&seed);

		rewrite.strip_timestamp = false;
		rewrite.strip_sack = false;
		twin.data = frames[1];
		memcpy(frames[1], frames[0], sizeof(frames[0]));
		assert_true(rewrite_is_even(&pkt, &rewrite));
		rewrite_even(&pkt, &rewrite);
		rewrite_any(&twin, &rewrite);
		if (memcmp(frames[0], frames[1], sizeof(frames[0])) != 0)
			assert_memory_equal(frames[0], frames[1], sizeof(frames[0]));
	}
}

/* 0 everywhere, and the window as it was, leave every byte alone. */
static void
test_nothing_to_change(void **state)
{
	uint8_t frame[FRAME_MAX], before[FRAME_MAX];
	uint64_t seed = 2;

	(void)state;
	for (unsigned n = 0; n < 20000; n++) {
		struct packet packet = random_packet(&seed);
		struct rewrite rewrite = {.window = packet.window};
		size_t size = packet_write(&packet, frame, sizeof(frame));
		struct pkt pkt = load(frame, size);

		assert_int_equal(pkt_check_tcp(&pkt), REASON_NONE);
		memcpy(before, frame, size);
		rewrite_segment(&pkt, &rewrite);
		assert_memory_equal(frame, before, size);
	}
}

/* Flags and the ECN field: as a rebuild, with every combination of bits. */
static void
test_ecn_bits(void **state)
{
	uint8_t frame[FRAME_MAX], expected[FRAME_MAX];
	uint64_t seed = 4;

	(void)state;
	for (unsigned n = 0; n < 100000; n++) {
		struct packet packet = random_packet(&seed);
		uint8_t clear = (uint8_t)(packet_random(&seed) & (PACKET_ECE | PACKET_CWR));
		uint8_t set = (uint8_t)(packet_random(&seed) & PACKET_ECE);
		bool not_ect = one_in(&seed, 2);
		size_t size;
		struct pkt pkt;

		packet.flags |= (uint8_t)(packet_random(&seed) & (PACKET_ECE | PACKET_CWR));
		packet.tos = (uint8_t)packet_random(&seed);
		packet.ip4_id = (uint16_t)packet_random(&seed);
		size = packet_write(&packet, frame, sizeof(frame));
		pkt = load(frame, size);
		assert_int_equal(pkt_check_tcp(&pkt), REASON_NONE);
		rewrite_flags(&pkt, clear, set);
		if (not_ect)
			rewrite_not_ect(&pkt);
		packet.flags = (uint8_t)((packet.flags & ~clear) | set);
		packet.tos = not_ect ? packet.tos & 0xfc : packet.tos;
		assert_int_equal(packet_write(&packet, expected, sizeof(expected)), size);
		assert_memory_equal(frame, expected, size);
	}
}

/* PITFALLS 20: what was wrong stays wrong, by the same difference. */
static void
test_bad_checksum_stays_bad(void **state)
{
	uint8_t frame[FRAME_MAX], expected[FRAME_MAX];
	uint64_t seed = 3;

	(void)state;
	for (unsigned n = 0; n < 100000; n++) {
		struct packet packet = random_packet(&seed);
		struct rewrite rewrite = random_rewrite(&seed);
		size_t size = packet_write(&packet, frame, sizeof(frame));
		size_t check = packet_l4_offset(frame, size) + 16;
		uint32_t error = 1 + (uint32_t)random_below(&seed, 0xfffe);
		uint32_t wrong = (uint32_t)(frame[check] << 8 | frame[check + 1]) + error;
		uint32_t right;
		struct pkt pkt;

		if (wrong > 0xffff)
			wrong -= 0xffff;
		frame[check] = (uint8_t)(wrong >> 8);
		frame[check + 1] = (uint8_t)wrong;
		assert_false(packet_checksums_are_right(frame, size));
		pkt = load(frame, size);
		pkt.csum = PKT_CSUM_GOOD;
		assert_int_equal(pkt_check_tcp(&pkt), REASON_NONE);
		rewrite_segment(&pkt, &rewrite);

		assert_false(packet_checksums_are_right(frame, size));
		translate(&packet, &rewrite);
		packet_write(&packet, expected, sizeof(expected));
		right = (uint32_t)(expected[check] << 8 | expected[check + 1]);
		wrong = (uint32_t)(frame[check] << 8 | frame[check + 1]);
		assert_int_equal((right + error) % 0xffff, wrong % 0xffff);
		memcpy(expected + check, frame + check, 2);
		assert_memory_equal(frame, expected, size);
	}
}

/* Where a build starts from; the buffer is as large as PKT_BUILD_BYTES_MAX says and no larger. */
static struct pkt
empty_pkt(uint8_t *buffer, const struct packet *like)
{
	uint8_t frame[FRAME_MAX];
	struct pkt parsed = load(frame, packet_write(like, frame, sizeof(frame)));

	return (struct pkt){
			.data = buffer,
			.tailroom = PKT_BUILD_BYTES_MAX,
			.tuple = parsed.tuple,
	};
}

static struct pkt_build
random_build(uint64_t *seed)
{
	struct pkt_build build = {
			.to = one_in(seed, 2) ? SIDE_CLIENT : SIDE_BACKEND,
			.seq = random_number(seed),
			.ack = random_number(seed),
			.window = (uint16_t)random_number(seed),
			.flags = (uint8_t)packet_random(seed),
			.ttl = (uint8_t)packet_random(seed),
			.tos = (uint8_t)packet_random(seed),
			.flow_label = (uint32_t)random_below(seed, 1 << 20),
			.options_length = (uint8_t)(4 * random_below(seed, 11)),
	};

	for (unsigned i = 0; i < sizeof(build.options); i++)
		build.options[i] = (uint8_t)packet_random(seed);
	return build;
}

static struct packet
random_ends(uint64_t *seed)
{
	static const uint16_t protocols[] = {0x8100, 0x88a8, 0x9100};
	struct packet packet = one_in(seed, 2) ? packet_ip4("192.0.2.1", 0, "198.51.100.7", 0)
					       : packet_ip6("2001:db8::1", 0, "2001:db8:1::7", 0);

	packet.source_port = (uint16_t)packet_random(seed);
	packet.destination_port = (uint16_t)packet_random(seed);
	for (uint64_t tags = random_below(seed, 3); tags > 0; tags--)
		packet_add_vlan(&packet, protocols[random_below(seed, 3)],
				(uint16_t)random_below(seed, 0x1000));
	return packet;
}

/* The packet that a build between those ends should be; client first in ends. */
static struct packet
packet_built(const struct packet *ends, const struct pkt_build *build)
{
	struct packet packet = *ends;

	if (build->to == SIDE_CLIENT) {
		memcpy(packet.source, ends->destination, 16);
		memcpy(packet.destination, ends->source, 16);
		packet.source_port = ends->destination_port;
		packet.destination_port = ends->source_port;
	}
	packet.seq = build->seq;
	packet.ack = build->flags & PACKET_ACK ? build->ack : 0;
	packet.window = build->window;
	packet.flags = build->flags;
	packet.ttl = build->ttl;
	packet.tos = build->tos & 0xfc; /* nothing we make is ECN-capable */
	packet.flow_label = build->flow_label;
	packet.options_length = build->options_length;
	memcpy(packet.options, build->options, build->options_length);
	return packet;
}

static void
assert_built(const struct pkt *pkt, const struct packet *packet)
{
	uint8_t expected[FRAME_MAX];
	size_t size = packet_write(packet, expected, sizeof(expected));

	assert_int_equal(pkt->len, size);
	assert_memory_equal(pkt->data, expected, size);
	assert_int_equal(pkt->l3_offset, packet_l3_offset(expected, size));
	assert_int_equal(pkt->l4_offset, packet_l4_offset(expected, size));
	assert_int_equal(pkt->tcp_header_length, 20 + packet->options_length);
	assert_int_equal(pkt->l4_length, pkt->tcp_header_length);
	assert_int_equal(pkt->csum, PKT_CSUM_GOOD);
}

static void
test_build_from_nothing(void **state)
{
	uint8_t buffer[PKT_BUILD_BYTES_MAX];
	uint32_t longest = 0;
	uint64_t seed = 4;

	(void)state;
	for (unsigned n = 0; n < 20000; n++) {
		struct packet ends = random_ends(&seed);
		struct pkt_build build = random_build(&seed);
		struct packet packet = packet_built(&ends, &build);
		struct pkt pkt = empty_pkt(buffer, &ends);

		memset(buffer, 0xa5, sizeof(buffer));
		pkt_build_ether(&pkt, ends.ether_destination, ends.ether_source);
		assert_int_equal(pkt.len, pkt.l3_offset);
		assert_int_equal(pkt.len + pkt.tailroom, sizeof(buffer));
		pkt_build_tcp(&pkt, &build);
		assert_built(&pkt, &packet);
		assert_int_equal(pkt.len + pkt.tailroom, sizeof(buffer));
		for (size_t i = pkt.len; i < sizeof(buffer); i++)
			assert_int_equal(buffer[i], 0xa5);
		longest = pkt.len > longest ? pkt.len : longest;
	}
	assert_int_equal(longest, PKT_BUILD_BYTES_MAX);
}

/* Over a received packet, whatever it had: IP options, extension headers, payload, padding. */
static void
test_build_over_received(void **state)
{
	uint8_t buffer[FRAME_MAX];
	uint64_t seed = 5;

	(void)state;
	for (unsigned n = 0; n < 20000; n++) {
		static const uint8_t payload[100];
		struct packet received = random_ends(&seed);
		struct pkt_build build = random_build(&seed);
		struct packet packet = packet_built(&received, &build);
		struct pkt pkt;

		received.payload = payload;
		received.payload_length = (size_t)random_below(&seed, sizeof(payload));
		received.padding_length = (size_t)random_below(&seed, 6);
		received.ip4_id = (uint16_t)packet_random(&seed);
		received.ip4_fragment = 0;
		if (received.ip_version == 4 && one_in(&seed, 2)) {
			received.ip4_options_length = 8;
		} else if (one_in(&seed, 2)) {
			received.extensions_length = 8;
			received.extensions_first = 60;
			received.extensions[0] = 6;
		}
		pkt = load(buffer, packet_write(&received, buffer, sizeof(buffer)));
		pkt.tailroom = PKT_BUILD_BYTES_MAX;
		pkt_build_tcp(&pkt, &build);
		assert_built(&pkt, &packet);
		assert_int_equal(pkt.len + pkt.tailroom,
				packet_size(&received) + PKT_BUILD_BYTES_MAX);
	}
}

/* 64 KiB that become 54 bytes leave more room than tailroom can say. */
static void
test_tailroom_saturates(void **state)
{
	static uint8_t buffer[70000];
	struct packet received = packet_ip4("192.0.2.1", 1, "198.51.100.7", 2);
	struct pkt_build build = {.to = SIDE_CLIENT, .flags = TCP_RST};
	struct pkt pkt = load(buffer, packet_write(&received, buffer, sizeof(buffer)));

	(void)state;
	pkt.len = 65549;
	pkt.tailroom = 200;
	pkt_build_tcp(&pkt, &build);
	assert_int_equal(pkt.len, 54);
	assert_int_equal(pkt.tailroom, UINT16_MAX);
}

static void
test_turn_round(void **state)
{
	uint8_t buffer[FRAME_MAX], expected[FRAME_MAX];
	struct packet packet = packet_ip6("2001:db8::1", 1, "2001:db8:1::7", 2);
	struct pkt pkt;
	size_t size;

	(void)state;
	packet_add_vlan(&packet, 0x8100, 0x6007);
	pkt = load(buffer, packet_write(&packet, buffer, sizeof(buffer)));
	memcpy(packet.ether_destination, (const uint8_t[]){2, 0, 0, 0, 0, 0x50}, 6);
	memcpy(packet.ether_source, (const uint8_t[]){2, 0, 0, 0, 0, 0xd0}, 6);
	size = packet_write(&packet, expected, sizeof(expected));
	pkt_turn_round(&pkt);
	assert_int_equal(pkt.len, size);
	assert_memory_equal(buffer, expected, size);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_translation_is_a_rebuild),
			cmocka_unit_test(test_even_is_any),
			cmocka_unit_test(test_nothing_to_change),
			cmocka_unit_test(test_ecn_bits),
			cmocka_unit_test(test_bad_checksum_stays_bad),
			cmocka_unit_test(test_build_from_nothing),
			cmocka_unit_test(test_build_over_received),
			cmocka_unit_test(test_tailroom_saturates),
			cmocka_unit_test(test_turn_round),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
