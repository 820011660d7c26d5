/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pkt_check_tcp(): each reason by a numbered case, in the documented order; every combination of
 * flags; every damaged bit; what the port's own opinion of a checksum changes.
 */
#include "net/pkt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"
#include "packets.h"

#define FRAME_MAX 2048

/*
 * The packet in a block that ends with it, so that a sanitizer sees every byte read behind it,
 * and that begins at any alignment.
 */
static struct pkt
load(const uint8_t *frame, size_t length)
{
	size_t shift = length % 8;
	uint8_t *block = malloc(shift + length + !length);

	assert_non_null(block);
	memcpy(block + shift, frame, length);
	return (struct pkt){.data = block + shift, .owner = block, .len = (uint32_t)length};
}

static void
unload(struct pkt *pkt)
{
	free(pkt->owner);
}

static struct packet
sample(bool is_ip6)
{
	static const uint8_t payload[11] = "hello world";
	struct packet packet = is_ip6 ? packet_ip6("2001:db8::1", 40000, "2001:db8:1::7", 443)
				      : packet_ip4("192.0.2.1", 40000, "198.51.100.7", 443);

	packet_add_nop(&packet);
	packet_add_nop(&packet);
	packet_add_timestamp(&packet, 0x11223344, 0x55667788);
	packet.payload = payload;
	packet.payload_length = sizeof(payload);
	return packet;
}

/* Parses and judges a copy of the frame. */
static enum reason
judge(const uint8_t *frame, size_t length, enum side from, enum pkt_csum csum)
{
	struct pkt pkt = load(frame, length);
	enum reason reason;

	pkt.csum = (uint8_t)csum;
	pkt_parse(&pkt, from);
	assert_int_equal(pkt.kind, PKT_TCP);
	reason = pkt_check_tcp(&pkt);
	assert_memory_equal(pkt.data, frame, length);
	unload(&pkt);
	return reason;
}

static enum reason
judge_packet(const struct packet *packet, enum side from)
{
	uint8_t frame[FRAME_MAX];

	return judge(frame, packet_write(packet, frame, sizeof(frame)), from, PKT_CSUM_UNKNOWN);
}

static void
test_good(void **state)
{
	uint8_t frame[FRAME_MAX];

	(void)state;
	for (unsigned n = 0; n < 16; n++) {
		struct packet packet = sample(n & 1);
		struct pkt pkt;

		packet.payload_length -= n >> 2 & 1;
		packet.padding_length = n & 8 ? 5 : 0;
		if (n & 1)
			packet.flow_label = 0xfffff;
		pkt = load(frame, packet_write(&packet, frame, sizeof(frame)));
		memset(&pkt.opt, 0xa5, sizeof(pkt.opt));
		pkt_parse(&pkt, n & 2 ? SIDE_CLIENT : SIDE_BACKEND);
		assert_int_equal(pkt_check_tcp(&pkt), REASON_NONE);
		assert_true(pkt.opt.has_timestamp);
		assert_int_equal(pkt.opt.timestamp_offset, 2);
		assert_int_equal(pkt.opt.tsval, 0x11223344);
		assert_int_equal(pkt.opt.tsecr, 0x55667788);
		assert_int_equal(pkt.opt.wscale, TCP_WSCALE_NONE);
		assert_int_equal(pkt.tcp_header_length, 32);
		assert_int_equal(pkt_payload_length(&pkt), packet.payload_length);
		assert_int_equal(pkt_seq_length(&pkt), packet.payload_length);
		unload(&pkt);
	}
}

