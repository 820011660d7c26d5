/* SPDX-License-Identifier: BSD-3-Clause */
/* A worker's load, second by second, from the cycles that it counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "control/load.h"

#define START (1000 * TICKS_PER_S)
#define LOOK (250 * TICKS_PER_MS)
#define CYCLES UINT64_C(3000000000) /* of a second */

struct stage {
	struct progress progress;
	struct load load;
	ticks_t now;
};

static void
stage_init(struct stage *stage)
{
	*stage = (struct stage){.now = START};
	stage->load.progress = &stage->progress;
	load_look(&stage->load, stage->now);
}

/* A second with four looks; the worker is busy for so many of 1,000 cycles. */
static void
pass(struct stage *stage, unsigned permille)
{
	for (unsigned i = 0; i < 4; i++) {
		progress_spend(&stage->progress, CYCLES / 4000 * permille, true);
		progress_spend(&stage->progress, CYCLES / 4000 * (1000 - permille), false);
		stage->now += LOOK;
		load_look(&stage->load, stage->now);
	}
}

/* 1. Each second by itself, whatever was before. */
static void
test_each_second(void **state)
{
	static const unsigned shares[] = {0, 1000, 1, 999, 500, 0, 333};
	struct stage stage;

	(void)state;
	stage_init(&stage);
	assert_true(load_permille(&stage.load) == LOAD_UNKNOWN);
	for (unsigned i = 0; i < ARRAY_COUNT(shares); i++) {
		pass(&stage, shares[i]);
		assert_int_equal(load_permille(&stage.load), shares[i]);
	}
}

/* 2. Within a second the one before is shown. */
static void
test_within_a_second(void **state)
{
	struct stage stage;

	(void)state;
	stage_init(&stage);
	pass(&stage, 100);
	progress_spend(&stage.progress, CYCLES / 2, true);
	stage.now += TICKS_PER_S - 1;
	load_look(&stage.load, stage.now);
	assert_int_equal(load_permille(&stage.load), 100);
	load_look(&stage.load, stage.now + 1);
	assert_int_equal(load_permille(&stage.load), 1000);
}

/* 3. What a worker did before it was first looked at says nothing, nor does one that stands still.
 */
static void
test_unknown(void **state)
{
	struct stage stage = {.now = START};

	(void)state;
	stage.load.progress = &stage.progress;
	progress_spend(&stage.progress, CYCLES, true);
	load_look(&stage.load, stage.now);
	assert_true(load_permille(&stage.load) == LOAD_UNKNOWN);
	pass(&stage, 250);
	assert_int_equal(load_permille(&stage.load), 250);
	stage.now += TICKS_PER_S;
	load_look(&stage.load, stage.now);
	assert_true(load_permille(&stage.load) == LOAD_UNKNOWN);
	pass(&stage, 0);
	assert_int_equal(load_permille(&stage.load), 0);
}

/* 4. Weeks between two looks are no overflow. */
static void
test_long(void **state)
{
	struct stage stage;

	(void)state;
	stage_init(&stage);
	progress_spend(&stage.progress, CYCLES * 3600 * 24 * 10, true);
	progress_spend(&stage.progress, CYCLES * 3600 * 24 * 10, false);
	load_look(&stage.load, stage.now + 20 * UINT64_C(86400) * TICKS_PER_S);
	assert_int_equal(load_permille(&stage.load), 500);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_each_second),
			cmocka_unit_test(test_within_a_second),
			cmocka_unit_test(test_unknown),
			cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
