/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Spliced connections: what one end sends, the other receives in its own numbers, checked by
 * arithmetic of the test's own; closing, resets, tuple reuse, timeouts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "world.h"

#define S TICKS_PER_S

static struct outcome
client_sends(struct world *w, const struct packet *packet)
{
	return world_send(w, SIDE_CLIENT, packet);
}

static struct outcome
backend_sends(struct world *w, const struct packet *packet)
{
	return world_send(w, SIDE_BACKEND, packet);
}

static void
expect(struct outcome out, enum reason reason)
{
	assert_int_equal(out.reason, reason);
}

/* 1. PITFALLS 1: seq, ack, SACK, timestamps and windows in both directions, across the wrap of
 * every number. */
static void
test_pitfall_1_translation(void **state)
{
	static const uint8_t payload[100] = "some bytes";

	(void)state;
	for (unsigned i = 0; i < 16; i++) {
		struct world *w = world_new(&(struct world_options){0});
		struct flow_script f = flow_script_default(i & 1 ? 6 : 4, 40000);
		struct packet p;
		struct outcome out;
		uint32_t tsval, tsecr, ts_delta, edges[4];

		f.vlan_count = i & 2 ? 1 : 0;
		f.client_timestamp = i & 4;
		f.client_wscale = i & 8 ? 3 : -1;
		flow_establish(w, &f);
		ts_delta = f.synack_tsval - f.backend_tsval;

		p = flow_client(&f, PACKET_ACK | PACKET_PSH, f.client_isn + 1, f.iss + 1);
		p.payload = payload;
		p.payload_length = sizeof(payload);
		p.window = 400;
		world_send_burst(w, SIDE_CLIENT, 1, &p, &out);
		expect(out, REASON_spliced);
		assert_int_equal(out.to, SIDE_BACKEND);
		assert_int_equal(out.packet.seq, f.client_isn + 1);
		assert_int_equal(out.packet.ack, f.backend_isn + 1);
		assert_int_equal(out.packet.window, 400);
		assert_int_equal(out.packet.payload_length, sizeof(payload));
		assert_memory_equal(out.packet.payload, payload, sizeof(payload));
		assert_int_equal(packet_timestamp(&out.packet, &tsval, &tsecr), f.client_timestamp);
		if (f.client_timestamp) {
			assert_int_equal(tsval, f.client_tsval);
			assert_int_equal(tsecr, f.backend_tsval);
		}

		f.backend_tsval += 5;
		p = flow_backend(&f, PACKET_ACK, f.backend_isn + 1, f.client_isn + 101);
		p.payload = payload;
		p.payload_length = 50;
		p.window = 1000;
		out = backend_sends(w, &p);
		expect(out, REASON_spliced);
		assert_int_equal(out.to, SIDE_CLIENT);
		assert_int_equal(out.packet.seq, f.iss + 1);
		assert_int_equal(out.packet.ack, f.client_isn + 101);
		/* Backend's scale 9, announced 7: the window field grows by 2 bits. */
		assert_int_equal(out.packet.window, f.client_wscale < 0 ? 1000 : 4000);
		assert_int_equal(packet_timestamp(&out.packet, &tsval, &tsecr), f.client_timestamp);
		if (f.client_timestamp) {
			assert_int_equal(tsval, f.backend_tsval + ts_delta);
			assert_int_equal(tsecr, f.client_tsval);
		}

		edges[0] = f.iss + 101;
		edges[1] = f.iss + 151;
		edges[2] = f.iss + 201;
		edges[3] = f.iss + 251;
		p = flow_client(&f, PACKET_ACK, f.client_isn + 101, f.iss + 51);
		packet_add_sack(&p, 2, edges);
		out = client_sends(w, &p);
		expect(out, REASON_spliced);
		assert_int_equal(out.packet.ack, f.backend_isn + 51);

		const uint8_t *sack = packet_find_option(&out.packet, PACKET_OPTION_SACK);

		assert_non_null(sack);
		for (unsigned e = 0; e < 4; e++) {
			const uint8_t *at = sack + 2 + 4 * e;
			uint32_t edge = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 |
					(uint32_t)at[2] << 8 | at[3];

			assert_int_equal(edge, edges[e] - f.iss + f.backend_isn);
		}
		world_free(w);
	}
}

