/* SPDX-License-Identifier: BSD-3-Clause */
/* The worker as an object: limits, memory, timers, refusals, and bursts of every size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "world.h"

/* 1. Limits out of range give no size and no worker. */
static void
test_limits(void **state)
{
	static const struct sluice_limits bad[] = {
			{0, 0, 1, 0, 0, 0, 64},
			{(UINT32_C(1) << 26) + 1, 0, 1, 0, 0, 0, 64},
			{10, 11, 1, 0, 0, 0, 64},
			{10, 0, 0, 0, 0, 0, 64},
			{10, 0, 65536, 0, 0, 0, 64},
			{10, 0, 1, 0, (1 << 20) + 1, 0, 64},
			{10, 0, 1, 0, 0, 63, 64},
			{10, 0, 1, 0, 0, (1 << 22) + 1, 64},
			{10, 0, 1, 0, 0, 0, 63},
			{10, 0, 1, 0, 0, 0, (1 << 22) + 1},
	};
	static const struct sluice_limits good[] = {{1, 0, 1, 0, 0, 0, 0}, {1, 1, 1, 0, 0, 64, 64},
			{1000, 500, 65535, 0, 1 << 20, 1 << 22, 1 << 22}};
	_Alignas(CACHE_LINE_SIZE) static uint8_t memory[64];

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(bad); i++) {
		assert_int_equal(sluice_worker_memsize(&bad[i]), 0);
		assert_null(sluice_worker_init(memory, &bad[i], &(struct sluice_env){0}));
	}
	for (unsigned i = 0; i < ARRAY_COUNT(good); i++)
		assert_int_not_equal(sluice_worker_memsize(&good[i]), 0);
	assert_null(sluice_worker_init(memory + 1, &good[0], &(struct sluice_env){0}));
}

/* 2. Memory per IPv4 connection: one line, 56 bytes of set-up, and its share of the buckets. */
static void
test_memory(void **state)
{
	const struct sluice_limits million = {1000000, 0, 1, 0, 0, 0, 64},
				   two_millions = {2000000, 0, 1, 0, 0, 0, 64};
	const struct sluice_limits ip6 = {1000000, 1000000, 1, 0, 0, 0, 64};
	size_t each = (sluice_worker_memsize(&two_millions) - sluice_worker_memsize(&million)) /
		      1000000;

	(void)state;
	assert_in_range(each, 64 + 56 + 8, 64 + 56 + 8);
	assert_in_range((sluice_worker_memsize(&ip6) - sluice_worker_memsize(&million)) / 1000000,
			32, 32);
}

/* 3. The next tick is never after a timer that is due, and never without one. */
static void
test_next_tick(void **state)
{
	struct world *w = world_new(&(struct world_options){0});
	struct flow_script f = flow_script_default(4, 40000);
	struct packet ack;
	ticks_t next;

	(void)state;
	assert_true(sluice_next_tick(w->worker) == TICKS_NEVER);
	flow_send_syn(w, &f);
	assert_true(sluice_next_tick(w->worker) == TICKS_NEVER);
	ack = flow_ack(&f);
	assert_int_equal(world_send(w, SIDE_CLIENT, &ack).reason, REASON_ack_connecting);
	/* Straight from one named time to the next, the backend's SYN is repeated on time. */
	while (w->emitted_count == 0) {
		next = sluice_next_tick(w->worker);
		assert_true(next != TICKS_NEVER);
		w->now = next > w->now ? next : w->now + 1;
		sluice_tick(w->worker, w->now, 10);
	}
	assert_in_range(w->now - UINT64_C(1700000000) * TICKS_PER_S, TICKS_PER_S,
			TICKS_PER_S + 40 * TICKS_PER_MS);
	world_free(w);
}

/* 4. The tick's budget bounds its work; what is left over is counted and done next time. */
static void
test_tick_budget(void **state)
{
	enum { CLIENTS = 50 };
	struct world *w = world_new(&(struct world_options){.backend = {.tcp_syn_retries = 1}});
	unsigned ticks = 0;

	(void)state;
	for (unsigned i = 0; i < CLIENTS; i++) {
		struct flow_script f = flow_script_default(4, (uint16_t)(40000 + i));
		struct packet ack;

		flow_send_syn(w, &f);
		ack = flow_ack(&f);
		assert_int_equal(world_send(w, SIDE_CLIENT, &ack).reason, REASON_ack_connecting);
	}
	w->now += 2 * TICKS_PER_S;
	while (world_connections(w) > 0) {
		assert_in_range(sluice_tick(w->worker, w->now, 10), 1, 10);
		assert_in_range(++ticks, 1, 40);
	}
	assert_int_equal(w->emitted_count, CLIENTS);
	assert_in_range(worker_counters(w->worker)->ticks_late, CLIENTS / 10 - 1, 40);
	w->emitted_count = 0;
	world_free(w);
}

/* 5. What the port layer refuses counts as received, with its reason. */
static void
test_refuse(void **state)
{
	struct world *w = world_new(&(struct world_options){0});

	(void)state;
	sluice_refuse(w->worker, SIDE_BACKEND, REASON_frame_too_large);
	w->sent++;
	assert_int_equal(world_reason(w, REASON_frame_too_large), 1);
	assert_int_equal(worker_counters(w->worker)->received[SIDE_BACKEND], 1);
	world_free(w);
}

/* 6. Bursts of 0 to 32 packets give each packet its verdict. */
static void
test_burst_sizes(void **state)
{
	struct packet packets[BURST_MAX];
	struct outcome out[BURST_MAX];

	(void)state;
	for (unsigned count = 0; count <= BURST_MAX; count++) {
		struct world *w = world_new(&(struct world_options){0});

		for (unsigned i = 0; i < count; i++) {
			struct flow_script f =
					flow_script_default(i % 2 ? 4 : 6, (uint16_t)(1000 + i));

			packets[i] = flow_syn(&f);
		}
		world_send_burst(w, SIDE_CLIENT, count, packets, out);
		for (unsigned i = 0; i < count; i++) {
			assert_int_equal(out[i].reason, REASON_syn_cookie_sent);
			assert_int_equal(out[i].packet.destination_port, 1000 + i);
		}
		world_free(w);
	}
}

/* 7. IPv6 connections beyond their own limit are refused; IPv4 goes on. */
static void
test_ip6_limit(void **state)
{
	struct world *w = world_new(&(struct world_options){.no_ip6 = true});
	struct flow_script ip6 = flow_script_default(6, 40000), ip4 = flow_script_default(4, 40000);
	struct packet ack;

	(void)state;
	flow_send_syn(w, &ip6);
	ack = flow_ack(&ip6);
	assert_int_equal(world_send(w, SIDE_CLIENT, &ack).reason, REASON_conn_table_full);
	assert_int_equal(w->shared[1].accept, 0);
	flow_establish(w, &ip4);
	world_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_limits),
			cmocka_unit_test(test_memory),
			cmocka_unit_test(test_next_tick),
			cmocka_unit_test(test_tick_budget),
			cmocka_unit_test(test_refuse),
			cmocka_unit_test(test_burst_sizes),
			cmocka_unit_test(test_ip6_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
