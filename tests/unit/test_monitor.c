/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Monitor mode: the same traffic through two worlds, one of which enforces, ends in the same
 * counters; and what only somebody else's handshake can show, to the number.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/worker_impl.h"
#include "table/inspect.h"
#include "table/observed.h"
#include "world.h"

/* What a listing shows of slot 0. */
struct gauges {
	uint32_t syn, young, accept;
};

static void
assert_gauges(const struct world *w, struct gauges expected)
{
	assert_int_equal(w->shared[0].syn, expected.syn);
	assert_int_equal(w->shared[0].young, expected.young);
	assert_int_equal(w->shared[0].accept, expected.accept);
}

static struct world *
monitor_new(struct world_options options)
{
	options.backend.mode = MODE_MONITOR;
	return world_new(&options);
}

static struct world *
monitor_mode(enum world_mode mode)
{
	return monitor_new((struct world_options){.mode = mode});
}

static enum reason
sends(struct world *w, enum side from, const struct packet *p)
{
	struct outcome out = world_send(w, from, p);

	assert_int_equal(out.verdict, VERDICT_FORWARD);
	world_nothing_emitted(w);
	return out.reason;
}

static struct flow_script
client(unsigned n)
{
	struct flow_script f = flow_script_default(4, (uint16_t)(40000 + n));

	f.backend_isn = 77 + n;
	f.iss = f.backend_isn; /* nobody translates */
	return f;
}

static enum reason
send_syn(struct world *w, const struct flow_script *f)
{
	struct packet p = flow_syn(f);

	return sends(w, SIDE_CLIENT, &p);
}

static void
send_synack(struct world *w, const struct flow_script *f)
{
	struct packet p = flow_synack(f);

	assert_int_equal(sends(w, SIDE_BACKEND, &p), REASON_monitor_passed);
}

static enum reason
send_ack(struct world *w, const struct flow_script *f)
{
	struct packet p = flow_ack(f);

	return sends(w, SIDE_CLIENT, &p);
}

static void
send_reset(struct world *w, const struct flow_script *f, enum side from)
{
	struct packet p = from == SIDE_CLIENT ? flow_client(f, PACKET_RST, f->client_isn + 1, 0)
					      : flow_backend(f, PACKET_RST | PACKET_ACK, 0,
								f->client_isn + 1);

	assert_int_equal(sends(w, from, &p), REASON_monitor_passed);
}

static void
assert_counter(const struct world *w, enum backend_counter counter, uint64_t expected)
{
	if (world_counter(w, 0, counter) != expected)
		fail_msg("%s is %llu, not %llu", backend_counter_name(counter),
				(unsigned long long)world_counter(w, 0, counter),
				(unsigned long long)expected);
}

/* Counters of two worlds that must agree; how SYN-ACKs are sent is no part of the estimate. */
static void
assert_same(const struct world *enforced, const struct world *monitored)
{
	for (enum backend_counter c = 0; c < BACKEND_COUNTER_COUNT; c++)
		if (c != COUNTER_SynAcksWithheld && c != COUNTER_CurrEstab)
			assert_counter(monitored, c, world_counter(enforced, 0, c));
	assert_gauges(monitored, (struct gauges){enforced->shared[0].syn, enforced->shared[0].young,
						 enforced->shared[0].accept});
	assert_int_equal(monitored->shared[0].cookies, enforced->shared[0].cookies);
}

/* 1. A flood, in each mode and by each kernel's rules: the same counters at every look, until the
 * last entry has expired. A long one is noticed, which changes how its entries end. */
static void
test_flood(void **state)
{
	static const unsigned sizes[] = {100, 700, 6000};

	(void)state;
	for (unsigned i = 0; i < 3 * 4 * ARRAY_COUNT(sizes); i++) {
		const struct world_options options = {.mode = (enum world_mode)(i % 3),
				.syn_entries = 1024,
				.monitor_clients = 2048,
				.backend = {.backlog = 300, .tcp_max_syn_backlog = 256}};
		struct world *enforced = world_new(&options);
		struct world *monitored = monitor_new(options);
		struct world *worlds[] = {enforced, monitored};

		for (unsigned n = 0; n < 2; n++) {
			worlds[n]->configs[0].queue_rules = (uint8_t)(i / 3 % 4);
			worlds[n]->egress = (struct egress_rates){0, 0};
			world_publish(worlds[n]);
			world_flood(worlds[n], 0, sizes[i / 12]);
		}
		assert_same(enforced, monitored);
		for (unsigned s = 0; s < 90; s++) {
			for (unsigned n = 0; n < 2; n++) {
				world_pass(worlds[n], TICKS_PER_S);
				if (s == 20)
					world_flood(worlds[n], 7000, 50);
			}
			assert_same(enforced, monitored);
		}
		assert_gauges(monitored, (struct gauges){0, 0, 0});
		world_free(enforced);
		world_free(monitored);
	}
}