/* 2. PITFALLS 2 and 3: a backend without timestamps, SACK or scaling that its first client was
 * promised. */
static void
test_pitfall_2_promises_broken(void **state)
{
	struct world *w = world_new(&(struct world_options){0});
	struct flow_script f = flow_script_default(4, 40000);
	uint32_t edges[2], tsval, tsecr;
	struct packet p;
	struct outcome out;

	(void)state;
	f.backend_timestamp = false;
	f.backend_sack = false;
	f.backend_wscale = -1;
	flow_establish(w, &f);
	edges[0] = f.iss + 10;
	edges[1] = f.iss + 20;
	p = flow_client(&f, PACKET_ACK, f.client_isn + 1, f.iss + 1);
	packet_add_sack(&p, 1, edges);
	out = client_sends(w, &p);
	expect(out, REASON_spliced);
	assert_false(packet_timestamp(&out.packet, &tsval, &tsecr));
	assert_null(packet_find_option(&out.packet, PACKET_OPTION_SACK));
	assert_int_equal(out.packet.ack, f.backend_isn + 1);
	/* The backend takes windows as they stand: 502 << 7. */
	assert_int_equal(out.packet.window, 502 << 7);
	p.window = 60000;
	assert_int_equal(client_sends(w, &p).packet.window, 65535);

	p = flow_backend(&f, PACKET_ACK, f.backend_isn + 1, f.client_isn + 1);
	p.window = 12800;
	assert_int_equal(backend_sends(w, &p).packet.window, 100);
	world_free(w);
}

/* 3. PITFALLS 20: a wrong checksum is refused and counted; the connection doesn't move. */
static void
test_pitfall_20_checksum(void **state)
{
	struct world *w = world_new(&(struct world_options){0});
	struct flow_script f = flow_script_default(4, 40000);
	uint8_t frame[WORLD_FRAME_BYTES];
	struct packet p;
	size_t length;

	(void)state;
	flow_establish(w, &f);
	p = flow_client(&f, PACKET_RST, f.client_isn + 1, 0);
	length = packet_write(&p, frame, sizeof(frame));
	frame[packet_l4_offset(frame, length) + 16] ^= 0x40;
	expect(world_send_frame(w, SIDE_CLIENT, frame, length), REASON_tcp_checksum);
	assert_int_equal(world_counter(w, 0, COUNTER_CurrEstab), 1);
	world_free(w);
}

/* Both FINs and their ACKs, client first. */
static void
close_by_client(struct world *w, const struct flow_script *f)
{
	struct packet p = flow_client(f, PACKET_FIN | PACKET_ACK, f->client_isn + 1, f->iss + 1);

	expect(client_sends(w, &p), REASON_spliced);
	p = flow_backend(f, PACKET_ACK, f->backend_isn + 1, f->client_isn + 2);
	expect(backend_sends(w, &p), REASON_spliced);
	p = flow_backend(f, PACKET_FIN | PACKET_ACK, f->backend_isn + 1, f->client_isn + 2);
	expect(backend_sends(w, &p), REASON_spliced);
	p = flow_client(f, PACKET_ACK, f->client_isn + 2, f->iss + 2);
	expect(client_sends(w, &p), REASON_spliced);
}

