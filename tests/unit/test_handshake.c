/* SPDX-License-Identifier: BSD-3-Clause */
/* The handshake with the client, packets in and packets out: SYN, cookie, proof, accept ring. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "world.h"

static const unsigned versions[] = {4, 6};

/* 1. A SYN is answered in place: addresses, ports and MACs exchanged, tags kept, DF, no state, a
 * window of two segments (PITFALLS 5). */
static void
test_syn_answer(void **state)
{
	(void)state;
	for (unsigned v = 0; v < ARRAY_COUNT(versions); v++)
		for (unsigned vlans = 0; vlans <= 2; vlans++) {
			struct world *w = world_new(&(struct world_options){0});
			struct flow_script f = flow_script_default(versions[v], 40000);

			f.vlan_count = vlans;

			struct packet syn = flow_syn(&f);
			struct packet answer = flow_send_syn(w, &f);

			assert_memory_equal(answer.ether_source, syn.ether_destination, 6);
			assert_memory_equal(answer.ether_destination, syn.ether_source, 6);
			assert_memory_equal(answer.source, syn.destination, 16);
			assert_memory_equal(answer.destination, syn.source, 16);
			assert_int_equal(answer.source_port, 80);
			assert_int_equal(answer.destination_port, 40000);
			assert_int_equal(answer.vlan_count, vlans);
			assert_int_equal(answer.window, versions[v] == 4 ? 2 * 1460 : 2 * 1440);
			assert_int_equal(answer.payload_length, 0);
			assert_int_equal(answer.ttl, 64);
			assert_int_equal(packet_mss(&answer), versions[v] == 4 ? 1460 : 1440);
			assert_int_equal(packet_wscale(&answer), 7);
			assert_non_null(packet_find_option(&answer, PACKET_OPTION_SACK_PERMITTED));
			if (versions[v] == 4)
				assert_int_equal(answer.ip4_fragment, 0x4000);
			assert_int_equal(world_connections(w), 0);
			world_nothing_emitted(w);
			assert_int_equal(world_counter(w, versions[v] == 6, COUNTER_SyncookiesSent),
					1);
			world_free(w);
		}
}

/* 2. Only what the client offered is answered, in every combination, and the SYN repeated gets the
 * same answer. */
static void
test_option_combinations(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits < 16; bits++) {
		struct world *w = world_new(&(struct world_options){0});
		struct flow_script f = flow_script_default(4, 40000);
		uint32_t tsval, tsecr, iss;

		f.client_wscale = bits & 1 ? 7 : -1;
		f.client_sack = bits & 2;
		f.client_timestamp = bits & 4;
		f.client_mss = bits & 8 ? 1460 : 0;

		struct packet answer = flow_send_syn(w, &f);

		iss = f.iss;
		assert_int_equal(packet_wscale(&answer), bits & 1 ? 7 : -1);
		assert_int_equal(packet_find_option(&answer, PACKET_OPTION_SACK_PERMITTED) != NULL,
				(bits & 2) != 0);
		assert_int_equal(packet_timestamp(&answer, &tsval, &tsecr), (bits & 4) != 0);
		/* Where the SYN has no room for it, the answer has none. */
		assert_int_equal(packet_mss(&answer), bits & 8 || bits == 0 ? 1460 : 0);
		flow_send_syn(w, &f);
		assert_int_equal(f.iss, iss);
		world_free(w);
	}
}

/* 3. PITFALLS 19: data in a SYN, a Fast Open cookie, MD5, AO, MPTCP: not echoed, data not
 * acknowledged. */