/* 2. Clients of a backend that takes its time: as many opened, waits as long, in each mode. */
static void
test_clients(void **state)
{
	const ticks_t took = 40 * TICKS_PER_MS;

	(void)state;
	for (enum world_mode mode = WORLD_MODE_2; mode <= WORLD_MODE_0; mode++) {
		struct world *enforced = world_new(&(struct world_options){.mode = mode});
		struct world *monitored = monitor_mode(mode);
		const struct backend_counters *counters[2];

		for (unsigned n = 0; n < 10; n++) {
			struct flow_script f = client(n), g = f;
			struct packet p;

			flow_send_syn(enforced, &g);
			p = flow_ack(&g);
			world_send(enforced, SIDE_CLIENT, &p);
			world_pass(enforced, took);
			p = flow_synack(&g);
			world_send(enforced, SIDE_BACKEND, &p);
			world_emitted(enforced, SIDE_CLIENT);

			send_syn(monitored, &f);
			world_pass(monitored, took);
			send_synack(monitored, &f);
			assert_int_equal(send_ack(monitored, &f), REASON_monitor_proved);
			assert_gauges(monitored, (struct gauges){0, 0, 1});
			world_pass(monitored, took + TICKS_PER_MS);
		}
		assert_same(enforced, monitored);
		counters[0] = worker_backend_counters(enforced->worker, 0);
		counters[1] = worker_backend_counters(monitored->worker, 0);
		assert_memory_equal(
				counters[0]->wait, counters[1]->wait, sizeof(counters[0]->wait));
		assert_int_equal(counters[1]->wait_us, 10 * took);
		world_free(enforced);
		world_free(monitored);
	}
}

/* 3. A handshake step by step, by the queue and by a cookie. */
static void
test_steps(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		const bool is_cookie = i == 1;
		struct world *w = monitor_mode(is_cookie ? WORLD_MODE_2 : WORLD_MODE_1);
		struct flow_script f = client(0);
		struct packet p;

		assert_int_equal(send_syn(w, &f),
				is_cookie ? REASON_monitor_syn_cookie : REASON_monitor_syn_queued);
		assert_gauges(w, (struct gauges){!is_cookie, !is_cookie, 0});
		/* Not its own handshake's: nothing. */
		assert_int_equal(send_ack(w, &f), REASON_monitor_passed);
		w->now += 300;
		send_synack(w, &f);
		assert_gauges(w, (struct gauges){!is_cookie, !is_cookie, 0});
		p = flow_client(&f, PACKET_ACK, f.client_isn, f.iss + 1);
		assert_int_equal(sends(w, SIDE_CLIENT, &p), REASON_monitor_passed);
		p = flow_client(&f, PACKET_ACK, f.client_isn + 1, f.iss);
		assert_int_equal(sends(w, SIDE_CLIENT, &p), REASON_monitor_passed);
		w->now += 5000;
		assert_int_equal(send_ack(w, &f), REASON_monitor_proved);
		assert_gauges(w, (struct gauges){0, 0, 1});
		assert_counter(w, COUNTER_PassiveOpens, 1);
		assert_counter(w, COUNTER_Established, 0);
		assert_counter(w, COUNTER_SyncookiesSent, is_cookie);
		assert_counter(w, COUNTER_SyncookiesRecv, is_cookie);
		/* It waits as long as the backend took: a fine step more at most. */
		w->now += 299;
		sluice_tick(w->worker, w->now, 1000);
		assert_gauges(w, (struct gauges){0, 0, 1});
		w->now += 257;
		sluice_tick(w->worker, w->now, 1000);
		assert_gauges(w, (struct gauges){0, 0, 0});
		assert_counter(w, COUNTER_Established, 1);
		/* Data behind it is nobody's. */
		assert_int_equal(send_ack(w, &f), REASON_monitor_passed);
		assert_int_equal(sluice_next_tick(w->worker), TICKS_NEVER);
		world_free(w);
	}
}

