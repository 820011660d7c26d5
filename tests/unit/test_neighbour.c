/* SPDX-License-Identifier: BSD-3-Clause */
/* ARP and neighbour discovery for the address that probes have: questions and answers byte by
 * byte, and what is none of ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"
#include "probe_world.h"

static const uint8_t our_mac[MAC_BYTES] = WORLD_MAC;
static const uint8_t hop_mac[MAC_BYTES] = PROBE_WORLD_HOP_MAC;

/* 1. The questions for the MAC, byte by byte, untagged and tagged. */
static void
test_questions(void **state)
{
	static const uint8_t arp[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 0x99, 8, 6,
			0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 0x99, 10, 0, 0, 250, 0, 0, 0, 0, 0,
			0, 10, 0, 0, 2};
	static const uint8_t nd[] = {0x33, 0x33, 0xff, 0, 0, 2, 2, 0, 0, 0, 0, 0x99, 0x86, 0xdd,
			/* IPv6 from fd00::250 to ff02::1:ff00:2 */
			0x60, 0, 0, 0, 0, 32, 58, 255, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
			2, 0x50, 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 2,
			/* solicitation for fd00::2 */
			135, 0, 0, 0, 0, 0, 0, 0, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2,
			1, 1, 2, 0, 0, 0, 0, 0x99};

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		bool tagged = i & 1, is_ip6 = i & 2;
		struct probe_config probe = probe_world_config();
		struct world *w;
		struct emitted_packet question;
		size_t shift = tagged ? 4 : 0;

		probe.vlan = tagged ? 10 : 0;
		w = probe_world_new(is_ip6 ? 1 : 0, &probe);
		world_pass(w, 10 * TICKS_PER_MS);
		question = probe_world_take(w);
		assert_int_equal(question.length, shift + (is_ip6 ? sizeof(nd) : sizeof(arp)));
		if (is_ip6) {
			uint8_t *ip = question.frame + 14 + shift;

			assert_int_equal(probe_world_icmp6_sum(ip, ip + 40, 32), 0xffff);
			ip[42] = ip[43] = 0;
		}
		assert_memory_equal(question.frame, is_ip6 ? nd : arp, 12);
		if (tagged)
			assert_memory_equal(question.frame + 12,
					((const uint8_t[]){0x81, 0, 0, 10}), 4);
		assert_memory_equal(question.frame + 12 + shift, (is_ip6 ? nd : arp) + 12,
				question.length - 12 - shift);
		world_free(w);
	}
}

/* 2. Questions for our address are answered, on the servers' side and our VLAN alone. */
static void
test_arp_for_us(void **state)
{
	(void)state;
	for (unsigned tagged = 0; tagged < 2; tagged++) {
		struct probe_config probe = probe_world_config();
		uint8_t frame[128], wanted[128];
		size_t length = probe_world_arp(frame, tagged, 1, 2, 250), other;
		struct outcome out;
		struct world *w;

		probe.vlan = tagged ? 10 : 0;
		w = world_new(&(struct world_options){.probe = &probe});
		memset(frame, 0xff, MAC_BYTES);
		out = world_send_frame(w, SIDE_BACKEND, frame, length);
		assert_int_equal(out.reason, REASON_probe_neighbour);
		assert_int_equal(out.verdict, VERDICT_REPLY);
		probe_world_arp(wanted, tagged, 2, 250, 2);
		memcpy(wanted, hop_mac, MAC_BYTES);
		memcpy(wanted + 6, our_mac, MAC_BYTES);
		memcpy(wanted + length - 20, our_mac, MAC_BYTES);
		memcpy(wanted + length - 10, hop_mac, MAC_BYTES);
		assert_int_equal(out.length, length);
		assert_memory_equal(out.frame, wanted, length);

		assert_int_equal(world_send_frame(w, SIDE_CLIENT, frame, length).reason,
				REASON_pass_not_ip);
		other = probe_world_arp(frame, !tagged, 1, 2, 250);
		assert_int_equal(world_send_frame(w, SIDE_BACKEND, frame, other).reason,
				REASON_pass_not_ip);
		probe_world_arp(frame, tagged, 1, 2, 251);
		assert_int_equal(world_send_frame(w, SIDE_BACKEND, frame, length).reason,
				REASON_pass_not_ip);
		for (size_t cut = length - 28; cut < length; cut++) {
			probe_world_arp(frame, tagged, 1, 2, 250);
			assert_int_equal(world_send_frame(w, SIDE_BACKEND, frame, cut).reason,
					REASON_pass_not_ip);
		}
		world_free(w);
	}
}