static void
test_pitfall_19_syn_extras(void **state)
{
	static const uint8_t kinds[] = {
			34 /* TFO */, 19 /* MD5 */, 29 /* AO */, 30 /* MPTCP */, 253};

	(void)state;
	for (unsigned k = 0; k < ARRAY_COUNT(kinds); k++) {
		struct world *w = world_new(&(struct world_options){0});
		struct flow_script f = flow_script_default(4, 40000);
		struct packet syn = flow_syn(&f);
		struct outcome out;

		syn.options[syn.options_length] = kinds[k];
		syn.options[syn.options_length + 1] = 10;
		memset(&syn.options[syn.options_length + 2], 0x77, 8);
		syn.options_length += 10;
		syn.payload = (const uint8_t *)"GET / HTTP/1.0\r\n\r\n";
		syn.payload_length = 18;
		out = world_send(w, SIDE_CLIENT, &syn);
		assert_int_equal(out.reason, REASON_syn_cookie_sent);
		assert_int_equal(out.packet.ack, f.client_isn + 1);
		assert_int_equal(out.packet.payload_length, 0);
		assert_null(packet_find_option(&out.packet, kinds[k]));
		/* PITFALLS 11: an answer is never longer than what it answers here. */
		assert_true(out.length <= packet_size(&syn));
		world_free(w);
	}
}

/* 4. The proof becomes the backend's SYN: the client's ISN, MSS, scale, SACK, timestamps, TTL,
 * DSCP, flow label (PITFALLS 13), window from the ACK. */
static void
test_pitfall_13_backend_syn(void **state)
{
	(void)state;
	for (unsigned v = 0; v < ARRAY_COUNT(versions); v++)
		for (unsigned bits = 0; bits < 8; bits++) {
			struct world *w = world_new(&(struct world_options){0});
			struct flow_script f = flow_script_default(versions[v], 40000);
			uint32_t tsval, tsecr;

			f.vlan_count = bits % 3;
			f.client_wscale = bits & 1 ? 7 : -1;
			f.client_sack = bits & 2;
			f.client_timestamp = bits & 4;
			f.client_mss = versions[v] == 4 ? 1452 : 1432;
			flow_send_syn(w, &f);
			f.client_tsval++;

			struct packet ack = flow_ack(&f);

			ack.ttl = 57;
			ack.tos = 0xb8 | 2;
			ack.flow_label = versions[v] == 6 ? 0xabcde : 0;

			struct outcome out = world_send(w, SIDE_CLIENT, &ack);
			struct packet *syn = &out.packet;

			assert_int_equal(out.reason, REASON_ack_connecting);
			assert_int_equal(out.to, SIDE_BACKEND);
			assert_int_equal(syn->flags, PACKET_SYN);
			assert_int_equal(syn->seq, f.client_isn);
			assert_int_equal(syn->ack, 0);
			assert_int_equal(syn->payload_length, 0);
			assert_int_equal(syn->ttl, 57);
			assert_int_equal(syn->tos, 0xb8);
			assert_int_equal(syn->flow_label, ack.flow_label);
			assert_int_equal(syn->vlan_count, f.vlan_count);
			assert_memory_equal(syn->ether_source, ack.ether_source, 6);
			assert_memory_equal(syn->source, ack.source, 16);
			assert_int_equal(syn->source_port, 40000);
			assert_int_equal(packet_mss(syn), f.client_mss);
			assert_int_equal(packet_wscale(syn), f.client_wscale);
			assert_int_equal(syn->window, bits & 1 ? 502 << 7 : 502);
			assert_int_equal(packet_find_option(syn, PACKET_OPTION_SACK_PERMITTED) !=
							 NULL,
					f.client_sack);
			assert_int_equal(packet_timestamp(syn, &tsval, &tsecr), f.client_timestamp);
			if (f.client_timestamp) {
				assert_int_equal(tsval, f.client_tsval);
				assert_int_equal(tsecr, 0);
			}
			assert_int_equal(world_connections(w), 1);
			assert_int_equal(w->shared[versions[v] == 6].accept, 1);
			world_free(w);
		}
}

/* 5. An ACK with data, PSH or FIN proves as well; without room for its data that is not kept, the
 * client repeats it. test_early.c has the rest. */
