/* SPDX-License-Identifier: BSD-3-Clause */
#include "plan.h"

/* Some time in 2023, up to two cookie epochs later, so that keys roll at any moment of a run. */
#define START (UINT64_C(1700000000) * TICKS_PER_S)
#define START_SPREAD_S 128

/* limits.syn_entries at its least. */
#define SYN_ENTRIES_LEAST 64

/* The largest that the configuration takes. */
#define ANNOUNCED_WSCALE_MAX 9

#define DICE_EGRESS 0x65677265
#define DICE_RESTARTS 0x72657374

/* Reloads and orders come while clients begin, a flood goes on, and SYN-ACKs are repeated. */
#define OPERATOR_S 60

static ticks_t
draw_ms(struct dice *dice, uint32_t first, uint32_t last)
{
	return dice_between(dice, first * 1000, last * 1000);
}

static void
draw_cable(struct link_quality *cable, struct dice *dice, bool is_clean)
{
	*cable = (struct link_quality){
			.delay = draw_ms(dice, 0, 60),
			.jitter = dice_chance(dice, 500) ? draw_ms(dice, 0, 50) : 0,
	};
	if (is_clean)
		return;
	cable->loss = dice_chance(dice, 700) ? dice_between(dice, 0, 120) : 0;
	cable->duplication = dice_chance(dice, 500) ? dice_between(dice, 0, 60) : 0;
	cable->corruption = dice_chance(dice, 500) ? dice_between(dice, 0, 30) : 0;
}

static void
draw_traits(struct traits *traits, struct dice *dice)
{
	static const uint16_t sizes[] = {1460, 1460, 1400, 1380, 1220, 536, 88, 0};

	*traits = (struct traits){
			.mss = sizes[dice_below(dice, 8)],
			.wscale = dice_chance(dice, 250) ? -1 : (int)dice_below(dice, 10),
			.sack = dice_chance(dice, 700),
			.timestamps = dice_chance(dice, 600),
			.probes_below = dice_chance(dice, 500),
			.receive_buffer = dice_between(dice, 2920, 100000),
			.flight = dice_between(dice, 2000, 60000),
			.tsval_offset = (uint32_t)dice_roll(dice),
			.rto = draw_ms(dice, 200, 1000),
			.ack_delay = dice_chance(dice, 500) ? draw_ms(dice, 1, 200) : 0,
			.keepalive = dice_between(dice, 5, 20) * TICKS_PER_S,
			.time_wait = draw_ms(dice, 1000, 30000),
			.patience = 150 * TICKS_PER_S,
	};
	traits->shrinks_window = dice_chance(dice, 100);
	traits->data_in_syn = dice_chance(dice, 100);
	if (dice_chance(dice, 80)) {
		traits->mss = 0;
		traits->wscale = -1;
		traits->sack = false;
		traits->timestamps = false;
	}
	/* A window must not vanish in its scale. */
	if (traits->wscale >= 0 && traits->receive_buffer < UINT32_C(4096) << traits->wscale)
		traits->receive_buffer = UINT32_C(4096) << traits->wscale;
}

static void
draw_backend(struct backend_plan *backend, struct dice *dice, const struct plan *plan)
{
	static const enum backend_mood moods[] = {MOOD_NORMAL, MOOD_NORMAL, MOOD_NORMAL,
			MOOD_NORMAL, MOOD_NORMAL, MOOD_REFUSING, MOOD_SILENT, MOOD_SLOW, MOOD_SLOW,
			MOOD_DYING};

	*backend = (struct backend_plan){.mood = moods[dice_below(dice, 10)]};
	draw_traits(&backend->traits, dice);
	/* Announced scales a window below one unit to 0, which a client can't tell from a shut one.
	 */
	if (backend->traits.receive_buffer < UINT32_C(2) << ANNOUNCED_WSCALE_MAX)
		backend->traits.receive_buffer = UINT32_C(2) << ANNOUNCED_WSCALE_MAX;
	/* A server's own port never asks for less. */
	if (backend->traits.mss < 536)
		backend->traits.mss = 1460;
	backend->random_isn = dice_chance(dice, 200);
	if (backend->mood == MOOD_SLOW)
		backend->answer_delay = draw_ms(dice, 100, 5000);
	if (backend->mood == MOOD_DYING) {
		backend->dies_at = plan->start + draw_ms(dice, 1000, 20000);
		backend->returns_at = backend->dies_at + draw_ms(dice, 0, 20000);
	}
}

