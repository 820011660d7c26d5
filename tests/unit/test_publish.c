/* SPDX-License-Identifier: BSD-3-Clause */
/* From configuration to what a worker loads, and how what it loaded before ends. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <rte_rcu_qsbr.h>

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

static struct rte_rcu_qsbr *
qsbr_new(unsigned threads)
{
	struct rte_rcu_qsbr *qsbr = aligned_alloc(
			CACHE_LINE_SIZE, cache_align(rte_rcu_qsbr_get_memsize(threads)));

	assert_non_null(qsbr);
	assert_int_equal(rte_rcu_qsbr_init(qsbr, threads), 0);
	for (unsigned i = 0; i < threads; i++) {
		assert_int_equal(rte_rcu_qsbr_thread_register(qsbr, i), 0);
		rte_rcu_qsbr_thread_online(qsbr, i);
	}
	return qsbr;
}

/* 2. Without readers the snapshot before ends at once; with them it waits for the slowest. */
static void
test_publish(void **state)
{
	static struct backend_config backends[1];
	struct config config = config_of(1, backends);
	struct rte_rcu_qsbr *qsbr = qsbr_new(2);
	struct publication publication;
	const struct snapshot *where = NULL;

	(void)state;
	publication_init(&publication, &where, NULL);
	for (unsigned i = 1; i <= 2 * PUBLICATION_RETIRED_MAX; i++) {
		publication_publish(&publication, snapshot_from_config(&config, i, 7));
		assert_int_equal(snapshot_generation(where), i);
		assert_int_equal(publication_reclaim(&publication), 0);
	}
	publication_fini(&publication);
	assert_null(where);

	publication_init(&publication, &where, qsbr);
	publication_publish(&publication, snapshot_from_config(&config, 1, 7));
	assert_int_equal(publication_reclaim(&publication), 0);
	publication_publish(&publication, snapshot_from_config(&config, 2, 7));
	rte_rcu_qsbr_quiescent(qsbr, 0);
	assert_int_equal(publication_reclaim(&publication), 1);
	publication_publish(&publication, snapshot_from_config(&config, 3, 7));
	rte_rcu_qsbr_quiescent(qsbr, 1);
	assert_int_equal(publication_reclaim(&publication), 1);
	rte_rcu_qsbr_quiescent(qsbr, 0);
	assert_int_equal(publication_reclaim(&publication), 0);
	assert_int_equal(snapshot_generation(where), 3);
	publication_fini(&publication);
	free(qsbr);
	snapshot_free(NULL);
}

/* 3. There is room for 256 that wait for a worker that stands still, not for more; once it moves or
 * goes offline there is room again. */
static void
test_room(void **state)
{
	static struct backend_config backends[1];
	struct config config = config_of(1, backends);
	struct rte_rcu_qsbr *qsbr = qsbr_new(1);
	struct publication publication;
	const struct snapshot *where = NULL;

	(void)state;
	publication_init(&publication, &where, qsbr);
	publication_publish(&publication, snapshot_from_config(&config, 0, 7));
	for (unsigned i = 1; i <= PUBLICATION_RETIRED_MAX; i++) {
		assert_true(publication_has_room(&publication));
		publication_publish(&publication, snapshot_from_config(&config, i, 7));
		assert_int_equal(publication_reclaim(&publication), i);
	}
	assert_false(publication_has_room(&publication));
	rte_rcu_qsbr_quiescent(qsbr, 0);
	assert_int_equal(publication_reclaim(&publication), 0);
	assert_true(publication_has_room(&publication));
	publication_publish(&publication, snapshot_from_config(&config, 1000, 7));
	rte_rcu_qsbr_thread_offline(qsbr, 0);
	assert_int_equal(publication_reclaim(&publication), 0);
	publication_fini(&publication);
	free(qsbr);
}

enum { PUBLICATIONS = 2000 };

struct reader {
	const struct snapshot *where;
	struct rte_rcu_qsbr *qsbr;
	unsigned wrong;
};

/* Loads as a worker does, until the last generation has come. A snapshot freed too early is what
 * the sanitizers would see here. */
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
		rte_rcu_qsbr_quiescent(reader->qsbr, 0);
	}
	rte_rcu_qsbr_thread_offline(reader->qsbr, 0);
	return NULL;
}

/* 4. A thread that loads meanwhile sees whole snapshots, never an older one again. */
static void
test_publish_to_thread(void **state)
{
	static struct backend_config backends[3];
	struct config config = config_of(3, backends);
	struct reader reader = {.qsbr = qsbr_new(1)};
	struct publication publication;
	pthread_t thread;

	(void)state;
	publication_init(&publication, &reader.where, reader.qsbr);
	publication_publish(&publication, snapshot_from_config(&config, 0, 7));
	assert_int_equal(pthread_create(&thread, NULL, read_snapshots, &reader), 0);
	for (unsigned i = 1; i <= PUBLICATIONS; i++) {
		while (!publication_has_room(&publication)) {
			sched_yield();
			publication_reclaim(&publication);
		}
		publication_publish(&publication, snapshot_from_config(&config, i, i));
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(reader.wrong, 0);
	assert_int_equal(publication_reclaim(&publication), 0);
	publication_fini(&publication);
	free(reader.qsbr);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_from_config),
			cmocka_unit_test(test_publish),
			cmocka_unit_test(test_room),
			cmocka_unit_test(test_publish_to_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
