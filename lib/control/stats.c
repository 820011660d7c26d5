/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sums first, JSON after. Every json_object_set_new() takes a NULL for failure and passes it on
 * as -1, so lack of memory is collected in one word and looked at once.
 */
#include "control/stats.h"

#include "control/registry.h"

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

json_t *
stats_backend(const struct backend_counters *counters)
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

static unsigned
put_total(json_t *object, const struct registry *registry)
{
	struct backend_counters sum;

	registry_total(registry, &sum);
	return put(object, "total", stats_backend(&sum));
}

/* All backends in use unless only one is wanted. */
static unsigned
put_backends(json_t *object, const struct registry *registry, const struct slot *only)
{
	struct backend_counters sum;
	json_t *backends = json_object();
	unsigned failed = 0;

	for (uint32_t i = 0; i < registry->slots_used; i++) {
		const struct slot *slot = &registry->slots[i];
		char name[REGISTRY_NAME_BYTES];

		if (slot->use == SLOT_FREE || (only != NULL && slot != only))
			continue;
		registry_name(registry, slot, name);
		registry_counters(registry, slot, &sum);
		failed |= put(backends, name, stats_backend(&sum));
	}
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
	sum->early_held += counter_read(&counters->early_held);
	sum->ticks_late += counter_read(&counters->ticks_late);
}

void
stats_sum(const struct registry *registry, struct worker_counters *sum)
{
	*sum = (struct worker_counters){0};
	for (unsigned i = 0; i < registry->env.worker_count; i++)
		add_worker(sum, registry->env.workers[i].counters);
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

static unsigned
put_watch(json_t *object, const struct watchdog *watch)
{
	unsigned failed = 0;

	if (watch == NULL)
		return 0;
	failed |= put(object, "stalled", json_boolean(watchdog_is_stalled(watch)));
	failed |= put_count(object, "stalls", watch->stalls);
	failed |= put_count(object, "pauses", progress_pauses(watch->progress));
	return failed |
	       put_count(object, "paused_ms", progress_paused(watch->progress) / TICKS_PER_MS);
}

static unsigned
put_load(json_t *object, const struct load *load)
{
	struct spent spent;
	uint32_t permille;
	unsigned failed;

	if (load == NULL)
		return 0;
	spent = progress_spent(load->progress);
	permille = load_permille(load);
	failed = put(object, "busy_percent",
			permille != LOAD_UNKNOWN ? json_real(permille / 10.0) : json_null());
	failed |= put_count(object, "busy_cycles", spent.busy);
	return failed | put_count(object, "idle_cycles", spent.idle);
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
	failed |= put_count(object, "early_held", counters.early_held);
	failed |= put_count(object, "ticks_late", counters.ticks_late);
	failed |= put_watch(object, worker->watch);
	failed |= put_load(object, worker->load);
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
stats_workers(const struct registry *registry)
{
	json_t *object = json_object();
	json_t *workers = NULL;

	if (put_workers(object, registry->env.workers, registry->env.worker_count) == 0)
		workers = json_incref(json_object_get(object, "workers"));
	json_decref(object);
	return workers;
}

json_t *
stats_reasons(const struct registry *registry)
{
	struct worker_counters sum;
	json_t *object = json_object();
	json_t *reasons = NULL;

	stats_sum(registry, &sum);
	if (put_reasons(object, &sum) == 0)
		reasons = json_incref(json_object_get(object, "reasons"));
	json_decref(object);
	return reasons;
}

static unsigned
put_netstat(json_t *object, const struct registry *registry, const struct worker_counters *sum)
{
	unsigned failed = put_total(object, registry);

	failed |= put_reasons(object, sum);
	return failed | put_emitted(object, sum);
}

json_t *
stats_netstat(const struct registry *registry, const struct slot *slot)
{
	struct worker_counters sum;
	json_t *object = json_object();

	stats_sum(registry, &sum);
	if (object != NULL && put_netstat(object, registry, &sum) == 0 &&
			put_backends(object, registry, slot) == 0)
		return object;
	json_decref(object);
	return NULL;
}

json_t *
stats_sums(const struct registry *registry)
{
	struct worker_counters sum;
	json_t *object = json_object();
	unsigned failed = object == NULL;

	stats_sum(registry, &sum);
	failed |= put_count(object, "generation", registry->generation);
	failed |= put_count(
			object, "received", sum.received[SIDE_CLIENT] + sum.received[SIDE_BACKEND]);
	failed |= put_count(object, "connections", sum.connections);
	failed |= put_netstat(object, registry, &sum);
	failed |= put_workers(object, registry->env.workers, registry->env.worker_count);
	if (failed == 0)
		return object;
	json_decref(object);
	return NULL;
}

json_t *
stats_json(const struct registry *registry)
{
	json_t *object = stats_sums(registry);

	if (object != NULL && put_backends(object, registry, NULL) == 0)
		return object;
	json_decref(object);
	return NULL;
}
