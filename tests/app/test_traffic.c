/* SPDX-License-Identifier: BSD-3-Clause */
/* What sluice-traffic writes, as a worker takes it: every SYN is answered, every ACK with a cookie
 * of the worker's secret proves a client, and no other does. */
#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "frames.h"
#include "world.h"

#define FRAMES 200

static const struct siphash_key secret = {5, 6}, other_secret = {5, 7};

static struct order
order_make(enum family family, enum order_kind kind)
{
	struct order order = {
			.family = family,
			.port = 80,
			.kind = kind,
			.ack_percent = 50,
			.seed = 3,
			.source_mac = {2, 0, 0, 0, 0, 1},
			.destination_mac = {2, 0, 0, 0, 0, 2},
			.secret = secret,
			.has_secret = true,
	};
	struct packet ip6 = packet_ip6("2001:2::", 1, "fd00::2", 80);

	if (family == FAMILY_IP6) {
		memcpy(order.from.bytes, ip6.source, 16);
		memcpy(order.to.bytes, ip6.destination, 16);
		order.from_bits = 64;
	} else {
		order.from = ip_addr_from_ip4(htobe32(0xc6120000));
		order.to = ip_addr_from_ip4(htobe32(0x0a000002));
		order.from_bits = 17;
	}
	return order;
}

/* A worker to which other nodes' cookies of the secret are its own; order's are sent by its clock.
 */
static struct world *
world_make(struct order *order)
{
	struct cookie_plan plan = cookie_plan_make(&secret);
	struct world *w = world_new(&(struct world_options){
			.connections = 1024, .foreign_cookies = true, .cookies = &plan});

	order->now = w->now;
	return w;
}

/* How many of FRAMES end so. */
static unsigned
send_all(struct world *w, const struct order *order, enum reason reason)
{
	static struct frames frames;
	unsigned count = 0;

	frames_init(&frames, order);
	for (unsigned i = 0; i < FRAMES; i++) {
		uint8_t frame[FRAME_BYTES_MAX];
		size_t length = frames_next(&frames, frame);

		assert_true(packet_checksums_are_right(frame, length));
		count += world_send_frame(w, SIDE_CLIENT, frame, length).reason == reason;
	}
	return count;
}

static void
test_every_frame_is_taken(void **state)
{
	(void)state;
	for (unsigned ip = FAMILY_IP4; ip <= FAMILY_IP6; ip += FAMILY_IP6 - FAMILY_IP4) {
		for (unsigned options = 0; options <= ORDER_OPTIONS_NONE; options++) {
			for (unsigned vlans = 0; vlans <= VLAN_TAGS_MAX; vlans++) {
				struct order order = order_make(ip, ORDER_SYN);
				struct world *w = world_make(&order);

				order.options = options;
				order.vlan_count = vlans;
				order.vlans[0] = 100;
				order.vlans[1] = 200;
				assert_int_equal(send_all(w, &order, REASON_syn_cookie_sent),
						FRAMES);
				order.kind = ORDER_ACK;
				assert_int_equal(
						send_all(w, &order, REASON_ack_connecting), FRAMES);
				world_free(w);
			}
		}
	}
}

static void
test_only_the_secret_counts(void **state)
{
	struct order order = order_make(FAMILY_IP4, ORDER_ACK);
	struct world *w = world_make(&order);

	(void)state;
	order.secret = other_secret;
	assert_int_equal(send_all(w, &order, REASON_ack_cookie_invalid), FRAMES);
	order.has_secret = false;
	assert_int_equal(send_all(w, &order, REASON_ack_cookie_invalid), FRAMES);
	world_free(w);
}

static void
test_cookies_age(void **state)
{
	struct order order = order_make(FAMILY_IP4, ORDER_ACK);
	struct world *w = world_make(&order);

	(void)state;
	order.now -= 3 * COOKIE_EPOCH_S * TICKS_PER_S;
	assert_int_equal(send_all(w, &order, REASON_ack_cookie_invalid), FRAMES);
	world_free(w);
}

static void
test_a_mix_has_both(void **state)
{
	struct order order = order_make(FAMILY_IP4, ORDER_MIX);
	struct world *w = world_make(&order);
	unsigned syns, acks;

	(void)state;
	order.ack_percent = 20;
	order.payload = 100;
	syns = send_all(w, &order, REASON_syn_cookie_sent);
	acks = (unsigned)world_reason(w, REASON_ack_connecting) +
	       (unsigned)world_reason(w, REASON_ack_connecting_held);
	assert_int_equal(syns + acks, FRAMES);
	assert_in_range(acks, FRAMES / 10, FRAMES * 3 / 10);
	world_free(w);
}

/* The same order gives the same frames, another seed others; sources stay in their prefix. */
static void
test_draws(void **state)
{
	struct order order = order_make(FAMILY_IP4, ORDER_SYN), other = order;
	static struct frames a, b, c;
	unsigned differ = 0;

	(void)state;
	other.seed = 4;
	order.from_bits = other.from_bits = 4;
	frames_init(&a, &order);
	frames_init(&b, &order);
	frames_init(&c, &other);
	for (unsigned i = 0; i < FRAMES; i++) {
		uint8_t frames[3][FRAME_BYTES_MAX];
		size_t length = frames_next(&a, frames[0]);
		struct packet packet;

		assert_int_equal(frames_next(&b, frames[1]), length);
		assert_memory_equal(frames[0], frames[1], length);
		assert_int_equal(frames_next(&c, frames[2]), length);
		differ += memcmp(frames[0], frames[2], length) != 0;
		assert_true(packet_read(&packet, frames[0], length));
		assert_memory_equal(packet.source, ((uint8_t[]){198, 18, 0}), 3);
		assert_in_range(packet.source[3], 0, 15);
		assert_in_range(packet.source_port, 1024, 65535);
		assert_int_equal(packet.destination_port, 80);
		assert_memory_equal(packet.ether_destination, order.destination_mac, 6);
	}
	assert_int_equal(differ, FRAMES);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_every_frame_is_taken),
			cmocka_unit_test(test_only_the_secret_counts),
			cmocka_unit_test(test_cookies_age),
			cmocka_unit_test(test_a_mix_has_both),
			cmocka_unit_test(test_draws),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
