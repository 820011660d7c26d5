/* SPDX-License-Identifier: BSD-3-Clause */
/* ACK wars: what is one, what only looks like it, and how it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "proxy/ack_war.h"
#include "world.h"

#define MS TICKS_PER_MS

/* A connection with its ends' numbers, in bytes sent since the handshake. */
struct fight {
	struct world *w;
	struct flow_script f;
};

static struct fight
fight_new(unsigned ip_version)
{
	struct fight fight = {
			.w = world_new(&(struct world_options){.mode = WORLD_MODE_2}),
			.f = flow_script_default(ip_version, 40000),
	};

	flow_establish(fight.w, &fight.f);
	return fight;
}

/* One bare ACK; what it claims to have sent and got. */
static struct outcome
says(struct fight *fight, enum side from, uint32_t sent, uint32_t got)
{
	const struct flow_script *f = &fight->f;
	struct packet p = from == SIDE_CLIENT
					  ? flow_client(f, PACKET_ACK, f->client_isn + 1 + sent,
							    f->iss + 1 + got)
					  : flow_backend(f, PACKET_ACK, f->backend_isn + 1 + sent,
							    f->client_isn + 1 + got);

	return world_send(fight->w, from, &p);
}

/* The client's next bytes, which make the edges move. */
static void
client_sends(struct fight *fight, uint32_t sent, size_t length)
{
	static const uint8_t payload[100];
	struct packet p = flow_client(
			&fight->f, PACKET_ACK, fight->f.client_isn + 1 + sent, fight->f.iss + 1);

	p.payload = payload;
	p.payload_length = length;
	assert_int_equal(world_send(fight->w, SIDE_CLIENT, &p).reason, REASON_spliced);
}

/* Lets the two ends answer each other, each after the pause, until the war is ended or the time
 * over. Returns how long it took, or 0. The client lacks 100 bytes that the backend has got. */
static ticks_t
wage(struct fight *fight, ticks_t pause, ticks_t duration, struct outcome *last)
{
	ticks_t begin = fight->w->now;

	for (unsigned i = 0; fight->w->now - begin < duration; i++) {
		*last = says(fight, i % 2 ? SIDE_CLIENT : SIDE_BACKEND, 0, i % 2 ? 0 : 100);
		if (last->reason == REASON_ack_war)
			return fight->w->now - begin;
		assert_int_equal(last->reason, REASON_spliced);
		world_pass(fight->w, pause);
	}
	return 0;
}

/* Pause between two segments; whether that is a war. */
static const struct {
	ticks_t pause;
	bool is_war;
} paces[] = {
		/* 1 */ {10, true},
		/* 2 */ {1 * MS, true},
		/* 3 */ {5 * MS, true},
		/* 4 */ {20 * MS, true},
		/* 5 */ {45 * MS, true},
		/* 6 */ {70 * MS, false},
		/* 7 */ {250 * MS, false},
		/* 8: keep-alives */ {1000 * MS, false},
		/* 9: the step's 8 bits come round */ {4195 * MS, false},
};

/* 1. PITFALLS 17: same seq and ack bouncing is ended within a second when fast, by a reset that
 * each end must accept; slow echoes of another kind never are. */
static void
test_pitfall_17_ack_war(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2 * ARRAY_COUNT(paces); i++) {
		ticks_t pause = paces[i / 2].pause;
		struct fight fight = fight_new(i % 2 ? 4 : 6);
		struct outcome last;
		struct packet other;
		uint16_t slot = i % 2 ? 0 : 1;
		ticks_t took;

		/* 100 bytes that the client knows nothing of: someone else's. */
		client_sends(&fight, 0, 100);
		took = wage(&fight, pause, pause < MS ? 1200 * MS : 300 * pause + 2000 * MS, &last);
		assert_int_equal(took != 0, paces[i / 2].is_war);
		if (took != 0) {
			assert_in_range(took, 800 * MS, pause <= 5 * MS ? 1000 * MS : 3000 * MS);
			assert_int_equal(last.packet.flags, PACKET_RST);
			other = world_emitted(fight.w, side_other(last.to));
			assert_int_equal(other.flags, PACKET_RST | PACKET_ACK);
			/* What each has acknowledged, in its own numbers. */
			assert_int_equal(last.to == SIDE_CLIENT ? last.packet.seq : other.seq,
					fight.f.iss + 1);
			assert_int_equal(last.to == SIDE_BACKEND ? last.packet.seq : other.seq,
					fight.f.client_isn + 1 + 100);
			assert_int_equal(world_counter(fight.w, slot, COUNTER_CurrEstab), 0);
			assert_int_equal(world_counter(fight.w, slot, COUNTER_EstabResets), 1);
			/* Who goes on is reset again; nothing bounces any more. */
			last = says(&fight, SIDE_CLIENT, 0, 0);
			assert_int_equal(last.reason, REASON_ack_war);
			assert_int_equal(last.to, SIDE_CLIENT);
			assert_int_equal(says(&fight, SIDE_BACKEND, 0, 100).reason, REASON_ack_war);
			world_nothing_emitted(fight.w);
		}
		world_free(fight.w);
	}
}

/* 2. Duplicate acknowledgements of one end alone, as many as there may be, are no war. */
static void
test_one_side(void **state)
{
	(void)state;
	for (enum side from = 0; from < SIDE_COUNT; from++) {
		struct fight fight = fight_new(4);

		for (unsigned i = 0; i < 5000; i++) {
			assert_int_equal(says(&fight, from, 0, 0).reason, REASON_spliced);
			world_pass(fight.w, MS);
		}
		world_free(fight.w);
	}
}

/* 3. Nor are bursts of them from both ends within half a second: a loss in each direction. */
static void
test_burst_of_both(void **state)
{
	struct fight fight = fight_new(4);

	(void)state;
	for (unsigned burst = 0; burst < 20; burst++) {
		for (unsigned i = 0; i < 1000; i++) {
			assert_int_equal(says(&fight, i % 2, 0, 0).reason, REASON_spliced);
			fight.w->now += 500;
		}
		world_pass(fight.w, 100 * MS);
	}
	world_free(fight.w);
}

/* 4. Nor is any exchange in which something moves, be it a byte every half second. */
static void
test_something_moves(void **state)
{
	struct fight fight = fight_new(4);

	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		if (i % 250 == 0)
			client_sends(&fight, i / 250, 1);
		assert_int_equal(says(&fight, i % 2, 0, 0).reason, REASON_spliced);
		world_pass(fight.w, 2 * MS);
	}
	world_free(fight.w);
}

/* 5. PITFALLS 15: whoever forges segments outside the windows, and has the backend challenge each,
 * gets nothing reset. */
static void
test_pitfall_15_forged_war(void **state)
{
	struct fight fight = fight_new(4);

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		assert_int_equal(says(&fight, SIDE_CLIENT, 0x40000000, 0x30000000).reason,
				REASON_spliced_outside);
		world_pass(fight.w, MS);
		assert_int_equal(says(&fight, SIDE_BACKEND, 0, 0).reason, REASON_spliced);
		world_pass(fight.w, MS);
	}
	assert_int_equal(world_counter(fight.w, 0, COUNTER_CurrEstab), 1);
	world_free(fight.w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_pitfall_17_ack_war),
			cmocka_unit_test(test_one_side),
			cmocka_unit_test(test_burst_of_both),
			cmocka_unit_test(test_something_moves),
			cmocka_unit_test(test_pitfall_15_forged_war),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