static const struct {
	bool is_ip6;
	const char *source;
	enum reason reason;
} sources[] = {
#define BAD REASON_source_invalid
		/* 0 */ {false, "0.0.0.0", BAD},
		/* 1 */ {false, "0.255.255.255", BAD},
		/* 2 */ {false, "1.0.0.0", REASON_NONE},
		/* 3 */ {false, "126.255.255.255", REASON_NONE},
		/* 4 */ {false, "127.0.0.1", BAD},
		/* 5 */ {false, "127.255.255.255", BAD},
		/* 6 */ {false, "128.0.0.0", REASON_NONE},
		/* 7 */ {false, "223.255.255.255", REASON_NONE},
		/* 8 */ {false, "224.0.0.1", BAD},
		/* 9 */ {false, "239.255.255.255", BAD},
		/* 10 */ {false, "240.0.0.1", REASON_NONE},
		/* 11 */ {false, "255.255.255.254", REASON_NONE},
		/* 12 */ {false, "255.255.255.255", BAD},
		/* 13: the destination */ {false, "198.51.100.7", BAD},
		/* 14 */ {false, "10.0.0.1", REASON_NONE},
		/* 15 */ {true, "::", BAD},
		/* 16 */ {true, "::1", BAD},
		/* 17 */ {true, "::2", REASON_NONE},
		/* 18 */ {true, "ff02::1", BAD},
		/* 19 */ {true, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", BAD},
		/* 20 */ {true, "feff::1", REASON_NONE},
		/* 21 */ {true, "fe80::1", REASON_NONE},
		/* 22: the destination */ {true, "2001:db8:1::7", BAD},
		/* 23: IPv4-mapped */ {true, "::ffff:192.0.2.1", BAD},
		/* 24 */ {true, "1::", REASON_NONE},
		/* 25 */ {true, "::1:0:0:1", REASON_NONE},
#undef BAD
};

static struct packet
sample_from(bool is_ip6, const char *source, const char *destination)
{
	return is_ip6 ? packet_ip6(source, 40000, destination, 443)
		      : packet_ip4(source, 40000, destination, 443);
}

static void
test_sources(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(sources); i++) {
		struct packet packet = sample_from(sources[i].is_ip6, sources[i].source,
				sources[i].is_ip6 ? "2001:db8:1::7" : "198.51.100.7");

		print_message("case %u: %s\n", i, sources[i].source);
		assert_int_equal(judge_packet(&packet, SIDE_CLIENT), sources[i].reason);
		assert_int_equal(judge_packet(&packet, SIDE_BACKEND), sources[i].reason);
	}
}

/* Only a source has to be a host's; but no mapped address may stand at either end. */
static void
test_destinations(void **state)
{
	static const struct {
		bool is_ip6;
		const char *destination;
		enum reason reason;
	} destinations[] = {
			/* 0 */ {false, "127.0.0.1", REASON_NONE},
			/* 1 */ {true, "::1", REASON_NONE},
			/* 2 */ {true, "::ffff:198.51.100.7", REASON_source_invalid},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(destinations); i++) {
		struct packet packet = sample_from(destinations[i].is_ip6,
				destinations[i].is_ip6 ? "2001:db8::1" : "192.0.2.1",
				destinations[i].destination);

		assert_int_equal(judge_packet(&packet, SIDE_CLIENT), destinations[i].reason);
		assert_int_equal(judge_packet(&packet, SIDE_BACKEND), destinations[i].reason);
	}
}

/*
 * What conntrack calls valid, written down by what it means: exactly one of SYN, RST, FIN+ACK or a
 * plain ACK, with URG only where the urgent pointer can count, and RST never with URG.
 */
static bool
naive_flags(unsigned flags)
{
	bool fin = flags & 1, syn = flags & 2, rst = flags & 4, ack = flags & 16, urg = flags & 32;

	if (syn)
		return !fin && !rst && !(ack && urg);
	if (rst)
		return !fin && !urg;
	return ack;
}

static void
test_every_flag_combination(void **state)
{
	unsigned valid = 0;

	(void)state;
	for (unsigned flags = 0; flags < 256; flags++) {
		struct packet packet = sample(false);
		enum reason expected = naive_flags(flags) ? REASON_NONE : REASON_tcp_flags;

		packet.flags = (uint8_t)flags;
		assert_int_equal(judge_packet(&packet, SIDE_CLIENT), expected);
		valid += expected == REASON_NONE;
	}
	/* Nine combinations, each with any of PSH, ECE and CWR. */
	assert_int_equal(valid, 9 * 8);
}

/* Every single-bit error in the IP header's checksummed parts, the TCP header and the payload. */
static void
test_every_damaged_bit(void **state)
{
	uint8_t frame[FRAME_MAX];
	unsigned refused = 0;

	(void)state;
	for (unsigned n = 0; n < 2; n++) {
		struct packet packet = sample(n);
		size_t size = packet_write(&packet, frame, sizeof(frame));
		size_t l3 = packet_l3_offset(frame, size);

		for (size_t bit = l3 * 8; bit < size * 8; bit++) {
			struct pkt pkt;

			frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
			pkt = load(frame, size);
			frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
			pkt_parse(&pkt, SIDE_CLIENT);
			/* IPv6 protects neither class, label nor hop limit. */
			if (pkt.kind == PKT_TCP &&
					!(n == 1 && (bit / 8 < l3 + 4 || bit / 8 == l3 + 7))) {
				assert_int_not_equal(pkt_check_tcp(&pkt), REASON_NONE);
				refused++;
			}
			unload(&pkt);
		}
	}
	assert_in_range(refused, 1000, 2000);
}

