/* SPDX-License-Identifier: BSD-3-Clause */
/* Carves a worker out of the memory it is given, and runs its timers. */
#include "proxy/worker.h"

#include "proxy/early.h"
#include "proxy/half_open.h"
#include "proxy/inspect.h"
#include "proxy/probe.h"
#include "proxy/screen.h"
#include "proxy/worker_impl.h"

static bool
limits_are_valid(const struct sluice_limits *limits)
{
	return limits->connections >= 1 && limits->connections <= FLOW_CAPACITY_MAX &&
	       limits->connections_ip6 <= limits->connections && limits->backends >= 1 &&
	       limits->backends <= UINT16_MAX && limits->early_packets <= EARLY_PACKETS_MAX &&
	       (limits->monitor_clients == 0 ||
			       (limits->monitor_clients >= OBSERVED_CLIENTS_LEAST &&
					       limits->monitor_clients <= OBSERVED_CLIENTS_MAX)) &&
	       (limits->syn_entries == 0 ||
			       (limits->syn_entries >= SYN_QUEUE_ENTRIES_LEAST &&
					       limits->syn_entries <= SYN_QUEUE_ENTRIES_MAX)) &&
	       (limits->source_prefixes == 0 ||
			       (limits->source_prefixes >= SOURCE_LIMIT_PREFIXES_LEAST &&
					       limits->source_prefixes <=
							       SOURCE_LIMIT_PREFIXES_MAX));
}

/* The parts in the order they lie in memory, each on its own cache line. */
enum part {
	PART_WORKER,
	PART_BACKENDS,
	PART_COUNTERS,
	PART_SETUPS,
	PART_SYNS,
	PART_EARLY,
	PART_AS_IF,
	PART_SOURCES,
	PART_FLOWS,
	PART_COUNT
};

static size_t
part_size(enum part part, const struct sluice_limits *limits)
{
	switch (part) {
	case PART_WORKER:
		return cache_align(sizeof(struct worker));
	case PART_BACKENDS:
		return cache_align(limits->backends * sizeof(struct backend));
	case PART_COUNTERS:
		return cache_align(limits->backends * sizeof(struct backend_counters));
	case PART_SETUPS:
		return cache_align(limits->connections * sizeof(struct conn_setup));
	case PART_SYNS:
		return cache_align(syn_queue_memsize(limits->syn_entries));
	case PART_EARLY:
		return cache_align(early_pool_memsize(limits->early_packets));
	case PART_AS_IF:
		return as_if_memsize(limits->monitor_clients);
	case PART_SOURCES:
		return cache_align(source_limit_memsize(limits->source_prefixes));
	default:
		return flow_table_memsize(
				limits->connections, limits->connections_ip6, sizeof(struct conn));
	}
}

size_t
sluice_worker_memsize(const struct sluice_limits *limits)
{
	size_t size = 0;

	if (!limits_are_valid(limits))
		return 0;
	for (enum part part = 0; part < PART_COUNT; part++)
		size += part_size(part, limits);
	return size;
}

struct worker *
sluice_worker_init(void *mem, const struct sluice_limits *limits, const struct sluice_env *env)
{
	uint8_t *parts[PART_COUNT];
	uint8_t *next = mem;

	if (!limits_are_valid(limits) || (uintptr_t)mem % CACHE_LINE_SIZE != 0)
		return NULL;
	for (enum part part = 0; part < PART_COUNT; part++) {
		parts[part] = next;
		next += part_size(part, limits);
	}

	struct worker *w = (struct worker *)(void *)parts[PART_WORKER];

	memset(w, 0, sizeof(*w));
	w->env = *env;
	w->limits = *limits;
	w->now = env->now;
	w->snapshot = __atomic_load_n(env->snapshot, __ATOMIC_ACQUIRE);
	w->generation = snapshot_generation(w->snapshot);
	w->backends = (struct backend *)(void *)parts[PART_BACKENDS];
	w->backend_counters = (struct backend_counters *)(void *)parts[PART_COUNTERS];
	w->setups = (struct conn_setup *)(void *)parts[PART_SETUPS];
	memset(w->backend_counters, 0, part_size(PART_COUNTERS, limits));
	for (uint32_t slot = 0; slot < limits->backends; slot++) {
		w->backends[slot] = (struct backend){.profile = {.mss = 0}};
		accept_lane_init(&w->backends[slot].lane);
	}
	jar_init(&w->jar, snapshot_cookies(w->snapshot), env->now);
	flow_table_init(&w->flows, parts[PART_FLOWS], limits->connections, limits->connections_ip6,
			sizeof(struct conn), &env->hash_seed);
	syn_queue_init(&w->syns, parts[PART_SYNS], limits->syn_entries, &env->hash_seed, env->now);
	early_pool_init(&w->early, parts[PART_EARLY], limits->early_packets);
	as_if_init(&w->as_if, parts[PART_AS_IF], limits->monitor_clients, &env->hash_seed,
			env->now);
	proven_init(&w->proven, &env->hash_seed);
	probe_init(w);
	egress_budget_init(&w->egress, &env->hash_seed);
	source_limit_init(
			&w->sources, parts[PART_SOURCES], limits->source_prefixes, &env->hash_seed);
	screen_plan(w);
	timer_wheel_init(&w->timers, w->setups, sizeof(struct conn_setup), env->now);
	return w;
}

