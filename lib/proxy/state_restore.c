/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The other half of state.h: from checked bytes into empty workers. Everything that a worker keeps
 * beside the records (lanes, timers, gauges, the shared counts) is made anew from them.
 */
#include "proxy/state.h"

#include "proxy/half_open.h"
#include "proxy/state_format.h"
#include "proxy/worker_impl.h"

/* Steps or microseconds that passed before and since the state was saved; more than fits is as good
 * as the most, but for connections that a year would not end. */
static uint32_t
add_age(uint32_t past, uint64_t age)
{
	const uint64_t sum = past + age;

	return sum < INT32_MAX ? (uint32_t)sum : INT32_MAX;
}

void
state_describe(const struct state *state, struct snapshot *snapshot)
{
	struct state_cursor cursor = {.from = state->bytes + STATE_HEAD_BYTES};

	snapshot_set_cookies(snapshot, &state->cookies, false);
	for (uint32_t i = 0; i < state->backend_count; i++) {
		struct state_backend backend = {.port = 0};
		struct backend_config config = {.port = 0};

		state_backend_fields(&cursor, &backend);
		config.address = backend.address;
		config.port = backend.port;
		config.family = backend.family;
		config.announced_wscale = backend.wscales[COOKIE_PLAN_EPOCHS - 1];
		for (unsigned epoch = 0; epoch < COOKIE_PLAN_EPOCHS - 1; epoch++)
			config.earlier_wscale[epoch] = (uint8_t)(1 + backend.wscales[epoch]);
		/* One listed twice can be left out: both would say the same. */
		snapshot_insert(snapshot, &config);
	}
}

static ticks_t
time_before(ticks_t now, uint32_t ago_s, uint64_t age_us)
{
	const ticks_t ago = ago_s * TICKS_PER_S + age_us;

	if (ago_s == STATE_AGE_NEVER)
		return 0;
	return now > ago ? now - ago : 1;
}

static void
backend_restore(const struct state_backend *backend, const struct state_target *target, ticks_t now,
		uint64_t age_us)
{
	const struct backend_config *config = snapshot_find(
			target->workers[0]->snapshot, &backend->address, backend->port);

	if (config == NULL)
		return;
	for (unsigned i = 0; i < target->worker_count; i++) {
		struct worker *w = target->workers[i];
		struct backend_profile *profile = &worker_backend(w, config)->profile;

		*profile = backend->profile;
		profile->learned_at = time_before(now, backend->learned_s, age_us);
		profile->refused_at = time_before(now, backend->refused_s, age_us);
		/* Half-open clients were forgotten: their ACKs are cookies' now. */
		half_open_cookie_sent(w, config);
	}
}

/* A timer that is early by up to a quarter: all were armed at once, and need not fire at once. What
 * fires early arms itself again for the rest. */
static ticks_t
idle_timer(const struct worker *w, const struct conn *conn, uint32_t silent_steps)
{
	const ticks_t allowed =
			close_timeout(snapshot_timeouts(w->snapshot), (enum conn_state)conn->state);
	const ticks_t silent = (ticks_t)silent_steps << STATE_STEP_SHIFT;
	ticks_t left = allowed > silent ? allowed - silent : 0;

	if (left > CONN_LOOK)
		left = CONN_LOOK;
	return left - left / 4 * (conn->flow.hash & 0xff) / 0x100;
}

static void
spliced_restore(struct worker *w, uint32_t id, const struct state_conn *record, uint64_t age_us)
{
	struct conn *conn = worker_conn(w, id);
	const struct tuple tuple = record->tuple;
	const uint32_t silent = add_age(record->past, age_us >> STATE_STEP_SHIFT);

	conn->last_seen = timer_step(w->now) - silent;
	if (close_is_open((enum conn_state)conn->state))
		worker_count(w, conn->slot, COUNTER_CurrEstab, 1);
	timer_wheel_insert(&w->timers, id, w->now + idle_timer(w, conn, silent));
	if (!(conn->flags & CONN_TRACKED))
		proven_note(&w->proven, &tuple.client, w->now);
}

/* One that was waiting begins where there is room: nobody would leave to make it begin. */
static void
pending_restore(struct worker *w, uint32_t id, const struct state_conn *record,
		const struct backend_config *config, uint64_t age_us)
{
	struct conn *conn = worker_conn(w, id);
	struct accept_lane *lane = &w->backends[conn->slot].lane;
	const ticks_t due = (ticks_t)record->due << STATE_STEP_SHIFT;

	conn->last_seen = (uint32_t)w->now - add_age(record->past, age_us);
	conn->early = EARLY_NONE;
	/* Exact, even if a limit was lowered: nobody who is in is thrown out. */
	ENSURE(accept_ring_enter(worker_occupancy(w, conn->slot), UINT32_MAX - 1));
	if (conn->state == CONN_QUEUED) {
		if (lane->connecting >= config->connect_window || lane->waiting > 0) {
			struct accept_nodes nodes = worker_accept_nodes(w);

			accept_lane_push(lane, &nodes, id);
			return;
		}
		conn->state = CONN_CONNECTING;
		worker_count(w, conn->slot, COUNTER_ActiveOpens, 1);
	}
	lane->connecting++;
	timer_wheel_insert(&w->timers, id, w->now + (due > age_us ? due - age_us : 0));
}

static void
conn_restore(const struct state_conn *record, const struct state_target *target, uint64_t age_us,
		struct state_result *result)
{
	struct worker *w = target->workers[target->owner(target->context, &record->tuple)];
	const struct backend_config *config = snapshot_find(
			w->snapshot, &record->tuple.backend, record->tuple.backend_port);
	const struct pkt pkt = {
			.tuple = record->tuple,
			.hash = flow_table_hash(&w->flows, &record->tuple),
	};
	struct flow flow;
	uint32_t id;

	if (config == NULL) {
		result->removed++;
		return;
	}
	id = flow_table_find(&w->flows, pkt.hash, &pkt.tuple) == FLOW_NONE
			     ? conn_insert(w, &pkt, config->slot)
			     : FLOW_NONE;
	if (id == FLOW_NONE) {
		result->beyond++;
		return;
	}
	result->taken++;
	flow = worker_conn(w, id)->flow;
	*worker_conn(w, id) = record->conn;
	worker_conn(w, id)->flow = flow;
	worker_conn(w, id)->slot = config->slot;
	w->setups[id] = record->setup;
	if (record->conn.state < CONN_ESTABLISHED)
		pending_restore(w, id, record, config, age_us);
	else
		spliced_restore(w, id, record, age_us);
}

void
state_restore(const struct state *state, const struct state_target *target, ticks_t now,
		struct state_result *result)
{
	struct state_cursor cursor = {.from = state->bytes + STATE_HEAD_BYTES};
	const uint64_t age_us =
			target->boot_us > state->boot_us ? target->boot_us - state->boot_us : 0;

	*result = (struct state_result){.taken = 0};
	for (unsigned i = 0; i < target->worker_count; i++)
		worker_enter(target->workers[i], now);
	for (uint32_t i = 0; i < state->backend_count; i++) {
		struct state_backend backend = {.port = 0};

		state_backend_fields(&cursor, &backend);
		backend_restore(&backend, target, now, age_us);
	}
	for (uint32_t i = 0; i < state->conn_count; i++) {
		struct state_conn record = {.past = 0};

		state_conn_fields(&cursor, &record);
		conn_restore(&record, target, age_us, result);
	}
}
