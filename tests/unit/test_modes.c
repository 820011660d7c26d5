/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The modes of tcp_syncookies, and what may change while handshakes are in flight: mode, secret,
 * window scale, queue sizes, the backend itself. No handshake is lost. PITFALLS by number.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "world.h"

#define S TICKS_PER_S

static enum reason
send(struct world *w, struct packet packet)
{
	return world_send(w, SIDE_CLIENT, &packet).reason;
}

/* 1. Mode 0: when strangers have all but the last quarter, a client that completed a connection
 * before still gets in. */
static void
test_proven_client(void **state)
{
	struct world *w = world_new(&(struct world_options){
			.mode = WORLD_MODE_0, .backend = {.tcp_max_syn_backlog = 128}});
	struct flow_script f = flow_script_default(4, 40000);

	(void)state;
	flow_establish(w, &f);

	world_flood(w, 0, 200);
	assert_int_equal(send(w, world_stranger_syn(999)), REASON_syn_reserved);
	f.client_port++;
	assert_int_equal(send(w, flow_syn(&f)), REASON_syn_queued);
	world_free(w);
}

/* 2. PITFALLS 7: every change of mode, by reload, with handshakes in flight: all of them complete;
 * 128 s after the last cookie none is looked for. */
static void
test_pitfall_7_mode_switch(void **state)
{
	(void)state;
	for (unsigned from = 0; from < 3; from++) {
		for (unsigned to = 0; to < 3; to++) {
			struct world *w = world_new(&(struct world_options){
					.mode = (enum world_mode)(2 - from)});
			struct flow_script f = flow_script_default(4, 40000), g = f;

			g.client_port++;
			flow_send_syn(w, &f);
			flow_send_syn(w, &g);
			w->configs[0].tcp_syncookies = (uint8_t)to;
			world_publish(w);
			assert_int_equal(send(w, flow_ack(&f)), REASON_ack_connecting);
			world_pass(w, 60 * S);
			w->emitted_count = 0;
			if (from == 2)
				assert_int_equal(send(w, flow_ack(&g)), REASON_ack_connecting);
			world_pass(w, 70 * S);
			w->emitted_count = 0;
			g.client_port++;
			assert_int_equal(send(w, flow_ack(&g)), REASON_stray_client);
			assert_int_equal(world_counter(w, 0, COUNTER_SyncookiesFailed), 0);
			world_free(w);
		}
	}
}

/* 3. Nodes that share a secret: an ACK whose SYN another node answered counts at any time. */
static void
test_pitfall_9_other_node(void **state)
{
	struct world *here = world_new(&(struct world_options){.foreign_cookies = true});
	struct world *there = world_new(&(struct world_options){.foreign_cookies = true});
	struct world *alone = world_new(&(struct world_options){0});
	struct flow_script f = flow_script_default(4, 40000);

	(void)state;
	flow_send_syn(there, &f);
	assert_int_equal(send(here, flow_ack(&f)), REASON_ack_connecting);
	assert_int_equal(send(alone, flow_ack(&f)), REASON_stray_client);
	world_free(here);
	world_free(there);
	world_free(alone);
}

/* 4. PITFALLS 8: after a flood mode 1 goes on with cookies for a second, then queues again. */
static void
test_pitfall_8_mode(void **state)
{
	struct world *w = world_new(
			&(struct world_options){.mode = WORLD_MODE_1, .backend = {.backlog = 15}});

	(void)state;
	world_flood(w, 0, 100);
	assert_int_equal(w->shared[0].syn, 16);
	assert_int_equal(w->shared[0].cookies, 1);
	/* Five leave: below three quarters, but too soon. */
	for (unsigned n = 0; n < 5; n++) {
		struct packet reset = world_stranger_syn(n);

		reset.flags = PACKET_RST;
		reset.options_length = 0;
		reset.seq++;
		assert_int_equal(send(w, reset), REASON_syn_queue_reset);
	}
	assert_int_equal(send(w, world_stranger_syn(200)), REASON_syn_cookie_sent);
	assert_int_equal(w->shared[0].cookies, 1);
	world_pass(w, 1200 * TICKS_PER_MS);
	w->emitted_count = 0;
	assert_int_equal(send(w, world_stranger_syn(201)), REASON_syn_queued);
	assert_int_equal(w->shared[0].cookies, 0);
	world_free(w);
}

/* 5. The scale that was announced counts, although a reload changed it between SYN-ACK and ACK,
 * with and without an entry; from a later epoch on the new one is announced. */
