/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * PITFALLS 11: whoever forges a source can't have Sluice send it more than he sent himself, but for
 * a bounded number of packets per network and second. Bytes are those of Ethernet frames without
 * checksum, at least 60.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "table/egress_budget.h"
#include "world.h"

#define S TICKS_PER_S
#define MS TICKS_PER_MS
#define SYN_BYTES 60 /* a stranger's, padded */

static size_t
wire_bytes(size_t length)
{
	return length < 60 ? 60 : length;
}

/* Lets time pass and counts the SYN-ACKs made meanwhile. */
static unsigned
repeats_within(struct world *w, ticks_t duration)
{
	unsigned count = 0;

	for (ticks_t passed = 0; passed < duration; passed += 10 * MS) {
		w->now += 10 * MS;
		/* Few at a time, as the world keeps only so many. */
		while (sluice_tick(w->worker, w->now, 16) == 16)
			count += world_take_syn_acks(w);
		count += world_take_syn_acks(w);
	}
	return count;
}

/* Eight settings of a SYN's options by number, in one of two orders; padded, or not. */
static void
options_add(struct packet *syn, unsigned bits)
{
	bool is_reversed = bits & 16;

	if (bits & 1 && !is_reversed)
		packet_add_mss(syn, 1460);
	if (bits & 2)
		packet_add_wscale(syn, 7);
	if (bits & 4)
		packet_add_timestamp(syn, 1, 0);
	if (bits & 8)
		packet_add_sack_permitted(syn);
	if (bits & 1 && is_reversed)
		packet_add_mss(syn, 1460);
}

static struct packet
syn_of(unsigned ip_version, unsigned vlan_count, unsigned bits, uint16_t port)
{
	struct packet syn = ip_version == 4 ? packet_ip4("10.0.0.1", port, "10.0.0.2", 80)
					    : packet_ip6("fd00::1", port, "fd00::2", 80);

	for (unsigned i = 0; i < vlan_count; i++)
		packet_add_vlan(&syn, i + 1 < vlan_count ? 0x88a8 : 0x8100, 10);
	syn.flags = PACKET_SYN;
	syn.seq = 1000 + bits;
	options_add(&syn, bits);
	return syn;
}

/* 1. No SYN-ACK is a longer frame than its SYN, whatever the SYN offers, below whatever headers,
 * with data or without, from queue or by cookie, the first time and again. */
static void
test_pitfall_11_never_longer(void **state)
{
	static const uint8_t payload[100] = "data";

	(void)state;
	for (unsigned n = 0; n < 3 * 2 * 3 * 2 * 32; n++) {
		enum world_mode mode = (enum world_mode)(n % 3);
		unsigned ip_version = n / 3 % 2 ? 6 : 4;
		struct world *w = world_new(&(struct world_options){.mode = mode});
		struct packet syn = syn_of(ip_version, n / 6 % 3, n / 36, 40000);

		syn.payload = payload;
		syn.payload_length = n / 18 % 2 ? sizeof(payload) : 0;
		for (unsigned again = 0; again < 2; again++) {
			struct outcome out = world_send(w, SIDE_CLIENT, &syn);

			assert_int_equal(out.verdict, VERDICT_REPLY);
			assert_true(wire_bytes(out.length) <= wire_bytes(packet_size(&syn)));
			/* Nothing is left out that there is room for. */
			if (n / 36 & 1)
				assert_int_equal(packet_mss(&out.packet),
						ip_version == 4 ? 1460 : 1440);
		}
		world_free(w);
	}
}

/* 2. A backend's MSS below what counts without one has to be told: such answers, longer than a
 * SYN without options, are paid for. */
static void
test_pitfall_11_small_mss_is_paid(void **state)
{
	struct world *w = world_new(&(struct world_options){0});
	unsigned answered = 0;

	(void)state;
	w->configs[1].announced_mss = 1000;
	world_publish(w);
	for (unsigned i = 0; i < 150; i++) {
		struct packet syn = syn_of(6, 0, 0, (uint16_t)(40000 + i));
		struct outcome out = world_send(w, SIDE_CLIENT, &syn);

		if (out.reason == REASON_syn_cookie_sent) {
			answered++;
			assert_int_equal(packet_mss(&out.packet), 1000);
		} else {
			assert_int_equal(out.reason, REASON_syn_egress_limited);
		}
	}
	assert_int_equal(answered, EGRESS_NETWORK_PER_S);
	world_free(w);
}

