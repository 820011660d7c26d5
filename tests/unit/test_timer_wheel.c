/* SPDX-License-Identifier: BSD-3-Clause */
/* The timer wheel against a naive twin (every timer looked at), over seconds, days and the wrap of
 * its steps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "packets.h"
#include "table/timer_wheel.h"

#define TIMERS 500
#define STEP (UINT64_C(1) << TIMER_STEP_SHIFT)
#define UNLIMITED 1000000

struct fixture {
	struct timer_wheel wheel;
	struct timer_node nodes[TIMERS];
};

static void
fixture_init(struct fixture *f, ticks_t now)
{
	memset(f->nodes, 0xa5, sizeof(f->nodes));
	timer_wheel_init(&f->wheel, f->nodes, sizeof(f->nodes[0]), now);
}

static uint32_t
next(struct fixture *f, ticks_t now)
{
	unsigned budget = UNLIMITED;

	return timer_wheel_next(&f->wheel, now, &budget);
}

/* 1. Every delay around the borders of the levels: not early, at most one step late. */
static void
test_borders(void **state)
{
	static const uint64_t steps[] = {0, 1, 2, 62, 63, 64, 65, 127, 128, 4095, 4096, 4097, 8191,
			262143, 262144, 262145, 1000000};
	static const ticks_t starts[] = {0, 63 * STEP, 64 * STEP, 4095 * STEP, 123456789,
			(UINT64_C(1) << 32) * STEP - 5 * STEP, UINT64_C(1700000000000000)};

	(void)state;
	for (unsigned s = 0; s < ARRAY_COUNT(starts); s++)
		for (unsigned i = 0; i < ARRAY_COUNT(steps); i++)
			for (int offset = -1; offset <= 1; offset++) {
				struct fixture f;
				ticks_t now = starts[s] + 5;
				ticks_t when = now + steps[i] * STEP + (ticks_t)(int64_t)offset;

				if (steps[i] == 0 && offset < 0)
					continue;
				fixture_init(&f, now);
				timer_wheel_insert(&f.wheel, 7, when);
				if (when > now) {
					assert_int_equal(next(&f, when - 1), TIMER_NONE);
					assert_in_range(timer_wheel_when(&f.wheel, when - 1), 0,
							when - 1 + STEP);
				}
				assert_int_equal(next(&f, when + STEP), 7);
				assert_int_equal(next(&f, when + 100 * STEP), TIMER_NONE);
				assert_int_equal(timer_wheel_when(&f.wheel, when), TICKS_NEVER);
			}
}

/* 2. Random arming, moving, disarming and passing of time, against the twin. */
static void
test_against_twin(void **state)
{
	static struct fixture f;
	ticks_t when[TIMERS];
	ticks_t now = (UINT64_C(1) << 32) * STEP - 3600 * TICKS_PER_S;
	uint64_t random = 2;

	(void)state;
	fixture_init(&f, now);
	for (unsigned i = 0; i < TIMERS; i++)
		when[i] = TICKS_NEVER;
	for (unsigned round = 0; round < 200000; round++) {
		uint32_t i = (uint32_t)(packet_random(&random) % TIMERS);
		unsigned scale = (unsigned)(packet_random(&random) % 36);

		if (when[i] != TICKS_NEVER)
			timer_wheel_remove(&f.wheel, i);
		when[i] = TICKS_NEVER;
		if (round % 3 != 0) {
			when[i] = now + packet_random(&random) % (UINT64_C(1) << scale);
			timer_wheel_insert(&f.wheel, i, when[i]);
		}
		now += packet_random(&random) % (UINT64_C(1) << packet_random(&random) % 26);

		/* The wheel never claims to be idle beyond the first timer that is due. */
		ticks_t first = TICKS_NEVER;

		for (unsigned t = 0; t < TIMERS; t++)
			if (when[t] < first)
				first = when[t];
		assert_true(timer_wheel_when(&f.wheel, now) <=
						(first == TICKS_NEVER ? first : first + STEP) ||
				timer_wheel_when(&f.wheel, now) == now);

		uint32_t id;

		while ((id = next(&f, now)) != TIMER_NONE) {
			assert_true(when[id] <= now);
			when[id] = TICKS_NEVER;
		}
		for (unsigned t = 0; t < TIMERS; t++)
			assert_true(when[t] == TICKS_NEVER || when[t] + STEP > now);
	}
}

