/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The probe of backends: what the SYN offers, what its answer teaches, who is not believed, and
 * when it is tried again.
 */
#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "probe_world.h"

static const uint8_t our_mac[MAC_BYTES] = WORLD_MAC;
static const uint8_t hop_mac[MAC_BYTES] = PROBE_WORLD_HOP_MAC;

/* Lets a probe come as far as its SYN; the hop is the backend. */
static struct packet
take_syn(struct world *w, unsigned version, bool tagged)
{
	struct emitted_packet question;

	world_pass(w, 10 * TICKS_PER_MS);
	question = probe_world_take(w);
	assert_int_equal(question.packet.ip_version, 0);
	assert_int_equal(probe_world_tell(w, version, tagged, 2).reason, REASON_probe_resolved);
	world_pass(w, 30 * TICKS_PER_MS);
	return probe_world_take(w).packet;
}

/* The backend's answer to a SYN, without options. */
static struct packet
answer_to(const struct packet *syn, uint8_t flags)
{
	struct packet p = *syn;

	memcpy(p.ether_destination, syn->ether_source, MAC_BYTES);
	memcpy(p.ether_source, syn->ether_destination, MAC_BYTES);
	memcpy(p.source, syn->destination, sizeof(p.source));
	memcpy(p.destination, syn->source, sizeof(p.destination));
	p.source_port = syn->destination_port;
	p.destination_port = syn->source_port;
	p.flags = flags;
	p.seq = 0x12345678;
	p.ack = syn->seq + 1;
	p.window = 28960;
	p.options_length = 0;
	return p;
}

static struct inspect_profile
look(struct world *w, uint16_t slot)
{
	struct inspect *letter = calloc(1, sizeof(*letter));
	struct inspect_profile row;

	assert_non_null(letter);
	letter->kind = INSPECT_PROFILES;
	letter->slot = slot;
	letter->limit = 1;
	w->box = letter;
	while (!letter->done)
		sluice_tick(w->worker, w->now, 16);
	assert_int_equal(letter->count, 1);
	row = letter->profiles[0];
	free(letter);
	return row;
}

static void
check_syn(const struct packet *syn, unsigned version, bool tagged)
{
	static const uint8_t ip4[2][4] = {{10, 0, 0, 250}, {10, 0, 0, 2}};
	static const uint8_t ip6[2][16] = {{0xfd, [14] = 2, [15] = 0x50}, {0xfd, [15] = 2}};
	uint32_t tsval, tsecr;

	assert_int_equal(syn->ip_version, version);
	assert_memory_equal(syn->source, version == 6 ? ip6[0] : ip4[0], version == 6 ? 16 : 4);
	assert_memory_equal(
			syn->destination, version == 6 ? ip6[1] : ip4[1], version == 6 ? 16 : 4);
	assert_memory_equal(syn->ether_source, our_mac, MAC_BYTES);
	assert_memory_equal(syn->ether_destination, hop_mac, MAC_BYTES);
	assert_int_equal(syn->vlan_count, tagged);
	if (tagged)
		assert_int_equal(syn->vlans[0].tci, 10);
	assert_int_equal(syn->destination_port, 80);
	assert_in_range(syn->source_port, 49152, 65535);
	assert_int_equal(syn->flags, PACKET_SYN | PACKET_ECE | PACKET_CWR);
	assert_int_equal(syn->tos, 0);
	assert_int_equal(syn->payload_length, 0);
	assert_int_equal(packet_mss(syn), version == 6 ? 1440 : 1460);
	assert_int_equal(packet_wscale(syn), 7);
	assert_non_null(packet_find_option(syn, PACKET_OPTION_SACK_PERMITTED));
	assert_true(packet_timestamp(syn, &tsval, &tsecr));
	assert_int_equal(tsecr, 0);
}

