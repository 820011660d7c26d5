/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Half-open clients as both ends see them: entries of the syn queue, their SYN-ACKs, their proofs,
 * and the modes of tcp_syncookies. SEMANTICS and PITFALLS by number.
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

static const unsigned versions[] = {4, 6};

static uint16_t
slot_of(unsigned version)
{
	return version == 6;
}

static enum reason
send(struct world *w, struct packet packet)
{
	return world_send(w, SIDE_CLIENT, &packet).reason;
}

/* 1. Mode 1 with room: an entry, no cookie counted, and its ACK leaves the queue for the ring. */
static void
test_queued(void **state)
{
	(void)state;
	for (unsigned v = 0; v < 2; v++) {
		struct world *w = world_new(&(struct world_options){.mode = WORLD_MODE_1});
		struct flow_script f = flow_script_default(versions[v], 40000);
		const uint16_t slot = slot_of(versions[v]);
		struct packet syn = flow_syn(&f);

		assert_int_equal(send(w, syn), REASON_syn_queued);
		assert_int_equal(w->shared[slot].syn, 1);
		assert_int_equal(w->shared[slot].young, 1);
		assert_int_equal(world_counter(w, slot, COUNTER_SyncookiesSent), 0);
		flow_send_syn(w, &f); /* again: learns the numbers */
		assert_int_equal(send(w, flow_ack(&f)), REASON_ack_connecting);
		assert_int_equal(w->shared[slot].syn, 0);
		assert_int_equal(w->shared[slot].young, 0);
		assert_int_equal(w->shared[slot].accept, 1);
		assert_int_equal(world_counter(w, slot, COUNTER_SyncookiesRecv), 0);
		assert_int_equal(world_counter(w, slot, COUNTER_PassiveOpens), 1);
		world_free(w);
	}
}

/* 2. PITFALLS 6: nobody acknowledges: the SYN-ACK comes again after 1, 3, 7, 15 and 31 s, the same
 * each time, and after 63 s the client is forgotten. Each timer may be late by a step and a tick.
 */
static void
test_pitfall_6_repeats(void **state)
{
	static const unsigned at_ms[] = {1000, 3000, 7000, 15000, 31000};

	(void)state;
	for (unsigned v = 0; v < 4; v++) {
		struct world *w = world_new(&(struct world_options){
				.mode = v < 2 ? WORLD_MODE_1 : WORLD_MODE_0});
		struct flow_script f = flow_script_default(versions[v % 2], 40000);
		const uint16_t slot = slot_of(versions[v % 2]);
		struct packet first, again;
		unsigned repeats = 0, gone_ms = 0;

		f.vlan_count = v % 2 + 1;
		first = flow_send_syn(w, &f);
		for (unsigned ms = 10; gone_ms == 0 && ms < 70000; ms += 10) {
			world_pass(w, 10 * TICKS_PER_MS);
			if (w->shared[slot].syn == 0)
				gone_ms = ms;
			if (w->emitted_count == 0)
				continue;
			assert_in_range(ms, at_ms[repeats], at_ms[repeats] + 30 * (repeats + 1));
			repeats++;
			again = world_emitted(w, SIDE_CLIENT);
			assert_int_equal(again.seq, first.seq);
			assert_int_equal(again.ack, first.ack);
			assert_int_equal(again.flags, PACKET_SYN | PACKET_ACK);
			assert_int_equal(again.window, first.window);
			assert_int_equal(again.vlan_count, f.vlan_count);
			assert_memory_equal(again.ether_destination, first.ether_destination, 6);
			assert_memory_equal(again.ether_source, first.ether_source, 6);
			assert_int_equal(again.options_length, first.options_length);
			assert_memory_equal(again.options, first.options, first.options_length);
		}
		assert_int_equal(repeats, 5);
		assert_in_range(gone_ms, 63000, 63200);
		assert_int_equal(world_counter(w, slot, COUNTER_TCPTimeouts), 5);
		assert_int_equal(world_counter(w, slot, COUNTER_SynQueueExpired), 1);
		assert_int_equal(w->shared[slot].young, 0);
		/* An ACK now proves nothing: no cookie is out there. */
		assert_int_equal(send(w, flow_ack(&f)), REASON_stray_client);
		world_free(w);
	}
}