/* 4. The ACK lost on its way here: what follows proves as much, with data and from further on. */
static void
test_proof_with_data(void **state)
{
	struct world *w = monitor_mode(WORLD_MODE_1);
	struct flow_script f = client(0);
	struct packet p;

	(void)state;
	send_syn(w, &f);
	send_synack(w, &f);
	send_synack(w, &f);
	p = flow_client(&f, PACKET_ACK, f.client_isn + 1000, f.iss + 500);
	p.payload = (const uint8_t *)"x";
	p.payload_length = 1;
	assert_int_equal(sends(w, SIDE_CLIENT, &p), REASON_monitor_proved);
	world_free(w);
}

/* 5. Packets that would be refused prove nothing and are not counted. */
static void
test_malformed(void **state)
{
	struct world *w = monitor_mode(WORLD_MODE_1);
	struct flow_script f = client(0);
	struct packet p = flow_syn(&f);
	uint8_t frame[256];
	size_t length = packet_write(&p, frame, sizeof(frame));

	(void)state;
	frame[packet_l4_offset(frame, length) + 16] ^= 1;
	assert_int_equal(world_send_frame(w, SIDE_CLIENT, frame, length).reason,
			REASON_monitor_passed);
	p.flags |= PACKET_FIN;
	assert_int_equal(sends(w, SIDE_CLIENT, &p), REASON_monitor_passed);
	assert_gauges(w, (struct gauges){0, 0, 0});
	send_syn(w, &f);
	send_synack(w, &f);
	p = flow_ack(&f);
	length = packet_write(&p, frame, sizeof(frame));
	frame[packet_l4_offset(frame, length) + 16] ^= 1;
	assert_int_equal(world_send_frame(w, SIDE_CLIENT, frame, length).reason,
			REASON_monitor_passed);
	assert_gauges(w, (struct gauges){1, 1, 0});
	world_free(w);
}

/* 6. A backend too slow for its clients: the ring overflows; those turned away try again when a
 * SYN-ACK would be due, or are reset; SYNs are pushed back. */
static void
test_overflow(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		const bool is_cookie = i & 1;
		struct world *w = monitor_new((struct world_options){
				.mode = is_cookie ? WORLD_MODE_2 : WORLD_MODE_1,
				.backend = {.backlog = 2, .tcp_abort_on_overflow = i >> 1}});
		struct flow_script f[5];

		/* Three fit; a fourth is half-open by then. Their SYNs come before the ring is
		 * full, and the syn queue takes three. */
		for (unsigned n = 0; n < 4; n++) {
			f[n] = client(n);
			send_syn(w, &f[n]);
		}
		w->now += 1500 * TICKS_PER_MS;
		for (unsigned n = 0; n < 4; n++)
			send_synack(w, &f[n]);
		for (unsigned n = 0; n < 3; n++)
			assert_int_equal(send_ack(w, &f[n]), REASON_monitor_proved);
		assert_int_equal(send_ack(w, &f[3]), REASON_monitor_ack_accept_full);
		assert_gauges(w, (struct gauges){0, 0, 3});
		assert_counter(w, COUNTER_PassiveOpens, 3);
		assert_counter(w, COUNTER_ListenOverflows, 1);
		assert_counter(w, COUNTER_ListenDrops, 1);
		assert_counter(w, COUNTER_EmbryonicRsts, i >> 1);
		/* Once is enough. */
		assert_int_equal(send_ack(w, &f[3]), REASON_monitor_passed);
		f[4] = client(4);
		assert_int_equal(send_syn(w, &f[4]), REASON_monitor_syn_accept_full);
		assert_counter(w, COUNTER_ListenOverflows, 2);
		world_pass(w, 1600 * TICKS_PER_MS);
		/* One turn met the full ring, too. */
		assert_counter(w, COUNTER_ListenOverflows, i >> 1 ? 2 : 3);
		world_pass(w, 2 * TICKS_PER_S);
		assert_counter(w, COUNTER_PassiveOpens, i >> 1 ? 3 : 4);
		world_pass(w, 2 * TICKS_PER_S);
		assert_gauges(w, (struct gauges){0, 0, 0});
		assert_counter(w, COUNTER_Established, i >> 1 ? 3 : 4);
		world_free(w);
	}
}

