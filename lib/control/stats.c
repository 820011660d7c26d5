/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sums first, JSON after. Every json_object_set_new() takes a NULL for failure and passes it on
 * as -1, so lack of memory is collected in one word and looked at once.
 */
#include "control/stats.h"

/* Adds name: value, a new reference or NULL, to object; returns what failed, as a bit. */
static unsigned
put(json_t *object, const char *name, json_t *value)
{
	return json_object_set_new(object, name, value) != 0;
}

static unsigned
put_count(json_t *object, const char *name, uint64_t count)
{
	return put(object, name, json_integer((json_int_t)count));
}

static void
add_backend(struct backend_counters *sum, const struct stats_worker *workers, unsigned count,
		uint16_t slot)
{
	for (unsigned i = 0; i < count; i++) {
		for (unsigned counter = 0; counter < BACKEND_COUNTER_COUNT; counter++)
			sum->values[counter] +=
					counter_read(&workers[i].backends[slot].values[counter]);
	}
}

static json_t *
backend_json(const struct backend_counters *counters)
{
	json_t *object = json_object();
	unsigned failed = object == NULL;

	for (unsigned i = 0; i < BACKEND_COUNTER_COUNT; i++)
		failed |= put_count(object, backend_counter_name((enum backend_counter)i),
				counters->values[i]);
	if (failed == 0)
		return object;
	json_decref(object);
	return NULL;
}

/* The members "backends" and "total". */
static unsigned
put_backends(json_t *object, const struct snapshot *snapshot, const struct stats_worker *workers,
		unsigned count)
{
	struct backend_counters total = {0};
	json_t *backends = json_object();
	unsigned failed = 0;

	for (unsigned i = 0; i < snapshot_count(snapshot); i++) {
		const struct backend_config *config = snapshot_at(snapshot, i);
		struct backend_counters sum = {0};

		add_backend(&sum, workers, count, config->slot);
		for (unsigned counter = 0; counter < BACKEND_COUNTER_COUNT; counter++)
			total.values[counter] += sum.values[counter];
		failed |= put(backends, config->name, backend_json(&sum));
	}
	failed |= put(object, "total", backend_json(&total));
	return failed | put(object, "backends", backends);
}

static void
add_worker(struct worker_counters *sum, const struct worker_counters *counters)
{
	for (unsigned i = 0; i < SIDE_COUNT; i++)
		sum->received[i] += counter_read(&counters->received[i]);
	for (unsigned i = 0; i < REASON_COUNT; i++)
		sum->reasons[i] += counter_read(&counters->reasons[i]);
	for (unsigned i = 0; i < EMITTED_COUNT; i++)
		sum->emitted[i] += counter_read(&counters->emitted[i]);
	sum->emit_failed += counter_read(&counters->emit_failed);
	sum->connections += counter_read(&counters->connections);
	sum->ticks_late += counter_read(&counters->ticks_late);
}

/* REASON_NONE is no reason: nothing is ever counted under it. */
static unsigned
put_reasons(json_t *object, const struct worker_counters *sum)
{
	json_t *reasons = json_object();
	unsigned failed = 0;

	for (unsigned i = REASON_NONE + 1; i < REASON_COUNT; i++)
		failed |= put_count(reasons, reason_name((enum reason)i), sum->reasons[i]);
	return failed | put(object, "reasons", reasons);
}

static unsigned
put_emitted(json_t *object, const struct worker_counters *sum)
{
	json_t *emitted = json_object();
	unsigned failed = 0;

	for (unsigned i = 0; i < EMITTED_COUNT; i++)
		failed |= put_count(emitted, emitted_name((enum emitted)i), sum->emitted[i]);
	failed |= put_count(emitted, "failed", sum->emit_failed);
	return failed | put(object, "emitted", emitted);
}

static json_t *
worker_json(const struct stats_worker *worker)
{
	struct worker_counters counters = {0};
	json_t *object = json_object();
	json_t *received = json_object();
	unsigned failed = object == NULL;

	add_worker(&counters, worker->counters);
	failed |= put_count(received, "client", counters.received[SIDE_CLIENT]);
	failed |= put_count(received, "server", counters.received[SIDE_BACKEND]);
	failed |= put_count(object, "cpu", worker->cpu);
	failed |= put(object, "received", received);
	failed |= put_count(object, "connections", counters.connections);
	failed |= put_count(object, "ticks_late", counters.ticks_late);
	if (failed == 0)
		return object;
	json_decref(object);
	return NULL;
}

static unsigned
put_workers(json_t *object, const struct stats_worker *workers, unsigned count)
{
	json_t *array = json_array();
	unsigned failed = 0;

	for (unsigned i = 0; i < count; i++)
		failed |= json_array_append_new(array, worker_json(&workers[i])) != 0;
	return failed | put(object, "workers", array);
}

json_t *
stats_json(const struct snapshot *snapshot, const struct stats_worker *workers, unsigned count)
{
	struct worker_counters sum = {0};
	json_t *object = json_object();
	unsigned failed = object == NULL;

	for (unsigned i = 0; i < count; i++)
		add_worker(&sum, workers[i].counters);
	failed |= put_count(object, "generation", snapshot_generation(snapshot));
	failed |= put_count(
			object, "received", sum.received[SIDE_CLIENT] + sum.received[SIDE_BACKEND]);
	failed |= put_count(object, "connections", sum.connections);
	failed |= put_backends(object, snapshot, workers, count);
	failed |= put_reasons(object, &sum);
	failed |= put_emitted(object, &sum);
	failed |= put_workers(object, workers, count);
	if (failed == 0)
		return object;
	json_decref(object);
	return NULL;
}
