/* SPDX-License-Identifier: BSD-3-Clause */
/* The backend's leg: answer, refusal, silence, old sockets, the connect window, clients that give
 * up. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "world.h"

/* Proves a client and asserts how it went on. */
static struct outcome
prove(struct world *w, struct flow_script *f, enum reason expected)
{
	struct packet ack;
	struct outcome out;

	flow_send_syn(w, f);
	ack = flow_ack(f);
	out = world_send(w, SIDE_CLIENT, &ack);
	assert_int_equal(out.reason, expected);
	return out;
}

/* 1. The backend's SYN-ACK becomes our ACK, and the client's window opens by the backend's. */
static void
test_established(void **state)
{
	static const unsigned versions[] = {4, 6};

	(void)state;
	for (unsigned i = 0; i < 16; i++) {
		struct world *w = world_new(&(struct world_options){0});
		struct flow_script f = flow_script_default(versions[i & 1], 40000);
		uint32_t tsval, tsecr;
		struct packet packet, update;
		struct outcome out;

		f.client_timestamp = i & 2;
		f.client_wscale = i & 4 ? 5 : -1;
		f.vlan_count = i & 8 ? 2 : 0;
		prove(w, &f, REASON_ack_connecting);
		packet = flow_synack(&f);
		out = world_send(w, SIDE_BACKEND, &packet);
		update = world_emitted(w, SIDE_CLIENT);

		assert_int_equal(out.reason, REASON_backend_connected);
		assert_int_equal(out.to, SIDE_BACKEND);
		assert_int_equal(out.packet.flags, PACKET_ACK);
		assert_int_equal(out.packet.seq, f.client_isn + 1);
		assert_int_equal(out.packet.ack, f.backend_isn + 1);
		assert_int_equal(out.packet.window, f.client_window);
		assert_memory_equal(out.packet.ether_source, packet.ether_destination, 6);
		assert_memory_equal(out.packet.ether_destination, packet.ether_source, 6);
		assert_int_equal(out.packet.source_port, 40000);
		assert_int_equal(packet_timestamp(&out.packet, &tsval, &tsecr), f.client_timestamp);
		if (f.client_timestamp) {
			assert_int_equal(tsval, f.client_tsval);
			assert_int_equal(tsecr, f.backend_tsval);
		}

		assert_int_equal(update.flags, PACKET_ACK);
		assert_int_equal(update.seq, f.iss + 1);
		assert_int_equal(update.ack, f.client_isn + 1);
		assert_int_equal(update.window, f.client_wscale < 0 ? 65160 : 65160 >> 7);
		assert_int_equal(update.vlan_count, f.vlan_count);
		assert_memory_equal(update.ether_source, packet.ether_source, 6);
		assert_memory_equal(update.ether_destination, packet.ether_destination, 6);
		assert_int_equal(packet_timestamp(&update, &tsval, &tsecr), f.client_timestamp);
		if (f.client_timestamp) {
			assert_int_equal(tsval, f.synack_tsval);
			assert_int_equal(tsecr, f.client_tsval);
		}
		assert_int_equal(w->shared[versions[i & 1] == 6].accept, 0);
		assert_int_equal(world_counter(w, versions[i & 1] == 6, COUNTER_CurrEstab), 1);
		world_free(w);
	}
}

/* 2. Our ACK is lost: the backend's SYN-ACK comes again and is acknowledged again. */
static void
test_lost_ack(void **state)
{
	struct world *w = world_new(&(struct world_options){0});
	struct flow_script f = flow_script_default(4, 40000);
	struct packet synack;
	struct outcome out;

	(void)state;
	flow_establish(w, &f);
	synack = flow_synack(&f);
	out = world_send(w, SIDE_BACKEND, &synack);
	assert_int_equal(out.reason, REASON_backend_connected_again);
	assert_int_equal(out.packet.flags, PACKET_ACK);
	assert_int_equal(out.packet.seq, f.client_isn + 1);
	assert_int_equal(out.packet.ack, f.backend_isn + 1);
	synack.seq++;
	assert_int_equal(world_send(w, SIDE_BACKEND, &synack).reason, REASON_syn_ack_outside);
	world_nothing_emitted(w);
	world_free(w);
}