/* 3. The budget bounds work, also that of moving timers down, and nothing is lost by it. */
static void
test_budget(void **state)
{
	static struct fixture f;
	ticks_t when = 5000 * STEP;
	unsigned fired = 0, calls = 0;

	(void)state;
	fixture_init(&f, 0);
	for (uint32_t i = 0; i < TIMERS; i++)
		timer_wheel_insert(&f.wheel, i, when);
	while (fired < TIMERS) {
		unsigned budget = 10;

		while (timer_wheel_next(&f.wheel, when + STEP, &budget) != TIMER_NONE)
			fired++;
		assert_in_range(budget, 0, 10);
		assert_in_range(++calls, 1, 1000);
	}
	/* Each timer was moved at least once besides firing. */
	assert_in_range(calls, 2 * TIMERS / 10, 1000);
}

/* 4. A clock that jumps by days (PITFALLS 28) costs bounded work per call and fires everything
 * once. */
static void
test_pitfall_28_jump(void **state)
{
	static struct fixture f;
	unsigned fired = 0, calls = 0;
	ticks_t now = 3 * 24 * 3600 * TICKS_PER_S;

	(void)state;
	fixture_init(&f, 0);
	for (uint32_t i = 0; i < TIMERS; i++)
		timer_wheel_insert(&f.wheel, i, (i + 1) * 400 * TICKS_PER_S);
	while (f.wheel.armed > 0) {
		unsigned budget = 64;

		while (timer_wheel_next(&f.wheel, now, &budget) != TIMER_NONE)
			fired++;
		assert_in_range(++calls, 1, 10000);
	}
	assert_int_equal(fired, TIMERS);
}

/* 5. Beyond the wheel's reach a timer fires early, for its owner to arm again; the reach is what
 * the header says. */
static void
test_reach(void **state)
{
	static struct fixture f;

	(void)state;
	assert_in_range(TIMER_STEPS_MAX * STEP / TICKS_PER_S / 3600, 74, 76);
	fixture_init(&f, 0);
	timer_wheel_insert(&f.wheel, 1, 1000 * 3600 * TICKS_PER_S);
	assert_int_equal(next(&f, (TIMER_STEPS_MAX - 1) * STEP), TIMER_NONE);
	assert_int_equal(next(&f, TIMER_STEPS_MAX * STEP), 1);
}

/* 6. A budget that ends while a slot of an upper level is being moved down: the wheel still names a
 * time not later than its first timer, and whoever keeps to it gets each in time. */
static void
test_when_in_mid_cascade(void **state)
{
	struct fixture f;
	enum { COUNT = 40 };
	unsigned fired = 0;

	(void)state;
	for (unsigned budget = 1; budget < COUNT; budget++) {
		ticks_t now = 0;

		fixture_init(&f, 0);
		for (unsigned i = 0; i < COUNT; i++) /* the last armed is the first to fire */
			timer_wheel_insert(&f.wheel, i, (64 + COUNT - i) * STEP);
		fired = 0;
		while (fired < COUNT) {
			ticks_t when = timer_wheel_when(&f.wheel, now);
			unsigned left = budget;
			uint32_t id;

			assert_true(when <= (64 + 1 + fired) * STEP);
			if (when > now)
				now = when;
			while ((id = timer_wheel_next(&f.wheel, now, &left)) != TIMER_NONE) {
				assert_int_equal(id, COUNT - 1 - fired);
				assert_true(now >= (64 + 1 + fired) * STEP);
				fired++;
			}
		}
		assert_int_equal(timer_wheel_when(&f.wheel, now), TICKS_NEVER);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_borders),
			cmocka_unit_test(test_against_twin),
			cmocka_unit_test(test_budget),
			cmocka_unit_test(test_pitfall_28_jump),
			cmocka_unit_test(test_reach),
			cmocka_unit_test(test_when_in_mid_cascade),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
