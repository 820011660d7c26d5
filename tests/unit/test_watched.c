/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What threads share in single words, by real threads: a worker's progress under the watchdog's
 * eyes, and next hops that several workers ask for and hear of. That nothing of it races is for
 * ThreadSanitizer to see, under which tests/run has it run again.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "control/watchdog.h"
#include "table/hops.h"

enum { ITERATIONS = 100000, PAUSE_EVERY = 10, PAUSE = 5, WORKERS = 2, HOPS = 3, CELL = 77 };

/* As the appliance's loop tells of itself: a pause now and then, and always before the iteration
 * that ended it. */
static void *
progress_run(void *argument)
{
	struct progress *progress = argument;

	for (ticks_t now = 1; now <= ITERATIONS; now++) {
		if (now % PAUSE_EVERY == 0)
			progress_pause(progress, PAUSE);
		else
			progress_spend(progress, 2, now % 2);
		progress_go(progress, now);
	}
	return NULL;
}

/* 1. Who sees an iteration sees the pauses before it; nothing goes back; in the end all is there.
 */
static void
test_progress(void **state)
{
	struct progress progress = {.at = 0};
	struct watchdog watchdog = {.progress = &progress};
	pthread_t worker;
	struct spent spent;
	ticks_t last = 0;

	(void)state;
	assert_int_equal(pthread_create(&worker, NULL, progress_run, &progress), 0);
	while (last < ITERATIONS) {
		ticks_t at = progress_at(&progress);
		uint64_t pauses = progress_pauses(&progress);

		assert_true(at >= last);
		assert_true(pauses >= at / PAUSE_EVERY);
		assert_true(progress_paused(&progress) >= (pauses - 1) * PAUSE || pauses == 0);
		spent = progress_spent(&progress);
		assert_true(spent.idle + spent.busy >= 2 * (at - at / PAUSE_EVERY));
		/* It works, however late one looks. */
		if (at != last)
			assert_int_equal(watchdog_look(&watchdog, TICKS_PER_S, 1000 + at),
					WATCHDOG_NOTHING);
		last = at;
	}
	assert_int_equal(pthread_join(worker, NULL), 0);
	spent = progress_spent(&progress);
	assert_int_equal(progress_pauses(&progress), ITERATIONS / PAUSE_EVERY);
	assert_int_equal(progress_paused(&progress), ITERATIONS / PAUSE_EVERY * PAUSE);
	assert_int_equal(spent.busy, 2 * (ITERATIONS / 2));
	assert_int_equal(spent.idle, 2 * (ITERATIONS / 2 - ITERATIONS / PAUSE_EVERY));
}

struct asker {
	struct hops *hops;
	unsigned index;
	unsigned known; /* answers it found */
	bool is_broken;
	pthread_t thread;
};

/* Hops of one cell, told apart by their tags; the MAC of each is six times its number. */
static void *
hops_run(void *argument)
{
	struct asker *asker = argument;

	for (unsigned n = 0; n < ITERATIONS; n++) {
		const uint64_t hop = 1 + (n / 8 + asker->index) % HOPS;
		const uint64_t place = hop << 50 | CELL;
		uint8_t mac[ETHER_ADDR_BYTES], own[ETHER_ADDR_BYTES];

		memset(own, (int)hop, sizeof(own));
		switch (hops_find(asker->hops, place, mac)) {
		case HOP_UNKNOWN:
			hops_set(asker->hops, place, HOP_ASKED);
			break;
		case HOP_ASKED:
			hops_answer(asker->hops, place, own);
			break;
		case HOP_KNOWN:
			asker->known++;
			asker->is_broken |= memcmp(mac, own, sizeof(mac)) != 0;
			if (n % 64 == 0)
				hops_set(asker->hops, place, HOP_UNKNOWN);
			break;
		}
		if (n % 1024 == 0)
			sched_yield();
	}
	return NULL;
}

/* 2. Whatever one worker asks for, hears, or forgets while others do, a MAC that is found is the
 * hop's own, and whole. */
static void
test_hops(void **state)
{
	struct hops hops = {{0}};
	struct asker askers[WORKERS];

	(void)state;
	for (unsigned i = 0; i < WORKERS; i++) {
		askers[i] = (struct asker){.hops = &hops, .index = i};
		assert_int_equal(pthread_create(&askers[i].thread, NULL, hops_run, &askers[i]), 0);
	}
	for (unsigned i = 0; i < WORKERS; i++) {
		assert_int_equal(pthread_join(askers[i].thread, NULL), 0);
		assert_false(askers[i].is_broken);
		assert_true(askers[i].known > 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_progress),
			cmocka_unit_test(test_hops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