static void
test_proof_with_data(void **state)
{
	static const uint8_t flags[] = {
			PACKET_ACK, PACKET_ACK | PACKET_PSH, PACKET_ACK | PACKET_FIN};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(flags); i++) {
		struct world *w = world_new(&(struct world_options){.no_early_packets = true});
		struct flow_script f = flow_script_default(4, 40000);
		struct packet ack;
		struct outcome out;

		flow_send_syn(w, &f);
		ack = flow_client(&f, flags[i], f.client_isn + 1, f.iss + 1);
		ack.payload = (const uint8_t *)"hello";
		ack.payload_length = 5;
		out = world_send(w, SIDE_CLIENT, &ack);
		assert_int_equal(out.reason, REASON_ack_connecting);
		assert_int_equal(out.packet.flags, PACKET_SYN);
		assert_int_equal(out.packet.payload_length, 0);
		world_free(w);
	}
}

/* 6. The client's final ACK is lost; its zero-window probe (Linux tcp_xmit_probe_skb) proves it in
 * its place. */
static void
test_lost_final_ack(void **state)
{
	struct world *w = world_new(&(struct world_options){0});
	struct flow_script f = flow_script_default(4, 40000);
	struct packet probe;
	struct outcome out;

	(void)state;
	flow_send_syn(w, &f);
	world_pass(w, TICKS_PER_S);
	probe = flow_client(&f, PACKET_ACK, f.client_isn, f.iss + 1);
	out = world_send(w, SIDE_CLIENT, &probe);
	assert_int_equal(out.reason, REASON_ack_connecting);
	assert_int_equal(out.packet.seq, f.client_isn);
	world_free(w);
}

/* 7. Nothing but a valid cookie opens anything: wrong ack, wrong seq, wrong port, replay after two
 * minutes. */
static void
test_wrong_proofs(void **state)
{
	struct world *w = world_new(&(struct world_options){0});
	struct flow_script f = flow_script_default(4, 40000);
	struct packet good, bad;

	(void)state;
	flow_send_syn(w, &f);
	good = flow_ack(&f);
	for (unsigned bit = 0; bit < 32; bit++) {
		bad = good;
		bad.ack ^= UINT32_C(1) << bit;
		assert_int_equal(
				world_send(w, SIDE_CLIENT, &bad).reason, REASON_ack_cookie_invalid);
		bad = good;
		bad.seq ^= UINT32_C(1) << bit;
		if (bad.seq == f.client_isn) /* a zero-window probe is a proof: case 6 */
			continue;
		assert_int_equal(
				world_send(w, SIDE_CLIENT, &bad).reason, REASON_ack_cookie_invalid);
	}
	bad = good;
	bad.source_port++;
	assert_int_equal(world_send(w, SIDE_CLIENT, &bad).reason, REASON_ack_cookie_invalid);
	assert_int_equal(world_counter(w, 0, COUNTER_SyncookiesFailed), 64);
	world_pass(w, 129 * TICKS_PER_S);
	/* By then no cookie is out there, so none is looked for. */
	assert_int_equal(world_send(w, SIDE_CLIENT, &good).reason, REASON_stray_client);
	assert_int_equal(world_connections(w), 0);
	world_free(w);
}

/* 8. PITFALLS 27: the key rolls between SYN-ACK and ACK, both ways round the parity bit. */
static void
test_pitfall_27_key_roll(void **state)
{
	const ticks_t epoch = 64 * TICKS_PER_S;

	(void)state;
	for (unsigned parity = 0; parity < 2; parity++) {
		ticks_t border = (UINT64_C(26562500) + parity) * epoch;
		struct world *w = world_new(&(struct world_options){.start = border - 1});
		struct flow_script f = flow_script_default(4, 40000);

		flow_send_syn(w, &f);
		w->now = border;

		struct packet ack = flow_ack(&f);

		assert_int_equal(world_send(w, SIDE_CLIENT, &ack).reason, REASON_ack_connecting);
		world_free(w);
	}
}