/* 1. SYN, answer, RST; and the first client is told what was learned. */
static void
test_learns_before_the_first_client(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		unsigned version = i & 2 ? 6 : 4;
		bool tagged = i & 1;
		struct probe_config probe = probe_world_config();
		struct flow_script f = flow_script_default(version, 40000);
		struct packet syn, answer, synack;
		struct inspect_profile row;
		struct outcome out;
		struct world *w;

		probe.vlan = tagged ? 10 : 0;
		w = probe_world_new(probe_world_slot(version), &probe);
		row = look(w, probe_world_slot(version));
		assert_int_equal(row.profile.learned_at, 0);
		w->emitted_count = 0;
		assert_int_equal(probe_world_tell(w, version, tagged, 2).reason,
				REASON_probe_resolved);
		world_pass(w, 30 * TICKS_PER_MS);
		syn = probe_world_take(w).packet;
		check_syn(&syn, version, tagged);

		answer = answer_to(&syn, PACKET_SYN | PACKET_ACK);
		packet_add_mss(&answer, 1360);
		packet_add_sack_permitted(&answer);
		packet_add_wscale(&answer, 5);
		out = world_send(w, SIDE_BACKEND, &answer);
		assert_int_equal(out.reason, REASON_probe_answered);
		assert_int_equal(out.verdict, VERDICT_REPLY);
		assert_int_equal(out.packet.flags, PACKET_RST);
		assert_int_equal(out.packet.seq, syn.seq + 1);
		assert_int_equal(out.packet.options_length, 0);
		assert_int_equal(out.packet.source_port, syn.source_port);
		assert_memory_equal(out.packet.source, syn.source, sizeof(syn.source));
		assert_memory_equal(out.packet.ether_source, our_mac, MAC_BYTES);
		assert_memory_equal(out.packet.ether_destination, hop_mac, MAC_BYTES);
		assert_int_equal(out.packet.vlan_count, tagged);

		row = look(w, probe_world_slot(version));
		assert_int_equal(row.profile.mss, 1360);
		assert_int_equal(row.profile.wscale, 5);
		assert_int_equal(row.profile.window, 28960);
		assert_int_equal(row.profile.sack, LEARNED_YES);
		assert_int_equal(row.profile.timestamps, LEARNED_NO);
		assert_int_equal(row.profile.ecn, LEARNED_NO);
		assert_int_equal(row.probe.answers, 1);
		assert_int_equal(row.probe.failures, 0);
		assert_true(row.probe.answered_at == row.profile.learned_at);

		synack = flow_send_syn(w, &f);
		assert_int_equal(packet_mss(&synack), 1360);
		assert_null(packet_find_option(&synack, PACKET_OPTION_TIMESTAMP));
		assert_non_null(packet_find_option(&synack, PACKET_OPTION_SACK_PERMITTED));

		/* Nothing more comes of it, ever. */
		world_pass(w, 400 * TICKS_PER_S);
		assert_int_equal(world_connections(w), 0);
		for (unsigned n = 0; n < w->emitted_count; n++)
			assert_int_equal(w->emitted[n].to, SIDE_CLIENT);
		w->emitted_count = 0;
		world_free(w);
	}
}

/* 2. ECN was asked for, and accepted; the repeated SYN-ACK is reset like the first. */
static void
test_repeated_answer(void **state)
{
	struct probe_config probe = probe_world_config();
	struct world *w = probe_world_new(0, &probe);
	struct packet syn = take_syn(w, 4, false), answer;
	uint32_t tsval, tsecr;

	(void)state;
	answer = answer_to(&syn, PACKET_SYN | PACKET_ACK | PACKET_ECE);
	assert_true(packet_timestamp(&syn, &tsval, &tsecr));
	packet_add_mss(&answer, 1460);
	packet_add_timestamp(&answer, 77, tsval);
	for (unsigned n = 0; n < 3; n++) {
		struct outcome out = world_send(w, SIDE_BACKEND, &answer);

		assert_int_equal(out.reason, REASON_probe_answered);
		assert_int_equal(out.packet.seq, syn.seq + 1);
	}
	assert_int_equal(look(w, 0).profile.ecn, LEARNED_YES);
	assert_int_equal(look(w, 0).profile.timestamps, LEARNED_YES);
	assert_int_equal(look(w, 0).profile.wscale, 0);
	/* What was answered did not fail. */
	answer = answer_to(&syn, PACKET_RST | PACKET_ACK);
	assert_int_equal(world_send(w, SIDE_BACKEND, &answer).reason, REASON_probe_refused);
	assert_int_equal(look(w, 0).probe.failures, 0);
	world_free(w);
}

