/* SPDX-License-Identifier: BSD-3-Clause */
/*
 *	            room in the connect window
 *	proof ──┬──────────────────────────────► CONNECTING ──SYN-ACK──► spliced
 *	        └► QUEUED ──room──► (SYN made) ──►    │
 *	                                              ├─ RST ────────► RST to the client
 *	                                              ├─ ACK of an old socket ► RST to it, SYN again
 *	                                              └─ silence ────► SYN again, then RST to the
 *client
 *
 * Until the splice, leg[client].snd_nxt is the client's ISN + 1 and leg[backend].snd_nxt our ISS
 *+ 1.
 */
#include "proxy/connect.h"

#include "base/seq.h"
#include "proxy/early.h"
#include "proxy/worker_impl.h"

/* First retransmission of a SYN (RFC 6298 2: 1 s), then doubling. */
#define SYN_TIMEOUT TICKS_PER_S

/* How soon a SYN is repeated after a backend's old socket was reset: one link's round trip. */
#define OLD_SOCKET_TIMEOUT (20 * TICKS_PER_MS)

/* Clients started per client that leaves: two, so that a window that grew fills up again. */
#define DRAIN_PER_LEAVE 2

#define WINDOW_FIELD_MAX 65535

static uint16_t
window_field(uint32_t window)
{
	return (uint16_t)(window < WINDOW_FIELD_MAX ? window : WINDOW_FIELD_MAX);
}

static const struct backend_config *
conn_config(const struct worker *w, uint32_t id)
{
	struct tuple tuple = flow_table_tuple(&w->flows, id);
	const struct backend_config *config =
			snapshot_find(w->snapshot, &tuple.backend, tuple.backend_port);

	/* A published configuration keeps every backend that has connections. */
	ENSURE(config != NULL);
	return config;
}

/* What our SYN offers the backend: what the client offered and was promised. */
static struct tcp_opt_syn
connect_offer(const struct conn_setup *setup)
{
	return (struct tcp_opt_syn){
			.tsval = setup->tsval,
			.mss = setup->mss,
			.wscale = setup->wscale,
			.sack_permitted = setup->sack_permitted,
			.has_timestamp = setup->has_timestamp,
			.ecn = setup->ecn,
	};
}

/* The second SYN does without ECN: something on the way may drop those that offer it (RFC 3168
 * 6.1.1.1). */
static uint8_t
connect_syn_flags(const struct conn_setup *setup)
{
	return setup->ecn && setup->syns == 0 ? TCP_SYN | TCP_ECE | TCP_CWR : TCP_SYN;
}

/*
 * What is built is written where it is used: a copy made right behind it, in wider pieces than it
 * was written in, would wait for memory.
 */
static void
connect_syn(struct pkt_build *build, const struct conn *conn, const struct conn_setup *setup)
{
	struct tcp_opt_syn offer = connect_offer(setup);

	*build = (struct pkt_build){
			.to = SIDE_BACKEND,
			.seq = conn->leg[SIDE_CLIENT].snd_nxt - 1,
			.flags = connect_syn_flags(setup),
			/* The window of a SYN is never scaled (RFC 7323 2.2). */
			.window = window_field((uint32_t)setup->window << conn->scale_client),
			.ttl = setup->ttl,
			.tos = setup->tos,
			.flow_label = setup->flow_label,
	};
	build->options_length = (uint8_t)tcp_opt_build_syn(build->options, &offer);
}

/* Adds the timestamps that every segment carries once they are agreed (RFC 7323 3.2). */
static void
build_add_timestamp(struct pkt_build *build, uint32_t tsval, uint32_t tsecr)
{
	build->options_length = (uint8_t)tcp_opt_build_timestamp(build->options, tsval, tsecr);
}

static void
connect_start(struct worker *w, uint32_t id)
{
	struct conn *conn = worker_conn(w, id);

	conn->state = CONN_CONNECTING;
	w->backends[conn->slot].lane.connecting++;
	worker_count(w, conn->slot, COUNTER_ActiveOpens, 1);
	timer_wheel_insert(&w->timers, id, w->now + SYN_TIMEOUT);
}