/* Who is refused so leaves nothing in the syn queue: nobody would know its SYN-ACK. */
static void
test_pitfall_11_refused_is_not_queued(void **state)
{
	struct world *w = world_new(&(struct world_options){.mode = WORLD_MODE_1});
	unsigned answered = 0;

	(void)state;
	w->configs[1].announced_mss = 1000;
	world_publish(w);
	for (unsigned i = 0; i < EGRESS_NETWORK_PER_S + 20; i++) {
		struct packet syn = syn_of(6, 0, 0, (uint16_t)(40000 + i));

		answered += world_send(w, SIDE_CLIENT, &syn).reason == REASON_syn_queued;
	}
	assert_int_equal(answered, EGRESS_NETWORK_PER_S);
	assert_int_equal(w->shared[1].syn, answered);
	assert_int_equal(w->shared[1].young, answered);
	world_free(w);
}

/* 3. An entry's promises stand, so a repeated SYN that has lost its options is answered by a longer
 * frame, as far as the budget goes. */
static void
test_pitfall_11_bare_repetition_is_paid(void **state)
{
	struct world *w = world_new(&(struct world_options){.mode = WORLD_MODE_1});
	struct packet syn = syn_of(6, 0, 15, 40000);
	unsigned answered = 0;

	(void)state;
	assert_int_equal(world_send(w, SIDE_CLIENT, &syn).reason, REASON_syn_queued);
	syn.options_length = 0;
	for (unsigned i = 0; i < 150; i++) {
		struct outcome out = world_send(w, SIDE_CLIENT, &syn);

		answered += out.reason == REASON_syn_again;
		if (out.reason == REASON_syn_again)
			assert_int_equal(packet_wscale(&out.packet), 7);
		else
			assert_int_equal(out.reason, REASON_syn_egress_limited);
	}
	assert_int_equal(answered, EGRESS_NETWORK_PER_S);
	world_free(w);
}

/* 4. Repeated SYN-ACKs: so many per network and second, so many in all, and each that is not sent
 * is counted. */
static void
test_pitfall_11_repeats_have_budgets(void **state)
{
	static const struct {
		enum world_mode mode;
		uint32_t network_per_s, side_per_s;
		unsigned first, clients, sent; /* from 11.0.0.0 up: 256 per network */
	} cases[] = {
			{WORLD_MODE_1, 100, 1000, 0, 90, 90},
			{WORLD_MODE_1, 30, 1000, 0, 90, 30},
			{WORLD_MODE_0, 30, 1000, 0, 90, 30},
			{WORLD_MODE_1, 30, 1000, 211, 90, 60},
			{WORLD_MODE_1, 30, 40, 211, 90, 40},
			{WORLD_MODE_1, 0, 600, 0, 90, 0},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
		struct world *w = world_new(&(struct world_options){.mode = cases[i].mode});
		unsigned sent, withheld = cases[i].clients - cases[i].sent;

		w->egress = (struct egress_rates){cases[i].network_per_s, cases[i].side_per_s};
		world_publish(w);
		world_flood(w, cases[i].first, cases[i].clients);
		assert_int_equal(w->shared[0].syn, cases[i].clients);
		w->now += 1050 * MS;
		sent = repeats_within(w, 10 * MS);
		assert_in_range(sent, cases[i].sent, cases[i].sent + 2);
		assert_in_range(world_counter(w, 0, COUNTER_SynAcksWithheld),
				withheld > 2 ? withheld - 2 : 0, withheld);
		assert_int_equal(world_counter(w, 0, COUNTER_SynAcksDoubted), 0);
		assert_int_equal(world_counter(w, 0, COUNTER_TCPTimeouts), cases[i].clients);
		world_free(w);
	}
}

/* 5. A flood is answered byte for byte and no more, in each mode: nothing is repeated to it, during
 * it and after; the queue is empty soon, and then calm clients are repeated to as before. */