/* 2b. A late copy of the SYN opens a second socket at the backend, which answers something by a
 * bare ACK in its own numbers: its SYN-ACK is not acknowledged, though it fits what was sent last.
 */
static void
test_second_socket(void **state)
{
	struct world *w = world_new(&(struct world_options){0});
	struct flow_script f = flow_script_default(4, 40000);
	struct packet ack, synack;

	(void)state;
	flow_establish(w, &f);
	f.backend_isn += 5000;
	ack = flow_backend(&f, PACKET_ACK, f.backend_isn + 1, f.client_isn + 1);
	assert_int_equal(world_send(w, SIDE_BACKEND, &ack).reason, REASON_spliced);
	synack = flow_synack(&f);
	assert_int_equal(world_send(w, SIDE_BACKEND, &synack).reason, REASON_syn_ack_outside);
	world_nothing_emitted(w);
	world_free(w);
}

/* 3. PITFALLS 12: a refusing backend's RST reaches the client, at exactly its RCV.NXT; others
 * don't. */
static void
test_pitfall_12_refused(void **state)
{
	struct world *w = world_new(&(struct world_options){0});
	struct flow_script f = flow_script_default(4, 40000);
	struct packet reset;
	struct outcome out;

	(void)state;
	prove(w, &f, REASON_ack_connecting);
	reset = flow_backend(&f, PACKET_RST | PACKET_ACK, 0, f.client_isn);
	assert_int_equal(world_send(w, SIDE_BACKEND, &reset).reason, REASON_backend_early);
	reset = flow_backend(&f, PACKET_RST, 0, f.client_isn + 1);
	assert_int_equal(world_send(w, SIDE_BACKEND, &reset).reason, REASON_backend_early);
	assert_int_equal(world_connections(w), 1);

	reset = flow_backend(&f, PACKET_RST | PACKET_ACK, 0, f.client_isn + 1);
	out = world_send(w, SIDE_BACKEND, &reset);
	assert_int_equal(out.reason, REASON_backend_refused);
	assert_int_equal(out.to, SIDE_CLIENT);
	assert_int_equal(out.packet.flags, PACKET_RST | PACKET_ACK);
	assert_int_equal(out.packet.seq, f.iss + 1);
	assert_int_equal(out.packet.ack, f.client_isn + 1);
	assert_int_equal(world_connections(w), 0);
	assert_int_equal(w->shared[0].accept, 0);
	assert_int_equal(world_counter(w, 0, COUNTER_AttemptFails), 1);
	world_free(w);
}

/* 4. PITFALLS 12: a silent backend gets tcp_syn_retries SYNs, 1 s and doubling apart, then the
 * client its RST. */
static void
test_pitfall_12_silent(void **state)
{
	(void)state;
	for (uint8_t retries = 1; retries <= 5; retries++) {
		struct world *w = world_new(
				&(struct world_options){.backend = {.tcp_syn_retries = retries}});
		struct flow_script f = flow_script_default(6, 40000);
		struct packet packet;

		prove(w, &f, REASON_ack_connecting);
		for (unsigned again = 1; again < retries; again++) {
			ticks_t wait = (TICKS_PER_S << (again - 1)) - 20 * TICKS_PER_MS;

			world_pass(w, again == 1 ? wait : wait - 40 * TICKS_PER_MS);
			world_nothing_emitted(w);
			world_pass(w, 80 * TICKS_PER_MS);
			packet = world_emitted(w, SIDE_BACKEND);
			assert_int_equal(packet.flags, PACKET_SYN);
			assert_int_equal(packet.seq, f.client_isn);
			assert_int_equal(packet_mss(&packet), 1440);
			assert_int_equal(packet_wscale(&packet), 7);
		}
		world_pass(w, (TICKS_PER_S << (retries - 1)) - 100 * TICKS_PER_MS);
		world_nothing_emitted(w);
		world_pass(w, 200 * TICKS_PER_MS);
		packet = world_emitted(w, SIDE_CLIENT);
		assert_int_equal(packet.flags, PACKET_RST | PACKET_ACK);
		assert_int_equal(packet.seq, f.iss + 1);
		assert_int_equal(packet.ack, f.client_isn + 1);
		assert_int_equal(world_connections(w), 0);
		assert_int_equal(w->shared[1].accept, 0);
		world_free(w);
	}
}

