/* SPDX-License-Identifier: BSD-3-Clause */
/* Episodes, rates and waits; what doctor makes of them is in test_doctor.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/history.h"
#include "registry_world.h"

static void
sample(struct history *history, struct registry_world *w, ticks_t after)
{
	w->now += after;
	history_sample(history, &w->registry, w->now);
}

/* 1. An episode begins at the sample before its first event, adds up, and ends after a minute of
 * quiet; the next one begins from nothing. */
static void
test_episode(void **state)
{
	struct registry_world *w = registry_world_new(WEB, NULL);
	struct history *history = history_new(&w->registry);
	uint64_t *overflows = &w->counters[0][0].values[COUNTER_ListenOverflows];
	const struct episode *episode;
	ticks_t began;

	(void)state;
	sample(history, w, TICKS_PER_S);
	began = w->now;
	*overflows += 3;
	sample(history, w, TICKS_PER_S);
	episode = &history_at(history, &w->registry, 0)->episodes[TROUBLE_OVERFLOW];
	assert_int_equal(episode->began, began);
	assert_int_equal(episode->last, w->now);
	for (unsigned i = 0; i < 59; i++)
		sample(history, w, TICKS_PER_S);
	*overflows += 4;
	sample(history, w, TICKS_PER_S / 2);
	assert_int_equal(episode->began, began);
	assert_int_equal(episode->events, 7);
	assert_int_equal(episode->totals[HISTORY_OVERFLOWS], 7);
	assert_int_equal(episode->events_peak, 4);
	for (unsigned i = 0; i < 61; i++)
		sample(history, w, TICKS_PER_S);
	assert_int_equal(episode->began, 0);
	*overflows += 1;
	sample(history, w, TICKS_PER_S);
	assert_int_equal(episode->events, 1);
	history_free(history);
	registry_world_free(w);
}

/* 2. Samples that come too close together change nothing; late ones are rates per second. */
static void
test_rates(void **state)
{
	struct registry_world *w = registry_world_new(WEB, NULL);
	struct history *history = history_new(&w->registry);
	uint64_t *overflows = &w->counters[1][0].values[COUNTER_ListenOverflows];
	const struct episode *episode;

	(void)state;
	assert_null(history_at(history, &w->registry, 0));
	assert_int_equal(history_began(history), 0);
	sample(history, w, TICKS_PER_S);
	assert_int_equal(history_began(history), w->now);
	*overflows += 10;
	sample(history, w, TICKS_PER_S / 5);
	episode = &history_at(history, &w->registry, 0)->episodes[TROUBLE_OVERFLOW];
	assert_int_equal(episode->events, 0);
	sample(history, w, TICKS_PER_S / 5);
	assert_int_equal(episode->events_peak, 10);
	*overflows += 100;
	sample(history, w, 5 * TICKS_PER_S);
	assert_int_equal(episode->events, 110);
	assert_int_equal(episode->events_peak, 20);
	assert_int_equal(episode->arrivals_peak, 20);
	history_free(history);
	registry_world_free(w);
}

/* 3. Percentiles of waits, interpolated in buckets whose bounds are powers of two; also across the
 * wrap of the 32 bits that are kept. */
static void
test_waits(void **state)
{
	struct history_wait now = {.us = 9000}, before = {.us = 1000};
	struct waits waits;

	(void)state;
	waits_since(&waits, &before, &before);
	assert_int_equal(waits_below(&waits, 990), 0);
	assert_int_equal(waits_mean(&waits), 0);
	before.buckets[1] = UINT32_MAX - 49;
	now.buckets[1] = 50;
	waits_since(&waits, &now, &before);
	assert_int_equal(waits.count, 100);
	assert_int_equal(waits_mean(&waits), 80);
	/* 256..511 us: half of them in the middle. */
	assert_int_equal(waits_below(&waits, 500), 384);
	assert_int_equal(waits_below(&waits, 1000), 512);
	now.buckets[12] = 100;
	waits_since(&waits, &now, &before);
	assert_int_equal(waits_below(&waits, 500), 512);
	assert_in_range(waits_below(&waits, 990), 1000000, 1048576);
	assert_int_equal(waits_below(&waits, 1000), 1048576);
}

/* 4. The waits of ss are of the last minute or two: older ones are forgotten. */
static void
test_waits_turn(void **state)
{
	struct registry_world *w = registry_world_new(WEB, NULL);
	struct history *history = history_new(&w->registry);
	const struct history_slot *slot;
	struct waits waits;

	(void)state;
	w->counters[0][0].wait[3] = 5;
	sample(history, w, TICKS_PER_S);
	slot = history_at(history, &w->registry, 0);
	waits_since(&waits, &slot->wait, &slot->wait_older);
	assert_int_equal(waits.count, 5);
	for (unsigned i = 0; i < 59; i++)
		sample(history, w, TICKS_PER_S);
	w->counters[1][0].wait[3] = 2;
	sample(history, w, TICKS_PER_S);
	waits_since(&waits, &slot->wait, &slot->wait_older);
	assert_int_equal(waits.count, 7);
	for (unsigned i = 0; i < 61; i++)
		sample(history, w, TICKS_PER_S);
	waits_since(&waits, &slot->wait, &slot->wait_older);
	assert_int_equal(waits.count, 2);
	history_free(history);
	registry_world_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_episode),
			cmocka_unit_test(test_rates),
			cmocka_unit_test(test_waits),
			cmocka_unit_test(test_waits_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