/* 3. PITFALLS 6: the final ACK is lost and the server would speak first: the repeated SYN-ACK draws
 * a new ACK, and the client reaches its backend. */
static void
test_pitfall_6_lost_ack(void **state)
{
	struct world *w = world_new(&(struct world_options){.mode = WORLD_MODE_1});
	struct flow_script f = flow_script_default(4, 40000);
	struct packet answer = flow_synack(&f);

	(void)state;
	flow_send_syn(w, &f);
	world_pass(w, S + 30 * TICKS_PER_MS);
	assert_int_equal(world_take_syn_acks(w), 1);
	assert_int_equal(send(w, flow_ack(&f)), REASON_ack_connecting);
	assert_int_equal(world_send(w, SIDE_BACKEND, &answer).reason, REASON_backend_connected);
	world_emitted(w, SIDE_CLIENT);
	world_pass(w, 60 * S);
	assert_int_equal(world_take_syn_acks(w), 0);
	world_free(w);
}

/* 4. A repeated SYN is answered from its entry, with its newest timestamp, and not queued twice;
 * also within one burst. */
static void
test_repeated_syn(void **state)
{
	(void)state;
	for (unsigned v = 0; v < 2; v++) {
		struct world *w = world_new(&(struct world_options){.mode = WORLD_MODE_1});
		struct flow_script f = flow_script_default(versions[v], 40000), g = f;
		struct packet first = flow_send_syn(w, &f), again, pair[3];
		struct outcome outcomes[3];

		g.client_tsval = f.client_tsval + 1000;
		again = flow_send_syn(w, &g); /* asserts that the new TSval is echoed */
		assert_int_equal(again.seq, first.seq);
		assert_int_equal(g.synack_tsval, f.synack_tsval);
		assert_int_equal(world_reason(w, REASON_syn_again), 1);
		assert_int_equal(w->shared[slot_of(versions[v])].syn, 1);

		f.client_port++;
		for (unsigned i = 0; i < 3; i++)
			pair[i] = flow_syn(&f);
		world_send_burst(w, SIDE_CLIENT, 3, pair, outcomes);
		assert_int_equal(outcomes[0].reason, REASON_syn_queued);
		assert_int_equal(outcomes[1].reason, REASON_syn_again);
		assert_int_equal(outcomes[2].reason, REASON_syn_again);
		assert_int_equal(outcomes[2].packet.seq, outcomes[0].packet.seq);
		assert_int_equal(w->shared[slot_of(versions[v])].syn, 2);
		world_free(w);
	}
}

/* 5. A SYN with another ISN, of a new handshake or forged: the entry stays as it is, and either
 * ACK proves its client; the entry goes with it. */
static void
test_other_isn(void **state)
{
	(void)state;
	for (unsigned second = 0; second < 2; second++) {
		struct world *w = world_new(&(struct world_options){.mode = WORLD_MODE_1});
		struct flow_script f = flow_script_default(4, 40000), g = f;

		g.client_isn += 77777;
		flow_send_syn(w, &f);
		flow_send_syn(w, &g);
		assert_int_equal(world_reason(w, REASON_syn_cookie_sent), 1);
		assert_int_equal(w->shared[0].syn, 1);
		assert_int_equal(send(w, flow_ack(second ? &g : &f)), REASON_ack_connecting);
		assert_int_equal(world_counter(w, 0, COUNTER_SyncookiesRecv), second);
		assert_int_equal(w->shared[0].syn, 0);
		world_free(w);
	}
}

/* 6. The reference table: a flood from strangers, and each packet counted as the kernel does. The
 * same whatever the bursts. */