/* 5. PITFALLS 12: an old socket of the same tuple answers with its own numbers: reset, and the SYN
 * again soon. */
static void
test_pitfall_12_old_socket(void **state)
{
	static const uint8_t flags[] = {
			PACKET_ACK, PACKET_SYN | PACKET_ACK, PACKET_FIN | PACKET_ACK};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(flags); i++) {
		struct world *w = world_new(&(struct world_options){0});
		struct flow_script f = flow_script_default(4, 40000);
		struct packet packet;
		struct outcome out;

		prove(w, &f, REASON_ack_connecting);
		packet = flow_backend(&f, flags[i], 777, 888);
		out = world_send(w, SIDE_BACKEND, &packet);
		assert_int_equal(out.reason, REASON_backend_old_socket);
		assert_int_equal(out.to, SIDE_BACKEND);
		assert_int_equal(out.packet.flags, PACKET_RST);
		assert_int_equal(out.packet.seq, 888);
		world_pass(w, 60 * TICKS_PER_MS);
		packet = world_emitted(w, SIDE_BACKEND);
		assert_int_equal(packet.flags, PACKET_SYN);
		assert_int_equal(packet.seq, f.client_isn);
		packet = flow_synack(&f);
		assert_int_equal(world_send(w, SIDE_BACKEND, &packet).reason,
				REASON_backend_connected);
		world_emitted(w, SIDE_CLIENT);
		world_free(w);
	}
}

/* An old socket is not a silent backend: even with a single SYN allowed, it is repeated once. */
static void
test_pitfall_12_old_socket_once(void **state)
{
	struct world *w = world_new(&(struct world_options){.backend = {.tcp_syn_retries = 1}});
	struct flow_script f = flow_script_default(4, 40000);
	struct packet packet;

	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		if (round == 0)
			prove(w, &f, REASON_ack_connecting);
		packet = flow_backend(&f, PACKET_ACK, 777, 888);
		assert_int_equal(world_send(w, SIDE_BACKEND, &packet).reason,
				REASON_backend_old_socket);
		world_pass(w, 60 * TICKS_PER_MS);
		packet = world_emitted(w, round == 0 ? SIDE_BACKEND : SIDE_CLIENT);
		/* A backend that goes on like this is given up: bounded, and with an end. */
		assert_int_equal(packet.flags, round == 0 ? PACKET_SYN : PACKET_RST | PACKET_ACK);
	}
	assert_int_equal(world_connections(w), 0);
	world_free(w);
}

/* The new socket's own ACK, overtaking its SYN-ACK, is not mistaken for an old socket's. */
static void
test_overtaken_syn_ack(void **state)
{
	struct world *w = world_new(&(struct world_options){0});
	struct flow_script f = flow_script_default(4, 40000);
	struct packet packet;

	(void)state;
	prove(w, &f, REASON_ack_connecting);
	packet = flow_backend(&f, PACKET_ACK, f.backend_isn + 1, f.client_isn + 1);
	assert_int_equal(world_send(w, SIDE_BACKEND, &packet).reason, REASON_backend_early);
	packet = flow_synack(&f);
	assert_int_equal(world_send(w, SIDE_BACKEND, &packet).reason, REASON_backend_connected);
	world_emitted(w, SIDE_CLIENT);
	world_free(w);
}

/* 6. What a client sends before its backend answers is absorbed, and its latest window and TSval
 * count. */
