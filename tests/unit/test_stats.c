/* SPDX-License-Identifier: BSD-3-Clause */
/* Every number of the statistics: distinct values in, their sums out under the right names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/publish.h"
#include "control/stats.h"

#define WORKERS 3
#define BACKENDS 2

struct setting {
	struct worker_counters counters[WORKERS];
	struct backend_counters backends[WORKERS][BACKENDS];
	struct stats_worker workers[WORKERS];
	struct snapshot *snapshot;
};

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

static void
setting_fill(struct setting *setting)
{
	static struct backend_config configs[BACKENDS] = {
			/* Slots are not places in the file. */
			{.name = "web", .slot = 1, .port = 80, .family = FAMILY_IP4},
			{.name = "mail", .slot = 0, .port = 25, .family = FAMILY_IP4},
	};
	struct config config = {.backend_count = BACKENDS, .backends = configs};

	memset(setting, 0, sizeof(*setting));
	for (unsigned w = 0; w < WORKERS; w++) {
		struct worker_counters *counters = &setting->counters[w];

		for (unsigned i = 0; i < SIDE_COUNT; i++)
			counters->received[i] = number(KIND_RECEIVED, i, w);
		for (unsigned i = 0; i < REASON_COUNT; i++)
			counters->reasons[i] = number(KIND_REASON, i, w);
		for (unsigned i = 0; i < EMITTED_COUNT; i++)
			counters->emitted[i] = number(KIND_EMITTED, i, w);
		counters->emit_failed = number(KIND_OTHER, 0, w);
		counters->connections = number(KIND_OTHER, 1, w);
		counters->ticks_late = number(KIND_OTHER, 2, w);
		for (unsigned slot = 0; slot < BACKENDS; slot++) {
			for (unsigned i = 0; i < BACKEND_COUNTER_COUNT; i++)
				setting->backends[w][slot].values[i] =
						number(KIND_BACKEND + slot, i, w);
		}
		setting->workers[w] = (struct stats_worker){
				.cpu = 10 + w,
				.counters = counters,
				.backends = setting->backends[w],
		};
	}
	setting->snapshot = snapshot_from_config(&config, 99, 7);
	assert_non_null(setting->snapshot);
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

		assert_int_equal(at(json_object_get(backends, "mail"), name),
				number_sum(KIND_BACKEND + 0, i));
		assert_int_equal(at(json_object_get(backends, "web"), name),
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
		assert_int_equal(at(received, "client"), number(KIND_RECEIVED, SIDE_CLIENT, w));
		assert_int_equal(at(received, "server"), number(KIND_RECEIVED, SIDE_BACKEND, w));
	}
}

/* 1. Everything, from three workers and two backends. */
static void
test_sums(void **state)
{
	struct setting setting;
	json_t *stats;

	(void)state;
	setting_fill(&setting);
	stats = stats_json(setting.snapshot, setting.workers, WORKERS);
	assert_non_null(stats);
	assert_int_equal(json_object_size(stats), 8);
	assert_int_equal(at(stats, "generation"), 99);
	assert_int_equal(at(stats, "received"),
			number_sum(KIND_RECEIVED, 0) + number_sum(KIND_RECEIVED, 1));
	assert_int_equal(at(stats, "connections"), number_sum(KIND_OTHER, 1));
	expect_backends(stats);
	expect_reasons(stats);
	expect_workers(stats);
	json_decref(stats);
	snapshot_free(setting.snapshot);
}

/* 2. Nothing counted, no backend, no worker: every name is there, and 0. */
static void
test_empty(void **state)
{
	struct config config = {0};
	struct snapshot *snapshot = snapshot_from_config(&config, 1, 7);
	json_t *stats = stats_json(snapshot, NULL, 0);
	const json_t *value;
	const char *name;

	(void)state;
	assert_non_null(stats);
	assert_int_equal(at(stats, "received"), 0);
	assert_int_equal(json_object_size(json_object_get(stats, "backends")), 0);
	assert_int_equal(json_array_size(json_object_get(stats, "workers")), 0);
	assert_int_equal(json_object_size(json_object_get(stats, "total")), BACKEND_COUNTER_COUNT);
	assert_int_equal(json_object_size(json_object_get(stats, "reasons")), REASON_COUNT - 1);
	json_object_foreach(json_object_get(stats, "reasons"), name, value)
			assert_int_equal(json_integer_value(value), 0);
	json_decref(stats);
	snapshot_free(snapshot);
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

/* 3. Memory that ends at any allocation: NULL, and all of it given back. */
static void
test_out_of_memory(void **state)
{
	struct setting setting;
	json_t *stats = NULL;
	unsigned enough;

	(void)state;
	setting_fill(&setting);
	json_set_alloc_funcs(allocate, release);
	for (enough = 0; stats == NULL; enough++) {
		assert_int_equal(allocations_held, 0);
		allocations_left = enough;
		stats = stats_json(setting.snapshot, setting.workers, WORKERS);
	}
	json_decref(stats);
	assert_int_equal(allocations_held, 0);
	assert_true(enough > REASON_COUNT + 3 * BACKEND_COUNTER_COUNT);
	json_set_alloc_funcs(malloc, free);
	snapshot_free(setting.snapshot);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_sums),
			cmocka_unit_test(test_empty),
			cmocka_unit_test(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
