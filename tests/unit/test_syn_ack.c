/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * syn_ack_build() against its twin, pkt_build_tcp() with tcp_opt_build_syn()'s options, byte by
 * byte, and its frames against checksums summed naively.
 */
#include "net/syn_ack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/rewrite.h"
#include "packets.h"

#define TWINS 1000000u

static struct tcp_opt_syn
random_announce(uint64_t *seed, unsigned n)
{
	return (struct tcp_opt_syn){
			.tsval = (uint32_t)packet_random(seed),
			.tsecr = (uint32_t)packet_random(seed),
			.mss = n & 1 ? (uint16_t)packet_random(seed) : 0,
			.wscale = n & 2 ? packet_random(seed) % 15 : TCP_WSCALE_NONE,
			.sack_permitted = n & 4,
			.has_timestamp = n & 8,
	};
}

static struct tuple
random_tuple(uint64_t *seed, bool is_ip6)
{
	struct tuple tuple = {
			.client = ip_addr_from_ip4((uint32_t)packet_random(seed)),
			.backend = ip_addr_from_ip4((uint32_t)packet_random(seed)),
			.client_port = (uint16_t)packet_random(seed),
			.backend_port = (uint16_t)packet_random(seed),
			.family = is_ip6 ? FAMILY_IP6 : FAMILY_IP4,
	};

	for (unsigned i = 0; is_ip6 && i < 2; i++) {
		tuple.client.halves_be[i] = packet_random(seed);
		tuple.backend.halves_be[i] = packet_random(seed);
	}
	return tuple;
}

/* Over a packet with n % 3 tags and some length, in a block of just its size. */
static struct pkt
random_packet(uint64_t *seed, unsigned n, const struct tuple *tuple, uint8_t *block)
{
	uint32_t length = 60 + packet_random(seed) % 60;

	memset(block, 0xa5, PKT_BUILD_BYTES_MAX + 60);
	return (struct pkt){
			.data = block,
			.len = length,
			.rest = n & 1,
			.tailroom = (uint16_t)(PKT_BUILD_BYTES_MAX + 60 - length),
			.l3_offset = (uint8_t)(14 + 4 * (n % 3)),
			.tuple = *tuple,
	};
}

static void
check(unsigned n, uint64_t *seed)
{
	static uint8_t blocks[2][PKT_BUILD_BYTES_MAX + 60];
	struct tuple tuple = random_tuple(seed, n & 32);
	struct tcp_opt_syn announce = random_announce(seed, n);
	struct syn_ack syn_ack = {
			.seq = (uint32_t)packet_random(seed),
			.ack = (uint32_t)packet_random(seed),
			.window = (uint16_t)packet_random(seed),
			.ecn = n & 16,
	};
	struct pkt_build build = {
			.to = SIDE_CLIENT,
			.seq = syn_ack.seq,
			.ack = syn_ack.ack,
			.window = syn_ack.window,
			.flags = TCP_SYN | TCP_ACK | (syn_ack.ecn ? TCP_ECE : 0),
			.ttl = PKT_TTL_DEFAULT,
	};
	struct pkt pkt = random_packet(seed, n, &tuple, blocks[0]), twin = pkt;

	memcpy(blocks[1], blocks[0], sizeof(blocks[0]));
	twin.data = blocks[1];
	syn_ack_build(&pkt, &syn_ack, &announce);
	build.options_length = (uint8_t)tcp_opt_build_syn(build.options, &announce);
	pkt_build_tcp(&twin, &build);
	assert_memory_equal(blocks[0], blocks[1], sizeof(blocks[0]));
	twin.data = pkt.data;
	assert_memory_equal(&pkt, &twin, sizeof(pkt));
}

static void
test_twins(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (unsigned n = 0; n < TWINS; n++)
		check(n, &seed);
}

/* The numbers of one frame, by hand. */
static void
test_fields(void **state)
{
	static const struct syn_ack syn_ack = {.seq = 1, .ack = 2, .window = 3, .ecn = true};
	static const struct tcp_opt_syn announce = {
			.tsval = 4,
			.tsecr = 5,
			.mss = 1400,
			.wscale = 6,
			.sack_permitted = true,
			.has_timestamp = true,
	};
	struct packet syn = packet_ip4("192.0.2.1", 4000, "10.0.0.2", 80), answer;
	uint8_t frame[PKT_BUILD_BYTES_MAX];
	struct pkt pkt = {.data = frame};

	(void)state;
	syn.flags = PACKET_SYN;
	pkt.len = (uint32_t)packet_write(&syn, frame, sizeof(frame));
	pkt.tailroom = (uint16_t)(sizeof(frame) - pkt.len);
	pkt_parse(&pkt, SIDE_CLIENT);
	syn_ack_build(&pkt, &syn_ack, &announce);
	assert_int_equal(pkt.len, 14 + 20 + 40);
	assert_true(packet_read(&answer, frame, pkt.len));
	assert_true(packet_checksums_are_right(frame, pkt.len));
	assert_int_equal(answer.source_port, 80);
	assert_int_equal(answer.destination_port, 4000);
	assert_int_equal(answer.seq, 1);
	assert_int_equal(answer.ack, 2);
	assert_int_equal(answer.window, 3);
	assert_int_equal(answer.flags, PACKET_SYN | PACKET_ACK | TCP_ECE);
	assert_int_equal(packet_mss(&answer), 1400);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_twins),
			cmocka_unit_test(test_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