static void
test_early_client(void **state)
{
	struct world *w = world_new(&(struct world_options){0});
	struct flow_script f = flow_script_default(4, 40000);
	struct packet packet;
	uint32_t tsval, tsecr;
	struct outcome out;

	(void)state;
	prove(w, &f, REASON_ack_connecting);
	f.client_tsval += 100;
	f.client_window = 1000;
	packet = flow_ack(&f);
	assert_int_equal(world_send(w, SIDE_CLIENT, &packet).reason, REASON_client_early);
	f.client_window = 77;
	packet = flow_client(&f, PACKET_ACK, f.client_isn, f.iss + 1);
	assert_int_equal(world_send(w, SIDE_CLIENT, &packet).reason, REASON_client_early);
	packet = flow_synack(&f);
	out = world_send(w, SIDE_BACKEND, &packet);
	world_emitted(w, SIDE_CLIENT);
	assert_int_equal(out.packet.window, 1000);
	assert_true(packet_timestamp(&out.packet, &tsval, &tsecr));
	assert_int_equal(tsval, f.client_tsval);
	world_free(w);
}

/* 7. A client's RST ends its attempt only in sequence (PITFALLS 15); the backend is told. */
static void
test_client_reset(void **state)
{
	struct world *w = world_new(&(struct world_options){.backend = {.connect_window = 1}});
	struct flow_script a = flow_script_default(4, 40000), b = flow_script_default(4, 40001);
	struct packet packet;
	struct outcome out;

	(void)state;
	prove(w, &a, REASON_ack_connecting);
	prove(w, &b, REASON_ack_queued);
	packet = flow_client(&a, PACKET_RST, a.client_isn + 2, 0);
	assert_int_equal(world_send(w, SIDE_CLIENT, &packet).reason, REASON_stray_client);
	assert_int_equal(world_connections(w), 2);

	packet = flow_client(&b, PACKET_RST | PACKET_ACK, b.client_isn + 1, b.iss + 1);
	assert_int_equal(world_send(w, SIDE_CLIENT, &packet).reason, REASON_client_early_gone);
	packet = flow_client(&a, PACKET_RST, a.client_isn + 1, 0);
	out = world_send(w, SIDE_CLIENT, &packet);
	assert_int_equal(out.reason, REASON_client_early_reset);
	assert_int_equal(out.to, SIDE_BACKEND);
	assert_int_equal(out.packet.flags, PACKET_RST);
	assert_int_equal(out.packet.seq, a.client_isn + 1);
	assert_int_equal(world_connections(w), 0);
	assert_int_equal(w->shared[0].accept, 0);
	world_nothing_emitted(w);
	world_free(w);
}

/* 8. The connect window: so many SYNs at a time, the others wait in order and start as places free
 * up. */
static void
test_connect_window(void **state)
{
	struct world *w = world_new(&(struct world_options){.backend = {.connect_window = 2}});
	struct flow_script flows[6];
	struct packet packet;

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(flows); i++) {
		flows[i] = flow_script_default(4, (uint16_t)(40000 + i));
		prove(w, &flows[i], i < 2 ? REASON_ack_connecting : REASON_ack_queued);
	}
	assert_int_equal(w->shared[0].accept, 6);

	/* A waiting client repeats itself: absorbed. */
	packet = flow_ack(&flows[3]);
	assert_int_equal(world_send(w, SIDE_CLIENT, &packet).reason, REASON_client_early);

	for (unsigned i = 0; i < ARRAY_COUNT(flows); i++) {
		packet = flow_synack(&flows[i]);
		assert_int_equal(world_send(w, SIDE_BACKEND, &packet).reason,
				REASON_backend_connected);
		assert_int_equal(w->shared[0].accept, 5 - i);
		/* The next SYN, if any, then the window update. */
		assert_int_equal(w->emitted_count, i + 2 < ARRAY_COUNT(flows) ? 2 : 1);
		if (i + 2 < ARRAY_COUNT(flows)) {
			assert_int_equal(w->emitted[0].to, SIDE_BACKEND);
			assert_int_equal(w->emitted[0].packet.flags, PACKET_SYN);
			assert_int_equal(
					w->emitted[0].packet.source_port, flows[i + 2].client_port);
			assert_int_equal(w->emitted[0].packet.window, 502 << 7);
		}
		w->emitted_count = 0;
	}
	assert_int_equal(world_counter(w, 0, COUNTER_ActiveOpens), 6);
	assert_int_equal(world_counter(w, 0, COUNTER_CurrEstab), 6);
	world_free(w);
}

