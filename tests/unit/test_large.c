/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames of which only the beginning is at hand: what is read of them, what is refused, and that
 * nothing of the rest gets lost on the way. And that no MSS is announced that the ports can't
 * carry.
 */
#include "net/pkt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"
#include "world.h"

#define PAYLOAD 60000
#define FRAME_MAX (PAYLOAD + 512)

static uint8_t payload[PAYLOAD];

/* Kinds of header stacks: 0 IPv4, 1 IPv6, 2 IPv4 with options and two tags, 3 IPv6 with an
 * extension header and a tag; all with TCP options. */
#define STACKS 4

static struct packet
sample(unsigned stack)
{
	struct packet packet =
			stack % 2 == 1 ? packet_ip6("2001:db8::1", 40000, "2001:db8:1::7", 443)
				       : packet_ip4("192.0.2.1", 40000, "198.51.100.7", 443);

	if (stack >= 2)
		packet_add_vlan(&packet, 0x8100, 10);
	if (stack == 2) {
		packet_add_vlan(&packet, 0x8100, 20);
		memset(packet.ip4_options, 1, 8);
		packet.ip4_options_length = 8;
	}
	if (stack == 3) {
		packet.extensions[0] = 6;
		packet.extensions_length = 8;
		packet.extensions_first = 60;
	}
	packet_add_nop(&packet);
	packet_add_nop(&packet);
	packet_add_timestamp(&packet, 0x11223344, 0x55667788);
	packet.payload = payload;
	packet.payload_length = sizeof(payload);
	return packet;
}

/* The first bytes in a block that ends with them, so that a sanitizer sees every byte read behind.
 */
static struct pkt
load(const uint8_t *frame, size_t length, size_t head, enum pkt_csum csum)
{
	uint8_t *block = malloc(head + !head);

	assert_non_null(block);
	memcpy(block, frame, head);
	return (struct pkt){
			.data = block,
			.owner = block,
			.len = (uint32_t)head,
			.rest = (uint32_t)(length - head),
			.csum = (uint8_t)csum,
	};
}

static enum reason
judge(struct pkt *pkt)
{
	pkt_parse(pkt, SIDE_CLIENT);
	return pkt->kind == PKT_TCP ? pkt_check_tcp(pkt) : (enum reason)pkt->reason;
}

/* 1. PITFALLS 21: wherever the bytes at hand end, nothing behind them is read; with all headers at
 * hand the segment is taken, with fewer it is refused, never passed. */
static void
test_pitfall_21_headers_of_a_large_frame(void **state)
{
	static uint8_t frame[FRAME_MAX];

	(void)state;
	for (unsigned stack = 0; stack < STACKS; stack++) {
		struct packet packet = sample(stack);
		const size_t length = packet_write(&packet, frame, sizeof(frame));
		const size_t headers = length - PAYLOAD;

		for (size_t head = 0; head <= headers + 4; head++) {
			struct pkt pkt = load(frame, length, head, PKT_CSUM_LATER);
			const enum reason reason = judge(&pkt);

			if (head < headers) {
				assert_int_not_equal(reason, REASON_NONE);
				assert_int_equal(reason_verdict(reason), VERDICT_DROP);
			} else {
				assert_int_equal(reason, REASON_NONE);
				assert_int_equal(pkt_payload_length(&pkt), PAYLOAD);
				assert_true(pkt.opt.has_timestamp);
			}
			free(pkt.owner);
		}
	}
}

/* 2. PITFALLS 20: an open checksum is taken on the port's word, whatever it says; an IPv4 header's
 * is not. Without anybody's word a frame that can't be summed is refused. */
static void
test_pitfall_20_open_checksum(void **state)
{
	static const struct {
		enum pkt_csum csum;
		bool damages_ip, damages_tcp;
		enum reason reason;
	} cases[] = {
			/* 1 */ {PKT_CSUM_LATER, false, false, REASON_NONE},
			/* 2 */ {PKT_CSUM_LATER, false, true, REASON_NONE},
			/* 3 */ {PKT_CSUM_LATER, true, false, REASON_ip4_checksum},
			/* 4 */ {PKT_CSUM_GOOD, false, false, REASON_NONE},
			/* 5 */ {PKT_CSUM_BAD, false, false, REASON_tcp_checksum},
			/* 6 */ {PKT_CSUM_UNKNOWN, false, false, REASON_tcp_checksum},
			/* 7 */ {PKT_CSUM_PARTIAL, false, false, REASON_tcp_checksum},
	};
	static uint8_t frame[FRAME_MAX];
	struct packet packet = sample(0);
	const size_t length = packet_write(&packet, frame, sizeof(frame));

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
		struct pkt pkt = load(frame, length, 200, cases[i].csum);

		pkt.data[14 + 10] ^= cases[i].damages_ip;
		pkt.data[14 + 20 + 16] ^= cases[i].damages_tcp;
		assert_int_equal(judge(&pkt), cases[i].reason);
		free(pkt.owner);
	}
}

/* 3. What isn't TCP: ICMP that is not all at hand could hide an error about a connection. Others
 * pass, and a fragment is judged by the bytes there are. */