static void
draw_client(struct client_plan *client, struct dice *dice, const struct plan *plan)
{
	*client = (struct client_plan){
			.slot = dice_below(dice, BACKENDS),
			.rounds = dice_between(dice, 1, 4),
			.reuses_port = dice_chance(dice, 500),
			.random_isn = dice_chance(dice, 300),
			.lost_proofs = dice_chance(dice, 300) ? dice_between(dice, 1, 2) : 0,
			.starts_at = plan->start + draw_ms(dice, 0, 10000),
			.pause = draw_ms(dice, 0, 3000),
	};
	draw_traits(&client->traits, dice);
}

static uint32_t
draw_backlog(struct dice *dice)
{
	switch (dice_below(dice, 4)) {
	case 0:
		return dice_between(dice, 1, 4);
	case 1:
		return dice_between(dice, 5, 80);
	default:
		return 1024;
	}
}

static void
draw_queues(struct queue_settings *queues, struct dice *dice)
{
	static const uint32_t syn_backlogs[] = {1, 16, 64, 128, 1024};

	*queues = (struct queue_settings){
			.syncookies = (uint8_t)dice_below(dice, 3),
			.abort_on_overflow = dice_chance(dice, 300),
			.synack_retries = (uint8_t)(dice_chance(dice, 100)
								    ? dice_between(dice, 0, 1)
								    : dice_between(dice, 2, 6)),
			.rules = (enum queue_rules)dice_below(dice, 4),
			.announced_wscale = (uint8_t)dice_between(dice, 0, ANNOUNCED_WSCALE_MAX),
			.backlog = draw_backlog(dice),
			.max_syn_backlog = syn_backlogs[dice_below(dice, 5)],
			.connect_window = dice_chance(dice, 300) ? dice_between(dice, 1, 3) : 1024,
			.early_data = (enum early_data)dice_below(dice, 3),
			.resets_strays = dice_chance(dice, 400),
	};
}

/* Half of the backends keep their settings; few are taken out, and come back with the next version.
 */
static void
draw_version(struct version *version, const struct version *before, struct dice *dice, ticks_t at)
{
	*version = *before;
	version->at = at;
	version->changes_secret = dice_chance(dice, 500);
	for (unsigned slot = 0; slot < BACKENDS; slot++) {
		struct queue_settings *queues = &version->queues[slot];

		if (queues->is_draining || dice_chance(dice, 500))
			draw_queues(queues, dice);
		queues->is_draining = dice_chance(dice, 50);
	}
}

static void
draw_orders(struct plan *plan, struct dice *dice)
{
	for (unsigned i = 0; i < plan->order_count; i++)
		plan->orders[i] = (struct order){
				.at = plan->start + draw_ms(dice, 0, OPERATOR_S * 1000),
				.flushes = dice_chance(dice, 200),
				.slot = dice_below(dice, BACKENDS),
		};
}

static void
draw_operator(struct plan *plan, struct dice *dice)
{
	ticks_t at = plan->start;

	plan->version_count = 1;
	for (unsigned slot = 0; slot < BACKENDS; slot++)
		draw_queues(&plan->versions[0].queues[slot], dice);
	if (dice_chance(dice, 500))
		plan->version_count = dice_between(dice, 2, VERSIONS_MAX);
	for (unsigned i = 1; i < plan->version_count; i++) {
		at += draw_ms(dice, 0, 2 * OPERATOR_S * 1000 / VERSIONS_MAX);
		draw_version(&plan->versions[i], &plan->versions[i - 1], dice, at);
	}
	plan->order_count = dice_chance(dice, 300) ? dice_between(dice, 1, ORDERS_MAX) : 0;
	draw_orders(plan, dice);
}

static uint32_t
draw_syn_entries(struct dice *dice)
{
	switch (dice_below(dice, 10)) {
	case 0:
		return 0;
	case 1:
	case 2:
		return 256;
	default:
		return SYN_ENTRIES_LEAST;
	}
}