/* Sends SYNs for waiting clients while the connect window has room. */
static void
connect_drain(struct worker *w, const struct backend_config *config)
{
	struct backend *backend = &w->backends[config->slot];
	struct accept_nodes nodes = worker_accept_nodes(w);

	for (unsigned n = 0; n < DRAIN_PER_LEAVE; n++) {
		if (backend->lane.connecting >= config->connect_window ||
				backend->lane.waiting == 0)
			return;

		uint32_t id = accept_lane_pop(&backend->lane, &nodes);
		struct conn_setup *setup = &w->setups[id];
		struct pkt_build syn;

		connect_syn(&syn, worker_conn(w, id), setup);
		connect_start(w, id);
		if (conn_emit(w, id, &syn, EMITTED_SYN))
			setup->syns = 1;
	}
}

static void
connect_leave_ring(struct worker *w, uint32_t id, const struct backend_config *config)
{
	struct conn *conn = worker_conn(w, id);
	struct accept_lane *lane = &w->backends[conn->slot].lane;

	accept_ring_leave(worker_occupancy(w, conn->slot));
	if (conn->state == CONN_QUEUED) {
		struct accept_nodes nodes = worker_accept_nodes(w);

		accept_lane_remove(lane, &nodes, id);
		return;
	}
	timer_wheel_remove(&w->timers, id);
	lane->connecting--;
	connect_drain(w, config);
}

void
connect_leave(struct worker *w, uint32_t id)
{
	connect_leave_ring(w, id, conn_config(w, id));
}

enum reason
connect_begin(struct worker *w, uint32_t id, struct pkt *pkt, const struct backend_config *config)
{
	struct conn *conn = worker_conn(w, id);
	struct conn_setup *setup = &w->setups[id];
	struct accept_lane *lane = &w->backends[conn->slot].lane;
	bool is_held = early_hold(w, id, pkt, config);

	/* Who waits already goes first. */
	if (lane->connecting >= config->connect_window || lane->waiting > 0) {
		struct accept_nodes nodes = worker_accept_nodes(w);

		conn->state = CONN_QUEUED;
		accept_lane_push(lane, &nodes, id);
		return is_held ? REASON_ack_queued_held : REASON_ack_queued;
	}

	struct pkt_build syn;

	connect_syn(&syn, conn, setup);
	connect_start(w, id);
	setup->syns = 1;
	if (UNLIKELY(is_held)) {
		if (LIKELY(conn_emit(w, id, &syn, EMITTED_SYN)))
			return REASON_ack_connecting_held;
		/* The SYN matters more than the data, which the client has. */
		early_unhold(w, id);
	}
	pkt_build_tcp(pkt, &syn);
	return REASON_ack_connecting;
}

/* The translation between the legs, from the backend's SYN-ACK. promise: the window that the client
 * may have been told in the backend's name, and may have filled. */
static void
connect_translate(struct conn *conn, const struct conn_setup *setup, const struct pkt *pkt,
		uint32_t promise)
{
	struct leg *client = &conn->leg[SIDE_CLIENT];
	struct leg *backend = &conn->leg[SIDE_BACKEND];
	bool scales = setup->wscale != TCP_WSCALE_NONE && pkt->opt.wscale != TCP_WSCALE_NONE;

	conn->seq_delta = backend->snd_nxt - 1 - pkt->seq;
	conn->scale_backend = scales ? pkt->opt.wscale : 0;
	conn->scale_to_backend = scales ? conn->scale_client : 0;
	if (setup->has_timestamp && pkt->opt.has_timestamp)
		conn->ts_delta -= pkt->opt.tsval;
	else if (setup->has_timestamp)
		conn->flags |= CONN_STRIP_TIMESTAMP;
	if (setup->sack_permitted && !pkt->opt.sack_permitted)
		conn->flags |= CONN_STRIP_SACK;
	if (setup->ecn && !pkt_accepts_ecn(pkt))
		conn->flags |= CONN_ECN_ALONE;

	backend->rcv_nxt = client->snd_nxt;
	backend->window_end = client->snd_nxt + (pkt->window > promise ? pkt->window : promise);
	client->rcv_nxt = backend->snd_nxt;
	client->window_end = backend->snd_nxt + ((uint32_t)setup->window << conn->scale_client);
	conn->state = CONN_ESTABLISHED;
}