/* An advertisement of fd00::250 to an address. */
static void
check_advertisement(
		const struct outcome *out, const uint8_t *mac, const uint8_t to[16], uint8_t flags)
{
	static const uint8_t us[16] = {0xfd, [14] = 2, [15] = 0x50};
	const uint8_t *ip = out->frame + 14;

	assert_int_equal(out->reason, REASON_probe_neighbour);
	assert_int_equal(out->length, 86);
	assert_memory_equal(out->frame, mac, MAC_BYTES);
	assert_memory_equal(out->frame + 6, our_mac, MAC_BYTES);
	assert_memory_equal(ip, ((const uint8_t[]){0x60, 0, 0, 0, 0, 32, 58, 255}), 8);
	assert_memory_equal(ip + 8, us, 16);
	assert_memory_equal(ip + 24, to, 16);
	assert_int_equal(ip[40], 136);
	assert_int_equal(ip[41], 0);
	assert_int_equal(ip[44], flags);
	assert_memory_equal(ip + 48, us, 16);
	assert_int_equal(ip[64], 2);
	assert_int_equal(ip[65], 1);
	assert_memory_equal(ip + 66, our_mac, MAC_BYTES);
	assert_int_equal(probe_world_icmp6_sum(ip, ip + 40, 32), 0xffff);
}

/* 3. The same for IPv6: from a neighbour, and from one that looks for a duplicate. Broken
 * solicitations pass unread. */
static void
test_solicitation_for_us(void **state)
{
	static const uint8_t us[16] = {0xfd, [14] = 2, [15] = 0x50};
	static const uint8_t group[16] = {0xff, 2, [11] = 1, [12] = 0xff, [14] = 2, [15] = 0x50};
	static const uint8_t backend[16] = {0xfd, [15] = 2};
	static const uint8_t everybody[16] = {0xff, 2, [15] = 1};
	static const uint8_t everybody_mac[MAC_BYTES] = {0x33, 0x33, 0, 0, 0, 1};
	static const struct {
		unsigned at;
		uint8_t value;
	} broken[] = {{7, 64}, {41, 1}, {63, 0x51}, {65, 0}, {65, 2}, {5, 23}};
	struct probe_config probe = probe_world_config();
	struct world *w = world_new(&(struct world_options){.probe = &probe});
	uint8_t frame[128];
	size_t length;
	struct outcome out;

	(void)state;
	length = probe_world_nd(frame, false, 135, 2, group, 0x250, 1);
	out = world_send_frame(w, SIDE_BACKEND, frame, length);
	check_advertisement(&out, hop_mac, backend, 0x60);
	length = probe_world_nd(frame, false, 135, 2, us, 0x250, 0);
	out = world_send_frame(w, SIDE_BACKEND, frame, length);
	check_advertisement(&out, hop_mac, backend, 0x60);
	length = probe_world_nd(frame, false, 135, 0, group, 0x250, 0);
	out = world_send_frame(w, SIDE_BACKEND, frame, length);
	check_advertisement(&out, everybody_mac, everybody, 0x20);

	for (unsigned i = 0; i < ARRAY_COUNT(broken); i++) {
		length = probe_world_nd(frame, false, 135, 2, group, 0x250, 1);
		frame[14 + broken[i].at] = broken[i].value;
		probe_world_icmp6_fix(frame + 14, frame[14 + 5]);
		assert_int_equal(world_send_frame(w, SIDE_BACKEND, frame, length).reason,
				REASON_pass_not_tcp);
	}
	length = probe_world_nd(frame, false, 135, 2, group, 0x250, 1);
	frame[14 + 42] ^= 1; /* checksum */
	assert_int_equal(world_send_frame(w, SIDE_BACKEND, frame, length).reason,
			REASON_pass_not_tcp);
	length = probe_world_nd(frame, false, 135, 0, group, 0x250, 1); /* RFC 4861 7.1.1 */
	assert_int_equal(world_send_frame(w, SIDE_BACKEND, frame, length).reason,
			REASON_pass_not_tcp);
	length = probe_world_nd(frame, false, 135, 2, group, 0x250, 1);
	assert_int_equal(world_send_frame(w, SIDE_CLIENT, frame, length).reason,
			REASON_pass_not_tcp);
	world_free(w);
}

