/* SPDX-License-Identifier: BSD-3-Clause */
/* The configured timeouts, as a connection in each state meets them, and under a reload. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "proxy/conn.h"
#include "world.h"

#define S TICKS_PER_S

/* A timer is late by its step and the ticks' 10 ms. */
#define LATE (TICKS_PER_S / 10)

/* Segments of the flow, each with the next number; fin: ends the sender's direction. */
static void
client_says(struct world *w, const struct flow_script *f, uint8_t flags, uint32_t sent,
		uint32_t got)
{
	struct packet p = flow_client(f, flags, f->client_isn + 1 + sent, f->iss + 1 + got);

	assert_int_equal(world_send(w, SIDE_CLIENT, &p).verdict, VERDICT_FORWARD);
}

static void
backend_says(struct world *w, const struct flow_script *f, uint8_t flags, uint32_t sent,
		uint32_t got)
{
	struct packet p =
			flow_backend(f, flags, f->backend_isn + 1 + sent, f->client_isn + 1 + got);

	assert_int_equal(world_send(w, SIDE_BACKEND, &p).verdict, VERDICT_FORWARD);
}

/* Steps of an ordinary close by the client, and a reset, each with the timeout that then holds. */
static const struct {
	unsigned steps;
	bool resets;
	uint32_t expected_s;
} cases[] = {
		/* 1 */ {0, false, 1000}, /* established */
		/* 2 */ {1, false, 800},  /* client FIN */
		/* 3 */ {2, false, 800},  /* acknowledged */
		/* 4 */ {3, false, 30},	  /* backend FIN */
		/* 5 */ {4, false, 20},	  /* acknowledged */
		/* 6 */ {0, true, 5},
		/* 7 */ {3, true, 5},
};

static const struct timeouts timeouts = {.s = {1000, 800, 30, 20, 5}};

static void
take_steps(struct world *w, const struct flow_script *f, unsigned steps, bool resets)
{
	if (steps > 0)
		client_says(w, f, PACKET_FIN | PACKET_ACK, 0, 0);
	if (steps > 1)
		backend_says(w, f, PACKET_ACK, 0, 1);
	if (steps > 2)
		backend_says(w, f, PACKET_FIN | PACKET_ACK, 0, 1);
	if (steps > 3)
		client_says(w, f, PACKET_ACK, 1, 1);
	if (resets)
		client_says(w, f, PACKET_RST, steps > 0, 0);
}

/* 1. PITFALLS 16: every state lives as long as configured, and no longer. */
static void
test_pitfall_16_timeout_per_state(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
		struct world *w = world_new(&(struct world_options){.mode = WORLD_MODE_2});
		struct flow_script f = flow_script_default(4, 40000);

		w->timeouts = timeouts;
		world_publish(w);
		flow_establish(w, &f);
		take_steps(w, &f, cases[i].steps, cases[i].resets);
		world_pass(w, cases[i].expected_s * S - S / 10);
		assert_int_equal(world_connections(w), 1);
		world_pass(w, S / 10 + LATE);
		assert_int_equal(world_connections(w), 0);
		assert_int_equal(world_counter(w, 0, COUNTER_CurrEstab), 0);
		world_free(w);
	}
}

/* 2. A reload that shortens a timeout is kept to within five minutes; a longer one at once. */
static void
test_reload(void **state)
{
	struct world *w = world_new(&(struct world_options){.mode = WORLD_MODE_2});
	struct flow_script quiet = flow_script_default(4, 40000);
	struct flow_script busy = flow_script_default(6, 40001);

	(void)state;
	assert_true(CONN_LOOK == 300 * S);
	flow_establish(w, &quiet);
	flow_establish(w, &busy);
	world_pass(w, 7200 * S);
	assert_int_equal(world_connections(w), 2);
	client_says(w, &busy, PACKET_ACK, 0, 0);
	w->timeouts.s[TIMEOUT_ESTABLISHED] = 600;
	world_publish(w);
	world_pass(w, CONN_LOOK + LATE);
	assert_int_equal(world_connections(w), 1);

	w->timeouts.s[TIMEOUT_ESTABLISHED] = 10000;
	world_publish(w);
	world_pass(w, 10000 * S - CONN_LOOK - S);
	assert_int_equal(world_connections(w), 1);
	world_pass(w, 2 * S);
	assert_int_equal(world_connections(w), 0);
	world_free(w);
}

/* 3. The longest timeout is not cut short by the width of any clock: a year, and no longer. */
static void
test_a_year(void **state)
{
	struct world *w = world_new(&(struct world_options){.mode = WORLD_MODE_2});
	struct flow_script f = flow_script_default(4, 40000);
	ticks_t end;

	(void)state;
	w->timeouts.s[TIMEOUT_ESTABLISHED] = TIMEOUT_MAX_S;
	world_publish(w);
	flow_establish(w, &f);
	end = w->now + TIMEOUT_MAX_S * S;
	while (w->now + 3600 * S < end) {
		w->now += 3600 * S;
		sluice_tick(w->worker, w->now, 100000);
		assert_int_equal(world_connections(w), 1);
	}
	world_pass(w, 3602 * S);
	assert_int_equal(world_connections(w), 0);
	world_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_pitfall_16_timeout_per_state),
			cmocka_unit_test(test_reload),
			cmocka_unit_test(test_a_year),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
