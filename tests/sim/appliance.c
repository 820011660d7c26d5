/* SPDX-License-Identifier: BSD-3-Clause */
#include "appliance.h"

#include <stdlib.h>
#include <string.h>

#define TICK_BUDGET 64

static bool
buffer_get(void *context, struct pkt *pkt)
{
	struct appliance *appliance = context;
	struct frame *frame;

	if (dice_chance(appliance->dice, appliance->plan->buffer_refusals))
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
	link_send(appliance->ports[out].out, frame, "made");
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
appliance_start(struct appliance *appliance, uint8_t filler)
{
	struct siphash_key seed = {dice_roll(appliance->dice), appliance->plan->seed};

	for (enum side side = 0; side < SIDE_COUNT; side++)
		appliance->ports[side] = (struct port){.appliance = appliance, .side = side};
	queue_watch_init(&appliance->watch, appliance->checker);
	for (unsigned i = 0; i < appliance->plan->workers; i++) {
		appliance->cores[i].appliance = appliance;
		core_start(&appliance->cores[i], filler, &seed);
		appliance->workers[i] = appliance->cores[i].worker;
	}
}

void
appliance_fini(struct appliance *appliance)
{
	for (enum side side = 0; side < SIDE_COUNT; side++) {
		struct port *port = &appliance->ports[side];

		for (unsigned i = 0; i < port->count; i++)
			frame_free(port->frames[i]);
		free(port->frames);
	}
	for (unsigned i = 0; i < appliance->plan->workers; i++) {
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

/* After every call of a worker, when its packets are noted. */
static void
check_workers(struct appliance *appliance)
{
	uint64_t sum = 0, held = 0;

	for (unsigned i = 0; i < appliance->plan->workers; i++) {
		sum += check_worker(appliance, appliance->workers[i]);
		held += worker_counters(appliance->workers[i])->early_held;
	}
	if (sum != appliance->checker->packets)
		checker_fault(appliance->checker, -1, "a packet without a reason");
	if (appliance->lent != (int)held)
		checker_fault(appliance->checker, -1, "a buffer was kept, or a held one lost");
}

static void
watch_call(struct appliance *appliance)
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

static void core_tick(void *context, void *subject);

/* After a call, a timer may be due earlier than before. */
static void
tick_set(struct core *core)
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
appliance_tick(struct appliance *appliance, unsigned core)
{
	sluice_tick(appliance->workers[core], appliance->clock->now, TICK_BUDGET);
	watch_call(appliance);
	check_workers(appliance);
	tick_set(&appliance->cores[core]);
}

static void
core_tick(void *context, void *subject)
{
	struct core *core = context;

	(void)subject;
	if (core->ticks_at != core->appliance->clock->now)
		return;
	core->ticks_at = TICKS_NEVER;
	appliance_tick(core->appliance, (unsigned)(core - core->appliance->cores));
}

/* A burst for one worker: its frames, and how they came. */
struct port_burst {
	struct burst burst;
	struct frame *frames[BURST_MAX];
	struct frame *came[BURST_MAX];
};

static void
frame_leave(struct port *port, struct frame *came, struct frame *frame, const struct pkt *pkt)
{
	struct appliance *appliance = port->appliance;
	enum verdict verdict = reason_verdict(pkt->reason);
	enum side out = verdict == VERDICT_REPLY ? port->side : side_other(port->side);

	checker_taken(appliance->checker, port->side, came, frame, pkt->reason);
	if (verdict == VERDICT_DROP || verdict == VERDICT_HOLD) {
		trace_packet(appliance->checker->trace, appliance->clock->now,
				port->side == SIDE_CLIENT ? PLACE_CLIENT : PLACE_BACKEND,
				PLACE_SLUICE, came, reason_name(pkt->reason),
				verdict == VERDICT_HOLD ? "held" : "dropped");
		if (verdict == VERDICT_DROP)
			frame_free(frame);
	} else {
		link_send(appliance->ports[out].out, frame, reason_name(pkt->reason));
	}
	frame_free(came);
}

/* Both directions of a client's packets go to the same worker; what can't be read, to the first. */
static unsigned
owner_of(const struct port *port, const struct frame *frame)
{
	struct packet packet;

	if (port->appliance->plan->workers == 1 || !frame_read(frame, &packet))
		return 0;
	return (port->side == SIDE_CLIENT ? packet.source_port : packet.destination_port) %
	       port->appliance->plan->workers;
}

static bool
frame_is_syn(const struct frame *frame)
{
	struct packet packet;

	return frame_read(frame, &packet) && packet.flags == PACKET_SYN;
}

/* Steps of handshakes go before SYNs, as in the burst. */
static void
watch_burst(const struct core *core, const struct port_burst *taken)
{
	struct queue_watch *watch = &core->appliance->watch;

	watch_call(core->appliance);
	if (taken->burst.from != SIDE_CLIENT)
		return;
	for (unsigned pass = 0; pass < 2; pass++)
		for (unsigned i = 0; i < taken->burst.count; i++)
			if (frame_is_syn(taken->came[i]) == (pass == 1))
				queue_watch_taken(watch, core->worker, taken->came[i],
						taken->frames[i], &taken->burst.pkts[i]);
}

static void
core_burst(struct core *core, struct port *port, struct port_burst *taken)
{
	struct appliance *appliance = core->appliance;

	appliance->lent += (int)taken->burst.count;
	sluice_burst(core->worker, &taken->burst, appliance->clock->now);
	for (unsigned i = 0; i < taken->burst.count; i++) {
		/* What was not held is ours again; of what was, nothing may be looked at. */
		if (reason_verdict(taken->burst.pkts[i].reason) == VERDICT_HOLD)
			continue;
		taken->frames[i]->length = taken->burst.pkts[i].len;
		appliance->lent--;
	}
	watch_burst(core, taken);
	for (unsigned i = 0; i < taken->burst.count; i++)
		frame_leave(port, taken->came[i], taken->frames[i], &taken->burst.pkts[i]);
	check_workers(appliance);
	tick_set(core);
}

static void
burst_add(struct port_burst *taken, struct frame *frame, bool nic_verifies)
{
	unsigned i = taken->burst.count++;

	taken->frames[i] = frame;
	taken->came[i] = frame_copy(frame);
	taken->burst.pkts[i] = (struct pkt){
			.data = frame->bytes,
			.owner = frame,
			.len = frame->length,
			.tailroom = (uint16_t)(FRAME_ROOM - frame->length),
	};
	if (nic_verifies)
		taken->burst.pkts[i].csum = frame->is_corrupted ? PKT_CSUM_UNKNOWN : PKT_CSUM_GOOD;
}

static void
port_poll(struct port *port)
{
	struct appliance *appliance = port->appliance;
	struct port_burst taken[WORKERS_MAX];
	unsigned count = port->count < BURST_MAX ? port->count : BURST_MAX;

	if (count == 0)
		return;
	for (unsigned i = 0; i < WORKERS_MAX; i++) {
		taken[i].burst.from = port->side;
		taken[i].burst.count = 0;
	}
	for (unsigned i = 0; i < count; i++)
		burst_add(&taken[owner_of(port, port->frames[i])], port->frames[i],
				appliance->plan->nic_verifies);
	port->count -= count;
	memmove(port->frames, port->frames + count, port->count * sizeof(port->frames[0]));
	for (unsigned i = 0; i < WORKERS_MAX; i++)
		if (taken[i].burst.count > 0)
			core_burst(&appliance->cores[i], port, &taken[i]);
}

static void
appliance_poll(void *context, void *subject)
{
	struct appliance *appliance = context;

	(void)subject;
	appliance->is_polling = false;
	port_poll(&appliance->ports[SIDE_CLIENT]);
	port_poll(&appliance->ports[SIDE_BACKEND]);
	if (appliance->ports[SIDE_CLIENT].count != 0 || appliance->ports[SIDE_BACKEND].count != 0) {
		appliance->is_polling = true;
		clock_at(appliance->clock, appliance->clock->now, appliance_poll, appliance, NULL);
	}
}

void
appliance_receive(void *context, struct frame *frame)
{
	struct port *port = context;
	struct appliance *appliance = port->appliance;
	ticks_t wait;

	if (port->count == port->room) {
		port->room = port->room == 0 ? BURST_MAX : 2 * port->room;
		port->frames = realloc(port->frames, port->room * sizeof(port->frames[0]));
		if (port->frames == NULL)
			abort();
	}
	port->frames[port->count++] = frame;
	if (appliance->is_polling)
		return;
	appliance->is_polling = true;
	wait = dice_roll(appliance->dice) % (appliance->plan->poll_interval + 1);
	clock_at(appliance->clock, appliance->clock->now + wait, appliance_poll, appliance, NULL);
}
