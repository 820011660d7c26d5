/* SPDX-License-Identifier: BSD-3-Clause */
/* The accept ring's shared bound, with Linux's "one more fits", and the order of its lanes. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "packets.h"
#include "table/accept_ring.h"

/* 1. SEMANTICS: full when occupancy > A, so A + 1 fit, for every small A. */
static void
test_limit(void **state)
{
	(void)state;
	for (uint32_t limit = 0; limit < 300; limit++) {
		uint32_t occupancy = 0;

		for (uint32_t i = 0; i <= limit; i++) {
			assert_false(accept_ring_is_full(&occupancy, limit));
			assert_true(accept_ring_enter(&occupancy, limit));
		}
		assert_true(accept_ring_is_full(&occupancy, limit));
		assert_false(accept_ring_enter(&occupancy, limit));
		assert_int_equal(occupancy, limit + 1);
		accept_ring_leave(&occupancy);
		assert_true(accept_ring_enter(&occupancy, limit));
	}
}

/* 2. PITFALLS 26: a limit shrunk below the occupancy throws nothing away; it drains first. */
static void
test_pitfall_26_shrink(void **state)
{
	uint32_t occupancy = 0;

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		assert_true(accept_ring_enter(&occupancy, 100));
	assert_false(accept_ring_enter(&occupancy, 4));
	assert_int_equal(occupancy, 10);
	for (unsigned i = 0; i < 6; i++) {
		accept_ring_leave(&occupancy);
		assert_int_equal(accept_ring_is_full(&occupancy, 4), occupancy > 4);
	}
	assert_true(accept_ring_enter(&occupancy, 4));
}

#define THREADS 4
#define ROUNDS 100000
#define LIMIT 5

struct contest {
	uint32_t occupancy;
	uint32_t highest;
};

static void *
contest_run(void *argument)
{
	struct contest *contest = argument;

	for (unsigned i = 0; i < ROUNDS; i++) {
		if (!accept_ring_enter(&contest->occupancy, LIMIT))
			continue;

		uint32_t seen = __atomic_load_n(&contest->occupancy, __ATOMIC_RELAXED);
		uint32_t highest = __atomic_load_n(&contest->highest, __ATOMIC_RELAXED);

		while (seen > highest &&
				!__atomic_compare_exchange_n(&contest->highest, &highest, seen,
						false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			;
		accept_ring_leave(&contest->occupancy);
	}
	return NULL;
}

/* 3. Workers on several threads never exceed the bound together, and the count returns to 0. */
static void
test_threads(void **state)
{
	struct contest contest = {0};
	pthread_t threads[THREADS];

	(void)state;
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, contest_run, &contest), 0);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(contest.occupancy, 0);
	assert_in_range(contest.highest, 1, LIMIT + 1);
}

#define IDS 50

/* 4. First in, first out, also when clients give up anywhere in the lane; against an array. */
static void
test_lane(void **state)
{
	struct timer_node memory[IDS];
	struct accept_nodes nodes = {(uint8_t *)memory, sizeof(memory[0])};
	struct accept_lane lane;
	uint32_t twin[IDS];
	unsigned count = 0;
	bool is_waiting[IDS] = {false};
	uint64_t random = 1;

	(void)state;
	memset(memory, 0xa5, sizeof(memory));
	accept_lane_init(&lane);
	assert_int_equal(accept_lane_pop(&lane, &nodes), ACCEPT_NONE);
	for (unsigned round = 0; round < 100000; round++) {
		uint32_t id = (uint32_t)(packet_random(&random) % IDS);
		unsigned at = 0;

		if (packet_random(&random) % 4 == 0) {
			uint32_t popped = accept_lane_pop(&lane, &nodes);

			assert_int_equal(popped, count > 0 ? twin[0] : ACCEPT_NONE);
			if (popped == ACCEPT_NONE)
				continue;
			id = popped;
		} else if (is_waiting[id]) {
			accept_lane_remove(&lane, &nodes, id);
		} else {
			accept_lane_push(&lane, &nodes, id);
			is_waiting[id] = true;
			twin[count++] = id;
			assert_int_equal(lane.waiting, count);
			continue;
		}
		is_waiting[id] = false;
		while (twin[at] != id)
			at++;
		for (count--; at < count; at++)
			twin[at] = twin[at + 1];
		assert_int_equal(lane.waiting, count);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_limit),
			cmocka_unit_test(test_pitfall_26_shrink),
			cmocka_unit_test(test_threads),
			cmocka_unit_test(test_lane),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
