/* SPDX-License-Identifier: BSD-3-Clause */
#include "appliance.h"

#include <stdlib.h>
#include <string.h>

#include "kernel_wanted.h"

#define TICK_BUDGET 64

static bool
buffer_get(void *context, struct pkt *pkt)
{
	struct appliance *appliance = context;
	struct frame *frame;

	if (dice_chance(appliance->dice, appliance->plan->buffer_refusals) ||
			plan_has_fault(appliance->plan, FAULT_NO_BUFFERS, 0, appliance->clock->now))
		return false;
	frame = frame_new(ORIGIN_SLUICE);
	*pkt = (struct pkt){
			.data = frame->bytes,
			.owner = frame,
			.tailroom = PKT_BUILD_BYTES_MAX,
	};
	appliance->lent++;
	return true;
}

static void
buffer_emit(void *context, enum side out, struct pkt *pkt)
{
	struct appliance *appliance = context;
	struct frame *frame = pkt->owner;

	frame->length = pkt->len;
	appliance->lent--;
	queue_watch_made(&appliance->watch, out, frame);
	checker_made(appliance->checker, out, frame);
	port_send(&appliance->ports[out], frame, "made");
}

static void
buffer_drop(void *context, struct pkt *pkt)
{
	struct appliance *appliance = context;

	appliance->lent--;
	frame_free(pkt->owner);
}

static void
core_start(struct core *core, uint8_t filler, const struct siphash_key *hash_seed)
{
	struct appliance *appliance = core->appliance;
	const struct plan *plan = appliance->plan;
	struct sluice_limits limits = {
			.connections = plan->connections,
			.connections_ip6 = plan->connections,
			.backends = BACKENDS,
			.syn_entries = plan->syn_entries,
			.early_packets = plan->early_packets,
	};
	struct sluice_env env = {
			.context = appliance,
			.packet_get = buffer_get,
			.packet_emit = buffer_emit,
			.packet_drop = buffer_drop,
			.snapshot = &appliance->snapshot,
			.shared = appliance->shared,
			.inspect = &core->box,
			.hash_seed = *hash_seed,
			.kernel = kernel_wanted(),
			.now = appliance->clock->now,
	};
	size_t size = cache_align(sluice_worker_memsize(&limits));

	core->memory = aligned_alloc(CACHE_LINE_SIZE, size);
	if (core->memory == NULL)
		abort();
	memset(core->memory, filler, size);
	core->ticks_at = TICKS_NEVER;
	core->worker = sluice_worker_init(core->memory, &limits, &env);
	ENSURE(core->worker != NULL);
}

void
appliance_start_workers(struct appliance *appliance)
{
	struct siphash_key seed = {dice_roll(appliance->dice), appliance->plan->seed};

	memset(appliance->shared, 0, sizeof(appliance->shared));
	for (unsigned i = 0; i < appliance->plan->workers; i++) {
		core_start(&appliance->cores[i], appliance->filler, &seed);
		appliance->workers[i] = appliance->cores[i].worker;
	}
}

static uint64_t
packets_of(const struct worker *w)
{
	const struct worker_counters *counters = worker_counters(w);

	return counters->received[SIDE_CLIENT] + counters->received[SIDE_BACKEND];
}

void
appliance_stop_workers(struct appliance *appliance)
{
	for (unsigned i = 0; i < appliance->plan->workers; i++) {
		struct core *core = &appliance->cores[i];

		appliance->packets_before += packets_of(core->worker);
		core->ticks_at = TICKS_NEVER;
		free(core->memory);
	}
}

bool
appliance_has_letters(const struct appliance *appliance)
{
	for (unsigned i = 0; i < appliance->plan->workers; i++)
		if (appliance->cores[i].box != NULL)
			return true;
	return false;
}

void
appliance_start(struct appliance *appliance, uint8_t filler)
{
	appliance->filler = filler;
	for (enum side side = 0; side < SIDE_COUNT; side++)
		appliance->ports[side] = (struct port){.appliance = appliance, .side = side};
	queue_watch_init(&appliance->watch, appliance->checker);
	for (unsigned i = 0; i < appliance->plan->workers; i++)
		core_listen(&appliance->cores[i], appliance);
	appliance_start_workers(appliance);
}

void
appliance_fini(struct appliance *appliance)
{
	for (enum side side = 0; side < SIDE_COUNT; side++)
		frames_fini(&appliance->ports[side].frames);
	for (unsigned i = 0; i < appliance->plan->workers; i++) {
		for (enum side side = 0; side < SIDE_COUNT; side++)
			frames_fini(&appliance->cores[i].boxes[side].frames);
		sluice_give_back(appliance->workers[i]);
		free(appliance->cores[i].memory);
	}
	queue_watch_fini(&appliance->watch);
}