/* Alters one thing of a right answer so that it is a forgery. */
static void
forge(struct packet *answer, unsigned n, uint32_t tsval)
{
	packet_add_mss(answer, 500);
	switch (n) {
	case 0:
		answer->ack--;
		break;
	case 1:
		answer->ack++;
		break;
	case 2:
		answer->destination_port += 2;
		break;
	case 3:
		answer->destination_port ^= 1;
		break;
	case 4:
		packet_add_timestamp(answer, 77, tsval + 1);
		break;
	case 5:
		packet_add_vlan(answer, 0x8100, 10);
		break;
	case 6:
		answer->destination[3] ^= 1;
		break;
	case 7:
		answer->source_port = 443;
		break;
	case 8:
		answer->flags = PACKET_ACK;
		break;
	case 9:
		answer->flags = PACKET_RST;
		break;
	case 10:
		answer->flags = PACKET_RST | PACKET_ACK;
		answer->ack++;
		break;
	}
}

/* 3. Forged answers teach nothing, and nobody answers them. */
static void
test_forged_answers(void **state)
{
	struct probe_config probe = probe_world_config();
	struct world *w = probe_world_new(0, &probe);
	struct packet syn = take_syn(w, 4, false), answer;
	uint32_t tsval, tsecr;

	(void)state;
	assert_true(packet_timestamp(&syn, &tsval, &tsecr));
	for (unsigned n = 0; n <= 10; n++) {
		answer = answer_to(&syn, PACKET_SYN | PACKET_ACK);
		forge(&answer, n, tsval);
		assert_int_equal(world_send(w, SIDE_BACKEND, &answer).reason, REASON_stray_backend);
	}
	answer = answer_to(&syn, PACKET_SYN | PACKET_ACK);
	assert_int_equal(world_send(w, SIDE_CLIENT, &answer).reason, REASON_pass_not_protected);
	assert_int_equal(look(w, 0).profile.learned_at, 0);
	assert_int_equal(look(w, 0).probe.answers, 0);
	assert_int_equal(look(w, 0).probe.failures, 0);
	/* The right one still counts. */
	answer = answer_to(&syn, PACKET_SYN | PACKET_ACK);
	assert_int_equal(world_send(w, SIDE_BACKEND, &answer).reason, REASON_probe_answered);
	world_free(w);
}

/* Passes time until something is emitted; how long that took, rounded to 100 ms. */
static ticks_t
time_until_emitted(struct world *w)
{
	ticks_t begin = w->now;

	while (w->emitted_count == 0) {
		assert_true(w->now - begin < 1000 * TICKS_PER_S);
		world_pass(w, 10 * TICKS_PER_MS);
	}
	return (w->now - begin + 50 * TICKS_PER_MS) / (100 * TICKS_PER_MS);
}

/* 4. A silent backend: 1, 2, ... 32 s, then every 300 s; a new question each time; every other SYN
 * without ECN; no two from one port. */