/* 4. Both FINs acknowledged: TIME_WAIT for 120 s, in which late segments still pass, then gone. */
static void
test_close(void **state)
{
	struct world *w = world_new(&(struct world_options){0});
	struct flow_script f = flow_script_default(4, 40000);
	struct packet p;

	(void)state;
	flow_establish(w, &f);
	close_by_client(w, &f);
	assert_int_equal(world_counter(w, 0, COUNTER_CurrEstab), 0);
	assert_int_equal(world_counter(w, 0, COUNTER_EstabResets), 0);
	assert_int_equal(world_connections(w), 1);
	world_pass(w, 60 * S);
	p = flow_backend(&f, PACKET_FIN | PACKET_ACK, f.backend_isn + 1, f.client_isn + 2);
	expect(backend_sends(w, &p), REASON_spliced);
	world_pass(w, 119 * S);
	assert_int_equal(world_connections(w), 1);
	world_pass(w, 2 * S);
	assert_int_equal(world_connections(w), 0);
	expect(backend_sends(w, &p), REASON_stray_backend);
	world_free(w);
}

/* 5. Simultaneous close, and one ACK for FIN and data: also ends in TIME_WAIT. */
static void
test_simultaneous_close(void **state)
{
	struct world *w = world_new(&(struct world_options){0});
	struct flow_script f = flow_script_default(4, 40000);
	struct packet p;

	(void)state;
	flow_establish(w, &f);
	p = flow_client(&f, PACKET_FIN | PACKET_ACK, f.client_isn + 1, f.iss + 1);
	p.payload = (const uint8_t *)"bye";
	p.payload_length = 3;
	expect(client_sends(w, &p), REASON_spliced);
	p = flow_backend(&f, PACKET_FIN | PACKET_ACK, f.backend_isn + 1, f.client_isn + 1);
	expect(backend_sends(w, &p), REASON_spliced);
	p = flow_client(&f, PACKET_ACK, f.client_isn + 5, f.iss + 2);
	expect(client_sends(w, &p), REASON_spliced);
	assert_int_equal(world_counter(w, 0, COUNTER_CurrEstab), 1);
	p = flow_backend(&f, PACKET_ACK, f.backend_isn + 2, f.client_isn + 5);
	expect(backend_sends(w, &p), REASON_spliced);
	assert_int_equal(world_counter(w, 0, COUNTER_CurrEstab), 0);
	world_free(w);
}

/* 6. PITFALLS 16: one FIN leaves the other direction alone, for hours. */
static void
test_pitfall_16_half_close(void **state)
{
	struct world *w = world_new(&(struct world_options){0});
	struct flow_script f = flow_script_default(4, 40000);
	uint32_t seq = f.backend_isn + 1;
	struct packet p;

	(void)state;
	flow_establish(w, &f);
	p = flow_client(&f, PACKET_FIN | PACKET_ACK, f.client_isn + 1, f.iss + 1);
	expect(client_sends(w, &p), REASON_spliced);
	for (unsigned hour = 0; hour < 5; hour++) {
		p = flow_backend(&f, PACKET_ACK, seq, f.client_isn + 2);
		p.payload = (const uint8_t *)"more";
		p.payload_length = 4;
		seq += 4;
		expect(backend_sends(w, &p), REASON_spliced);
		p = flow_client(&f, PACKET_ACK, f.client_isn + 2, flow_to_client(&f, seq));
		expect(client_sends(w, &p), REASON_spliced);
		world_pass(w, 3600 * S);
		assert_int_equal(world_counter(w, 0, COUNTER_CurrEstab), 1);
	}
	world_free(w);
}

/* 7. An idle connection is kept five days after its last segment, and no longer. */
static void
test_idle(void **state)
{
	struct world *w = world_new(&(struct world_options){0});
	struct flow_script f = flow_script_default(4, 40000);
	struct packet p;

	(void)state;
	flow_establish(w, &f);
	for (unsigned day = 0; day < 5 * 24; day += 10) {
		w->now += 10 * 3600 * S;
		world_pass(w, S);
	}
	assert_int_equal(world_connections(w), 0);
	assert_int_equal(world_counter(w, 0, COUNTER_CurrEstab), 0);

	f = flow_script_default(4, 40001);
	flow_establish(w, &f);
	for (unsigned day = 0; day < 12; day++) {
		w->now += 24 * 3600 * S;
		world_pass(w, S);
		p = flow_client(&f, PACKET_ACK, f.client_isn, f.iss + 1);
		expect(client_sends(w, &p), REASON_spliced);
	}
	assert_int_equal(world_connections(w), 1);
	world_free(w);
}