static void
test_pitfall_11_flood(void **state)
{
	enum { PER_S = 20000, SECONDS = 5, STEP_MS = 10 };

	(void)state;
	for (enum world_mode mode = WORLD_MODE_2; mode <= WORLD_MODE_0; mode++) {
		struct world *w = world_new(
				&(struct world_options){.mode = mode, .syn_entries = 8192});
		struct flow_script calm = flow_script_default(4, 40000);
		uint64_t in = 0, out = 0;
		unsigned repeats = 0;

		for (unsigned ms = 0; ms < SECONDS * 1000; ms += STEP_MS) {
			world_flood(w, (unsigned)in, PER_S * STEP_MS / 1000);
			in += PER_S * STEP_MS / 1000;
			repeats += repeats_within(w, STEP_MS * MS);
		}
		repeats += repeats_within(w, 10 * S);
		/* A stranger's SYN and its answer are of one length. */
		out = world_reason(w, REASON_syn_cookie_sent) + world_reason(w, REASON_syn_queued) +
		      repeats;
		assert_true(out * SYN_BYTES <= in * SYN_BYTES);
		assert_int_equal(repeats, 0);
		if (mode != WORLD_MODE_0)
			assert_int_equal(w->shared[0].syn, 0);
		if (mode == WORLD_MODE_1) {
			flow_send_syn(w, &calm);
			assert_int_equal(repeats_within(w, 1100 * MS), 1);
			assert_true(world_counter(w, 0, COUNTER_SynAcksDoubted) >= 4097);
		}
		world_free(w);
	}
}

/* 6. Pulses, each more than the queue holds, with as much calm between them: no more out than in,
 * and the mode changes at most twice per pause longer than its hold, not with every pulse. */
static void
test_pitfall_11_pulses(void **state)
{
	struct world *w = world_new(
			&(struct world_options){.mode = WORLD_MODE_1, .syn_entries = 8192});
	unsigned sent = 0, repeats = 0, changes = 0;
	uint32_t mode = w->shared[0].cookies;

	(void)state;
	for (unsigned pulse = 0; pulse < 20; pulse++) {
		world_flood(w, sent, 6000);
		sent += 6000;
		for (unsigned ms = 0; ms < 250; ms += 10) {
			repeats += repeats_within(w, 10 * MS);
			changes += w->shared[0].cookies != mode;
			mode = w->shared[0].cookies;
		}
	}
	repeats += repeats_within(w, 10 * S);
	assert_int_equal(repeats, 0);
	assert_int_equal(world_reason(w, REASON_syn_cookie_sent) +
					 world_reason(w, REASON_syn_queued),
			sent);
	/* 5 s of pulses, and the queue empties every 3 s. */
	assert_in_range(changes, 1, 5);
	world_free(w);
}

static void
burst_of_strangers(struct world *w, unsigned ip_version, unsigned count)
{
	for (unsigned n = 0; n < count; n++) {
		char source[40];
		struct packet syn;

		if (ip_version == 4) {
			world_flood(w, n, 1);
			continue;
		}
		/* 256 networks take turns. */
		snprintf(source, sizeof(source), "2001:2:0:%x::%x", n % 256 << 8, n);
		syn = packet_ip6(source, 40000, "fd00::2", 80);
		syn.flags = PACKET_SYN;
		syn.seq = n;
		assert_int_equal(reason_verdict(world_send(w, SIDE_CLIENT, &syn).reason),
				VERDICT_REPLY);
	}
}

/* 7. A flood too short or too small to be known for one: each SYN is answered, and nothing else
 * is sent to whoever it came from, for as long as it has an entry; not even by a worker that was
 * delayed. A few more SYNs than are forgiven in a second suffice. Clients after it are
 * repeated to. */