static void
test_silence(void **state)
{
	static const ticks_t pauses[] = {10, 20, 40, 80, 160, 320, 3000, 3000};
	struct probe_config probe = probe_world_config();
	struct world *w = probe_world_new(0, &probe);
	struct packet syn = take_syn(w, 4, false);

	(void)state;
	for (unsigned n = 0; n < ARRAY_COUNT(pauses); n++) {
		uint16_t port = syn.source_port;

		assert_int_equal(!!(syn.flags & PACKET_ECE), n % 2 == 0);
		assert_int_equal(!!(syn.flags & PACKET_CWR), n % 2 == 0);
		assert_int_equal(time_until_emitted(w), pauses[n]);
		assert_int_equal(look(w, 0).probe.failures, n + 1);
		assert_int_equal(probe_world_take(w).length, 42);
		assert_int_equal(probe_world_tell(w, 4, false, 2).reason, REASON_probe_resolved);
		assert_int_equal(time_until_emitted(w), 0);
		syn = probe_world_take(w).packet;
		assert_int_equal(syn.flags & PACKET_SYN, PACKET_SYN);
		assert_int_not_equal(syn.source_port, port);
	}
	/* The last one did with ECN again: attempts take turns. An answer ends it. */
	struct packet answer = answer_to(&syn, PACKET_SYN | PACKET_ACK);

	assert_int_equal(world_send(w, SIDE_BACKEND, &answer).reason, REASON_probe_answered);
	world_pass(w, 700 * TICKS_PER_S);
	world_nothing_emitted(w);
	world_free(w);
}

/* 5. Nobody has the hop's address: three questions a second apart, then the pause. */
static void
test_silent_hop(void **state)
{
	struct probe_config probe = probe_world_config();
	struct world *w = probe_world_new(1, &probe);

	(void)state;
	for (unsigned attempt = 0; attempt < 3; attempt++) {
		for (unsigned n = 0; n < 3; n++) {
			ticks_t pause = n > 0 ? 10 : attempt > 0 ? 10 + (10 << (attempt - 1)) : 0;

			assert_int_equal(time_until_emitted(w), pause);
			assert_int_equal(probe_world_take(w).length, 86);
		}
	}
	assert_int_equal(look(w, 1).probe.failures, 2);
	assert_int_equal(look(w, 1).probe.sent_at, 0);
	world_free(w);
}

/* 6. Refused, and unreachable: counted once each, and tried again at the pace of silence. */
static void
test_refusals(void **state)
{
	struct probe_config probe = probe_world_config();
	struct world *w = probe_world_new(0, &probe);
	struct packet syn = take_syn(w, 4, false), answer;
	uint8_t frame[256];
	size_t length = packet_size(&syn);
	struct outcome out;

	(void)state;
	answer = answer_to(&syn, PACKET_RST | PACKET_ACK);
	assert_int_equal(world_send(w, SIDE_BACKEND, &answer).reason, REASON_probe_refused);
	assert_int_equal(world_send(w, SIDE_BACKEND, &answer).reason, REASON_probe_refused);
	assert_int_equal(look(w, 0).probe.failures, 1);
	assert_int_equal(time_until_emitted(w), 10);
	syn = probe_world_take(w).packet; /* the hop is known to be there: no question */
	assert_int_equal(syn.flags, PACKET_SYN);

	/* ICMP host unreachable from 10.0.0.2, quoting the SYN. */
	packet_write(&syn, frame + 14 + 28, sizeof(frame) - 42);
	memmove(frame + 14 + 28, frame + 14 + 28 + 14, length - 14);
	probe_world_ether(frame, our_mac, false, 0x0800);
	memcpy(frame + 14,
			(const uint8_t[]){0x45, 0, 0, (uint8_t)(28 + length - 14), 0, 0, 0, 0, 64,
					1, 0, 0, 10, 0, 0, 2, 10, 0, 0, 250, 3, 1, 0, 0, 0, 0, 0,
					0},
			28);
	frame[14 + 28 + 20 + 7] ^= 1; /* seq */
	out = world_send_frame(w, SIDE_BACKEND, frame, 28 + length);
	assert_int_equal(out.reason, REASON_icmp_unknown);
	assert_int_equal(look(w, 0).probe.failures, 1);
	frame[14 + 28 + 20 + 7] ^= 1;
	out = world_send_frame(w, SIDE_BACKEND, frame, 28 + length);
	assert_int_equal(out.reason, REASON_probe_unreachable);
	assert_int_equal(look(w, 0).probe.failures, 2);
	assert_int_equal(time_until_emitted(w), 20);
	assert_int_equal(look(w, 0).profile.learned_at, 0);
	w->emitted_count = 0;
	world_free(w);
}