/* Our ACK of the backend's SYN-ACK. */
static void
connect_ack(struct pkt_build *ack, const struct conn *conn, const struct conn_setup *setup,
		const struct pkt *pkt)
{
	*ack = (struct pkt_build){
			.to = SIDE_BACKEND,
			.seq = pkt->ack,
			.ack = pkt->seq + 1,
			.flags = TCP_ACK,
			.window = window_field(((uint32_t)setup->window << conn->scale_client) >>
					       conn->scale_to_backend),
			.ttl = setup->ttl,
			.tos = setup->tos,
			.flow_label = setup->flow_label,
	};

	if (setup->has_timestamp && !(conn->flags & CONN_STRIP_TIMESTAMP))
		build_add_timestamp(ack, setup->tsval, pkt->opt.tsval);
}

/* Turns the backend's SYN-ACK into our ACK of it. */
static void
connect_acknowledge(const struct conn *conn, const struct conn_setup *setup, struct pkt *pkt)
{
	struct pkt_build ack;

	connect_ack(&ack, conn, setup, pkt);
	pkt_turn_round(pkt);
	pkt_build_tcp(pkt, &ack);
}

/* Tells the client, until now held back by our small window or none, what the backend allows it to
 * send. */
static void
connect_window_update(struct pkt_build *update, const struct conn *conn,
		const struct conn_setup *setup, const struct pkt *answer)
{
	*update = (struct pkt_build){
			.to = SIDE_CLIENT,
			.seq = conn->leg[SIDE_BACKEND].snd_nxt,
			.ack = conn->leg[SIDE_CLIENT].snd_nxt,
			.flags = TCP_ACK,
			.window = window_field((uint32_t)answer->window >> conn->scale_to_client),
			.ttl = answer->ttl,
			.tos = answer->tos,
			.flow_label = answer->flow_label,
	};

	if (setup->has_timestamp) {
		/* A backend without timestamps leaves ts_delta as the TSval of our SYN-ACK. */
		uint32_t tsval = answer->opt.has_timestamp ? answer->opt.tsval : 0;

		build_add_timestamp(update, tsval + conn->ts_delta, setup->tsval);
	}
}

/* Both ends learn of each other by the backend's SYN-ACK. It becomes our ACK; but if data was held,
 * the ACK goes ahead of that, as the client would have it, and the SYN-ACK on to the client. */
static enum reason
connect_tell(struct worker *w, uint32_t id, struct pkt *pkt, uint32_t held)
{
	const struct conn *conn = worker_conn(w, id);
	const struct conn_setup *setup = &w->setups[id];
	struct pkt_build update;

	connect_window_update(&update, conn, setup, pkt);
	if (LIKELY(held == EARLY_NONE)) {
		/* Without a buffer the client's zero-window probe asks the backend itself. */
		conn_emit_between(w, id, &pkt->tuple, &update, EMITTED_WINDOW_UPDATE);
		connect_acknowledge(conn, setup, pkt);
		return REASON_backend_connected;
	}

	struct pkt_build ack;

	connect_ack(&ack, conn, setup, pkt);
	/* Without a buffer the data's own acknowledgement has to do. */
	conn_emit(w, id, &ack, EMITTED_ACK);
	early_forward(w, id, held);
	pkt_build_tcp(pkt, &update);
	return REASON_backend_connected_early;
}