uint64_t
appliance_connections(const struct appliance *appliance)
{
	uint64_t connections = 0;

	for (unsigned i = 0; i < appliance->plan->workers; i++)
		connections += worker_counters(appliance->workers[i])->connections;
	return connections;
}

static uint64_t
open_at(const struct worker *w)
{
	uint64_t open = 0;

	for (uint16_t slot = 0; slot < BACKENDS; slot++)
		open += worker_backend_counters(w, slot)->values[COUNTER_CurrEstab];
	return open;
}

uint64_t
appliance_open(const struct appliance *appliance)
{
	uint64_t open = 0;

	for (unsigned i = 0; i < appliance->plan->workers; i++)
		open += open_at(appliance->workers[i]);
	return open;
}

/* Each worker's own sums; returns the packets that it took. */
static uint64_t
check_worker(struct appliance *appliance, const struct worker *w)
{
	const struct worker_counters *counters = worker_counters(w);
	uint64_t sum = 0;

	for (unsigned reason = 0; reason < REASON_COUNT; reason++)
		sum += counters->reasons[reason];
	if (sum != counters->received[SIDE_CLIENT] + counters->received[SIDE_BACKEND])
		checker_fault(appliance->checker, -1, "sum of reasons is not the packets received");
	if (counters->connections > appliance->plan->connections ||
			open_at(w) > counters->connections)
		checker_fault(appliance->checker, -1, "more connections than there can be");
	return sum;
}

void
appliance_check_workers(struct appliance *appliance)
{
	uint64_t sum = appliance->packets_before, held = 0;

	for (unsigned i = 0; i < appliance->plan->workers; i++) {
		sum += check_worker(appliance, appliance->workers[i]);
		held += worker_counters(appliance->workers[i])->early_held;
	}
	if (sum != appliance->checker->packets)
		checker_fault(appliance->checker, -1, "a packet without a reason");
	if (appliance->lent != (int)held)
		checker_fault(appliance->checker, -1, "a buffer was kept, or a held one lost");
}

void
appliance_watch_call(struct appliance *appliance)
{
	queue_watch_call(&appliance->watch, appliance->workers, appliance->plan->workers,
			appliance->shared);
}

void
appliance_check_half_open(struct appliance *appliance)
{
	queue_watch_empty(&appliance->watch, appliance->shared);
}

void
appliance_check_empty(struct appliance *appliance)
{
	if (appliance->lent != 0)
		checker_fault(appliance->checker, -1, "packets held at the end");
	for (unsigned slot = 0; slot < BACKENDS; slot++)
		if (appliance->shared[slot].accept != 0)
			checker_fault(appliance->checker, -1, "clients waiting at the end");
	if (appliance_connections(appliance) != 0 || appliance_open(appliance) != 0)
		checker_fault(appliance->checker, -1, "connections left at the end");
	appliance_check_half_open(appliance);
}

ticks_t
core_wakes_at(const struct core *core)
{
	const struct appliance *appliance = core->appliance;

	return plan_fault_ends(appliance->plan, FAULT_STANDSTILL,
			(unsigned)(core - appliance->cores), appliance->clock->now);
}

static void core_tick(void *context, void *subject);

void
core_set_tick(struct core *core)
{
	ticks_t now = core->appliance->clock->now;
	ticks_t next = sluice_next_tick(core->worker);

	/* A budget spent may leave something due now. */
	if (next <= now)
		next = now + 1;
	if (next >= core->ticks_at)
		return;
	core->ticks_at = next;
	clock_at(core->appliance->clock, next, core_tick, core, NULL);
}

void
appliance_tick(struct appliance *appliance, unsigned number)
{
	struct core *core = &appliance->cores[number];

	if (core_wakes_at(core) > appliance->clock->now || appliance->saved != NULL)
		return;
	sluice_tick(core->worker, appliance->clock->now, TICK_BUDGET);
	appliance_watch_call(appliance);
	appliance_check_workers(appliance);
	core_set_tick(core);
}

/* One that stood still looks at its ports before its timers, as the main loop does. */
static void
core_tick(void *context, void *subject)
{
	struct core *core = context;
	struct clock *clock = core->appliance->clock;
	ticks_t wakes_at = core_wakes_at(core);

	(void)subject;
	if (core->ticks_at != clock->now)
		return;
	core->ticks_at = TICKS_NEVER;
	if (wakes_at > clock->now) {
		core->ticks_at = wakes_at + 1;
		clock_at(clock, core->ticks_at, core_tick, core, NULL);
		return;
	}
	appliance_tick(core->appliance, (unsigned)(core - core->appliance->cores));
}