static void
test_pitfall_11_short_floods(void **state)
{
	static const struct {
		unsigned count;
		ticks_t delay;
	} cases[] = {
			{EGRESS_DOUBT_CLIENTS + 2 * EGRESS_DOUBT_CLIENTS_PER_S, 0},
			{600, 0},
			{4000, 0},
			{7500, 0},
			{7500, 800 * MS},
	};

	(void)state;
	for (unsigned n = 0; n < 2 * ARRAY_COUNT(cases); n++) {
		unsigned ip_version = n % 2 ? 6 : 4;
		struct world *w = world_new(
				&(struct world_options){.mode = WORLD_MODE_1, .syn_entries = 8192});
		struct flow_script calm = flow_script_default(ip_version, 40000);

		burst_of_strangers(w, ip_version, cases[n / 2].count);
		w->now += cases[n / 2].delay;
		assert_int_equal(repeats_within(w, 8 * S), 0);
		flow_send_syn(w, &calm);
		assert_int_equal(repeats_within(w, 1100 * MS), 1);
		assert_in_range(repeats_within(w, 70 * S), 1, 4);
		assert_int_equal(w->shared[ip_version == 4 ? 0 : 1].syn, 0);
		world_free(w);
	}
}

/* 8. Where an eighth of many clients fails and the others prove themselves, all is as ever; even
 * when all come at once, and are proved only later. */
static void
test_pitfall_11_crowds_are_trusted(void **state)
{
	enum { CLIENTS = 700 };
	struct world *w = world_new(&(struct world_options){
			.mode = WORLD_MODE_1, .connections = CLIENTS, .syn_entries = 8192});
	static struct flow_script crowd[CLIENTS];

	(void)state;
	for (unsigned n = 0; n < CLIENTS; n++) {
		crowd[n] = flow_script_default(4, (uint16_t)(20000 + n));
		flow_send_syn(w, &crowd[n]);
		/* The answer to every third one is lost, so it comes again. */
		if (n % 3 == 0)
			flow_send_syn(w, &crowd[n]);
	}
	world_flood(w, 0, CLIENTS / 8);
	repeats_within(w, 500 * MS);
	for (unsigned n = 0; n < CLIENTS; n++) {
		struct packet ack = flow_ack(&crowd[n]);

		assert_int_equal(reason_verdict(world_send(w, SIDE_CLIENT, &ack).reason),
				VERDICT_FORWARD);
		w->emitted_count = 0;
	}
	assert_in_range(repeats_within(w, 600 * MS), CLIENTS / 8, CLIENTS / 8);
	world_free(w);
}

/* 9. A client whose SYN-ACK is lost is answered again while others flood from its network at a pace
 * below a flood's. One that has proved itself and met a full ring is real: it costs no budget. */
static void
test_pitfall_11_real_clients_are_repeated_to(void **state)
{
	struct world *w = world_new(&(struct world_options){.mode = WORLD_MODE_1,
			.backend = {.backlog = 1, .somaxconn = 1, .tcp_max_syn_backlog = 64}});
	struct flow_script late;

	(void)state;
	for (unsigned n = 0; n < 2; n++) {
		struct flow_script f = flow_script_default(4, (uint16_t)(41000 + n));
		struct packet ack;

		flow_send_syn(w, &f);
		ack = flow_ack(&f);
		assert_int_equal(world_send(w, SIDE_CLIENT, &ack).reason, REASON_ack_connecting);
		if (n == 0) {
			late = flow_script_default(4, 42000);
			flow_send_syn(w, &late);
		}
	}

	struct packet ack = flow_ack(&late);

	assert_int_equal(world_send(w, SIDE_CLIENT, &ack).reason, REASON_ack_overflow_dropped);
	w->egress = (struct egress_rates){0, 0};
	world_publish(w);
	assert_int_equal(repeats_within(w, 1100 * MS), 1);
	assert_int_equal(world_counter(w, 0, COUNTER_SynAcksWithheld), 0);
	world_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_pitfall_11_never_longer),
			cmocka_unit_test(test_pitfall_11_small_mss_is_paid),
			cmocka_unit_test(test_pitfall_11_refused_is_not_queued),
			cmocka_unit_test(test_pitfall_11_bare_repetition_is_paid),
			cmocka_unit_test(test_pitfall_11_repeats_have_budgets),
			cmocka_unit_test(test_pitfall_11_flood),
			cmocka_unit_test(test_pitfall_11_pulses),
			cmocka_unit_test(test_pitfall_11_short_floods),
			cmocka_unit_test(test_pitfall_11_crowds_are_trusted),
			cmocka_unit_test(test_pitfall_11_real_clients_are_repeated_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