/* 8. A valid RST from either end reaches the other translated, ends the connection, and stays 10 s.
 */
static void
test_reset(void **state)
{
	(void)state;
	for (enum side from = 0; from < SIDE_COUNT; from++) {
		struct world *w = world_new(&(struct world_options){0});
		struct flow_script f = flow_script_default(4, 40000);
		struct packet p;
		struct outcome out;

		flow_establish(w, &f);
		p = from == SIDE_CLIENT ? flow_client(&f, PACKET_RST | PACKET_ACK, f.client_isn + 1,
							  f.iss + 1)
					: flow_backend(&f, PACKET_RST, f.backend_isn + 1, 0);
		out = world_send(w, from, &p);
		expect(out, REASON_spliced_reset);
		assert_int_equal(out.to, side_other(from));
		assert_int_equal(
				out.packet.seq, from == SIDE_CLIENT ? f.client_isn + 1 : f.iss + 1);
		assert_int_equal(out.packet.ack, from == SIDE_CLIENT ? f.backend_isn + 1 : 0);
		assert_int_equal(world_counter(w, 0, COUNTER_CurrEstab), 0);
		assert_int_equal(world_counter(w, 0, COUNTER_EstabResets), 1);
		world_pass(w, 9 * S);
		assert_int_equal(world_connections(w), 1);
		world_pass(w, 2 * S);
		assert_int_equal(world_connections(w), 0);
		world_free(w);
	}
}

/* 9. PITFALLS 15: blind RST, FIN, SYN and data at 1,000 positions leave the connection as it is. */
static void
test_pitfall_15_blind(void **state)
{
	struct world *w = world_new(&(struct world_options){0});
	struct flow_script f = flow_script_default(4, 40000);
	uint64_t random = 15;
	struct packet p;
	struct outcome out;

	(void)state;
	flow_establish(w, &f);
	for (unsigned i = 0; i < 1000; i++) {
		uint32_t seq = f.client_isn + 1 +
			       (i < 500 ? 1 + i * 130 : (uint32_t)packet_random(&random));
		uint32_t ack = i % 2 ? f.iss + 1 + (uint32_t)packet_random(&random)
				     : (uint32_t)packet_random(&random);

		p = flow_client(&f, PACKET_RST, seq, ack);
		out = client_sends(w, &p);
		assert_true(out.reason == REASON_reset_inexact ||
				out.reason == REASON_reset_outside);
		p = flow_client(&f, PACKET_SYN, seq, 0);
		expect(client_sends(w, &p), REASON_syn_cookie_sent);
		p = flow_client(&f, PACKET_FIN | PACKET_ACK, seq, ack);
		client_sends(w, &p);
		p = flow_client(&f, PACKET_ACK | PACKET_SYN, seq, ack);
		expect(client_sends(w, &p), REASON_syn_ack_outside);
		assert_int_equal(world_counter(w, 0, COUNTER_CurrEstab), 1);
		assert_int_equal(world_connections(w), 1);
	}
	/* The real ends go on and close. */
	p = flow_client(&f, PACKET_ACK, f.client_isn + 1, f.iss + 1);
	expect(client_sends(w, &p), REASON_spliced);
	close_by_client(w, &f);
	assert_int_equal(world_counter(w, 0, COUNTER_CurrEstab), 0);
	world_free(w);
}

/* 10. PITFALLS 14: the same tuple again, proved by its ACK, while the old connection is in any
 * state. */