/* 9. Without buffers nothing is lost for good: the waiting client's SYN goes out a second later,
 * and a silent backend's client still gets its RST. */
static void
test_out_of_buffers(void **state)
{
	struct world *w = world_new(&(struct world_options){
			.backend = {.connect_window = 1, .tcp_syn_retries = 1}});
	struct flow_script a = flow_script_default(4, 40000), b = flow_script_default(4, 40001);
	struct packet packet;

	(void)state;
	prove(w, &a, REASON_ack_connecting);
	prove(w, &b, REASON_ack_queued);
	w->out_of_buffers = true;
	packet = flow_synack(&a);
	assert_int_equal(world_send(w, SIDE_BACKEND, &packet).reason, REASON_backend_connected);
	world_nothing_emitted(w);
	assert_int_equal(worker_counters(w->worker)->emit_failed, 2);
	w->out_of_buffers = false;
	world_pass(w, 1050 * TICKS_PER_MS);
	packet = world_emitted(w, SIDE_BACKEND);
	assert_int_equal(packet.flags, PACKET_SYN);
	assert_int_equal(packet.source_port, 40001);

	w->out_of_buffers = true;
	world_pass(w, 1050 * TICKS_PER_MS);
	assert_int_equal(world_connections(w), 2);
	w->out_of_buffers = false;
	world_pass(w, 1050 * TICKS_PER_MS);
	packet = world_emitted(w, SIDE_CLIENT);
	assert_int_equal(packet.flags, PACKET_RST | PACKET_ACK);
	assert_int_equal(world_connections(w), 1);
	world_free(w);
}

/* 10. The profile: what the backend's SYN-ACK lacks is not promised to the next client (PITFALLS 2,
 * 4). */
static void
test_profile(void **state)
{
	struct world *w = world_new(&(struct world_options){0});
	struct flow_script f = flow_script_default(4, 40000), g = flow_script_default(4, 40001);
	uint32_t tsval, tsecr;
	struct packet answer;

	(void)state;
	f.backend_timestamp = false;
	f.backend_sack = false;
	f.backend_mss = 1400;
	flow_establish(w, &f);
	answer = flow_send_syn(w, &g);
	assert_false(packet_timestamp(&answer, &tsval, &tsecr));
	assert_null(packet_find_option(&answer, PACKET_OPTION_SACK_PERMITTED));
	assert_int_equal(packet_mss(&answer), 1400);
	assert_int_equal(packet_wscale(&answer), 7);

	/* A client that doesn't offer an option teaches nothing about it. */
	g.client_timestamp = false;
	g.client_sack = true;
	g.client_port++;
	g.backend_sack = true;
	g.backend_mss = 1400;
	flow_establish(w, &g);
	f = flow_script_default(4, 40010);
	answer = flow_send_syn(w, &f);
	assert_false(packet_timestamp(&answer, &tsval, &tsecr));
	world_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_established),
			cmocka_unit_test(test_lost_ack),
			cmocka_unit_test(test_second_socket),
			cmocka_unit_test(test_pitfall_12_refused),
			cmocka_unit_test(test_pitfall_12_silent),
			cmocka_unit_test(test_pitfall_12_old_socket),
			cmocka_unit_test(test_pitfall_12_old_socket_once),
			cmocka_unit_test(test_overtaken_syn_ack),
			cmocka_unit_test(test_early_client),
			cmocka_unit_test(test_client_reset),
			cmocka_unit_test(test_connect_window),
			cmocka_unit_test(test_out_of_buffers),
			cmocka_unit_test(test_profile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