static void
draw_sluice(struct plan *plan, struct dice *dice)
{
	plan->workers = dice_chance(dice, 300) ? WORKERS_MAX : 1;
	plan->connections = dice_chance(dice, 100) ? dice_between(dice, 4, 16) : 256;
	plan->syn_entries = draw_syn_entries(dice);
	plan->early_packets = dice_chance(dice, 200) ? dice_between(dice, 0, 4) : 64;
	plan->syn_retries = (uint8_t)dice_between(dice, 1, 4);
	plan->foreign_cookies = dice_chance(dice, 200);
	plan->poll_interval = dice_chance(dice, 500) ? 0 : draw_ms(dice, 0, 20);
	plan->nic_verifies = dice_chance(dice, 500);
	if (!plan->is_clean && dice_chance(dice, 200))
		plan->buffer_refusals = dice_between(dice, 1, 300);
	draw_operator(plan, dice);
}

/* Something of everything. */
static void
draw_mixed(struct plan *plan, struct dice *dice)
{
	plan->start = START + dice_below(dice, START_SPREAD_S) * TICKS_PER_S;
	plan->vlans = dice_chance(dice, 700) ? 0 : dice_between(dice, 1, 2);
	plan->is_clean = plan->world == WORLD_CALM ||
			 (plan->world != WORLD_LOSSY && dice_chance(dice, 350));
	for (unsigned i = 0; i < CABLES; i++)
		draw_cable(&plan->cables[i], dice, plan->is_clean);
	draw_sluice(plan, dice);
	for (unsigned slot = 0; slot < BACKENDS; slot++)
		draw_backend(&plan->backends[slot], dice, plan);
	plan->clients = dice_between(dice, 1, CLIENTS_MAX);
	for (unsigned i = 0; i < plan->clients; i++)
		draw_client(&plan->client[i], dice, plan);
	plan->floods = dice_chance(dice, 300) ? dice_between(dice, 1, 1000) : 0;
	plan->floods_in_waves = dice_chance(dice, 400);
	plan->forgeries = dice_chance(dice, 300) ? dice_between(dice, 1, 500) : 0;
	plan->blind_shots = dice_chance(dice, 300) ? dice_between(dice, 1, 500) : 0;
}

static void
draw_no_attack(struct plan *plan)
{
	plan->floods = 0;
	plan->forgeries = 0;
	plan->blind_shots = 0;
}

static void
draw_no_operator(struct plan *plan)
{
	plan->version_count = 1;
	plan->order_count = 0;
}

static void
draw_healthy_backends(struct plan *plan)
{
	for (unsigned slot = 0; slot < BACKENDS; slot++) {
		plan->backends[slot].mood = MOOD_NORMAL;
		plan->backends[slot].answer_delay = 0;
	}
}

/* Room in every queue and table, so that nobody may be refused. */
static void
draw_calm(struct plan *plan, struct dice *dice)
{
	draw_no_attack(plan);
	draw_no_operator(plan);
	draw_healthy_backends(plan);
	plan->connections = 256;
	plan->syn_entries = 256;
	for (unsigned slot = 0; slot < BACKENDS; slot++) {
		struct queue_settings *queues = &plan->versions[0].queues[slot];

		queues->backlog = 1024;
		queues->max_syn_backlog = 1024;
		queues->synack_retries = (uint8_t)dice_between(dice, 2, 6);
	}
}

static void
draw_lossy(struct plan *plan, struct dice *dice)
{
	draw_no_attack(plan);
	draw_no_operator(plan);
	draw_healthy_backends(plan);
	for (unsigned i = 0; i < CABLES; i++) {
		struct link_quality *cable = &plan->cables[i];

		if (dice_chance(dice, 600))
			continue;
		cable->bytes_per_ms = dice_between(dice, 200, 4000);
		cable->queue_bytes = dice_between(dice, 10000, 100000);
	}
}

static void
draw_hostile(struct plan *plan, struct dice *dice)
{
	plan->floods = dice_between(dice, 100, 1500);
	plan->forgeries = dice_between(dice, 50, 500);
	plan->blind_shots = dice_between(dice, 50, 500);
	plan->replays = dice_chance(dice, 600) ? dice_between(dice, 1, 200) : 0;
	plan->oddities = dice_between(dice, 20, 200);
}