static void
test_pitfall_14_tuple_reuse(void **state)
{
	enum {
		QUEUED_CASE,
		CONNECTING_CASE,
		ESTABLISHED_CASE,
		HALF_CASE,
		TIME_WAIT_CASE,
		RESET_CASE,
		CASES
	};

	(void)state;
	for (unsigned i = 0; i < CASES; i++) {
		struct world *w = world_new(
				&(struct world_options){.backend = {.connect_window = 1}});
		struct flow_script first = flow_script_default(4, 39999);
		struct flow_script old = flow_script_default(4, 40000), new = old;
		struct packet p;

		if (i == QUEUED_CASE) {
			flow_send_syn(w, &first);
			p = flow_ack(&first);
			expect(client_sends(w, &p), REASON_ack_connecting);
		}
		if (i <= CONNECTING_CASE) {
			flow_send_syn(w, &old);
			p = flow_ack(&old);
			expect(client_sends(w, &p), i == QUEUED_CASE ? REASON_ack_queued
								     : REASON_ack_connecting);
		} else {
			flow_establish(w, &old);
		}
		if (i == HALF_CASE) {
			p = flow_client(&old, PACKET_FIN | PACKET_ACK, old.client_isn + 1,
					old.iss + 1);
			expect(client_sends(w, &p), REASON_spliced);
		} else if (i == TIME_WAIT_CASE) {
			close_by_client(w, &old);
		} else if (i == RESET_CASE) {
			p = flow_client(&old, PACKET_RST, old.client_isn + 1, 0);
			expect(client_sends(w, &p), REASON_spliced_reset);
		}

		new.client_isn = old.client_isn + 100000;
		flow_send_syn(w, &new);
		assert_int_equal(world_connections(w), i == QUEUED_CASE ? 2 : 1);
		p = flow_ack(&new);
		expect(client_sends(w, &p),
				i == QUEUED_CASE ? REASON_ack_queued : REASON_ack_connecting);
		assert_int_equal(world_connections(w), i == QUEUED_CASE ? 2 : 1);
		/* What the backend still holds open of the old one is reset at its RCV.NXT. */
		if (i == CONNECTING_CASE || i == ESTABLISHED_CASE || i == HALF_CASE) {
			p = world_emitted(w, SIDE_BACKEND);
			assert_int_equal(p.flags, PACKET_RST);
			assert_int_equal(p.seq, old.client_isn + 1);
		} else {
			world_nothing_emitted(w);
		}
		assert_int_equal(world_counter(w, 0, COUNTER_CurrEstab), 0);
		if (i != QUEUED_CASE) {
			p = flow_synack(&new);
			expect(backend_sends(w, &p), REASON_backend_connected);
			world_emitted(w, SIDE_CLIENT);
			close_by_client(w, &new);
		}
		world_free(w);
	}
}

/* The same when the new proof's ack happens to lie where the old connection's could: its seq tells.
 * Found by simulation: the proof went into the old connection, and a challenge war kept that alive
 * for ever. */
static void
test_pitfall_14_lucky_ack(void **state)
{
	struct world *w = world_new(&(struct world_options){0});
	struct flow_script old = flow_script_default(4, 40000), new = old;
	struct packet p;

	(void)state;
	flow_establish(w, &old);
	close_by_client(w, &old);
	new.client_isn += 1000000;
	do {
		new.client_isn++;
		flow_send_syn(w, &new);
	} while (old.iss + 1 - (new.iss + 1) > 60000);
	p = flow_ack(&new);
	expect(client_sends(w, &p), REASON_ack_connecting);
	p = flow_synack(&new);
	expect(backend_sends(w, &p), REASON_backend_connected);
	world_emitted(w, SIDE_CLIENT);
	world_free(w);
}

/* The ACK that opened a connection, delivered again after windows of data both ways: harmless. */
static void
test_pitfall_14_own_ack_again(void **state)
{
	static const uint8_t payload[1000];
	struct world *w = world_new(&(struct world_options){0});
	struct flow_script f = flow_script_default(4, 40000);
	struct packet first, p;

	(void)state;
	flow_establish(w, &f);
	first = flow_ack(&f);
	for (uint32_t sent = 0; sent < 300000; sent += sizeof(payload)) {
		p = flow_backend(&f, PACKET_ACK, f.backend_isn + 1 + sent, f.client_isn + 1 + sent);
		p.payload = payload;
		p.payload_length = sizeof(payload);
		expect(backend_sends(w, &p), REASON_spliced);
		p = flow_client(&f, PACKET_ACK, f.client_isn + 1 + sent,
				f.iss + 1 + sent + (uint32_t)sizeof(payload));
		p.payload = payload;
		p.payload_length = sizeof(payload);
		expect(client_sends(w, &p), REASON_spliced);
	}
	expect(client_sends(w, &first), REASON_spliced_outside);
	world_nothing_emitted(w);
	assert_int_equal(world_counter(w, 0, COUNTER_CurrEstab), 1);
	world_free(w);
}

