/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A tracked flow's windows are guessed: nobody saw the scales. Both ends are taken to scale by 8,
 * which makes at most 16 MiB: wide enough for nearly all that is under way, and narrow enough
 * for an ACK of a new connection with the same tuple to be told from the old flow's (once in 2^15
 * it is not, and the client tries again). Where that is wrong nothing is held up, since segments
 * outside are forwarded all the same; only state waits until the backend's next segment says
 * better.
 */
#include "proxy/strays.h"

#include "net/bytes.h"
#include "proxy/bypass.h"
#include "proxy/egress.h"
#include "proxy/worker_impl.h"

#define GUESSED_SCALE 8
#define GUESSED_WINDOW ((uint32_t)1 << (16 + GUESSED_SCALE))

static_assert(GUESSED_WINDOW == 16 << 20, "16 MiB, as the comment above has it");
static_assert(PKT_BUILD_BYTES_MAX >= ETHER_BYTES + IP6_BYTES + TCP_BYTES_MIN, "a reset fits");

/* RFC 9293 3.10.7.1. Without options, so never longer than what it answers. */
static enum reason
stray_reset(struct worker *w, struct pkt *pkt)
{
	enum side from = (enum side)pkt->from;
	bool has_ack = pkt->flags & TCP_ACK;
	struct pkt_build reset = {
			.to = from,
			.seq = has_ack ? pkt->ack : 0,
			.ack = pkt->seq + pkt_seq_length(pkt),
			.flags = has_ack ? TCP_RST : TCP_RST | TCP_ACK,
			.ttl = PKT_TTL_DEFAULT,
	};

	if (!egress_take(w, &pkt->tuple, from))
		return REASON_stray_reset_limited;
	pkt_turn_round(pkt);
	pkt_build_tcp(pkt, &reset);
	return REASON_stray_reset;
}

/* Takes the numbers of both ends from one segment; what the other end sent and allows, it can only
 * bound. */
static void
stray_learn(struct conn *conn, const struct pkt *pkt, enum side from)
{
	uint32_t end = pkt->seq + pkt_seq_length(pkt);

	conn->leg[from] = (struct leg){
			.snd_nxt = end,
			.rcv_nxt = pkt->ack,
			.window_end = pkt->ack + ((uint32_t)pkt->window << GUESSED_SCALE),
	};
	conn->leg[side_other(from)] = (struct leg){
			.snd_nxt = pkt->ack,
			.rcv_nxt = pkt->seq,
			.window_end = end + GUESSED_WINDOW,
	};
	conn->scale_client = conn->scale_to_backend = GUESSED_SCALE;
	conn->scale_backend = conn->scale_to_client = GUESSED_SCALE;
}

static void
stray_record(struct conn_setup *setup, const struct conn *conn, const struct pkt *pkt)
{
	const uint8_t *destination = pkt->data;
	const uint8_t *source = pkt->data + ETHER_ADDR_BYTES;
	bool from_client = pkt->from == SIDE_CLIENT;

	*setup = (struct conn_setup){
			.iss = conn->leg[SIDE_CLIENT].rcv_nxt - 1,
			.wscale = TCP_WSCALE_NONE,
	};
	memcpy(setup->client_mac, from_client ? source : destination, ETHER_ADDR_BYTES);
	memcpy(setup->backend_mac, from_client ? destination : source, ETHER_ADDR_BYTES);
}

static void
stray_establish(struct worker *w, struct conn *conn)
{
	conn->state = CONN_ESTABLISHED;
	worker_count(w, conn->slot, COUNTER_CurrEstab, 1);
}

/* Takes a connection for the flow, if there is one to spare. */
static void
stray_track(struct worker *w, const struct task *task)
{
	const struct pkt *pkt = task->pkt;
	enum side from = (enum side)pkt->from;
	struct conn *conn;
	uint32_t id;

	if (from == SIDE_CLIENT && w->unanswered > w->limits.connections / STRAYS_UNANSWERED_SHARE)
		return;
	id = conn_insert(w, pkt, task->config->slot);
	if (id == FLOW_NONE)
		return;

	conn = worker_conn(w, id);
	conn->flags = CONN_TRACKED;
	conn->last_seen = timer_step(w->now);
	stray_learn(conn, pkt, from);
	stray_record(&w->setups[id], conn, pkt);
	if (from == SIDE_BACKEND) {
		stray_establish(w, conn);
	} else {
		conn->state = CONN_UNANSWERED;
		conn->flags |= CONN_IS_UNANSWERED;
		w->unanswered++;
		stray_note(w, id, pkt, from);
	}
	timer_wheel_insert(&w->timers, id, w->now + conn_idle_timer(w, conn));
	if (from == SIDE_BACKEND && pkt->flags & TCP_FIN)
		conn_move(w, id, CLOSE_BACKEND_FIN);
}

void
stray_note(struct worker *w, uint32_t id, const struct pkt *pkt, enum side from)
{
	struct conn *conn = worker_conn(w, id);

	if (from == SIDE_CLIENT) {
		if (pkt->flags & TCP_FIN)
			conn->flags |= CONN_FIN_SEEN;
		return;
	}
	conn->flags &= (uint8_t)~CONN_IS_UNANSWERED;
	w->unanswered--;
	stray_establish(w, conn);
	if (conn->flags & CONN_FIN_SEEN)
		conn_move(w, id, CLOSE_CLIENT_FIN);
}

void
stray_learn_again(struct worker *w, uint32_t id, const struct pkt *pkt)
{
	struct conn *conn = worker_conn(w, id);

	/* Once a FIN was seen inside, the numbers are right. */
	if (conn->state != CONN_ESTABLISHED && conn->state != CONN_UNANSWERED)
		return;
	stray_learn(conn, pkt, SIDE_BACKEND);
	conn->last_seen = timer_step(w->now);
	if (conn->state == CONN_UNANSWERED)
		stray_note(w, id, pkt, SIDE_BACKEND);
}

static enum reason
stray_pass(struct worker *w, const struct task *task, enum reason dropped)
{
	/* A connection begins by its proof alone. */
	if (task->pkt->flags & TCP_SYN)
		return dropped;
	/* A reset ends what it is about; nothing is left to track. A draining backend's slot must
	 * get empty. */
	if (!(task->pkt->flags & TCP_RST) && !task->config->is_draining)
		stray_track(w, task);
	return REASON_stray_passed;
}

enum reason
stray_take(struct worker *w, const struct task *task, enum reason dropped)
{
	struct pkt *pkt = task->pkt;

	const bool is_protected = task->config->mode == MODE_PROTECT;

	if (is_protected && task->config->stray == STRAY_DROP)
		return dropped;
	/* A half-open client's, or forged in its name: its handshake goes on. */
	if (syn_queue_find(&w->syns, pkt->hash, &pkt->tuple) != SYN_QUEUE_NONE)
		return dropped;
	if (UNLIKELY(!is_protected))
		return bypass_reason(task->config);
	if (task->config->stray == STRAY_PASS)
		return stray_pass(w, task, dropped);
	return pkt->flags & TCP_RST ? dropped : stray_reset(w, pkt);
}