static void
draw_operators(struct plan *plan, struct dice *dice)
{
	ticks_t at = plan->start;

	draw_no_attack(plan);
	draw_healthy_backends(plan);
	plan->version_count = VERSIONS_MAX;
	for (unsigned i = 1; i < plan->version_count; i++) {
		at += draw_ms(dice, 0, 2 * OPERATOR_S * 1000 / VERSIONS_MAX);
		draw_version(&plan->versions[i], &plan->versions[i - 1], dice, at);
	}
	plan->order_count = dice_between(dice, 1, ORDERS_MAX);
	draw_orders(plan, dice);
}

static void
draw_faults(struct plan *plan, struct dice *dice)
{
	plan->is_clean = false;
	plan->workers = WORKERS_MAX;
	plan->missteered = dice_chance(dice, 700) ? dice_between(dice, 1, 500) : 0;
	plan->buffer_refusals = dice_chance(dice, 500) ? dice_between(dice, 1, 300) : 0;
	plan->fault_count = dice_between(dice, 1, FAULTS_MAX);
	for (unsigned i = 0; i < plan->fault_count; i++)
		plan->faults[i] = (struct fault){
				.kind = (enum fault_kind)dice_below(dice, 3),
				.which = dice_below(dice, 2),
				.at = plan->start + draw_ms(dice, 0, OPERATOR_S * 1000),
				.lasts = draw_ms(dice, 1, 3000),
		};
}

static const struct {
	const char *name;
	void (*draw)(struct plan *plan, struct dice *dice); /**< behind draw_mixed() */
} worlds[WORLDS] = {
		[WORLD_CALM] = {"calm", draw_calm},
		[WORLD_LOSSY] = {"lossy", draw_lossy},
		[WORLD_HOSTILE] = {"hostile", draw_hostile},
		[WORLD_OPERATOR] = {"operator", draw_operators},
		[WORLD_FAULTS] = {"faults", draw_faults},
		[WORLD_MIXED] = {"mixed", NULL},
};

const char *
world_name(enum world world)
{
	return world < WORLDS ? worlds[world].name : NULL;
}

/* By dice of their own: most worlds go without, and stay what they are. */
static void
draw_egress(struct plan *plan, bool is_tight)
{
	static const uint32_t networks[] = {0, 1, 2, 10, EGRESS_NETWORK_PER_S};
	static const uint32_t sides[] = {0, 1, 5, 20, EGRESS_SIDE_PER_S, EGRESS_SIDE_PER_S};
	struct dice dice = {plan->seed ^ DICE_EGRESS};

	is_tight = is_tight && dice_chance(&dice, 500);
	for (unsigned i = 0; i < plan->version_count; i++) {
		plan->versions[i].egress = egress_rates_default();
		if (is_tight)
			plan->versions[i].egress =
					(struct egress_rates){networks[dice_below(&dice, 5)],
							sides[dice_below(&dice, 6)]};
	}
}

/* Where no frame gets lost, none is lost to a silence either. */
static void
draw_restarts(struct plan *plan)
{
	struct dice dice = {plan->seed ^ DICE_RESTARTS};

	plan->restart_count = dice_below(&dice, RESTARTS_MAX + 1);
	for (unsigned i = 0; i < plan->restart_count; i++)
		plan->restarts[i] = (struct restart){
				.at = plan->start + draw_ms(&dice, 0, OPERATOR_S * 1000),
				.silence = plan->is_clean ? 0 : draw_ms(&dice, 0, 900),
		};
}

void
plan_draw(struct plan *plan, enum world world, uint64_t seed)
{
	struct dice dice = {seed};

	*plan = (struct plan){.seed = seed, .world = world};
	draw_mixed(plan, &dice);
	if (worlds[world].draw != NULL)
		worlds[world].draw(plan, &dice);
	if (world == WORLD_OPERATOR)
		draw_restarts(plan);
	draw_egress(plan,
			world == WORLD_HOSTILE || world == WORLD_OPERATOR || world == WORLD_MIXED);
	/* Their pauses are as long as a frame of this very world may live. */
	for (unsigned i = 0; i < plan->clients; i++)
		plan->client[i].pause += plan_frame_life(plan);
}