/* 7. A backend that is silent: whoever tries again waits in the ring, and fails when he would be
 * given up; what he sends later counts no more. */
static void
test_silent(void **state)
{
	static const unsigned again_s[] = {3, 7, 15, 31, 63};

	(void)state;
	for (enum world_mode mode = WORLD_MODE_2; mode <= WORLD_MODE_0; mode++) {
		struct world *w = monitor_mode(mode);
		struct flow_script f = client(0);
		unsigned now_s = 1;

		send_syn(w, &f);
		/* A copy is no second try. */
		w->now += 400 * TICKS_PER_MS;
		send_syn(w, &f);
		assert_int_equal(w->shared[0].accept, 0);
		w->now += 600 * TICKS_PER_MS;
		assert_int_equal(send_syn(w, &f), REASON_monitor_syn_again);
		assert_gauges(w, (struct gauges){0, 0, 1});
		assert_counter(w, COUNTER_PassiveOpens, 1);
		for (unsigned i = 0; i < ARRAY_COUNT(again_s); i++) {
			world_pass(w, (again_s[i] - now_s) * TICKS_PER_S);
			now_s = again_s[i];
			assert_int_equal(send_syn(w, &f), REASON_monitor_syn_again);
			assert_gauges(w, (struct gauges){0, 0, now_s < 8});
			assert_counter(w, COUNTER_AttemptFails, now_s >= 8);
		}
		assert_counter(w, COUNTER_PassiveOpens, 1);
		assert_counter(w, COUNTER_Established, 0);
		world_pass(w, 70 * TICKS_PER_S);
		assert_int_equal(sluice_next_tick(w->worker), TICKS_NEVER);
		world_free(w);
	}
}

/* 8. Late, but it answers: the wait ends. */
static void
test_late_answer(void **state)
{
	struct world *w = monitor_mode(WORLD_MODE_1);
	struct flow_script f = client(0);

	(void)state;
	send_syn(w, &f);
	world_pass(w, TICKS_PER_S);
	send_syn(w, &f);
	world_pass(w, 3 * TICKS_PER_S);
	send_synack(w, &f);
	assert_gauges(w, (struct gauges){0, 0, 0});
	assert_counter(w, COUNTER_Established, 1);
	assert_int_equal(worker_backend_counters(w->worker, 0)->wait_us, 3 * TICKS_PER_S);
	world_pass(w, 10 * TICKS_PER_S);
	assert_counter(w, COUNTER_AttemptFails, 0);
	world_free(w);
}

/* 9. Resets: a backend's refusal is an attempt that failed, a client's ends its half-open one. */
static void
test_resets(void **state)
{
	(void)state;
	for (enum world_mode mode = WORLD_MODE_2; mode <= WORLD_MODE_1; mode++) {
		struct world *w = monitor_mode(mode);
		struct flow_script f = client(0), g = client(1);

		send_syn(w, &f);
		send_reset(w, &f, SIDE_BACKEND);
		send_reset(w, &f, SIDE_BACKEND);
		assert_counter(w, COUNTER_AttemptFails, 1);
		assert_counter(w, COUNTER_PassiveOpens, 1);
		assert_gauges(w, (struct gauges){0, 0, 0});
		send_syn(w, &g);
		send_synack(w, &g);
		send_reset(w, &g, SIDE_CLIENT);
		send_reset(w, &g, SIDE_CLIENT);
		assert_counter(w, COUNTER_EmbryonicRsts, mode == WORLD_MODE_1);
		assert_gauges(w, (struct gauges){0, 0, 0});
		world_free(w);
	}
}

/* 10. Memory for observed clients is bounded: the oldest makes way and gives back; a flood of those
 * that would get cookies leaves those that are queued. */
