/* SPDX-License-Identifier: BSD-3-Clause */
/* A worker's progress, look by look. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "control/watchdog.h"

#define LIMIT (2 * TICKS_PER_S)
#define LOOK (250 * TICKS_PER_MS)
#define START (1000 * TICKS_PER_S)

struct stage {
	struct progress progress;
	struct watchdog watchdog;
	ticks_t now;
};

static struct stage *
stage_new(struct stage *stage)
{
	*stage = (struct stage){.now = START};
	stage->watchdog.progress = &stage->progress;
	return stage;
}

/* The worker runs up to now, measuring its gap as the appliance's loop does. */
static void
work(struct stage *stage)
{
	const ticks_t gap = stage->now - progress_at(&stage->progress);

	if (progress_at(&stage->progress) != 0 && gap > 100 * TICKS_PER_MS)
		progress_pause(&stage->progress, gap);
	progress_go(&stage->progress, stage->now);
}

/* Looks as often as fits into the time; the last news that was any. */
static enum watchdog_news
look_for(struct stage *stage, ticks_t time, ticks_t every, bool works)
{
	enum watchdog_news news = WATCHDOG_NOTHING;

	for (const ticks_t end = stage->now + time; stage->now < end;) {
		enum watchdog_news seen;

		stage->now += every;
		if (works)
			progress_go(&stage->progress, stage->now - 1);
		seen = watchdog_look(&stage->watchdog, LIMIT, stage->now);
		news = seen != WATCHDOG_NOTHING ? seen : news;
	}
	return news;
}

/* 1. Working for hours, looked at often or seldom: nothing. */
static void
test_works(void **state)
{
	struct stage stage;

	(void)state;
	stage_new(&stage);
	assert_int_equal(look_for(&stage, 7200 * TICKS_PER_S, LOOK, true), WATCHDOG_NOTHING);
	assert_int_equal(look_for(&stage, 7200 * TICKS_PER_S, 10 * TICKS_PER_S, true),
			WATCHDOG_NOTHING);
	assert_int_equal(stage.watchdog.stalls, 0);
}

/* 2. It stands still: told once, and once when it goes on, with the length it measured itself. */
static void
test_stall(void **state)
{
	struct stage stage;
	ticks_t stopped;

	(void)state;
	stage_new(&stage);
	look_for(&stage, 10 * TICKS_PER_S, LOOK, true);
	stopped = progress_at(&stage.progress);
	assert_int_equal(look_for(&stage, LIMIT - LOOK, LOOK, false), WATCHDOG_NOTHING);
	assert_int_equal(look_for(&stage, LOOK, LOOK, false), WATCHDOG_STALLED);
	assert_true(watchdog_is_stalled(&stage.watchdog));
	assert_int_equal(stage.watchdog.since, stopped);
	assert_int_equal(look_for(&stage, 60 * TICKS_PER_S, LOOK, false), WATCHDOG_NOTHING);
	assert_int_equal(stage.watchdog.stalls, 1);
	/* 10 ms before the next look. */
	stage.now += LOOK - 10 * TICKS_PER_MS;
	work(&stage);
	stage.now += 10 * TICKS_PER_MS;
	assert_int_equal(watchdog_look(&stage.watchdog, LIMIT, stage.now), WATCHDOG_RESUMED);
	assert_int_equal(stage.watchdog.lasted, stage.now - 10 * TICKS_PER_MS - stopped);
	assert_int_equal(stage.watchdog.ended, stage.now);
	assert_false(watchdog_is_stalled(&stage.watchdog));
	assert_int_equal(look_for(&stage, 60 * TICKS_PER_S, LOOK, true), WATCHDOG_NOTHING);
	assert_int_equal(look_for(&stage, LIMIT, LOOK, false), WATCHDOG_STALLED);
	assert_int_equal(stage.watchdog.stalls, 2);
}

/* 3. The whole process stood still: the first look afterwards blames nobody. */
static void
test_process_stopped(void **state)
{
	struct stage stage;

	(void)state;
	stage_new(&stage);
	look_for(&stage, 10 * TICKS_PER_S, LOOK, true);
	stage.now += 3600 * TICKS_PER_S;
	assert_int_equal(watchdog_look(&stage.watchdog, LIMIT, stage.now), WATCHDOG_NOTHING);
	assert_int_equal(look_for(&stage, 60 * TICKS_PER_S, LOOK, true), WATCHDOG_NOTHING);
	/* But looks that are late by a little still find a worker that really stands still. */
	assert_int_equal(look_for(&stage, 6 * TICKS_PER_S, 1200 * TICKS_PER_MS, false),
			WATCHDOG_STALLED);
}

/* 4. A worker that never begins, and a limit of 0: never told of, but a stall still ends. */
static void
test_odd(void **state)
{
	struct stage stage;

	(void)state;
	stage_new(&stage);
	assert_int_equal(look_for(&stage, 3 * TICKS_PER_S, LOOK, false), WATCHDOG_STALLED);
	assert_int_equal(stage.watchdog.since, START + LOOK);
	stage.now += LOOK;
	progress_go(&stage.progress, stage.now);
	assert_int_equal(watchdog_look(&stage.watchdog, 0, stage.now), WATCHDOG_RESUMED);
	assert_int_equal(stage.watchdog.lasted, stage.now - START - LOOK);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(watchdog_look(&stage.watchdog, 0, stage.now += LOOK),
				WATCHDOG_NOTHING);
	/* The limit comes back by a reload. */
	assert_int_equal(watchdog_look(&stage.watchdog, LIMIT, stage.now), WATCHDOG_STALLED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_works),
			cmocka_unit_test(test_stall),
			cmocka_unit_test(test_process_stopped),
			cmocka_unit_test(test_odd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
