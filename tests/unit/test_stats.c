/* SPDX-License-Identifier: BSD-3-Clause */
/* Every number of the statistics: distinct values in, their sums out under the right names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "registry_world.h"

#define WORKERS WORLD_WORKERS
#define BACKENDS 2

/* A number that no other (kind, index, worker) has, so that a mix-up changes a sum. */
static uint64_t
number(unsigned kind, unsigned index, unsigned worker)
{
	return (uint64_t)(kind + 1) << 32 | index << 8 | (1U << worker);
}

/* The sum over all workers of such numbers. */
static uint64_t
number_sum(unsigned kind, unsigned index)
{
	uint64_t sum = 0;

	for (unsigned worker = 0; worker < WORKERS; worker++)
		sum += number(kind, index, worker);
	return sum;
}

enum { KIND_RECEIVED, KIND_REASON, KIND_EMITTED, KIND_OTHER, KIND_BACKEND };

/* Backends web in slot 0 and mail in slot 1, every counter with a number of its own. */
static struct registry_world *
world_new(void)
{
	struct registry_world *world = registry_world_new(WEB "," MAIL, NULL);

	for (unsigned w = 0; w < WORKERS; w++) {
		struct worker_counters *counters = &world->worker_counters[w];

		for (unsigned i = 0; i < SIDE_COUNT; i++)
			counters->received[i] = number(KIND_RECEIVED, i, w);
		for (unsigned i = 0; i < REASON_COUNT; i++)
			counters->reasons[i] = number(KIND_REASON, i, w);
		for (unsigned i = 0; i < EMITTED_COUNT; i++)
			counters->emitted[i] = number(KIND_EMITTED, i, w);
		counters->emit_failed = number(KIND_OTHER, 0, w);
		counters->connections = number(KIND_OTHER, 1, w);
		counters->ticks_late = number(KIND_OTHER, 2, w);
		counters->early_held = number(KIND_OTHER, 3, w);
		for (unsigned slot = 0; slot < BACKENDS; slot++) {
			for (unsigned i = 0; i < BACKEND_COUNTER_COUNT; i++)
				world->counters[w][slot].values[i] =
						number(KIND_BACKEND + slot, i, w);
		}
		world->workers[w].cpu = 10 + w;
		world->progress[w].pauses = number(KIND_OTHER, 4, w);
		world->progress[w].paused = number(KIND_OTHER, 5, w) * TICKS_PER_MS;
		world->watches[w].stalls = number(KIND_OTHER, 6, w);
		world->watches[w].since = w;
		world->progress[w].busy = number(KIND_OTHER, 7, w);
		world->progress[w].idle = number(KIND_OTHER, 8, w);
		world->loads[w].permille = 123;
		world->loads[w].is_known = w == 1;
	}
	return world;
}

static uint64_t
at(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	if (!json_is_integer(value))
		fail_msg("%s is missing", name);
	return (uint64_t)json_integer_value(value);
}

static void
expect_backends(const json_t *stats)
{
	const json_t *backends = json_object_get(stats, "backends");
	const json_t *total = json_object_get(stats, "total");

	assert_int_equal(json_object_size(backends), BACKENDS);
	assert_int_equal(json_object_size(total), BACKEND_COUNTER_COUNT);
	for (unsigned i = 0; i < BACKEND_COUNTER_COUNT; i++) {
		const char *name = backend_counter_name((enum backend_counter)i);

		assert_int_equal(at(json_object_get(backends, "web"), name),
				number_sum(KIND_BACKEND + 0, i));
		assert_int_equal(at(json_object_get(backends, "mail"), name),
				number_sum(KIND_BACKEND + 1, i));
		assert_int_equal(at(total, name),
				number_sum(KIND_BACKEND + 0, i) + number_sum(KIND_BACKEND + 1, i));
	}
}

static void
expect_reasons(const json_t *stats)
{
	const json_t *reasons = json_object_get(stats, "reasons");
	const json_t *emitted = json_object_get(stats, "emitted");

	assert_int_equal(json_object_size(reasons), REASON_COUNT - 1);
	for (unsigned i = 1; i < REASON_COUNT; i++)
		assert_int_equal(at(reasons, reason_name((enum reason)i)),
				number_sum(KIND_REASON, i));
	assert_int_equal(json_object_size(emitted), EMITTED_COUNT + 1);
	for (unsigned i = 0; i < EMITTED_COUNT; i++)
		assert_int_equal(at(emitted, emitted_name((enum emitted)i)),
				number_sum(KIND_EMITTED, i));
	assert_int_equal(at(emitted, "failed"), number_sum(KIND_OTHER, 0));
}

static void
expect_workers(const json_t *stats)
{
	const json_t *workers = json_object_get(stats, "workers");

	assert_int_equal(json_array_size(workers), WORKERS);
	for (unsigned w = 0; w < WORKERS; w++) {
		const json_t *worker = json_array_get(workers, w);
		const json_t *received = json_object_get(worker, "received");

		assert_int_equal(at(worker, "cpu"), 10 + w);
		assert_int_equal(at(worker, "connections"), number(KIND_OTHER, 1, w));
		assert_int_equal(at(worker, "ticks_late"), number(KIND_OTHER, 2, w));
		assert_int_equal(at(worker, "early_held"), number(KIND_OTHER, 3, w));
		assert_int_equal(at(worker, "pauses"), number(KIND_OTHER, 4, w));
		assert_int_equal(at(worker, "paused_ms"), number(KIND_OTHER, 5, w));
		assert_int_equal(at(worker, "stalls"), number(KIND_OTHER, 6, w));
		assert_int_equal(json_is_true(json_object_get(worker, "stalled")), w == 1);
		assert_int_equal(at(worker, "busy_cycles"), number(KIND_OTHER, 7, w));
		assert_int_equal(at(worker, "idle_cycles"), number(KIND_OTHER, 8, w));
		if (w == 1)
			assert_float_equal(json_real_value(json_object_get(worker, "busy_percent")),
					12.3, 1e-9);
		else
			assert_true(json_is_null(json_object_get(worker, "busy_percent")));
		assert_int_equal(at(received, "client"), number(KIND_RECEIVED, SIDE_CLIENT, w));
		assert_int_equal(at(received, "server"), number(KIND_RECEIVED, SIDE_BACKEND, w));
	}
}