/* 9. Segments that belong to nothing and can prove nothing; before any cookie was sent, and after.
 */
static void
test_strays(void **state)
{
	static const struct {
		enum side from;
		uint8_t flags;
		enum reason reason; /* once a cookie was sent */
	} cases[] = {
			{SIDE_CLIENT, PACKET_RST, REASON_stray_client},
			{SIDE_CLIENT, PACKET_RST | PACKET_ACK, REASON_stray_client},
			{SIDE_CLIENT, PACKET_SYN | PACKET_ACK, REASON_stray_client},
			{SIDE_CLIENT, PACKET_ACK, REASON_ack_cookie_invalid},
			{SIDE_CLIENT, PACKET_FIN | PACKET_ACK, REASON_ack_cookie_invalid},
			{SIDE_BACKEND, PACKET_SYN, REASON_stray_backend},
			{SIDE_BACKEND, PACKET_SYN | PACKET_ACK, REASON_stray_backend},
			{SIDE_BACKEND, PACKET_ACK, REASON_stray_backend},
			{SIDE_BACKEND, PACKET_RST, REASON_stray_backend},
			{SIDE_BACKEND, PACKET_FIN | PACKET_ACK, REASON_stray_backend},
	};
	struct world *w = world_new(&(struct world_options){0});
	struct flow_script f = flow_script_default(4, 40000);
	struct flow_script other = flow_script_default(4, 40001);

	(void)state;
	for (unsigned i = 0; i < 2 * ARRAY_COUNT(cases); i++) {
		unsigned n = i % ARRAY_COUNT(cases);
		bool cookies = i >= ARRAY_COUNT(cases);
		struct packet packet = cases[n].from == SIDE_CLIENT
						       ? flow_client(&f, cases[n].flags, 1, 2)
						       : flow_backend(&f, cases[n].flags, 1, 2);
		enum reason reason = cases[n].reason;

		if (i == ARRAY_COUNT(cases))
			flow_send_syn(w, &other);
		if (!cookies && reason == REASON_ack_cookie_invalid)
			reason = REASON_stray_client;
		assert_int_equal(world_send(w, cases[n].from, &packet).reason, reason);
	}
	assert_int_equal(world_connections(w), 0);
	world_nothing_emitted(w);
	world_free(w);
}

/* 10. SEMANTICS: A + 1 fit into the accept ring; beyond, SYNs are refused, and the final ACK is
 * dropped or reset as tcp_abort_on_overflow says. PITFALLS 25. */
static void
test_pitfall_25_overflow(void **state)
{
	(void)state;
	for (unsigned abort = 0; abort < 2; abort++) {
		struct world *w = world_new(&(struct world_options){
				.backend = {.backlog = 5,
						.tcp_abort_on_overflow = (uint8_t)abort}});
		struct flow_script flows[7], late = flow_script_default(4, 50000);
		struct packet packet;
		struct outcome out;

		for (unsigned i = 0; i < ARRAY_COUNT(flows); i++) {
			flows[i] = flow_script_default(4, (uint16_t)(40000 + i));
			flow_send_syn(w, &flows[i]);
		}
		for (unsigned i = 0; i < 6; i++) {
			packet = flow_ack(&flows[i]);
			assert_int_equal(world_send(w, SIDE_CLIENT, &packet).reason,
					REASON_ack_connecting);
		}
		assert_int_equal(w->shared[0].accept, 6);

		packet = flow_ack(&flows[6]);
		out = world_send(w, SIDE_CLIENT, &packet);
		if (abort) {
			assert_int_equal(out.reason, REASON_ack_overflow_reset);
			assert_int_equal(out.to, SIDE_CLIENT);
			assert_int_equal(out.packet.flags, PACKET_RST);
			assert_int_equal(out.packet.seq, flows[6].iss + 1);
		} else {
			assert_int_equal(out.reason, REASON_ack_overflow_dropped);
		}
		packet = flow_syn(&late);
		assert_int_equal(
				world_send(w, SIDE_CLIENT, &packet).reason, REASON_syn_accept_full);
		assert_int_equal(world_counter(w, 0, COUNTER_ListenOverflows), 2);
		assert_int_equal(world_counter(w, 0, COUNTER_ListenDrops), 2);
		assert_int_equal(world_counter(w, 0, COUNTER_EmbryonicRsts), abort);

		/* Room again: the dropped client's retransmission carries the same proof. */
		packet = flow_synack(&flows[0]);
		assert_int_equal(world_send(w, SIDE_BACKEND, &packet).reason,
				REASON_backend_connected);
		packet = flow_ack(&flows[6]);
		assert_int_equal(world_send(w, SIDE_CLIENT, &packet).reason, REASON_ack_connecting);
		world_free(w);
	}
}