/* 7. Who is asked for: the backend itself on the link, else the gateway if there is one. */
static void
test_gateway(void **state)
{
	static const struct {
		unsigned version;
		uint8_t prefix;
		bool has_gateway;
		uint8_t hop; /* last byte */
	} cases[] = {
			{4, 24, true, 2},
			{4, 30, true, 254},
			{4, 30, false, 2},
			{4, 0, true, 2},
			{4, 32, true, 254},
			{4, 25, true, 254},
			{6, 64, true, 2},
			{6, 120, true, 254},
			{6, 120, false, 2},
			{6, 128, true, 254},
			{6, 0, true, 2},
			{6, 112, true, 2},
			{6, 119, true, 254},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
		struct probe_config probe = probe_world_config();
		struct emitted_packet question;
		struct world *w;

		probe.ip4.prefix = probe.ip6.prefix = cases[i].prefix;
		if (cases[i].has_gateway) {
			probe.ip4.gateway = ip_addr_from_ip4(htobe32(0x0a0000fe));
			probe.ip6.gateway = (union ip_addr){.bytes = {0xfd, [15] = 0xfe}};
		}
		w = probe_world_new(probe_world_slot(cases[i].version), &probe);
		world_pass(w, 10 * TICKS_PER_MS);
		question = probe_world_take(w);
		assert_int_equal(
				question.frame[cases[i].version == 6 ? 14 + 63 : 41], cases[i].hop);
		assert_int_equal(probe_world_tell(w, cases[i].version, false, cases[i].hop).reason,
				REASON_probe_resolved);
		world_pass(w, 30 * TICKS_PER_MS);
		assert_int_equal(probe_world_take(w).packet.destination[cases[i].version == 6 ? 15
											      : 3],
				2);
		world_free(w);
	}
}

static bool
owns_one_in_eight(void *context, const struct tuple *tuple)
{
	(void)context;
	return tuple->client_port / 2 % 8 == 3;
}

/* 8. A worker probes from ports whose answers come to it. */
static void
test_owner(void **state)
{
	struct probe_config probe = probe_world_config();
	struct world *w = world_new(
			&(struct world_options){.probe = &probe, .owns = owns_one_in_eight});
	struct packet syn;

	(void)state;
	w->configs[0].profile = PROFILE_PROBE;
	world_publish(w);
	syn = take_syn(w, 4, false);
	for (unsigned n = 0; n < 5; n++) {
		assert_int_equal(syn.source_port / 2 % 8, 3);
		time_until_emitted(w);
		probe_world_take(w);
		probe_world_tell(w, 4, false, 2);
		time_until_emitted(w);
		syn = probe_world_take(w).packet;
	}
	world_free(w);
}