static void
test_reference_table(void **state)
{
	static const struct {
		uint32_t backlog, syn_backlog;
		enum world_mode mode;
		uint32_t settles;
		enum reason beyond;
		enum backend_counter counter;
	} rows[] = {
			{1024, 128, WORLD_MODE_0, 97, REASON_syn_reserved, COUNTER_ListenDrops},
			{128, 512, WORLD_MODE_0, 129, REASON_syn_queue_full,
					COUNTER_TCPReqQFullDrop},
			{128, 512, WORLD_MODE_1, 129, REASON_syn_cookie_sent,
					COUNTER_TCPReqQFullDoCookies},
			{5, 512, WORLD_MODE_1, 6, REASON_syn_cookie_sent,
					COUNTER_TCPReqQFullDoCookies},
			{256, 512, WORLD_MODE_1, 257, REASON_syn_cookie_sent,
					COUNTER_TCPReqQFullDoCookies},
	};
	const unsigned count = 2000;

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
		struct world *w = world_new(&(struct world_options){.mode = rows[i].mode,
				.syn_entries = 512,
				.backend = {.backlog = rows[i].backlog,
						.somaxconn = rows[i].backlog,
						.tcp_max_syn_backlog = rows[i].syn_backlog}});
		const uint64_t beyond = count - rows[i].settles;
		bool drops = rows[i].mode == WORLD_MODE_0;

		world_flood(w, 0, count);
		assert_int_equal(w->shared[0].syn, rows[i].settles);
		assert_int_equal(world_reason(w, REASON_syn_queued), rows[i].settles);
		assert_int_equal(world_reason(w, rows[i].beyond), beyond);
		assert_int_equal(world_counter(w, 0, rows[i].counter), beyond);
		assert_int_equal(world_counter(w, 0, COUNTER_ListenDrops), drops ? beyond : 0);
		assert_int_equal(world_counter(w, 0, COUNTER_SyncookiesSent), drops ? 0 : beyond);
		assert_int_equal(world_counter(w, 0, COUNTER_ListenOverflows), 0);
		assert_int_equal(world_counter(w, 0, COUNTER_SynQueueEvicted), 0);
		world_free(w);
	}
}

/* 7. SEMANTICS, the final ACK: a full accept ring, abort 0: the entry stays, marked; when room
 * appears the client's retransmitted data, with the same numbers, completes it. By entry and by
 * cookie. */
static void
test_overflow_silent(void **state)
{
	(void)state;
	for (unsigned mode = WORLD_MODE_2; mode <= WORLD_MODE_0; mode++) {
		struct world *w = world_new(&(struct world_options){
				.mode = (enum world_mode)mode, .backend = {.backlog = 1}});
		struct flow_script first[2], late = flow_script_default(4, 41000);
		struct packet data, refusal;
		static const uint8_t hello[] = "hello world";

		/* Two fit; the third proves itself too late. */
		flow_send_syn(w, &late);
		for (unsigned i = 0; i < 2; i++) {
			first[i] = flow_script_default(4, (uint16_t)(40000 + i));
			flow_send_syn(w, &first[i]);
			assert_int_equal(send(w, flow_ack(&first[i])), REASON_ack_connecting);
		}
		assert_int_equal(send(w, flow_ack(&late)), REASON_ack_overflow_dropped);
		assert_int_equal(world_counter(w, 0, COUNTER_ListenOverflows), 1);
		assert_int_equal(world_counter(w, 0, COUNTER_ListenDrops), 1);
		assert_int_equal(world_counter(w, 0, COUNTER_EmbryonicRsts), 0);
		assert_int_equal(w->shared[0].syn, mode == WORLD_MODE_2 ? 0 : 1);
		if (mode != WORLD_MODE_2) { /* the SYN-ACK timer goes on */
			world_pass(w, S + 30 * TICKS_PER_MS);
			assert_in_range(world_take_syn_acks(w), 1, 1);
		}

		/* A backend's answer makes room. */
		refusal = flow_backend(
				&first[0], PACKET_RST | PACKET_ACK, 0, first[0].client_isn + 1);
		assert_int_equal(world_send(w, SIDE_BACKEND, &refusal).reason,
				REASON_backend_refused);
		w->emitted_count = 0;
		data = flow_client(
				&late, PACKET_ACK | PACKET_PSH, late.client_isn + 1, late.iss + 1);
		data.payload = hello;
		data.payload_length = sizeof(hello);
		assert_int_equal(send(w, data), REASON_ack_connecting_held);
		assert_int_equal(w->shared[0].syn, 0);
		assert_int_equal(world_counter(w, 0, COUNTER_PassiveOpens), 3);
		world_free(w);
	}
}