/* 4. Answers that nobody asked for, or not for us, pass; the first of two counts. */
static void
test_answers_unasked(void **state)
{
	static const uint8_t us[16] = {0xfd, [14] = 2, [15] = 0x50};
	static const uint8_t other[16] = {0xfd, [14] = 2, [15] = 0x51};
	struct probe_config probe = probe_world_config();
	struct world *w = world_new(&(struct world_options){.probe = &probe});
	uint8_t frame[128];
	size_t length;

	(void)state;
	assert_int_equal(probe_world_tell(w, 4, false, 2).reason, REASON_pass_not_ip);
	assert_int_equal(probe_world_tell(w, 6, false, 2).reason, REASON_pass_not_tcp);
	w->configs[0].profile = w->configs[1].profile = PROFILE_PROBE;
	world_publish(w);
	world_pass(w, 10 * TICKS_PER_MS);
	assert_int_equal(w->emitted_count, 2);
	w->emitted_count = 0;
	assert_int_equal(probe_world_tell(w, 4, false, 3).reason, REASON_pass_not_ip);
	assert_int_equal(probe_world_tell(w, 4, true, 2).reason, REASON_pass_not_ip);
	length = probe_world_arp(frame, false, 2, 2, 251);
	assert_int_equal(world_send_frame(w, SIDE_BACKEND, frame, length).reason,
			REASON_pass_not_ip);
	length = probe_world_arp(frame, false, 2, 2, 250);
	assert_int_equal(
			world_send_frame(w, SIDE_CLIENT, frame, length).reason, REASON_pass_not_ip);
	frame[22] = 0x03; /* a group's MAC */
	assert_int_equal(world_send_frame(w, SIDE_BACKEND, frame, length).reason,
			REASON_pass_not_ip);
	length = probe_world_nd(frame, false, 136, 2, other, 2, 2);
	assert_int_equal(world_send_frame(w, SIDE_BACKEND, frame, length).reason,
			REASON_pass_not_tcp);
	length = probe_world_nd(frame, false, 136, 2, us, 2, 0); /* tells no MAC */
	assert_int_equal(world_send_frame(w, SIDE_BACKEND, frame, length).reason,
			REASON_pass_not_tcp);
	world_nothing_emitted(w);

	assert_int_equal(probe_world_tell(w, 4, false, 2).reason, REASON_probe_resolved);
	length = probe_world_arp(frame, false, 2, 2, 250);
	frame[27] = 0x66;
	assert_int_equal(world_send_frame(w, SIDE_BACKEND, frame, length).reason,
			REASON_probe_resolved);
	world_pass(w, 30 * TICKS_PER_MS);
	assert_memory_equal(probe_world_take(w).packet.ether_destination, hop_mac, MAC_BYTES);
	world_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_questions),
			cmocka_unit_test(test_arp_for_us),
			cmocka_unit_test(test_solicitation_for_us),
			cmocka_unit_test(test_answers_unasked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
