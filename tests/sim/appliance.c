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
	checker_made(appliance->checker, out, frame);
	link_send(appliance->ports[out].out, frame, "made");
}

static struct backend_config
backend_config(const struct plan *plan, unsigned slot)
{
	bool ip4 = address_backend_version(slot) == 4;
	struct backend_config config = {
			.port = address_backend_port(slot),
			.slot = (uint16_t)slot,
			.family = ip4 ? FAMILY_IP4 : FAMILY_IP6,
			.tcp_syncookies = 2,
			.tcp_abort_on_overflow = plan->abort_on_overflow,
			.tcp_synack_retries = 5,
			.tcp_syn_retries = plan->syn_retries,
			.queue_rules = QUEUE_RULES_LINUX_6_18,
			.backlog = plan->backlog,
			.somaxconn = 4096,
			.tcp_max_syn_backlog = 1024,
			.connect_window = plan->connect_window,
			.announced_mss = ip4 ? 1460 : 1440,
			.announced_wscale = plan->announced_wscale,
	};
	uint8_t address[16];

	address_backend(slot, address);
	if (ip4) {
		uint32_t ip4_be;

		memcpy(&ip4_be, address, sizeof(ip4_be));
		config.address = ip_addr_from_ip4(ip4_be);
	} else {
		memcpy(config.address.bytes, address, sizeof(address));
	}
	return config;
}

static void *
memory_of(size_t size, uint8_t filler)
{
	void *memory = aligned_alloc(CACHE_LINE_SIZE, cache_align(size));

	if (memory == NULL)
		abort();
	memset(memory, filler, cache_align(size));
	return memory;
}

static void
worker_start(struct appliance *appliance, uint8_t filler)
{
	const struct plan *plan = appliance->plan;
	struct sluice_limits limits = {
			.connections = plan->connections,
			.connections_ip6 = plan->connections,
			.backends = BACKENDS,
	};
	struct sluice_env env = {
			.context = appliance,
			.packet_get = buffer_get,
			.packet_emit = buffer_emit,
			.snapshot = &appliance->snapshot,
			.accept_occupancy = appliance->occupancy,
			.cookie_secret = {dice_roll(appliance->dice), plan->seed},
			.hash_seed = {dice_roll(appliance->dice), plan->seed},
			.now = appliance->clock->now,
	};

	appliance->memory[1] = memory_of(sluice_worker_memsize(&limits), filler);
	appliance->worker = sluice_worker_init(appliance->memory[1], &limits, &env);
	ENSURE(appliance->worker != NULL);
}

void
appliance_init(struct appliance *appliance, const struct plan *plan, struct clock *clock,
		struct dice *dice, struct checker *checker, uint8_t filler)
{
	struct snapshot *snapshot;

	*appliance = (struct appliance){
			.plan = plan,
			.clock = clock,
			.dice = dice,
			.checker = checker,
			.ticks_at = TICKS_NEVER,
	};
	for (enum side side = 0; side < SIDE_COUNT; side++)
		appliance->ports[side] = (struct port){.appliance = appliance, .side = side};
	appliance->memory[0] = memory_of(snapshot_memsize(BACKENDS), filler);
	snapshot = snapshot_init(appliance->memory[0], BACKENDS, 1, dice_roll(dice));
	for (unsigned slot = 0; slot < BACKENDS; slot++) {
		struct backend_config config = backend_config(plan, slot);

		ENSURE(snapshot_insert(snapshot, &config) == 0);
	}
	appliance->snapshot = snapshot;
	worker_start(appliance, filler);
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
	free(appliance->memory[0]);
	free(appliance->memory[1]);
}

static bool
ring_is_full(const struct appliance *appliance, unsigned slot)
{
	return appliance->occupancy[slot] > appliance->plan->backlog;
}

uint64_t
appliance_connections(const struct appliance *appliance)
{
	return worker_counters(appliance->worker)->connections;
}

uint64_t
appliance_open(const struct appliance *appliance)
{
	uint64_t open = 0;

	for (unsigned slot = 0; slot < BACKENDS; slot++)
		open += worker_backend_counters(appliance->worker, (uint16_t)slot)
					->values[COUNTER_CurrEstab];
	return open;
}

/* After every call of the worker. */
static void
check_worker(struct appliance *appliance)
{
	const struct worker_counters *counters = worker_counters(appliance->worker);
	uint64_t open = appliance_open(appliance);
	uint64_t sum = 0;

	for (unsigned reason = 0; reason < REASON_COUNT; reason++)
		sum += counters->reasons[reason];
	for (unsigned slot = 0; slot < BACKENDS; slot++)
		if (appliance->occupancy[slot] > appliance->plan->backlog + 1)
			checker_fault(appliance->checker, -1, "accept ring beyond its limit");
	if (sum != appliance->checker->packets ||
			sum != counters->received[SIDE_CLIENT] + counters->received[SIDE_BACKEND])
		checker_fault(appliance->checker, -1, "sum of reasons is not the packets received");
	if (counters->connections > appliance->plan->connections || open > counters->connections)
		checker_fault(appliance->checker, -1, "more connections than there can be");
	if (appliance->lent != 0)
		checker_fault(appliance->checker, -1, "a buffer was kept");
}