/* 11. A full connection table: dropped and counted, the accept ring is not charged. */
static void
test_table_full(void **state)
{
	struct world *w = world_new(&(struct world_options){.connections = 1});
	struct flow_script a = flow_script_default(4, 40000), b = flow_script_default(4, 40001);
	struct packet packet;

	(void)state;
	flow_send_syn(w, &a);
	flow_send_syn(w, &b);
	packet = flow_ack(&a);
	assert_int_equal(world_send(w, SIDE_CLIENT, &packet).reason, REASON_ack_connecting);
	packet = flow_ack(&b);
	assert_int_equal(world_send(w, SIDE_CLIENT, &packet).reason, REASON_conn_table_full);
	assert_int_equal(w->shared[0].accept, 1);
	assert_int_equal(world_connections(w), 1);
	world_free(w);
}

/* 12. One burst of everything: 16 SYNs, proofs and their first data behind them, in one call. */
static void
test_mixed_burst(void **state)
{
	struct world *w = world_new(&(struct world_options){0});
	struct flow_script flows[8];
	struct packet packets[32];
	struct outcome out[32];

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		flows[i] = flow_script_default(i % 2 ? 6 : 4, (uint16_t)(41000 + i));
		flow_send_syn(w, &flows[i]);
	}
	for (unsigned i = 0; i < 8; i++) {
		struct flow_script other = flow_script_default(4, (uint16_t)(42000 + i));

		packets[4 * i] = flow_syn(&other);
		packets[4 * i + 1] = flow_ack(&flows[i]);
		other.client_port++;
		packets[4 * i + 2] = flow_syn(&other);
		packets[4 * i + 3] = flow_client(&flows[i], PACKET_ACK | PACKET_PSH,
				flows[i].client_isn + 1, flows[i].iss + 1);
		packets[4 * i + 3].payload = (const uint8_t *)"x";
		packets[4 * i + 3].payload_length = 1;
	}
	world_send_burst(w, SIDE_CLIENT, 32, packets, out);
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(out[4 * i].reason, REASON_syn_cookie_sent);
		assert_int_equal(out[4 * i + 1].reason, REASON_ack_connecting);
		assert_int_equal(out[4 * i + 2].reason, REASON_syn_cookie_sent);
		assert_int_equal(out[4 * i + 3].reason, REASON_client_early_held);
	}
	assert_int_equal(world_connections(w), 8);
	world_free(w);
}