/* Which of the port's opinions are believed, and about what. */
static const struct {
	enum pkt_csum csum;
	enum reason ip4_wrong;
	enum reason tcp_wrong;
	enum reason both_right;
} opinions[] = {
		/* 0 */
		{PKT_CSUM_UNKNOWN, REASON_ip4_checksum, REASON_tcp_checksum, REASON_NONE},
		/* 1 */
		{PKT_CSUM_PARTIAL, REASON_ip4_checksum, REASON_tcp_checksum, REASON_NONE},
		/* 2 */ {PKT_CSUM_GOOD, REASON_NONE, REASON_NONE, REASON_NONE},
		/* 3 */
		{PKT_CSUM_BAD, REASON_ip4_checksum, REASON_tcp_checksum, REASON_tcp_checksum},
};

static void
test_opinions(void **state)
{
	uint8_t frame[FRAME_MAX];

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(opinions); i++) {
		enum pkt_csum csum = opinions[i].csum;
		struct packet packet = sample(false);
		size_t size = packet_write(&packet, frame, sizeof(frame));
		size_t l3 = packet_l3_offset(frame, size);
		size_t l4 = packet_l4_offset(frame, size);

		print_message("case %u\n", i);
		assert_int_equal(judge(frame, size, SIDE_CLIENT, csum), opinions[i].both_right);
		frame[l4 + 16] ^= 1;
		assert_int_equal(judge(frame, size, SIDE_CLIENT, csum), opinions[i].tcp_wrong);
		frame[l3 + 10] ^= 1;
		frame[l4 + 16] ^= 1;
		assert_int_equal(judge(frame, size, SIDE_CLIENT, csum), opinions[i].ip4_wrong);
	}
}

/* A checksum left to hardware is completed where that is promised, and refused elsewhere. */
static void
test_partial(void **state)
{
	uint8_t frame[FRAME_MAX], whole[FRAME_MAX];
	uint64_t seed = 1;

	(void)state;
	for (unsigned n = 0; n < 2000; n++) {
		struct packet packet = sample(n & 1);
		size_t size, l4;
		struct pkt pkt;

		packet.seq = (uint32_t)packet_random(&seed);
		packet.source_port = (uint16_t)(packet_random(&seed) | 1);
		packet.payload_length = n % 12;
		packet.padding_length = n % 3;
		size = packet_write(&packet, whole, sizeof(whole));
		l4 = packet_l4_offset(whole, size);
		memcpy(frame, whole, size);
		packet_make_checksum_partial(frame, size);
		assert_int_equal(judge(frame, size, SIDE_CLIENT, PKT_CSUM_UNKNOWN),
				REASON_tcp_checksum);

		pkt = load(frame, size);
		pkt.csum = PKT_CSUM_PARTIAL;
		pkt_parse(&pkt, n & 2 ? SIDE_CLIENT : SIDE_BACKEND);
		assert_int_equal(pkt_check_tcp(&pkt), REASON_NONE);
		assert_memory_equal(pkt.data, whole, size);
		unload(&pkt);

		frame[l4 + 17] ^= 0x10;
		assert_int_equal(judge(frame, size, SIDE_CLIENT, PKT_CSUM_PARTIAL),
				REASON_tcp_checksum);
	}
}

enum damage {
	DAMAGE_SOURCE = 1,
	DAMAGE_IP4 = 2,
	DAMAGE_DATA_OFFSET = 4,
	DAMAGE_TCP = 8,
	DAMAGE_PORT = 16,
	DAMAGE_FLAGS = 32,
	DAMAGE_OPTIONS = 64,
	DAMAGE_ALL = 127,
};

/* The first of several faults is the one reported. */
static enum reason
first_reason(unsigned damage)
{
	static const enum reason order[] = {REASON_source_invalid, REASON_ip4_checksum,
			REASON_tcp_data_offset, REASON_tcp_checksum, REASON_tcp_port_zero,
			REASON_tcp_flags, REASON_tcp_options};

	for (unsigned i = 0; i < ARRAY_COUNT(order); i++)
		if (damage & 1u << i)
			return order[i];
	return REASON_NONE;
}