/* 8. The same with abort 1: a RST that the client must believe, and the entry is gone. */
static void
test_overflow_abort(void **state)
{
	(void)state;
	for (unsigned mode = WORLD_MODE_2; mode <= WORLD_MODE_0; mode++) {
		struct world *w = world_new(&(struct world_options){.mode = (enum world_mode)mode,
				.backend = {.backlog = 1, .tcp_abort_on_overflow = 1}});
		struct flow_script f, late = flow_script_default(4, 41000);
		struct packet ack;
		struct outcome out;

		flow_send_syn(w, &late);
		for (unsigned i = 0; i < 2; i++) {
			f = flow_script_default(4, (uint16_t)(40000 + i));
			flow_send_syn(w, &f);
			assert_int_equal(send(w, flow_ack(&f)), REASON_ack_connecting);
		}
		ack = flow_ack(&late);
		out = world_send(w, SIDE_CLIENT, &ack);
		assert_int_equal(out.reason, REASON_ack_overflow_reset);
		assert_int_equal(out.packet.flags, PACKET_RST);
		assert_int_equal(out.packet.seq, late.iss + 1);
		assert_int_equal(world_counter(w, 0, COUNTER_EmbryonicRsts), 1);
		assert_int_equal(world_counter(w, 0, COUNTER_ListenOverflows), 1);
		assert_int_equal(world_counter(w, 0, COUNTER_ListenDrops), 1);
		assert_int_equal(w->shared[0].syn, 0);
		world_free(w);
	}
}

/* 9. A half-open client that gives up leaves the queue; a blind RST does not remove it. */
static void
test_client_reset(void **state)
{
	struct world *w = world_new(&(struct world_options){.mode = WORLD_MODE_1});
	struct flow_script f = flow_script_default(4, 40000);

	(void)state;
	flow_send_syn(w, &f);
	assert_int_equal(
			send(w, flow_client(&f, PACKET_RST, f.client_isn, 0)), REASON_stray_client);
	assert_int_equal(send(w, flow_client(&f, PACKET_RST, f.client_isn + 2, 0)),
			REASON_stray_client);
	assert_int_equal(w->shared[0].syn, 1);
	assert_int_equal(send(w, flow_client(&f, PACKET_RST, f.client_isn + 1, 0)),
			REASON_syn_queue_reset);
	assert_int_equal(w->shared[0].syn, 0);
	assert_int_equal(w->shared[0].young, 0);
	world_pass(w, 5 * S);
	world_nothing_emitted(w);
	world_free(w);
}

/* 10. A flood of ten times the queue's memory: it stays what it is, each newcomer pushes out the
 * oldest, and one pushed out still gets in by its cookie; an established connection notices
 * nothing. */
static void
test_eviction(void **state)
{
	struct world *w =
			world_new(&(struct world_options){.mode = WORLD_MODE_1, .syn_entries = 64});
	struct flow_script old = flow_script_default(4, 40000);
	struct flow_script f = flow_script_default(4, 40001);
	struct packet data;
	static const uint8_t hello[] = "hello";

	(void)state;
	flow_establish(w, &old);

	flow_send_syn(w, &f);
	world_flood(w, 0, 640);
	assert_int_equal(w->shared[0].syn, 64);
	assert_int_equal(w->shared[0].young, 64);
	assert_int_equal(world_counter(w, 0, COUNTER_SynQueueEvicted), 1 + 640 - 64);
	assert_int_equal(send(w, flow_ack(&f)), REASON_ack_connecting);
	assert_int_equal(world_counter(w, 0, COUNTER_SyncookiesRecv), 1);

	data = flow_client(&old, PACKET_ACK | PACKET_PSH, old.client_isn + 1, old.iss + 1);
	data.payload = hello;
	data.payload_length = sizeof(hello);
	assert_int_equal(send(w, data), REASON_spliced);
	world_free(w);
}

/* 11. Work per tick is bounded: 100 SYN-ACKs are due at once, and no tick takes more than its
 * budget; the timers of connections, due at the same time, get half of it. */