static void
test_other_large_frames(void **state)
{
	static const struct {
		uint8_t protocol;
		uint16_t fragment;
		enum pkt_kind kind;
		enum reason reason;
	} cases[] = {
			/* 1 */ {1, 0, PKT_BAD, REASON_frame_too_large},
			/* 2 */ {17, 0, PKT_FOREIGN, REASON_pass_not_tcp},
			/* 3 */ {6, 0x2000, PKT_FRAGMENT, REASON_NONE},
	};
	static uint8_t frame[FRAME_MAX];
	struct packet packet = sample(0);
	const size_t length = packet_write(&packet, frame, sizeof(frame));

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
		struct pkt pkt = load(frame, length, 14 + 20 + 9, PKT_CSUM_LATER);

		pkt.data[14 + 9] = cases[i].protocol;
		pkt.data[14 + 6] = (uint8_t)(cases[i].fragment >> 8);
		pkt_parse(&pkt, SIDE_CLIENT);
		assert_int_equal(pkt.kind, cases[i].kind);
		assert_int_equal(pkt.reason, cases[i].reason);
		free(pkt.owner);
	}
}

/* 4. A segment in several buffers is spliced with the rest of it, both ways; so is one that was
 * held until the backend answered; and a packet that Sluice makes in a frame's place has no rest.
 */
static void
test_pitfall_21_spliced_whole(void **state)
{
	(void)state;
	for (unsigned version = 4; version <= 6; version += 2) {
		struct world *w = world_new(&(struct world_options){0});
		struct flow_script f = flow_script_default(version, 40000);
		struct packet p;
		struct outcome out;

		flow_establish(w, &f);
		w->head_length = 128;
		p = flow_client(&f, PACKET_ACK | PACKET_PSH, f.client_isn + 1, f.iss + 1);
		p.payload = payload;
		p.payload_length = 1500;
		out = world_send(w, SIDE_CLIENT, &p);
		assert_int_equal(out.reason, REASON_spliced);
		assert_int_equal(out.length, packet_size(&p));
		assert_int_equal(out.packet.payload_length, 1500);

		p = flow_backend(&f, PACKET_ACK, f.backend_isn + 1, f.client_isn + 1 + 1500);
		p.payload = payload;
		p.payload_length = 1700;
		out = world_send(w, SIDE_BACKEND, &p);
		assert_int_equal(out.reason, REASON_spliced);
		assert_int_equal(out.packet.seq, f.iss + 1);
		assert_int_equal(out.packet.payload_length, 1700);

		/* Held until the backend answers. */
		f = flow_script_default(version, 40002);
		flow_send_syn(w, &f);
		p = flow_ack(&f);
		assert_int_equal(world_send(w, SIDE_CLIENT, &p).reason, REASON_ack_connecting);
		p.flags |= PACKET_PSH;
		p.payload = payload;
		p.payload_length = 1400;
		assert_int_equal(world_send(w, SIDE_CLIENT, &p).reason, REASON_client_early_held);
		world_nothing_emitted(w);
		p = flow_synack(&f);
		world_send(w, SIDE_BACKEND, &p);
		assert_int_equal(w->emitted[w->emitted_count - 1].packet.payload_length, 1400);
		w->emitted_count = 0;

		/* A SYN with data (PITFALLS 19): answered without them. */
		f.client_port = 40001;
		p = flow_client(&f, PACKET_SYN, f.client_isn, 0);
		p.payload = payload;
		p.payload_length = 1500;
		out = world_send(w, SIDE_CLIENT, &p);
		assert_int_equal(out.reason, REASON_syn_cookie_sent);
		assert_int_equal(out.packet.payload_length, 0);
		assert_int_equal(out.length, packet_size(&out.packet));
		world_free(w);
	}
}

/* 5. PITFALLS 4: neither the client nor the backend is told an MSS that is more than the smaller
 * port's MTU carries; one that fits stays. */
static void
test_pitfall_4_mss_fits_ports(void **state)
{
	static const struct {
		uint16_t mtu;
		uint16_t announced, client; /* configured, and in the client's SYN */
		unsigned ip_version;
		uint16_t to_client, to_backend;
	} cases[] = {
			/* 1 */ {9000, 8960, 8960, 4, 8960, 8960},
			/* 2 */ {1500, 8960, 8960, 4, 1460, 1460},
			/* 3 */ {1500, 8940, 8940, 6, 1440, 1440},
			/* 4 */ {1400, 1460, 536, 4, 1360, 536},
			/* 5: no limit */ {0, 8960, 8960, 4, 8960, 8960},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
		struct world *w = world_new(&(struct world_options){
				.mode = WORLD_MODE_1,
				.mtu = cases[i].mtu,
		});
		struct flow_script f = flow_script_default(cases[i].ip_version, 40000);
		struct packet p;
		struct outcome out;

		for (unsigned slot = 0; slot < WORLD_BACKENDS; slot++)
			w->configs[slot].announced_mss = cases[i].announced;
		world_publish(w);
		f.client_mss = cases[i].client;
		p = flow_syn(&f);
		out = world_send(w, SIDE_CLIENT, &p);
		assert_int_equal(out.reason, REASON_syn_queued);
		assert_int_equal(packet_mss(&out.packet), cases[i].to_client);
		out = world_send(w, SIDE_CLIENT, &p);
		assert_int_equal(out.reason, REASON_syn_again);
		assert_int_equal(packet_mss(&out.packet), cases[i].to_client);
		p = flow_client(&f, PACKET_ACK, f.client_isn + 1, out.packet.seq + 1);
		out = world_send(w, SIDE_CLIENT, &p);
		assert_int_equal(out.reason, REASON_ack_connecting);
		assert_int_equal(packet_mss(&out.packet), cases[i].to_backend);
		world_free(w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_pitfall_21_headers_of_a_large_frame),
			cmocka_unit_test(test_pitfall_20_open_checksum),
			cmocka_unit_test(test_other_large_frames),
			cmocka_unit_test(test_pitfall_21_spliced_whole),
			cmocka_unit_test(test_pitfall_4_mss_fits_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