void
worker_enter(struct worker *w, ticks_t now)
{
	const struct snapshot *snapshot = __atomic_load_n(w->env.snapshot, __ATOMIC_ACQUIRE);

	w->now = now;
	if (UNLIKELY(snapshot != w->snapshot))
		w->last_config = NULL;
	w->snapshot = snapshot;
	if (UNLIKELY(snapshot_generation(snapshot) != w->generation)) {
		w->last_config = NULL;
		w->generation = snapshot_generation(snapshot);
		jar_plan(&w->jar, snapshot_cookies(snapshot));
		probe_plan(w);
		as_if_plan(w);
		screen_plan(w);
		memset(w->passing, 0, sizeof(w->passing));
	}
	jar_advance(&w->jar, now);
}

/* The timers of half-open clients; returns what is left of the budget. */
static unsigned
tick_syns(struct worker *w, unsigned budget)
{
	uint32_t id;

	while ((id = syn_queue_due(&w->syns, w->now, &budget)) != SYN_QUEUE_NONE)
		half_open_expire(w, id);
	return budget;
}

static unsigned
tick_connections(struct worker *w, unsigned budget)
{
	uint32_t id;

	while ((id = timer_wheel_next(&w->timers, w->now, &budget)) != TIMER_NONE)
		conn_expire(w, id);
	return budget;
}

/* Half-open clients get at most half of the budget first, so that a flood's timers don't keep those
 * of connections waiting, and then what these leave. */
unsigned
sluice_tick(struct worker *w, ticks_t now, unsigned budget)
{
	unsigned first = budget - budget / 2;
	unsigned left;

	worker_enter(w, now);
	left = budget - first + tick_syns(w, first);
	left = tick_connections(w, left);
	left = tick_syns(w, left);
	left = as_if_tick(w, left);
	if (left == 0)
		counter_add(&w->counters.ticks_late, 1);
	if (UNLIKELY(now >= w->prober.due))
		probe_work(w);
	if (w->env.inspect != NULL)
		inspect_work(w);
	return budget - left;
}

ticks_t
sluice_next_tick(const struct worker *w)
{
	ticks_t conns = timer_wheel_when(&w->timers, w->now);
	ticks_t syns = syn_queue_is_empty(&w->syns) ? TICKS_NEVER
						    : timer_wheel_when(&w->syns.timers, w->now);

	ticks_t next = conns < syns ? conns : syns;
	ticks_t as_if = as_if_when(w);

	next = as_if < next ? as_if : next;
	return next < w->prober.due ? next : w->prober.due;
}

void
sluice_give_back(struct worker *w)
{
	for (uint32_t id = 0; id < w->flows.touched; id++)
		if (flow_table_is_used(&w->flows, id) &&
				worker_conn(w, id)->state < CONN_ESTABLISHED)
			early_drop(w, id);
}

void
sluice_refuse(struct worker *w, enum side from, enum reason reason)
{
	counter_add(&w->counters.received[from], 1);
	counter_add(&w->counters.reasons[reason], 1);
}

const struct worker_counters *
worker_counters(const struct worker *w)
{
	return &w->counters;
}

const struct backend_counters *
worker_backend_counters(const struct worker *w, uint16_t slot)
{
	ENSURE(slot < w->limits.backends);
	return &w->backend_counters[slot];
}
