/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The state of a run lies in four bytes of struct conn_setup, which no other spliced segment
 * touches. That nothing moved since is seen by a mark of all six edges instead of being written
 * down whenever something does; 8 bits are enough, since a run that misses one movement in 256
 * still ends at the next.
 */
#include "proxy/ack_war.h"

#include "proxy/worker_impl.h"

static_assert(ACK_WAR_SEGMENTS < INT8_MAX, "the count and a bit fit one byte");

static uint8_t
edges_mark(const struct conn *conn)
{
	uint32_t sum = 0;

	for (unsigned side = 0; side < SIDE_COUNT; side++) {
		const struct leg *leg = &conn->leg[side];

		sum += leg->snd_nxt + leg->rcv_nxt + leg->window_end;
	}
	/* The golden ratio's bits: each bit of the sum reaches the upper 8. */
	return (uint8_t)(sum * 0x9e3779b1u >> 24);
}

bool
ack_war_note(struct worker *w, uint32_t id, enum side from)
{
	const struct conn *conn = worker_conn(w, id);
	struct conn_setup *setup = &w->setups[id];
	uint8_t mark = edges_mark(conn);
	uint8_t step = (uint8_t)timer_step(w->now);
	uint8_t pause = (uint8_t)(step - setup->war_step);
	bool goes_on = setup->war_count > 0 && mark == setup->war_mark &&
		       pause <= ACK_WAR_PAUSE_STEPS;

	if (conn->flags & CONN_AT_WAR)
		return true;
	if (!close_is_open((enum conn_state)conn->state))
		return false;
	if (goes_on && (pause == 0 || setup->war_side == from))
		return false;
	setup->war_count = goes_on ? (setup->war_count + 1) & INT8_MAX : 1;
	setup->war_side = from & 1;
	setup->war_mark = mark;
	setup->war_step = step;
	return setup->war_count > ACK_WAR_SEGMENTS;
}

/* What the sender expects next, it says itself: its own acknowledgement is the one number that it
 * takes a reset with (RFC 5961 3.2), whatever the two ends disagree about. */
enum reason
ack_war_end(struct worker *w, uint32_t id, struct pkt *pkt)
{
	struct conn *conn = worker_conn(w, id);
	enum side from = (enum side)pkt->from;
	struct pkt_build reset = {
			.to = from,
			.seq = pkt->ack,
			.flags = TCP_RST,
			.ttl = PKT_TTL_DEFAULT,
	};

	if (!(conn->flags & CONN_AT_WAR)) {
		conn_reset_end(w, id, side_other(from));
		conn_move(w, id, CLOSE_RESET);
		conn->flags |= CONN_AT_WAR;
	}
	pkt_turn_round(pkt);
	pkt_build_tcp(pkt, &reset);
	return REASON_ack_war;
}