/* 11. A FIN that was forged, with real bytes behind it, is taken back. */
static void
test_forged_fin(void **state)
{
	struct world *w = world_new(&(struct world_options){0});
	struct flow_script f = flow_script_default(4, 40000);
	struct packet p;

	(void)state;
	flow_establish(w, &f);
	/* In the window, 10 bytes ahead of what was sent. */
	p = flow_client(&f, PACKET_FIN | PACKET_ACK, f.client_isn + 11, f.iss + 1);
	expect(client_sends(w, &p), REASON_spliced);
	p = flow_client(&f, PACKET_ACK, f.client_isn + 1, f.iss + 1);
	p.payload = (const uint8_t *)"twenty real bytes...";
	p.payload_length = 20;
	expect(client_sends(w, &p), REASON_spliced);
	p = flow_backend(&f, PACKET_ACK, f.backend_isn + 1, f.client_isn + 21);
	expect(backend_sends(w, &p), REASON_spliced);
	p = flow_backend(&f, PACKET_FIN | PACKET_ACK, f.backend_isn + 1, f.client_isn + 21);
	expect(backend_sends(w, &p), REASON_spliced);
	p = flow_client(&f, PACKET_ACK, f.client_isn + 21, f.iss + 2);
	expect(client_sends(w, &p), REASON_spliced);
	/* Only the backend has closed. */
	assert_int_equal(world_counter(w, 0, COUNTER_CurrEstab), 1);
	world_free(w);
}

/* 12. Retransmissions, keep-alives and zero-window probes pass; nothing beyond the window moves the
 * state. */
static void
test_duplicates_and_probes(void **state)
{
	struct world *w = world_new(&(struct world_options){0});
	struct flow_script f = flow_script_default(4, 40000);
	struct packet p;

	(void)state;
	flow_establish(w, &f);
	p = flow_client(&f, PACKET_ACK, f.client_isn + 1, f.iss + 1);
	p.payload = (const uint8_t *)"0123456789";
	p.payload_length = 10;
	expect(client_sends(w, &p), REASON_spliced);
	expect(client_sends(w, &p), REASON_spliced);
	p = flow_backend(&f, PACKET_ACK, f.backend_isn + 1, f.client_isn + 11);
	p.window = 0;
	expect(backend_sends(w, &p), REASON_spliced);
	/* A keep-alive one byte back, and a probe with one byte. */
	p = flow_client(&f, PACKET_ACK, f.client_isn + 10, f.iss + 1);
	expect(client_sends(w, &p), REASON_spliced);
	p = flow_client(&f, PACKET_ACK, f.client_isn + 1 + 65160, f.iss + 1);
	p.payload = (const uint8_t *)"p";
	p.payload_length = 1;
	expect(client_sends(w, &p), REASON_spliced);
	p.payload_length = 1;
	p.seq += 2;
	expect(client_sends(w, &p), REASON_spliced_outside);
	/* An ACK of bytes that were never sent is for the backend to judge, and moves nothing. */
	p = flow_client(&f, PACKET_ACK, f.client_isn + 11, f.iss + 1000);
	expect(client_sends(w, &p), REASON_spliced_outside);
	world_free(w);
}

/* 13. SYN-ACK, data and FIN of the backend in one burst: handshake and splice in the order of
 * arrival. */