static void
test_budget(void **state)
{
	struct world *w = world_new(
			&(struct world_options){.mode = WORLD_MODE_1, .connections = 128});
	unsigned syn_acks = 0, syns = 0, when_connected = 0;

	(void)state;
	for (unsigned n = 0; n < 100; n++) {
		struct flow_script f = flow_script_default(4, (uint16_t)(40000 + n));

		flow_send_syn(w, &f);
		assert_int_equal(send(w, flow_ack(&f)), REASON_ack_connecting);
	}
	world_flood(w, 0, 100);
	w->now += S + 50 * TICKS_PER_MS;
	for (unsigned ticks = 0; syn_acks < 100 || syns < 100; ticks++) {
		unsigned emitted, answers;

		assert_in_range(ticks, 0, 100);
		assert_in_range(sluice_tick(w->worker, w->now, 16), 1, 16);
		emitted = w->emitted_count;
		assert_in_range(emitted, 0, 16);
		answers = world_take_syn_acks(w);
		syn_acks += answers;
		syns += emitted - answers;
		if (syns == 100 && when_connected == 0)
			when_connected = syn_acks;
	}
	assert_int_equal(syn_acks, 100);
	assert_int_equal(syns, 100);
	assert_in_range(when_connected, 50, 100);
	assert_true(worker_counters(w->worker)->ticks_late > 10);

	/* "budget" as the answer means that more may be due: whoever goes on gets to the end. */
	w->now += 3600 * S;
	while (sluice_tick(w->worker, w->now, 16) == 16)
		w->emitted_count = 0;
	w->emitted_count = 0;
	assert_true(sluice_next_tick(w->worker) > w->now);
	world_free(w);
}

/* 12. Without buffers SYN-ACKs are not repeated, but nobody stays for ever. */
static void
test_out_of_buffers(void **state)
{
	struct world *w = world_new(&(struct world_options){.mode = WORLD_MODE_1});
	struct flow_script f = flow_script_default(4, 40000);

	(void)state;
	flow_send_syn(w, &f);
	w->out_of_buffers = true;
	world_pass(w, 64 * S);
	assert_int_equal(w->shared[0].syn, 0);
	assert_int_equal(world_counter(w, 0, COUNTER_TCPTimeouts), 5);
	assert_int_equal(worker_counters(w->worker)->emit_failed, 5);
	world_free(w);
}

/* 13. A SYN with the tuple of a connection that lives gets a cookie and no entry, hence is not
 * answered again and again; with one in TIME_WAIT it is a new client like any other. */
static void
test_tuple_in_use(void **state)
{
	struct world *w = world_new(&(struct world_options){.mode = WORLD_MODE_1});
	struct flow_script f = flow_script_default(4, 40000);
	struct packet packet;

	(void)state;
	flow_establish(w, &f);
	packet = flow_syn(&f);
	packet.seq += 100000;
	assert_int_equal(send(w, packet), REASON_syn_cookie_sent);
	assert_int_equal(w->shared[0].syn, 0);
	/* The backend's RST ends it. */
	packet = flow_backend(&f, PACKET_RST | PACKET_ACK, f.backend_isn + 1, f.client_isn + 1);
	assert_int_equal(world_send(w, SIDE_BACKEND, &packet).reason, REASON_spliced_reset);
	packet = flow_syn(&f);
	packet.seq += 200000;
	assert_int_equal(send(w, packet), REASON_syn_queued);
	world_free(w);
}

/* 14. How long clients waited in the accept ring is counted in powers of two. */
static void
test_wait(void **state)
{
	static const struct {
		ticks_t us;
		unsigned bucket;
	} waits[] = {{0, 0}, {255, 0}, {256, 1}, {511, 1}, {512, 2}, {100000, 9}, {33554431, 17},
			{33554432, 18}, {UINT32_MAX, 18}};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(waits); i++)
		assert_int_equal(wait_bucket(waits[i].us), waits[i].bucket);

	struct world *w = world_new(&(struct world_options){.mode = WORLD_MODE_1});
	struct flow_script f = flow_script_default(4, 40000);
	const struct backend_counters *counters = worker_backend_counters(w->worker, 0);
	struct packet answer;

	flow_send_syn(w, &f);
	assert_int_equal(send(w, flow_ack(&f)), REASON_ack_connecting);
	world_pass(w, 100 * TICKS_PER_MS);
	answer = flow_synack(&f);
	assert_int_equal(world_send(w, SIDE_BACKEND, &answer).reason, REASON_backend_connected);
	world_emitted(w, SIDE_CLIENT);
	assert_int_equal(counters->wait[9], 1);
	assert_int_equal(counters->wait_us, 100000);
	assert_int_equal(counters->connections, 1);
	world_free(w);
}