/* 1. Everything, from all workers and two backends. */
static void
test_sums(void **state)
{
	struct registry_world *world = world_new();
	json_t *stats = stats_json(&world->registry);

	(void)state;
	assert_non_null(stats);
	assert_int_equal(json_object_size(stats), 8);
	assert_int_equal(at(stats, "generation"), 1);
	assert_int_equal(at(stats, "received"),
			number_sum(KIND_RECEIVED, 0) + number_sum(KIND_RECEIVED, 1));
	assert_int_equal(at(stats, "connections"), number_sum(KIND_OTHER, 1));
	expect_backends(stats);
	expect_reasons(stats);
	expect_workers(stats);
	json_decref(stats);
	registry_world_free(world);
}

/* 2. Nothing counted, no backend: every name is there, and 0. */
static void
test_empty(void **state)
{
	struct registry_world *world = registry_world_new("", NULL);
	json_t *stats = stats_json(&world->registry);
	json_t *value;
	const char *name;

	(void)state;
	assert_non_null(stats);
	assert_int_equal(at(stats, "received"), 0);
	assert_int_equal(json_object_size(json_object_get(stats, "backends")), 0);
	assert_int_equal(json_array_size(json_object_get(stats, "workers")), WORKERS);
	assert_int_equal(json_object_size(json_object_get(stats, "total")), BACKEND_COUNTER_COUNT);
	assert_int_equal(json_object_size(json_object_get(stats, "reasons")), REASON_COUNT - 1);
	json_object_foreach(json_object_get(stats, "reasons"), name, value)
			assert_int_equal(json_integer_value(value), 0);
	json_decref(stats);
	registry_world_free(world);
}

/* 3. One backend alone: its counters, and the totals of all. */
static void
test_netstat_of_one(void **state)
{
	struct registry_world *world = world_new();
	json_t *stats = stats_netstat(&world->registry, registry_find(&world->registry, "mail"));
	const json_t *backends = json_object_get(stats, "backends");

	(void)state;
	assert_int_equal(json_object_size(stats), 4);
	assert_int_equal(json_object_size(backends), 1);
	assert_int_equal(at(json_object_get(backends, "mail"), "ListenDrops"),
			number_sum(KIND_BACKEND + 1, COUNTER_ListenDrops));
	assert_int_equal(at(json_object_get(stats, "total"), "ListenDrops"),
			number_sum(KIND_BACKEND + 0, COUNTER_ListenDrops) +
					number_sum(KIND_BACKEND + 1, COUNTER_ListenDrops));
	expect_reasons(stats);
	json_decref(stats);
	registry_world_free(world);
}

/* 4. A removed backend is listed by another name while it drains; afterwards the totals still
 * count it. */
static void
test_removed(void **state)
{
	struct registry_world *world = world_new();
	json_t *stats;

	(void)state;
	world->shared[1].accept = 1;
	registry_world_write(world, WEB, "");
	registry_world_reload(world);
	stats = stats_json(&world->registry);
	assert_non_null(json_object_get(json_object_get(stats, "backends"), "mail~1"));
	assert_int_equal(at(json_object_get(stats, "total"), "ListenDrops"),
			number_sum(KIND_BACKEND + 0, COUNTER_ListenDrops) +
					number_sum(KIND_BACKEND + 1, COUNTER_ListenDrops));
	json_decref(stats);
	registry_world_free(world);
}

/* Fails every allocation after a number of them. jansson hands no context to its allocators. */
static unsigned allocations_left;
static unsigned allocations_held;

static void *
allocate(size_t size)
{
	if (allocations_left == 0)
		return NULL;
	allocations_left--;
	allocations_held++;
	return malloc(size);
}

static void
release(void *memory)
{
	allocations_held -= memory != NULL;
	free(memory);
}

/* 5. Memory that ends at any allocation: NULL, and all of it given back. */
static void
test_out_of_memory(void **state)
{
	struct registry_world *world = world_new();
	json_t *stats = NULL;
	unsigned enough;

	(void)state;
	json_set_alloc_funcs(allocate, release);
	for (enough = 0; stats == NULL; enough++) {
		assert_int_equal(allocations_held, 0);
		allocations_left = enough;
		stats = stats_json(&world->registry);
	}
	json_decref(stats);
	assert_int_equal(allocations_held, 0);
	assert_true(enough > REASON_COUNT + 3 * BACKEND_COUNTER_COUNT);
	json_set_alloc_funcs(malloc, free);
	registry_world_free(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_sums),
			cmocka_unit_test(test_empty),
			cmocka_unit_test(test_netstat_of_one),
			cmocka_unit_test(test_removed),
			cmocka_unit_test(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