/* The client's wait in the accept ring: its latency, beside the network's. */
static void
connect_count_wait(struct worker *w, const struct conn *conn)
{
	struct backend_counters *counters = &w->backend_counters[conn->slot];
	uint32_t us = (uint32_t)w->now - conn->last_seen;

	counter_add(&counters->wait[wait_bucket(us)], 1);
	counter_add(&counters->wait_us, us);
}

static enum reason
connect_established(
		struct worker *w, uint32_t id, struct pkt *pkt, const struct backend_config *config)
{
	struct conn *conn = worker_conn(w, id);
	struct conn_setup *setup = &w->setups[id];
	struct backend_profile *profile = &w->backends[conn->slot].profile;
	struct tcp_opt_syn offer = connect_offer(setup);
	uint32_t held = early_take(w, id);

	/* A second SYN offered no ECN. Its answer tells that the first was dropped for that, unless
	 * such a SYN is known to get through. */
	if (setup->syns > 1 && !pkt_accepts_ecn(pkt) && profile->ecn == LEARNED_YES)
		offer.ecn = false;
	backend_profile_learn(profile, config, &offer, pkt, w->now);
	connect_leave_ring(w, id, config);
	connect_count_wait(w, conn);
	proven_note(&w->proven, &pkt->tuple.client, w->now);
	connect_translate(conn, setup, pkt, early_promise(w, config));
	setup->backend_tsval = pkt->opt.tsval + conn->ts_delta;
	conn->last_seen = timer_step(w->now);
	timer_wheel_insert(&w->timers, id, w->now + conn_idle_timer(w, conn));
	worker_count(w, conn->slot, COUNTER_Established, 1);
	worker_count(w, conn->slot, COUNTER_CurrEstab, 1);
	return connect_tell(w, id, pkt, held);
}

static struct pkt_build
connect_client_reset(const struct conn *conn)
{
	return (struct pkt_build){
			.to = SIDE_CLIENT,
			.seq = conn->leg[SIDE_BACKEND].snd_nxt,
			.ack = conn->leg[SIDE_CLIENT].snd_nxt,
			.flags = TCP_RST | TCP_ACK,
			.ttl = PKT_TTL_DEFAULT,
	};
}

static enum reason
connect_refused(struct worker *w, uint32_t id, struct pkt *pkt)
{
	struct conn *conn = worker_conn(w, id);
	struct pkt_build reset = connect_client_reset(conn);

	reset.ttl = pkt->ttl;
	reset.tos = pkt->tos;
	reset.flow_label = pkt->flow_label;
	worker_count(w, conn->slot, COUNTER_AttemptFails, 1);
	pkt_build_tcp(pkt, &reset);
	connect_leave(w, id);
	conn_free(w, id);
	return REASON_backend_refused;
}

/*
 * An ACK that isn't ours, from a socket the backend kept of an earlier connection with this
 * tuple (RFC 9293 3.10.7.4, a challenge ACK): its own number resets it, and the SYN goes out
 * again. Such a backend is not silent: once, the count of SYNs starts anew.
 */
static enum reason
connect_reset_old_socket(struct worker *w, uint32_t id, struct pkt *pkt)
{
	struct conn_setup *setup = &w->setups[id];
	struct pkt_build reset = {.to = SIDE_BACKEND,
			.seq = pkt->ack,
			.flags = TCP_RST,
			.ttl = PKT_TTL_DEFAULT};

	if (!setup->met_old_socket)
		setup->syns = 0;
	setup->met_old_socket = true;
	conn_rearm(w, id, w->now + OLD_SOCKET_TIMEOUT);
	pkt_turn_round(pkt);
	pkt_build_tcp(pkt, &reset);
	return REASON_backend_old_socket;
}