void
appliance_check_empty(struct appliance *appliance)
{
	for (unsigned slot = 0; slot < BACKENDS; slot++)
		if (appliance->occupancy[slot] != 0)
			checker_fault(appliance->checker, -1, "clients waiting at the end");
	if (appliance_connections(appliance) != 0 || appliance_open(appliance) != 0)
		checker_fault(appliance->checker, -1, "connections left at the end");
}

static void
appliance_tick(void *context, void *subject)
{
	struct appliance *appliance = context;

	(void)subject;
	if (appliance->ticks_at != appliance->clock->now)
		return;
	appliance->ticks_at = TICKS_NEVER;
	sluice_tick(appliance->worker, appliance->clock->now, TICK_BUDGET);
	check_worker(appliance);
	appliance->ticks_at = sluice_next_tick(appliance->worker);
	/* A budget spent may leave something due now. */
	if (appliance->ticks_at <= appliance->clock->now)
		appliance->ticks_at = appliance->clock->now + 1;
	if (appliance->ticks_at != TICKS_NEVER)
		clock_at(appliance->clock, appliance->ticks_at, appliance_tick, appliance, NULL);
}

/* After a burst, a timer may be due earlier than before. */
static void
tick_set(struct appliance *appliance)
{
	ticks_t next = sluice_next_tick(appliance->worker);

	if (next >= appliance->ticks_at)
		return;
	if (next <= appliance->clock->now)
		next = appliance->clock->now + 1;
	appliance->ticks_at = next;
	clock_at(appliance->clock, next, appliance_tick, appliance, NULL);
}

static void
frame_leave(struct port *port, struct frame *came, struct frame *frame, const struct pkt *pkt,
		const bool is_full[BACKENDS])
{
	struct appliance *appliance = port->appliance;
	enum verdict verdict = reason_verdict(pkt->reason);
	enum side out = verdict == VERDICT_REPLY ? port->side : side_other(port->side);

	frame->length = pkt->len;
	checker_taken(appliance->checker, port->side, came, frame, pkt->reason, is_full);
	if (verdict == VERDICT_DROP) {
		trace_packet(appliance->checker->trace, appliance->clock->now,
				port->side == SIDE_CLIENT ? PLACE_CLIENT : PLACE_BACKEND,
				PLACE_SLUICE, came, reason_name(pkt->reason), "dropped");
		frame_free(frame);
	} else {
		link_send(appliance->ports[out].out, frame, reason_name(pkt->reason));
	}
	frame_free(came);
}

static void
port_poll(struct port *port)
{
	struct appliance *appliance = port->appliance;
	struct burst burst = {.from = port->side};
	struct frame *frames[BURST_MAX], *came[BURST_MAX];
	bool is_full[BACKENDS];

	burst.count = port->count < BURST_MAX ? port->count : BURST_MAX;
	if (burst.count == 0)
		return;
	for (unsigned i = 0; i < burst.count; i++) {
		struct frame *frame = port->frames[i];

		frames[i] = frame;
		came[i] = frame_copy(frame);
		burst.pkts[i] = (struct pkt){
				.data = frame->bytes,
				.owner = frame,
				.len = frame->length,
				.tailroom = (uint16_t)(FRAME_ROOM - frame->length),
		};
		if (appliance->plan->nic_verifies)
			burst.pkts[i].csum = frame->is_corrupted ? PKT_CSUM_UNKNOWN : PKT_CSUM_GOOD;
	}
	port->count -= burst.count;
	memmove(port->frames, port->frames + burst.count, port->count * sizeof(port->frames[0]));
	sluice_burst(appliance->worker, &burst, appliance->clock->now);
	for (unsigned slot = 0; slot < BACKENDS; slot++)
		is_full[slot] = ring_is_full(appliance, slot);
	for (unsigned i = 0; i < burst.count; i++)
		frame_leave(port, came[i], frames[i], &burst.pkts[i], is_full);
	check_worker(appliance);
}

static void
appliance_poll(void *context, void *subject)
{
	struct appliance *appliance = context;

	(void)subject;
	appliance->is_polling = false;
	port_poll(&appliance->ports[SIDE_CLIENT]);
	port_poll(&appliance->ports[SIDE_BACKEND]);
	tick_set(appliance);
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