static void
test_eviction(void **state)
{
	struct world *w = monitor_new((struct world_options){
			.mode = WORLD_MODE_1, .monitor_clients = 64, .backend.backlog = 19});
	struct flow_script f = client(0);

	(void)state;
	send_syn(w, &f);
	world_flood(w, 0, 1000);
	assert_gauges(w, (struct gauges){20, 20, 0});
	assert_counter(w, COUNTER_SyncookiesSent, 1000 - 19);
	send_synack(w, &f);
	assert_int_equal(send_ack(w, &f), REASON_monitor_proved);
	assert_counter(w, COUNTER_SynQueueEvicted, 0);
	world_pass(w, TICKS_PER_MS);
	w->configs[0].backlog = 4096;
	w->configs[0].tcp_max_syn_backlog = 4096;
	world_publish(w);
	world_pass(w, 70 * TICKS_PER_S);
	assert_gauges(w, (struct gauges){0, 0, 0});
	world_flood(w, 5000, 100);
	assert_gauges(w, (struct gauges){32, 32, 0});
	assert_counter(w, COUNTER_SynQueueEvicted, 100 - 32);
	world_free(w);
}

/* 11. Without memory only what needs none is counted. */
static void
test_no_memory(void **state)
{
	(void)state;
	for (enum world_mode mode = WORLD_MODE_2; mode <= WORLD_MODE_0; mode++) {
		struct world *w = monitor_new(
				(struct world_options){.mode = mode, .no_monitor_clients = true});
		struct flow_script f = client(0);

		send_syn(w, &f);
		send_synack(w, &f);
		assert_int_equal(send_ack(w, &f), REASON_monitor_passed);
		assert_gauges(w, (struct gauges){0, 0, 0});
		assert_counter(w, COUNTER_SyncookiesSent, mode == WORLD_MODE_2);
		world_set_mode(w, MODE_PROTECT);
		flow_establish(w, &f);
		world_free(w);
	}
}

/* Half-open, waiting and answered clients of slot 0; and an open one that counts no more. */
static void
fill(struct world *w)
{
	struct flow_script f[4];

	for (unsigned n = 0; n < 4; n++) {
		f[n] = client(n);
		send_syn(w, &f[n]);
	}
	w->now += TICKS_PER_S;
	send_syn(w, &f[1]);
	send_synack(w, &f[2]);
	send_ack(w, &f[2]);
	send_synack(w, &f[3]);
	assert_gauges(w, (struct gauges){2, 2, 2});
}

/* 12. All that was counted is given back at once when the mode changes, the backend is removed, or
 * it is flushed; another worker's stays until it has seen that, too. */
static void
test_given_back(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct world *w = monitor_mode(WORLD_MODE_1);
		struct world *other = monitor_new(
				(struct world_options){.mode = WORLD_MODE_1, .together_with = w});
		struct inspect letters[] = {{.kind = INSPECT_FLUSH, .slot = 0, .limit = 1},
				{.kind = INSPECT_FLUSH, .slot = 1, .limit = 1}};
		struct flow_script f = client(9);

		fill(w);
		send_syn(other, &f);
		assert_gauges(w, (struct gauges){3, 3, 2});
		switch (i) {
		case 0:
			world_set_mode(w, MODE_PROTECT);
			break;
		case 1:
			world_set_mode(w, MODE_OFF);
			break;
		case 2:
			w->configs[0].is_draining = true;
			world_publish(w);
			break;
		case 3:
			w->box = &letters[0];
		}
		sluice_tick(w->worker, w->now, 1000);
		assert_gauges(w, (struct gauges){1, 1, 0});
		assert_int_equal(letters[0].done, i == 3);
		w->box = &letters[1];
		world_pass(w, 200 * TICKS_PER_S);
		assert_gauges(w, (struct gauges){1, 1, 0});
		assert_int_equal(sluice_next_tick(w->worker), TICKS_NEVER);
		world_pass(other, 200 * TICKS_PER_S);
		assert_gauges(w, (struct gauges){0, 0, 0});
		world_free(other);
		world_free(w);
	}
}

/* 13. A reload that changes something else, or another backend's mode, leaves everything. */
static void
test_other_reload(void **state)
{
	struct world *w = monitor_mode(WORLD_MODE_1);

	(void)state;
	fill(w);
	w->configs[1].mode = MODE_PROTECT;
	w->configs[0].tcp_synack_retries = 3;
	world_publish(w);
	sluice_tick(w->worker, w->now, 1000);
	assert_gauges(w, (struct gauges){2, 2, 2});
	world_free(w);
}