enum reason
connect_answer(struct worker *w, uint32_t id, struct pkt *pkt, const struct backend_config *config)
{
	const struct conn *conn = worker_conn(w, id);
	bool answers_us = pkt->flags & TCP_ACK && pkt->ack == conn->leg[SIDE_CLIENT].snd_nxt;

	if (conn->state == CONN_QUEUED)
		return REASON_backend_early;
	if (pkt->flags & TCP_RST)
		return answers_us ? connect_refused(w, id, pkt) : REASON_backend_early;
	if (pkt->flags & TCP_SYN && answers_us)
		return connect_established(w, id, pkt, config);
	/* With our own number it may come from the new socket and have overtaken its SYN-ACK; an
	 * old one that has just this number answers the second SYN in the same way. */
	if (answers_us && w->setups[id].syns <= 1)
		return REASON_backend_early;
	if (pkt->flags & TCP_ACK)
		return connect_reset_old_socket(w, id, pkt);
	return REASON_backend_early;
}

enum reason
connect_answer_again(struct worker *w, uint32_t id, struct pkt *pkt)
{
	const struct conn *conn = worker_conn(w, id);
	const struct conn_setup *setup = &w->setups[id];
	uint32_t seq = pkt->seq + conn->seq_delta;

	/* Only while the backend, lacking our ACK, has sent nothing else; and not for a second
	 * socket, which a late copy of the SYN opened behind the end of the first, even if a stray
	 * segment made it say where it is. */
	if (!close_is_open((enum conn_state)conn->state) || seq != setup->iss ||
			seq + 1 != conn->leg[SIDE_BACKEND].snd_nxt ||
			seq_after(pkt->ack, conn->leg[SIDE_CLIENT].snd_nxt))
		return REASON_syn_ack_outside;
	connect_acknowledge(conn, setup, pkt);
	return REASON_backend_connected_again;
}

enum reason
connect_client(struct worker *w, uint32_t id, struct pkt *pkt)
{
	struct conn *conn = worker_conn(w, id);
	struct conn_setup *setup = &w->setups[id];
	bool in_sequence = pkt->seq == conn->leg[SIDE_CLIENT].snd_nxt;

	if (pkt->flags & TCP_RST) {
		if (!in_sequence && !early_ends_at(w, id, pkt->seq))
			return REASON_stray_client;

		bool connecting = conn->state == CONN_CONNECTING;
		/* From where the backend's socket is: it was sent nothing of what is held. */
		struct pkt_build reset = {.to = SIDE_BACKEND,
				.seq = conn->leg[SIDE_CLIENT].snd_nxt,
				.flags = TCP_RST,
				.ttl = pkt->ttl,
				.tos = pkt->tos,
				.flow_label = pkt->flow_label};

		connect_leave(w, id);
		conn_free(w, id);
		if (!connecting)
			return REASON_client_early_gone;
		pkt_build_tcp(pkt, &reset);
		return REASON_client_early_reset;
	}
	if (in_sequence && pkt->flags & TCP_ACK && pkt->ack == conn->leg[SIDE_BACKEND].snd_nxt) {
		setup->window = pkt->window;
		if (pkt->opt.has_timestamp)
			setup->tsval = pkt->opt.tsval;
	}
	if (pkt_seq_length(pkt) > 0 && early_hold(w, id, pkt, conn_config(w, id)))
		return REASON_client_early_held;
	return REASON_client_early;
}

void
connect_expire(struct worker *w, uint32_t id)
{
	struct conn *conn = worker_conn(w, id);
	struct conn_setup *setup = &w->setups[id];

	if (setup->syns < conn_config(w, id)->tcp_syn_retries) {
		ticks_t wait = SYN_TIMEOUT << setup->syns;
		struct pkt_build syn;

		connect_syn(&syn, conn, setup);
		if (conn_emit(w, id, &syn, EMITTED_SYN_AGAIN))
			setup->syns++;
		timer_wheel_insert(&w->timers, id, w->now + wait);
		return;
	}

	struct pkt_build reset = connect_client_reset(conn);

	timer_wheel_insert(&w->timers, id, w->now + SYN_TIMEOUT);
	/* The client always gets an end: without a buffer, a second later. */
	if (!conn_emit(w, id, &reset, EMITTED_RST_CLIENT))
		return;
	worker_count(w, conn->slot, COUNTER_AttemptFails, 1);
	connect_leave(w, id);
	conn_free(w, id);
}
