/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether a window was announced is not remembered anywhere: the cookie has no room for it, and it
 * makes no difference. Data is welcome if there is room for it, and else is dropped, as data sent
 * into a window of 0 would be.
 */
#include "proxy/early.h"

#include "base/seq.h"
#include "net/rewrite.h"
#include "proxy/splice.h"

uint32_t
early_promise(const struct worker *w, const struct backend_config *config)
{
	uint16_t learned = w->backends[config->slot].profile.mss;

	return early_two_segments(
			learned > config->announced_mss ? learned : config->announced_mss);
}

/* The client's own bytes behind its SYN; seen in no other state than before the splice. */
static bool
is_early_data(const struct conn *conn, const struct pkt *pkt)
{
	uint32_t offset = pkt->seq - conn->leg[SIDE_CLIENT].snd_nxt;

	return pkt_seq_length(pkt) > 0 && pkt->flags & TCP_ACK &&
	       !(pkt->flags & (TCP_SYN | TCP_RST)) && pkt->ack == conn->leg[SIDE_BACKEND].snd_nxt &&
	       offset <= EARLY_WINDOW_MAX && pkt_seq_length(pkt) <= EARLY_WINDOW_MAX - offset;
}

/* Where a segment goes in the list, by its seq; NULL when the list is full or has it already. */
static uint32_t *
list_place(const struct worker *w, uint32_t *list, uint32_t seq, uint32_t end)
{
	uint32_t *place = list;
	unsigned count = 0;

	for (uint32_t *at = list; *at != EARLY_NONE; count++) {
		struct early_packet *held = early_pool_packet(&w->early, *at);

		if (!seq_before(seq, held->seq) && !seq_after(end, held->end))
			return NULL;
		if (!seq_before(seq, held->seq))
			place = &held->next;
		at = &held->next;
	}
	return count < EARLY_PER_CONNECTION ? place : NULL;
}

bool
early_hold(struct worker *w, uint32_t id, const struct pkt *pkt,
		const struct backend_config *config)
{
	struct conn *conn = worker_conn(w, id);
	uint32_t end = pkt->seq + pkt_seq_length(pkt);
	uint32_t *place, taken;

	if (LIKELY(!is_early_data(conn, pkt)) || config->early_data == EARLY_DATA_ZERO_WINDOW)
		return false;
	place = list_place(w, &conn->early, pkt->seq, end);
	taken = place != NULL ? early_pool_take(&w->early) : EARLY_NONE;
	if (taken == EARLY_NONE)
		return false;
	*early_pool_packet(&w->early, taken) = (struct early_packet){
			.data = pkt->data,
			.owner = pkt->owner,
			.len = pkt->len,
			.rest = pkt->rest,
			.tailroom = pkt->tailroom,
			.seq = pkt->seq,
			.end = end,
			.next = *place,
	};
	*place = taken;
	counter_add(&w->counters.early_held, 1);
	return true;
}

/* The record goes back to the pool; its packet, as it was, to the caller. */
static struct pkt
list_pop(struct worker *w, uint32_t *list)
{
	uint32_t id = *list;
	const struct early_packet *held = early_pool_packet(&w->early, id);
	struct pkt pkt = {
			.data = held->data,
			.owner = held->owner,
			.len = held->len,
			.rest = held->rest,
			.tailroom = held->tailroom,
			/* It was verified, or completed, when it came. */
			.csum = PKT_CSUM_GOOD,
	};

	*list = held->next;
	early_pool_put(&w->early, id);
	counter_add(&w->counters.early_held, (uint64_t)-1);
	return pkt;
}

void
early_unhold(struct worker *w, uint32_t id)
{
	list_pop(w, &worker_conn(w, id)->early);
	ENSURE(worker_conn(w, id)->early == EARLY_NONE);
}

bool
early_ends_at(const struct worker *w, uint32_t id, uint32_t seq)
{
	for (uint32_t at = worker_conn(w, id)->early; at != EARLY_NONE;) {
		const struct early_packet *held = early_pool_packet(&w->early, at);

		if (held->end == seq)
			return true;
		at = held->next;
	}
	return false;
}

uint32_t
early_take(struct worker *w, uint32_t id)
{
	struct conn *conn = worker_conn(w, id);
	uint32_t list = conn->early;

	conn->early = EARLY_NONE;
	return list;
}

/* A client that repeated it meanwhile did so with a later timestamp, which our ACK of the SYN-ACK
 * has told the backend: behind that it would be an old duplicate (RFC 7323 5.3). */
static void
refresh(const struct conn_setup *setup, struct pkt *pkt)
{
	struct rewrite rewrite = {
			.window = pkt->window, .tsval_add = setup->tsval - pkt->opt.tsval};

	if (!setup->has_timestamp || !pkt->opt.has_timestamp ||
			!seq_before(pkt->opt.tsval, setup->tsval))
		return;
	rewrite_segment(pkt, &rewrite);
	pkt->opt.tsval = setup->tsval;
}

/* Once more through what a segment of a spliced connection goes through. */
static void
forward(struct worker *w, uint32_t id, struct pkt *pkt)
{
	pkt_parse(pkt, SIDE_CLIENT);
	ENSURE(pkt->kind == PKT_TCP && pkt_check_tcp(pkt) == REASON_NONE);
	refresh(&w->setups[id], pkt);
	pkt->conn = id;
	pkt->reason = (uint8_t)splice_segment(w, id, pkt, SIDE_CLIENT);
	if (reason_verdict((enum reason)pkt->reason) == VERDICT_FORWARD) {
		w->env.packet_emit(w->env.context, SIDE_BACKEND, pkt);
		counter_add(&w->counters.emitted[EMITTED_EARLY_DATA], 1);
	} else {
		w->env.packet_drop(w->env.context, pkt);
	}
}

void
early_forward(struct worker *w, uint32_t id, uint32_t list)
{
	while (list != EARLY_NONE) {
		struct pkt pkt = list_pop(w, &list);

		forward(w, id, &pkt);
	}
}

void
early_drop(struct worker *w, uint32_t id)
{
	struct conn *conn = worker_conn(w, id);

	while (UNLIKELY(conn->early != EARLY_NONE)) {
		struct pkt pkt = list_pop(w, &conn->early);

		w->env.packet_drop(w->env.context, &pkt);
	}
}