/* 14. What the backend's SYN-ACKs taught is there when protection is switched on. */
static void
test_profile(void **state)
{
	struct world *w = monitor_mode(WORLD_MODE_1);
	struct flow_script f = client(0), g = client(1);
	struct packet synack;
	uint32_t tsval, tsecr;

	(void)state;
	f.backend_mss = 1234;
	f.backend_sack = f.backend_timestamp = false;
	send_syn(w, &f);
	send_synack(w, &f);
	world_set_mode(w, MODE_PROTECT);
	synack = flow_send_syn(w, &g);
	assert_int_equal(packet_mss(&synack), 1234);
	assert_null(packet_find_option(&synack, PACKET_OPTION_SACK_PERMITTED));
	assert_false(packet_timestamp(&synack, &tsval, &tsecr));
	world_free(w);
}

/* 15. A client that tries anew with the same tuple is another one. */
static void
test_other_syn(void **state)
{
	(void)state;
	for (enum world_mode mode = WORLD_MODE_2; mode <= WORLD_MODE_1; mode++) {
		struct world *w = monitor_mode(mode);
		struct flow_script f = client(0);

		send_syn(w, &f);
		send_synack(w, &f);
		f.client_isn += 5000;
		f.iss = f.backend_isn += 5000;
		assert_int_equal(send_syn(w, &f), mode == WORLD_MODE_1 ? REASON_monitor_syn_queued
								       : REASON_monitor_syn_cookie);
		assert_int_equal(w->shared[0].syn, mode == WORLD_MODE_1);
		send_synack(w, &f);
		assert_int_equal(send_ack(w, &f), REASON_monitor_proved);
		world_free(w);
	}
}

/* 16. Thousands a second of a backend that answers at once fill no ring, not even a small one. */
static void
test_quick_backend(void **state)
{
	struct world *w = monitor_new(
			(struct world_options){.mode = WORLD_MODE_1, .backend.backlog = 16});

	(void)state;
	for (unsigned n = 0; n < 2000; n++) {
		struct flow_script f = client(n % 20000);

		send_syn(w, &f);
		w->now += 50;
		send_synack(w, &f);
		w->now += 50;
		assert_int_equal(send_ack(w, &f), REASON_monitor_proved);
		sluice_tick(w->worker, w->now, 64);
	}
	assert_counter(w, COUNTER_ListenOverflows, 0);
	assert_counter(w, COUNTER_PassiveOpens, 2000);
	world_pass(w, TICKS_PER_S);
	assert_gauges(w, (struct gauges){0, 0, 0});
	world_free(w);
}

/* 17. The sources of a flood are drawn as ever. */
static void
test_samples(void **state)
{
	struct syn_samples *samples =
			aligned_alloc(CACHE_LINE_SIZE, cache_align(sizeof(struct syn_samples)));
	struct syn_sample sample;
	struct world *w;
	unsigned weight = 0;

	(void)state;
	assert_non_null(samples);
	memset(samples, 0, sizeof(*samples));
	w = monitor_new((struct world_options){.mode = WORLD_MODE_2, .samples = samples});
	for (unsigned i = 0; i < 100; i++) {
		world_flood(w, i * 100, 100);
		world_pass(w, 10 * TICKS_PER_MS);
	}
	while (syn_samples_take(samples, &sample)) {
		assert_int_equal(sample.slot, 0);
		weight += sample.weight;
	}
	assert_in_range(weight, 5000, 10100);
	world_free(w);
	free(samples);
}

/* 18. A SYN may bring data (TCP Fast Open), of which the backend takes all, some or nothing; its
 * SYN-ACK or RST then acknowledges as much, but not more. */