/* 9. What begins a series and what ends it: the configuration, and what a client teaches. */
static void
test_changes(void **state)
{
	struct probe_config probe = probe_world_config();
	struct world *w = world_new(&(struct world_options){.probe = &probe});
	struct flow_script f = flow_script_default(4, 40000);

	(void)state;
	world_pass(w, 2 * TICKS_PER_S);
	world_nothing_emitted(w);
	w->configs[0].profile = PROFILE_PROBE;
	world_publish(w);
	world_pass(w, 10 * TICKS_PER_MS);
	probe_world_take(w);

	/* Another address of ours: at once, not after the pause. */
	w->probe.ip4.source = ip_addr_from_ip4(htobe32(0x0a0000fb));
	world_publish(w);
	world_pass(w, 10 * TICKS_PER_MS);
	assert_int_equal(probe_world_take(w).frame[31], 0xfb);

	/* Any other change does not disturb it. */
	world_publish(w);
	world_pass(w, 500 * TICKS_PER_MS);
	world_nothing_emitted(w);

	w->configs[0].profile = PROFILE_LEARN;
	world_publish(w);
	world_pass(w, 100 * TICKS_PER_S);
	world_nothing_emitted(w);

	w->configs[0].profile = PROFILE_PROBE;
	w->configs[0].is_draining = true;
	world_publish(w);
	world_pass(w, TICKS_PER_S);
	world_nothing_emitted(w);
	w->configs[0].is_draining = false;
	world_publish(w);
	world_pass(w, 10 * TICKS_PER_MS);
	probe_world_take(w);

	/* A client's connection tells as much as a probe. */
	flow_establish(w, &f);
	world_pass(w, 10 * TICKS_PER_S);
	world_nothing_emitted(w);
	assert_int_equal(look(w, 0).probe.answers, 0);

	/* Another backend in the slot. */
	w->configs[0].incarnation++;
	world_publish(w);
	world_pass(w, 10 * TICKS_PER_MS);
	probe_world_take(w);
	assert_int_equal(look(w, 0).profile.learned_at, 0);

	w->probe.ip4.source = (union ip_addr){.bytes = {0}};
	world_publish(w);
	world_pass(w, 100 * TICKS_PER_S);
	world_nothing_emitted(w);
	world_free(w);
}

/* 10. The worker says when it has to be woken, and gets by without buffers. */
static void
test_next_tick(void **state)
{
	struct probe_config probe = probe_world_config();
	struct world *w = probe_world_new(0, &probe);
	struct packet syn = take_syn(w, 4, false);
	ticks_t next = sluice_next_tick(w->worker);

	(void)state;
	assert_true(next > w->now + 900 * TICKS_PER_MS && next <= w->now + TICKS_PER_S);
	w->out_of_buffers = true;
	world_pass(w, 2 * TICKS_PER_S);
	world_nothing_emitted(w);
	assert_true(worker_counters(w->worker)->emit_failed > 0);
	w->out_of_buffers = false;
	assert_true(time_until_emitted(w) <= 20);
	w->emitted_count = 0;
	syn = answer_to(&syn, PACKET_SYN | PACKET_ACK); /* late, but not too late */
	assert_int_equal(world_send(w, SIDE_BACKEND, &syn).reason, REASON_probe_answered);
	world_pass(w, 5 * TICKS_PER_S);
	world_nothing_emitted(w);
	assert_true(sluice_next_tick(w->worker) == TICKS_NEVER);
	world_free(w);
}

/* 11. PITFALLS 4: no MSS beyond what the smaller port's MTU carries is named to a backend. */
static void
test_pitfall_4_mss_fits_ports(void **state)
{
	static const struct {
		unsigned version;
		uint16_t mtu, mss;
	} cases[] = {
			/* 1 */ {4, 1400, 1360},
			/* 2 */ {6, 1400, 1340},
			/* 3 */ {4, 1280, 1240},
			/* 4: more than any Ethernet of 1500 has */ {4, 9000, 1460},
			/* 5 */ {6, 9000, 1440},
			/* 6: no limit */ {4, 0, 1460},
	};
	struct probe_config probe = probe_world_config();

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
		struct world *w = world_new(
				&(struct world_options){.probe = &probe, .mtu = cases[i].mtu});
		struct packet syn;

		w->configs[probe_world_slot(cases[i].version)].profile = PROFILE_PROBE;
		world_publish(w);
		syn = take_syn(w, cases[i].version, false);
		assert_int_equal(packet_mss(&syn), cases[i].mss);
		world_free(w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_learns_before_the_first_client),
			cmocka_unit_test(test_repeated_answer),
			cmocka_unit_test(test_forged_answers),
			cmocka_unit_test(test_silence),
			cmocka_unit_test(test_silent_hop),
			cmocka_unit_test(test_refusals),
			cmocka_unit_test(test_gateway),
			cmocka_unit_test(test_owner),
			cmocka_unit_test(test_changes),
			cmocka_unit_test(test_next_tick),
			cmocka_unit_test(test_pitfall_4_mss_fits_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
