/* SPDX-License-Identifier: BSD-3-Clause */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

#include "appliance.h"
#include "host_client.h"
#include "host_server.h"
#include "hostile.h"
#include "operator.h"
#include "restart.h"

/* Longer than any host stays silent that has something to say. */
#define OPEN_MAX (60 * TICKS_PER_S)

/* TIME_WAIT, and two steps of the timer wheel. */
#define CLOSED_MAX (121 * TICKS_PER_S)

/* Five days of silence, and the wheel's lateness. */
#define FORGOTTEN_MAX (UINT64_C(6) * 86400 * TICKS_PER_S)

/* Everybody has dice of his own, so that what one does less leaves the others as they are. */
enum {
	DICE_CABLES = 0,
	DICE_CLIENTS = DICE_CABLES + CABLES,
	DICE_SLUICE = DICE_CLIENTS + CLIENTS_MAX,
	DICE_OPERATOR,
	DICE_BACKENDS,
	DICE_HOSTILE,
	DICE
};

struct sim {
	struct plan plan;
	struct clock clock;
	struct trace trace;
	struct checker checker;
	struct link cables[CABLES];
	struct appliance appliance;
	struct dice dice[DICE];
	struct operator operator;
	struct host_server server;
	struct host_client clients[CLIENTS_MAX];
	struct hostile hostile;
};

/* The client side's network: every frame finds its address, or nobody. */
static void
network_deliver(void *context, struct frame *frame)
{
	struct sim *sim = context;
	struct packet packet;
	int client = -1;

	if (frame_read(frame, &packet))
		client = address_client_number(packet.destination, packet.ip_version);
	if (client >= 0 && (unsigned)client < sim->plan.clients)
		host_client_receive(&sim->clients[client], frame);
	else
		frame_free(frame);
}

static void
lay_cable(struct sim *sim, enum cable cable, enum place from, enum place to,
		void (*deliver)(void *context, struct frame *frame), void *context)
{
	sim->cables[cable] = (struct link){
			.clock = &sim->clock,
			.dice = &sim->dice[DICE_CABLES + cable],
			.trace = &sim->trace,
			.quality = sim->plan.cables[cable],
			.from = from,
			.to = to,
			.deliver = deliver,
			.context = context,
	};
}

static void
lay_cables(struct sim *sim)
{
	struct port *ports = sim->appliance.ports;

	lay_cable(sim, CABLE_FROM_CLIENTS, PLACE_CLIENT, PLACE_SLUICE, appliance_receive,
			&ports[SIDE_CLIENT]);
	lay_cable(sim, CABLE_TO_CLIENTS, PLACE_SLUICE, PLACE_CLIENT, network_deliver, sim);
	lay_cable(sim, CABLE_TO_BACKENDS, PLACE_SLUICE, PLACE_BACKEND, host_server_receive,
			&sim->server);
	lay_cable(sim, CABLE_FROM_BACKENDS, PLACE_BACKEND, PLACE_SLUICE, appliance_receive,
			&ports[SIDE_BACKEND]);
	ports[SIDE_CLIENT].out = &sim->cables[CABLE_TO_CLIENTS];
	ports[SIDE_BACKEND].out = &sim->cables[CABLE_TO_BACKENDS];
}

static void
people(struct sim *sim)
{
	sim->server = (struct host_server){
			.plan = &sim->plan,
			.clock = &sim->clock,
			.dice = &sim->dice[DICE_BACKENDS],
			.checker = &sim->checker,
			.out = &sim->cables[CABLE_FROM_BACKENDS],
	};
	host_server_start(&sim->server);
	for (unsigned i = 0; i < sim->plan.clients; i++) {
		sim->clients[i] = (struct host_client){
				.plan = &sim->plan,
				.clock = &sim->clock,
				.dice = &sim->dice[DICE_CLIENTS + i],
				.checker = &sim->checker,
				.server = &sim->server,
				.out = &sim->cables[CABLE_FROM_CLIENTS],
		};
		host_client_start(&sim->clients[i], i);
	}
	sim->hostile = (struct hostile){
			.plan = &sim->plan,
			.clock = &sim->clock,
			.dice = &sim->dice[DICE_HOSTILE],
			.out = &sim->cables[CABLE_FROM_CLIENTS],
			.clients = sim->clients,
	};
	sim->cables[CABLE_FROM_CLIENTS].tap = hostile_overhear;
	sim->cables[CABLE_FROM_CLIENTS].tap_context = &sim->hostile;
	hostile_start(&sim->hostile);
}

