/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Timers are lazy: a spliced segment only notes when it was seen; the timer armed at the last
 * change of state finds out, when it fires, how long the silence really is, and arms itself for
 * the rest. A connection has its timer armed in every state but CONN_QUEUED, where the node
 * links it into the accept lane.
 */
#include "proxy/conn.h"

#include "proxy/connect.h"
#include "proxy/early.h"
#include "proxy/worker_impl.h"

uint32_t
conn_insert(struct worker *w, const struct pkt *pkt, uint16_t slot)
{
	uint32_t id = flow_table_insert(&w->flows, pkt->hash, &pkt->tuple);

	if (id == FLOW_NONE)
		return FLOW_NONE;

	struct conn *conn = worker_conn(w, id);
	struct flow flow = conn->flow;

	*conn = (struct conn){.flow = flow, .slot = slot, .last_seen = (uint32_t)w->now};
	w->changes++;
	counter_add(&w->counters.connections, 1);
	counter_add(&w->backend_counters[slot].connections, 1);
	return id;
}

void
conn_free(struct worker *w, uint32_t id)
{
	const struct conn *conn = worker_conn(w, id);
	uint16_t slot = conn->slot;

	if (conn->state < CONN_ESTABLISHED)
		early_drop(w, id);
	if (UNLIKELY(conn->flags & CONN_IS_UNANSWERED))
		w->unanswered--;
	flow_table_remove(&w->flows, id);
	w->changes++;
	counter_add(&w->counters.connections, (uint64_t)-1);
	/* Last: at 0 the control thread may give the slot away. */
	counter_add(&w->backend_counters[slot].connections, (uint64_t)-1);
}

void
conn_rearm(struct worker *w, uint32_t id, ticks_t when)
{
	timer_wheel_remove(&w->timers, id);
	timer_wheel_insert(&w->timers, id, when);
}

static ticks_t
conn_timeout(const struct worker *w, enum conn_state state)
{
	return close_timeout(snapshot_timeouts(w->snapshot), state);
}

static ticks_t
look_after(ticks_t left)
{
	return left < CONN_LOOK ? left : CONN_LOOK;
}

ticks_t
conn_idle_timer(const struct worker *w, const struct conn *conn)
{
	return look_after(conn_timeout(w, (enum conn_state)conn->state));
}

static void
conn_closed(struct worker *w, const struct conn *conn)
{
	worker_count(w, conn->slot, COUNTER_CurrEstab, (uint64_t)-1);
}

void
conn_move(struct worker *w, uint32_t id, enum close_event event)
{
	struct conn *conn = worker_conn(w, id);
	enum conn_state before = conn->state;
	enum conn_state after = close_next(before, event);

	if (after == before)
		return;
	conn->state = (uint8_t)after;
	if (close_is_open(before) && !close_is_open(after))
		conn_closed(w, conn);
	if (close_is_open(before) && after == CONN_RESET)
		worker_count(w, conn->slot, COUNTER_EstabResets, 1);
	if (conn_timeout(w, after) < conn_timeout(w, before))
		conn_rearm(w, id, w->now + conn_idle_timer(w, conn));
}

void
conn_expire(struct worker *w, uint32_t id)
{
	struct conn *conn = worker_conn(w, id);

	if (conn->state == CONN_CONNECTING) {
		connect_expire(w, id);
		return;
	}

	ticks_t silent = (ticks_t)(timer_step(w->now) - conn->last_seen) << TIMER_STEP_SHIFT;
	ticks_t allowed = conn_timeout(w, (enum conn_state)conn->state);

	if (silent < allowed) {
		timer_wheel_insert(&w->timers, id, w->now + look_after(allowed - silent));
		return;
	}
	if (close_is_open(conn->state))
		conn_closed(w, conn);
	conn_free(w, id);
}

bool
conn_emit_between(struct worker *w, uint32_t id, const struct tuple *tuple,
		const struct pkt_build *build, enum emitted as)
{
	const struct conn_setup *setup = &w->setups[id];
	struct pkt pkt;

	pkt_clear(&pkt);
	if (!w->env.packet_get(w->env.context, &pkt)) {
		counter_add(&w->counters.emit_failed, 1);
		return false;
	}
	pkt.tuple = *tuple;
	if (build->to == SIDE_CLIENT)
		pkt_build_ether(&pkt, setup->client_mac, setup->backend_mac);
	else
		pkt_build_ether(&pkt, setup->backend_mac, setup->client_mac);
	pkt_build_tcp(&pkt, build);
	w->env.packet_emit(w->env.context, build->to, &pkt);
	counter_add(&w->counters.emitted[as], 1);
	return true;
}

bool
conn_emit(struct worker *w, uint32_t id, const struct pkt_build *build, enum emitted as)
{
	const struct tuple tuple = flow_table_tuple(&w->flows, id);

	return conn_emit_between(w, id, &tuple, build, as);
}

void
conn_abandon(struct worker *w, uint32_t id)
{
	struct conn *conn = worker_conn(w, id);
	struct pkt_build reset = {
			.to = SIDE_BACKEND,
			.seq = conn->leg[SIDE_CLIENT].snd_nxt,
			.flags = TCP_RST,
			.ttl = PKT_TTL_DEFAULT,
	};

	switch (conn->state) {
	case CONN_CONNECTING:
		conn_emit(w, id, &reset, EMITTED_RST_BACKEND);
		connect_leave(w, id);
		break;
	case CONN_QUEUED:
		connect_leave(w, id);
		break;
	default:
		if (close_is_open(conn->state)) {
			reset.seq = conn->leg[SIDE_BACKEND].rcv_nxt;
			conn_emit(w, id, &reset, EMITTED_RST_BACKEND);
			worker_count(w, conn->slot, COUNTER_EstabResets, 1);
			conn_closed(w, conn);
		}
		timer_wheel_remove(&w->timers, id);
		break;
	}
	conn_free(w, id);
}

void
conn_reset_end(struct worker *w, uint32_t id, enum side to)
{
	const struct conn *conn = worker_conn(w, id);
	struct pkt_build reset = {
			.to = to,
			.seq = conn->leg[to].rcv_nxt,
			.ack = conn->leg[to].snd_nxt,
			.flags = TCP_RST | TCP_ACK,
			.ttl = PKT_TTL_DEFAULT,
	};

	if (to == SIDE_BACKEND)
		reset.ack -= conn->seq_delta;
	conn_emit(w, id, &reset, to == SIDE_CLIENT ? EMITTED_RST_CLIENT : EMITTED_RST_BACKEND);
}

void
conn_end(struct worker *w, uint32_t id)
{
	const struct conn *conn = worker_conn(w, id);
	/* Before the splice the client has acknowledged our SYN-ACK at most. */
	struct pkt_build reset = {
			.to = SIDE_CLIENT,
			.seq = conn->leg[SIDE_BACKEND].snd_nxt,
			.ack = conn->leg[SIDE_CLIENT].snd_nxt,
			.flags = TCP_RST | TCP_ACK,
			.ttl = PKT_TTL_DEFAULT,
	};

	if (conn->state < CONN_ESTABLISHED) {
		conn_emit(w, id, &reset, EMITTED_RST_CLIENT);
		conn_abandon(w, id);
		return;
	}
	if (!close_is_open(conn->state)) {
		if (conn->state == CONN_TIME_WAIT || conn->state == CONN_UNANSWERED)
			conn_abandon(w, id);
		return;
	}
	conn_reset_end(w, id, SIDE_CLIENT);
	conn_reset_end(w, id, SIDE_BACKEND);
	conn_move(w, id, CLOSE_RESET);
}
