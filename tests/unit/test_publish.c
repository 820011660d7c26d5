/* SPDX-License-Identifier: BSD-3-Clause */
/* From configuration to what a worker loads. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "control/publish.h"

/* A configuration of count backends 10.0.x.y:80, with nothing else in it. */
static struct config
config_of(unsigned count, struct backend_config *backends)
{
	for (unsigned i = 0; i < count; i++) {
		backends[i] = (struct backend_config){
				.port = 80,
				.slot = (uint16_t)i,
				.family = FAMILY_IP4,
				.backlog = i + 1,
				.address = {.bytes = {[10] = 0xff,
							    [11] = 0xff,
							    [12] = 10,
							    [14] = (uint8_t)(i >> 8),
							    [15] = (uint8_t)i}},
		};
	}
	return (struct config){.backend_count = count, .backends = backends};
}

/* 1. All backends are in, in file order, and found; with none there is an empty snapshot. */
static void
test_from_config(void **state)
{
	static const unsigned counts[] = {0, 1, 2, 3, 1000};
	static struct backend_config backends[1000];

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(counts); i++) {
		struct config config = config_of(counts[i], backends);
		struct snapshot *snapshot = snapshot_from_config(&config, 42 + i, 7);

		assert_non_null(snapshot);
		assert_int_equal((uintptr_t)snapshot % CACHE_LINE_SIZE, 0);
		assert_int_equal(snapshot_generation(snapshot), 42 + i);
		assert_int_equal(snapshot_count(snapshot), counts[i]);
		for (unsigned slot = 0; slot < counts[i]; slot++) {
			const struct backend_config *found =
					snapshot_find(snapshot, &backends[slot].address, 80);

			assert_non_null(found);
			assert_ptr_equal(found, snapshot_at(snapshot, slot));
			assert_ptr_not_equal(found, &backends[slot]);
			assert_memory_equal(found, &backends[slot], sizeof(*found));
		}
		assert_null(snapshot_find(snapshot, &backends[0].address, 81));
		snapshot_free(snapshot);
	}
}

/* 2. Each publication gives back the one before. */
static void
test_publish(void **state)
{
	static struct backend_config backends[1];
	struct config config = config_of(1, backends);
	struct snapshot *first = snapshot_from_config(&config, 1, 7);
	struct snapshot *second = snapshot_from_config(&config, 2, 7);
	const struct snapshot *where = NULL;

	(void)state;
	assert_null(snapshot_publish(&where, first));
	assert_ptr_equal(where, first);
	assert_ptr_equal(snapshot_publish(&where, second), first);
	assert_ptr_equal(where, second);
	snapshot_free(first);
	snapshot_free(second);
	snapshot_free(NULL);
}

enum { PUBLICATIONS = 200 };

struct reader {
	const struct snapshot *where;
	unsigned wrong;
};

/* Loads as a worker does, until the last generation has come. */
static void *
read_snapshots(void *argument)
{
	struct reader *reader = argument;
	uint64_t generation = 0;

	while (generation < PUBLICATIONS) {
		const struct snapshot *snapshot = __atomic_load_n(&reader->where, __ATOMIC_ACQUIRE);

		if (snapshot_generation(snapshot) < generation || snapshot_count(snapshot) != 3 ||
				snapshot_at(snapshot, 2)->backlog != 3)
			reader->wrong++;
		generation = snapshot_generation(snapshot);
	}
	return NULL;
}

/* 3. A thread that loads meanwhile sees whole snapshots, never an older one again. */
static void
test_publish_to_thread(void **state)
{
	static struct backend_config backends[3];
	struct config config = config_of(3, backends);
	struct snapshot *snapshots[PUBLICATIONS + 1];
	struct reader reader = {0};
	pthread_t thread;

	(void)state;
	snapshots[0] = snapshot_from_config(&config, 0, 7);
	snapshot_publish(&reader.where, snapshots[0]);
	assert_int_equal(pthread_create(&thread, NULL, read_snapshots, &reader), 0);
	for (unsigned i = 1; i <= PUBLICATIONS; i++) {
		snapshots[i] = snapshot_from_config(&config, i, i);
		assert_ptr_equal(snapshot_publish(&reader.where, snapshots[i]), snapshots[i - 1]);
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(reader.wrong, 0);
	for (unsigned i = 0; i <= PUBLICATIONS; i++)
		snapshot_free(snapshots[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_from_config),
			cmocka_unit_test(test_publish),
			cmocka_unit_test(test_publish_to_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