static void
test_announced_wscale_change(void **state)
{
	const ticks_t epoch = 64 * S;

	(void)state;
	for (unsigned mode = WORLD_MODE_2; mode <= WORLD_MODE_1; mode++) {
		struct world *w = world_new(&(struct world_options){.mode = (enum world_mode)mode,
				.start = UINT64_C(26562500) * epoch + S,
				.backend = {.announced_wscale = 7}});
		struct flow_script f = flow_script_default(4, 40000);
		struct packet synack, update;

		assert_int_equal(packet_wscale(&(struct packet){0}), -1);
		synack = flow_send_syn(w, &f);
		assert_int_equal(packet_wscale(&synack), 7);
		w->cookies = cookie_plan_next(&w->cookies, &w->cookies.secrets[3], w->now);
		w->configs[0].announced_wscale = 2;
		for (unsigned i = 0; i < ARRAY_COUNT(w->configs[0].earlier_wscale); i++)
			w->configs[0].earlier_wscale[i] = 7 + 1;
		world_publish(w);

		assert_int_equal(send(w, flow_ack(&f)), REASON_ack_connecting);
		synack = flow_synack(&f);
		f.backend_window = 1000; /* unscaled in a SYN-ACK: 1000 bytes */
		synack.window = f.backend_window;
		assert_int_equal(world_send(w, SIDE_BACKEND, &synack).reason,
				REASON_backend_connected);
		update = world_emitted(w, SIDE_CLIENT);
		assert_int_equal(update.window, 1000 >> 7);

		f.client_port++;
		synack = flow_send_syn(w, &f);
		assert_int_equal(packet_wscale(&synack), 7);
		world_pass(w, 2 * epoch);
		w->emitted_count = 0;
		f.client_port++;
		synack = flow_send_syn(w, &f);
		assert_int_equal(packet_wscale(&synack), 2);
		assert_int_equal(send(w, flow_ack(&f)), REASON_ack_connecting);
		synack = flow_synack(&f);
		synack.window = 1000;
		assert_int_equal(world_send(w, SIDE_BACKEND, &synack).reason,
				REASON_backend_connected);
		update = world_emitted(w, SIDE_CLIENT);
		assert_int_equal(update.window, 1000 >> 2);
		world_free(w);
	}
}

/* 6. PITFALLS 27: a new secret, published at any point of an epoch: cookies sent before count for
 * their whole life, and so do those sent after. */
static void
test_pitfall_27_new_secret(void **state)
{
	const ticks_t epoch = 64 * S;

	(void)state;
	for (unsigned at_s = 0; at_s < 128; at_s += 9) {
		ticks_t border = UINT64_C(26562500) * epoch;
		struct world *w = world_new(&(struct world_options){.start = border});
		struct flow_script f = flow_script_default(4, 40000);

		for (unsigned s = 0; s < 400; s += 7, f.client_port++) {
			struct packet ack;

			if (s / 7 == at_s / 7) {
				w->cookies = cookie_plan_next(
						&w->cookies, &(struct siphash_key){77, 88}, w->now);
				world_publish(w);
			}
			flow_send_syn(w, &f);
			ack = flow_ack(&f);
			world_pass(w, 7 * S);
			assert_int_equal(send(w, ack), REASON_ack_connecting);
			assert_int_equal(send(w, flow_client(&f, PACKET_RST, f.client_isn + 1, 0)),
					REASON_client_early_reset);
		}
		/* The old secret is not worth anything any more. */
		struct world *before = world_new(&(struct world_options){.start = w->now});

		flow_send_syn(before, &f);
		assert_int_equal(send(w, flow_ack(&f)), REASON_ack_cookie_invalid);
		world_free(before);
		world_free(w);
	}
}

/* 7. A backend that drains: no new client, but who was answered before gets in, queued or not. */
static void
test_draining(void **state)
{
	(void)state;
	for (unsigned mode = WORLD_MODE_2; mode <= WORLD_MODE_0; mode++) {
		struct world *w = world_new(&(struct world_options){.mode = (enum world_mode)mode});
		struct flow_script f = flow_script_default(4, 40000);

		flow_send_syn(w, &f);
		w->configs[0].is_draining = true;
		world_publish(w);
		assert_int_equal(send(w, world_stranger_syn(1)), REASON_syn_draining);
		assert_int_equal(world_counter(w, 0, COUNTER_ListenDrops), 1);
		assert_int_equal(send(w, flow_ack(&f)), REASON_ack_connecting);
		world_free(w);
	}
}

/* 8. PITFALLS 26: a reload that shrinks the queue below what is in it throws nobody out; it
 * drains, and newcomers find it full. */
static void
test_pitfall_26_shrink(void **state)
{
	struct world *w = world_new(
			&(struct world_options){.mode = WORLD_MODE_0, .backend = {.backlog = 99}});
	struct flow_script f = flow_script_default(4, 40000);

	(void)state;
	flow_send_syn(w, &f);
	world_flood(w, 0, 50);
	w->configs[0].backlog = 9;
	world_publish(w);
	assert_int_equal(w->shared[0].syn, 51);
	assert_int_equal(send(w, world_stranger_syn(100)), REASON_syn_queue_full);
	assert_int_equal(send(w, flow_ack(&f)), REASON_ack_connecting);
	assert_int_equal(w->shared[0].syn, 50);
	w->configs[0].backlog = 199;
	world_publish(w);
	assert_int_equal(send(w, world_stranger_syn(101)), REASON_syn_queued);
	world_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_proven_client),
			cmocka_unit_test(test_pitfall_7_mode_switch),
			cmocka_unit_test(test_pitfall_9_other_node),
			cmocka_unit_test(test_pitfall_8_mode),
			cmocka_unit_test(test_announced_wscale_change),
			cmocka_unit_test(test_pitfall_27_new_secret),
			cmocka_unit_test(test_draining),
			cmocka_unit_test(test_pitfall_26_shrink),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