static void
sluice_begin(struct sim *sim, uint8_t filler)
{
	sim->appliance = (struct appliance){
			.plan = &sim->plan,
			.clock = &sim->clock,
			.dice = &sim->dice[DICE_SLUICE],
			.checker = &sim->checker,
	};
	sim->operator=(struct operator){
			.plan = &sim->plan,
			.clock = &sim->clock,
			.dice = &sim->dice[DICE_OPERATOR],
			.checker = &sim->checker,
			.appliance = &sim->appliance,
			.filler = filler,
	};
	operator_start(&sim->operator);
	appliance_start(&sim->appliance, filler);
	restart_start(&sim->appliance);
}

static void
sim_begin(struct sim *sim, const struct plan *plan, FILE *out, uint8_t filler)
{
	struct dice seeds = {plan->seed};

	memset(sim, 0, sizeof(*sim));
	sim->plan = *plan;
	for (unsigned i = 0; i < DICE; i++)
		sim->dice[i].state = dice_roll(&seeds);
	clock_init(&sim->clock, sim->plan.start);
	trace_init(&sim->trace, out, sim->plan.start);
	checker_init(&sim->checker, &sim->plan, &sim->clock, &sim->trace);
	sluice_begin(sim, filler);
	lay_cables(sim);
	people(sim);
}

/* Connections that may be left when the normally closed ones are gone. */
static uint64_t
abnormal_rounds(const struct sim *sim)
{
	const uint64_t *ends = sim->checker.ends;

	return ends[ROUND_RESET] + ends[ROUND_ABORTED] + ends[ROUND_SILENT] +
	       sim->checker.unsettled;
}

/* From a SYN to the end of its entry, if no SYN-ACK is ever repeated for want of buffers: 63 s with
 * five retries. */
static ticks_t
half_open_max(const struct plan *plan)
{
	return (UINT64_C(2) << plan_most_retries(plan)) * TICKS_PER_S;
}

/* Nothing was sent for so long: what closed normally is first no longer open, then forgotten. */
static void
check_quiet(struct sim *sim, ticks_t quiet)
{
	if (sim->appliance.saved != NULL)
		return;
	if (quiet > OPEN_MAX && appliance_open(&sim->appliance) > abnormal_rounds(sim))
		checker_fault(&sim->checker, -1, "closed connections count as open");
	if (quiet > half_open_max(&sim->plan))
		appliance_check_half_open(&sim->appliance);
	if (quiet > CLOSED_MAX && appliance_connections(&sim->appliance) > abnormal_rounds(sim))
		checker_fault(&sim->checker, -1, "closed connections are kept");
}

/* The clock runs until nothing is left to happen, which must come with the five days. */
static void
sim_live(struct sim *sim)
{
	uint64_t packets = 0;
	ticks_t quiet_since = sim->clock.now;

	while (!sim->checker.has_failed && clock_next(&sim->clock) != TICKS_NEVER) {
		if (sim->trace.packets != packets) {
			packets = sim->trace.packets;
			quiet_since = sim->clock.now;
		}
		check_quiet(sim, clock_next(&sim->clock) - quiet_since);
		clock_step(&sim->clock);
	}
	if (sim->clock.now > quiet_since + FORGOTTEN_MAX)
		checker_fault(&sim->checker, -1, "timers go on and on");
	appliance_check_empty(&sim->appliance);
}

struct sim_result
sim_run(const struct plan *plan, FILE *out, uint8_t filler)
{
	struct sim *sim = malloc(sizeof(*sim));
	struct sim_result result;

	if (sim == NULL)
		abort();
	sim_begin(sim, plan, out, filler);
	sim_live(sim);
	result = (struct sim_result){
			.has_failed = sim->checker.has_failed,
			.when = sim->clock.now - sim->plan.start,
			.hash = sim->trace.hash,
			.outcomes = sim->checker.outcomes,
			.packets = sim->checker.packets,
	};
	memcpy(result.text, sim->checker.text, sizeof(result.text));
	memcpy(result.ends, sim->checker.ends, sizeof(result.ends));
	host_server_fini(&sim->server);
	hostile_fini(&sim->hostile);
	checker_fini(&sim->checker);
	appliance_fini(&sim->appliance);
	operator_fini(&sim->operator);
	clock_fini(&sim->clock);
	free(sim);
	return result;
}