static void
test_order(void **state)
{
	uint8_t frame[FRAME_MAX];

	(void)state;
	for (unsigned damage = 0; damage <= DAMAGE_ALL; damage++) {
		struct packet packet = sample(false);
		size_t size, l3, l4;

		if (damage & DAMAGE_SOURCE)
			packet.source[0] = 127;
		if (damage & DAMAGE_PORT)
			packet.source_port = 0;
		if (damage & DAMAGE_FLAGS)
			packet.flags = PACKET_SYN | PACKET_FIN;
		if (damage & DAMAGE_OPTIONS)
			packet.options[3] = 1;
		size = packet_write(&packet, frame, sizeof(frame));
		l3 = packet_l3_offset(frame, size);
		l4 = packet_l4_offset(frame, size);
		if (damage & DAMAGE_IP4)
			frame[l3 + 10] ^= 0x80;
		if (damage & DAMAGE_DATA_OFFSET)
			frame[l4 + 12] = 0x40;
		if (damage & DAMAGE_TCP)
			frame[l4 + 16] ^= 0x80;
		assert_int_equal(judge(frame, size, SIDE_CLIENT, PKT_CSUM_UNKNOWN),
				first_reason(damage));
	}
}

static void
test_every_data_offset(void **state)
{
	uint8_t frame[FRAME_MAX];

	(void)state;
	for (unsigned words = 0; words < 16; words++) {
		struct packet packet = packet_ip4("192.0.2.1", 40000, "198.51.100.7", 443);
		static const uint8_t nops[24] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
				1, 1, 1, 1, 1, 1, 1};
		size_t size, l4;

		packet.payload = nops;
		packet.payload_length = sizeof(nops);
		size = packet_write(&packet, frame, sizeof(frame));
		l4 = packet_l4_offset(frame, size);
		frame[l4 + 12] = (uint8_t)(words << 4);
		if (words >= 5 && words <= 11) {
			packet_fix_checksums(frame, size);
			assert_int_equal(judge(frame, size, SIDE_CLIENT, PKT_CSUM_UNKNOWN),
					REASON_NONE);
		} else {
			assert_int_equal(judge(frame, size, SIDE_CLIENT, PKT_CSUM_UNKNOWN),
					REASON_tcp_data_offset);
		}
	}
}

/* A destination port of 0 is no backend's; only the source is judged here, from either side. */
static void
test_port_zero(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 4; n++) {
		struct packet packet = sample(n & 1);

		packet.source_port = 0;
		assert_int_equal(judge_packet(&packet, n & 2 ? SIDE_CLIENT : SIDE_BACKEND),
				REASON_tcp_port_zero);
		packet = sample(n & 1);
		packet.destination_port = 0;
		assert_int_equal(judge_packet(&packet, n & 2 ? SIDE_CLIENT : SIDE_BACKEND),
				REASON_NONE);
	}
}

static void
test_seq_length(void **state)
{
	static const struct {
		uint8_t flags;
		uint32_t length;
	} lengths[] = {
			/* 0 */ {TCP_ACK, 11},
			/* 1 */ {TCP_SYN, 12},
			/* 2 */ {TCP_SYN | TCP_ACK, 12},
			/* 3 */ {TCP_FIN | TCP_ACK, 12},
			/* 4 */ {TCP_RST, 11},
	};
	uint8_t frame[FRAME_MAX];

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(lengths); i++) {
		struct packet packet = sample(true);
		struct pkt pkt;

		packet.flags = lengths[i].flags;
		pkt = load(frame, packet_write(&packet, frame, sizeof(frame)));
		pkt_parse(&pkt, SIDE_CLIENT);
		assert_int_equal(pkt_check_tcp(&pkt), REASON_NONE);
		assert_int_equal(pkt_seq_length(&pkt), lengths[i].length);
		unload(&pkt);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_good),
			cmocka_unit_test(test_sources),
			cmocka_unit_test(test_destinations),
			cmocka_unit_test(test_every_flag_combination),
			cmocka_unit_test(test_every_damaged_bit),
			cmocka_unit_test(test_opinions),
			cmocka_unit_test(test_partial),
			cmocka_unit_test(test_order),
			cmocka_unit_test(test_every_data_offset),
			cmocka_unit_test(test_port_zero),
			cmocka_unit_test(test_seq_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