/* 13. Traffic that is not for a backend leaves byte for byte as it came, in both directions. */
static void
test_foreign(void **state)
{
	struct world *w = world_new(&(struct world_options){0});
	struct packet packets[] = {
			packet_ip4("10.0.0.1", 40000, "10.0.0.2", 22),
			packet_ip4("10.0.0.1", 40000, "10.0.0.3", 80),
			packet_ip6("fd00::1", 40000, "fd00::3", 80),
			packet_ip4("10.0.0.1", 80, "10.0.0.9", 80),
	};
	uint8_t frame[WORLD_FRAME_BYTES];
	uint8_t arp[60] = {[0] = 0xff, [12] = 0x08, [13] = 0x06};
	struct outcome out;

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(packets); i++)
		for (enum side from = 0; from < SIDE_COUNT; from++) {
			size_t length = packet_write(&packets[i], frame, sizeof(frame));

			/* Not even a wrong checksum is our business. */
			frame[length - 4] ^= 1;
			out = world_send_frame(w, from, frame, length);
			assert_int_equal(out.reason, REASON_pass_not_protected);
			assert_int_equal(out.to, side_other(from));
			assert_int_equal(out.length, length);
			assert_memory_equal(out.frame, frame, length);
		}
	out = world_send_frame(w, SIDE_CLIENT, arp, sizeof(arp));
	assert_int_equal(out.reason, REASON_pass_not_ip);
	assert_memory_equal(out.frame, arp, sizeof(arp));
	world_free(w);
}

/* 14. Fragments of TCP to or from a protected address end here; to others they pass (PITFALLS 18).
 */
static void
test_pitfall_18_fragments(void **state)
{
	static const uint16_t fields[] = {0x2000, 0x2001, 0x0001, 0x6000};
	struct world *w = world_new(&(struct world_options){0});

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(fields); i++) {
		struct packet to = packet_ip4("10.0.0.1", 40000, "10.0.0.2", 22);
		struct packet from = packet_ip4("10.0.0.2", 22, "10.0.0.1", 40000);
		struct packet other = packet_ip4("10.0.0.1", 40000, "10.0.0.3", 80);

		to.ip4_fragment = from.ip4_fragment = other.ip4_fragment = fields[i];
		assert_int_equal(world_send(w, SIDE_CLIENT, &to).reason, REASON_fragment);
		assert_int_equal(world_send(w, SIDE_BACKEND, &from).reason, REASON_fragment);
		assert_int_equal(world_send(w, SIDE_CLIENT, &other).reason,
				REASON_pass_not_protected);
	}
	world_free(w);
}

/* 15. PITFALLS 4: a client's MSS reaches the backend rounded down, the family default without the
 * option. */
static void
test_pitfall_4_mss(void **state)
{
	static const struct {
		unsigned ip_version;
		uint16_t offered;
		uint16_t expected;
	} cases[] = {
			{4, 0, 536},
			{4, 536, 536},
			{4, 88, 88},
			{4, 537, 536},
			{4, 1459, 1452},
			{4, 1460, 1460},
			{4, 8960, 1460},
			{6, 0, 1220},
			{6, 1220, 1220},
			{6, 88, 88},
			{6, 1440, 1440},
			{6, 8940, 1440},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
		struct world *w = world_new(&(struct world_options){0});
		struct flow_script f = flow_script_default(cases[i].ip_version, 40000);
		struct packet ack;

		f.client_mss = cases[i].offered;
		flow_send_syn(w, &f);
		ack = flow_ack(&f);

		struct outcome out = world_send(w, SIDE_CLIENT, &ack);

		assert_int_equal(packet_mss(&out.packet), cases[i].expected);
		world_free(w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_syn_answer),
			cmocka_unit_test(test_option_combinations),
			cmocka_unit_test(test_pitfall_19_syn_extras),
			cmocka_unit_test(test_pitfall_13_backend_syn),
			cmocka_unit_test(test_proof_with_data),
			cmocka_unit_test(test_lost_final_ack),
			cmocka_unit_test(test_wrong_proofs),
			cmocka_unit_test(test_pitfall_27_key_roll),
			cmocka_unit_test(test_strays),
			cmocka_unit_test(test_pitfall_25_overflow),
			cmocka_unit_test(test_table_full),
			cmocka_unit_test(test_mixed_burst),
			cmocka_unit_test(test_foreign),
			cmocka_unit_test(test_pitfall_18_fragments),
			cmocka_unit_test(test_pitfall_4_mss),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