static void
test_syn_with_data(void **state)
{
	static const uint8_t payload[9] = "GET / HT";

	(void)state;
	for (unsigned i = 0; i < 2 * 4; i++) {
		static const unsigned taken[] = {0, 4, sizeof(payload), sizeof(payload) + 1};
		struct world *w = monitor_mode(WORLD_MODE_1);
		struct flow_script f = client(0);
		struct packet p = flow_syn(&f);
		const bool is_right = taken[i / 2] <= sizeof(payload);

		p.payload = payload;
		p.payload_length = sizeof(payload);
		assert_int_equal(sends(w, SIDE_CLIENT, &p), REASON_monitor_syn_queued);
		p = flow_synack(&f);
		if (i & 1)
			p = flow_backend(&f, PACKET_RST | PACKET_ACK, 0, p.ack);
		p.ack += taken[i / 2];
		sends(w, SIDE_BACKEND, &p);
		if (i & 1) {
			assert_counter(w, COUNTER_AttemptFails, is_right);
		} else {
			p = flow_client(&f, PACKET_ACK, p.ack, f.iss + 1);
			assert_int_equal(sends(w, SIDE_CLIENT, &p),
					is_right ? REASON_monitor_proved : REASON_monitor_passed);
		}
		assert_int_equal(w->shared[0].syn, !is_right);
		world_free(w);
	}
}

/* 19. Who proved itself by an ACK is let into the last quarter in mode 0; who was only seen to wait
 * for a slow backend is not. */
static void
test_proven(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		const bool is_slow = i == 1;
		struct world *w = monitor_new((struct world_options){.mode = WORLD_MODE_0,
				.backend = {.backlog = 64, .tcp_max_syn_backlog = 64}});
		struct flow_script f = client(0), again = client(1);

		send_syn(w, &f);
		if (is_slow) {
			world_pass(w, TICKS_PER_S);
			assert_int_equal(send_syn(w, &f), REASON_monitor_syn_again);
			send_synack(w, &f);
		} else {
			send_synack(w, &f);
			assert_int_equal(send_ack(w, &f), REASON_monitor_proved);
		}
		world_pass(w, 100 * TICKS_PER_MS);
		assert_counter(w, COUNTER_Established, 1);
		world_flood(w, 0, 60);
		assert_int_equal(send_syn(w, &again),
				is_slow ? REASON_monitor_syn_reserved : REASON_monitor_syn_queued);
		world_free(w);
	}
}

/* 20. A flood's SYNs, whose checksums are looked at, are read together as where they are answered;
 * what follows a handshake is not. */
static void
test_reader(void **state)
{
	struct world *w = monitor_mode(WORLD_MODE_2);
	struct flow_script f = client(0);

	(void)state;
	world_flood(w, 0, 64);
	assert_int_equal(w->worker->reading[SIDE_CLIENT], READING_TOGETHER);
	assert_int_equal(send_ack(w, &f), REASON_monitor_passed);
	assert_int_equal(w->worker->reading[SIDE_CLIENT], READING_ALONE);
	world_free(w);
}

/* 21. Many who are forgotten at once are forgotten over several ticks: each is short. */
static void
test_forgotten_in_steps(void **state)
{
	struct world *w = monitor_new((struct world_options){.mode = WORLD_MODE_1,
			.monitor_clients = 2048,
			.backend = {.backlog = 1000, .tcp_max_syn_backlog = 1000}});
	unsigned ticks = 0;

	(void)state;
	world_flood(w, 0, 1000);
	assert_int_equal(w->shared[0].syn, 1000);
	world_set_mode(w, MODE_PROTECT);
	do {
		const uint32_t before = w->shared[0].syn;

		sluice_tick(w->worker, w->now, 1000);
		assert_in_range(before - w->shared[0].syn, 0, 128);
		ticks++;
	} while (sluice_next_tick(w->worker) <= w->now);
	assert_int_equal(w->shared[0].syn, 0);
	assert_in_range(ticks, 8, 9);
	world_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_flood),
			cmocka_unit_test(test_clients),
			cmocka_unit_test(test_steps),
			cmocka_unit_test(test_proof_with_data),
			cmocka_unit_test(test_malformed),
			cmocka_unit_test(test_overflow),
			cmocka_unit_test(test_silent),
			cmocka_unit_test(test_late_answer),
			cmocka_unit_test(test_resets),
			cmocka_unit_test(test_eviction),
			cmocka_unit_test(test_no_memory),
			cmocka_unit_test(test_given_back),
			cmocka_unit_test(test_other_reload),
			cmocka_unit_test(test_profile),
			cmocka_unit_test(test_other_syn),
			cmocka_unit_test(test_quick_backend),
			cmocka_unit_test(test_samples),
			cmocka_unit_test(test_syn_with_data),
			cmocka_unit_test(test_proven),
			cmocka_unit_test(test_reader),
			cmocka_unit_test(test_forgotten_in_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
