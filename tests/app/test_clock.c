/* SPDX-License-Identifier: BSD-3-Clause */
/* The appliance's clock: exact at whole seconds' scale, monotonic, right after years. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "clock.h"

#define START ((ticks_t)1700000000 * TICKS_PER_S)
#define DAY_S ((uint64_t)86400)

static const uint64_t rates[] = {
		1000000, 999999937, 2100000000, 3000000000, 5000000000, 1000000000000};

static void
test_1_start_and_before(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(rates); i++) {
		const struct clock clock = clock_make(1000, rates[i], START);

		assert_int_equal(clock_at(&clock, 1000), START);
		assert_int_equal(clock_at(&clock, 999), START);
		assert_int_equal(clock_at(&clock, 0), START);
	}
}

/* A second is at most a microsecond short, and never long. */
static void
test_2_one_second(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(rates); i++) {
		const struct clock clock = clock_make(7, rates[i], 0);
		const ticks_t second = clock_at(&clock, 7 + rates[i]);

		assert_in_range(second, TICKS_PER_S - 1, TICKS_PER_S);
	}
}

/* The claim at CLOCK_SHIFT: less than 3 ms in 100 days at 5 GHz. */
static void
test_3_drift_of_rounding(void **state)
{
	const struct clock clock = clock_make(0, 5000000000, 0);
	const ticks_t days = 100 * DAY_S * TICKS_PER_S;

	(void)state;
	assert_in_range(clock_at(&clock, 100 * DAY_S * 5000000000), days - 3 * TICKS_PER_MS, days);
}

static void
test_4_years_without_wrap(void **state)
{
	const uint64_t seconds = 50 * 365 * DAY_S;

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(rates); i++) {
		const struct clock clock = clock_make(0, rates[i], START);
		uint64_t tsc;

		if (__builtin_mul_overflow(seconds, rates[i], &tsc))
			continue; /* the counter itself wraps before */
		assert_in_range(clock_at(&clock, tsc) - START,
				seconds * TICKS_PER_S - 2 * TICKS_PER_S, seconds * TICKS_PER_S);
	}
}

static void
test_5_never_backwards(void **state)
{
	const struct clock clock = clock_make(0, 2999999999, START);
	ticks_t last = 0;

	(void)state;
	for (uint64_t tsc = 0; tsc < 3000000; tsc += 7) {
		const ticks_t now = clock_at(&clock, tsc);

		assert_true(now >= last);
		last = now;
	}
	assert_int_equal(last, START + 999);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_1_start_and_before),
			cmocka_unit_test(test_2_one_second),
			cmocka_unit_test(test_3_drift_of_rounding),
			cmocka_unit_test(test_4_years_without_wrap),
			cmocka_unit_test(test_5_never_backwards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