static void
test_burst_order(void **state)
{
	struct world *w = world_new(&(struct world_options){0});
	struct flow_script f = flow_script_default(4, 40000);
	struct packet p[3];
	struct outcome out[3];
	struct packet ack;

	(void)state;
	flow_send_syn(w, &f);
	ack = flow_ack(&f);
	expect(client_sends(w, &ack), REASON_ack_connecting);
	p[0] = flow_synack(&f);
	p[1] = flow_backend(&f, PACKET_ACK | PACKET_PSH, f.backend_isn + 1, f.client_isn + 1);
	p[1].payload = (const uint8_t *)"220 hello\r\n";
	p[1].payload_length = 11;
	p[2] = flow_backend(&f, PACKET_ACK | PACKET_FIN, f.backend_isn + 12, f.client_isn + 1);
	world_send_burst(w, SIDE_BACKEND, 3, p, out);
	world_emitted(w, SIDE_CLIENT);
	expect(out[0], REASON_backend_connected);
	expect(out[1], REASON_spliced);
	expect(out[2], REASON_spliced);
	assert_int_equal(out[1].packet.seq, f.iss + 1);
	assert_int_equal(out[2].packet.seq, f.iss + 12);
	world_free(w);
}

/* Bytes forged ahead of both ends, which they drop: the connection still ends when they close. */
static void
test_pitfall_15_forged_ahead(void **state)
{
	static const unsigned versions[] = {4, 6};
	static const uint8_t bytes[500] = {0};

	(void)state;
	for (unsigned v = 0; v < 2; v++) {
		struct world *w = world_new(&(struct world_options){0});
		struct flow_script f = flow_script_default(versions[v], 40000);
		const uint16_t slot = v;
		struct packet packet;

		flow_establish(w, &f);
		packet = flow_client(&f, PACKET_ACK, f.client_isn + 1 + 10000, f.iss + 1);
		packet.payload = bytes;
		packet.payload_length = sizeof(bytes);
		assert_int_equal(world_send(w, SIDE_CLIENT, &packet).reason, REASON_spliced);
		packet = flow_backend(&f, PACKET_ACK, f.backend_isn + 1 + 10000, f.client_isn + 1);
		packet.payload = bytes;
		packet.payload_length = sizeof(bytes);
		assert_int_equal(world_send(w, SIDE_BACKEND, &packet).reason, REASON_spliced);

		packet = flow_client(&f, PACKET_FIN | PACKET_ACK, f.client_isn + 1, f.iss + 1);
		assert_int_equal(world_send(w, SIDE_CLIENT, &packet).reason, REASON_spliced);
		packet = flow_backend(
				&f, PACKET_FIN | PACKET_ACK, f.backend_isn + 1, f.client_isn + 2);
		assert_int_equal(world_send(w, SIDE_BACKEND, &packet).reason, REASON_spliced);
		packet = flow_client(&f, PACKET_ACK, f.client_isn + 2, f.iss + 2);
		assert_int_equal(world_send(w, SIDE_CLIENT, &packet).reason, REASON_spliced);
		assert_int_equal(world_counter(w, slot, COUNTER_CurrEstab), 0);
		world_pass(w, 121 * TICKS_PER_S);
		assert_int_equal(world_connections(w), 0);
		world_free(w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_pitfall_1_translation),
			cmocka_unit_test(test_pitfall_2_promises_broken),
			cmocka_unit_test(test_pitfall_20_checksum),
			cmocka_unit_test(test_close),
			cmocka_unit_test(test_simultaneous_close),
			cmocka_unit_test(test_pitfall_16_half_close),
			cmocka_unit_test(test_idle),
			cmocka_unit_test(test_reset),
			cmocka_unit_test(test_pitfall_15_blind),
			cmocka_unit_test(test_pitfall_14_tuple_reuse),
			cmocka_unit_test(test_pitfall_14_lucky_ack),
			cmocka_unit_test(test_pitfall_14_own_ack_again),
			cmocka_unit_test(test_forged_fin),
			cmocka_unit_test(test_duplicates_and_probes),
			cmocka_unit_test(test_burst_order),
			cmocka_unit_test(test_pitfall_15_forged_ahead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