struct flooder {
	struct world *world;
	unsigned first;
};

static void *
flood_run(void *argument)
{
	const struct flooder *flooder = argument;

	world_flood(flooder->world, flooder->first, 1000);
	return NULL;
}

/* 15. Two workers in two threads fill one backend's queue: together they hold exactly the limit, in
 * each mode, and what came beyond was counted once. The error of the shared count is nought. */
static void
test_two_workers(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 20; round++) {
		bool drops = round % 2;
		struct world_options options = {
				.mode = drops ? WORLD_MODE_0 : WORLD_MODE_1,
				.syn_entries = 512,
				.backend = {.backlog = 200},
		};
		struct world *one = world_new(&options), *two;
		struct flooder flooders[2] = {{one, 0}, {NULL, 100000}};
		pthread_t threads[2];
		uint64_t queued, beyond;
		enum reason reason = drops ? REASON_syn_queue_full : REASON_syn_cookie_sent;

		options.together_with = one;
		two = world_new(&options);
		flooders[1].world = two;
		for (unsigned i = 0; i < 2; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, flood_run, &flooders[i]),
					0);
		for (unsigned i = 0; i < 2; i++)
			assert_int_equal(pthread_join(threads[i], NULL), 0);
		queued = world_reason(one, REASON_syn_queued) +
			 world_reason(two, REASON_syn_queued);
		beyond = world_reason(one, reason) + world_reason(two, reason);
		assert_int_equal(queued, 201);
		assert_int_equal(one->shared[0].syn, 201);
		assert_int_equal(one->shared[0].young, 201);
		assert_int_equal(queued + beyond, 2000);
		world_free(two);
		world_free(one);
	}
}

/* 16. One burst in which an entry is answered again, or made, and then pushed out by a later SYN:
 * its client is answered with its own numbers all the same, and gets in by its cookie. */
static void
test_evicted_within_burst(void **state)
{
	(void)state;
	for (unsigned again = 0; again < 2; again++) {
		struct world *w = world_new(
				&(struct world_options){.mode = WORLD_MODE_1, .syn_entries = 64});
		struct flow_script f = flow_script_default(4, 40000);
		struct packet syns[2];
		struct outcome outcomes[2];
		uint32_t tsecr;

		if (again)
			flow_send_syn(w, &f); /* the oldest of 64 */
		world_flood(w, 0, again ? 63 : 64);
		if (!again) { /* a place beside the hand becomes free */
			struct packet reset = world_stranger_syn(0);

			reset.flags = PACKET_RST;
			reset.options_length = 0;
			reset.seq++;
			assert_int_equal(send(w, reset), REASON_syn_queue_reset);
		}
		syns[0] = flow_syn(&f);
		syns[1] = world_stranger_syn(1000);
		world_send_burst(w, SIDE_CLIENT, 2, syns, outcomes);
		assert_int_equal(w->shared[0].syn, 64);
		f.iss = outcomes[0].packet.seq;
		assert_true(packet_timestamp(&outcomes[0].packet, &f.synack_tsval, &tsecr));
		assert_int_equal(outcomes[0].packet.ack, f.client_isn + 1);
		assert_int_equal(outcomes[1].packet.ack, syns[1].seq + 1);
		assert_int_equal(send(w, flow_ack(&f)), REASON_ack_connecting);
		world_free(w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_queued),
			cmocka_unit_test(test_pitfall_6_repeats),
			cmocka_unit_test(test_pitfall_6_lost_ack),
			cmocka_unit_test(test_repeated_syn),
			cmocka_unit_test(test_other_isn),
			cmocka_unit_test(test_reference_table),
			cmocka_unit_test(test_overflow_silent),
			cmocka_unit_test(test_overflow_abort),
			cmocka_unit_test(test_client_reset),
			cmocka_unit_test(test_eviction),
			cmocka_unit_test(test_budget),
			cmocka_unit_test(test_out_of_buffers),
			cmocka_unit_test(test_tuple_in_use),
			cmocka_unit_test(test_wait),
			cmocka_unit_test(test_two_workers),
			cmocka_unit_test(test_evicted_within_burst),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
