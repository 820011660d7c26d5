/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Both ends' timestamps are noted from one segment: TSval, and by TSecr what the other end sent
 * last. Otherwise the end that answers within a span would never be noted. All are kept as the
 * client sees them.
 *
 * A note can be wrong: an end may echo nonsense, and an attacker who knows all numbers may send
 * any. Then real FINs look old, and their receivers' acknowledgements put it right.
 */
#include "proxy/paws.h"

#include "proxy/worker_impl.h"

#define FIN_BYTES 1 /* may lie behind the window */

static uint32_t *
latest_of(struct conn_setup *setup, enum side side)
{
	return side == SIDE_CLIENT ? &setup->tsval : &setup->backend_tsval;
}

/* True when that end's segments must have timestamps. */
static bool
speaks(const struct conn *conn, const struct conn_setup *setup, enum side side)
{
	return setup->has_timestamp &&
	       (side == SIDE_CLIENT || !(conn->flags & CONN_STRIP_TIMESTAMP));
}

static void
note(struct worker *w, uint32_t id, const struct pkt *pkt, enum side from, uint32_t tsval,
		bool was_silent)
{
	const struct conn *conn = worker_conn(w, id);
	struct conn_setup *setup = &w->setups[id];
	uint32_t *other = latest_of(setup, side_other(from));

	*latest_of(setup, from) = tsval;
	if (speaks(conn, setup, side_other(from)) &&
			(was_silent || seq_after(pkt->opt.tsecr, *other)))
		*other = pkt->opt.tsecr;
}

/* What an old segment must not do. In sequence, all that it can say was said before. */
static bool
matters(const struct conn *conn, const struct pkt *pkt, enum side from, uint32_t seq)
{
	uint32_t snd_nxt = conn->leg[from].snd_nxt;

	return pkt->flags & TCP_FIN || seq_after(seq, snd_nxt) ||
	       (close_fin_pending((enum conn_state)conn->state, from) &&
			       seq_after(seq + pkt_seq_length(pkt), snd_nxt));
}

/* How far that end's old segments reach beyond what counts; 0 or more than a window: there are
 * none, or old_end is of long ago. */
static uint32_t
old_ahead(const struct conn *conn, const struct conn_setup *setup, enum side side)
{
	return setup->old_side == side ? setup->old_end - conn->leg[side].snd_nxt : 0;
}

static uint32_t
window_ahead(const struct conn *conn, enum side side)
{
	return conn->leg[side_other(side)].window_end + FIN_BYTES - conn->leg[side].snd_nxt;
}

/* Of several the farthest, since an acknowledgement of some follows for each. */
static void
remember(const struct conn *conn, struct conn_setup *setup, const struct pkt *pkt, enum side from,
		uint32_t end)
{
	uint32_t ahead = old_ahead(conn, setup, from);

	if (ahead > end - conn->leg[from].snd_nxt && ahead <= window_ahead(conn, from))
		return;
	setup->old_is_fin = pkt->flags & TCP_FIN;
	setup->old_side = from & 1;
	setup->old_end = end;
}

bool
paws_take(struct worker *w, uint32_t id, const struct pkt *pkt, enum side from, uint32_t seq)
{
	const struct conn *conn = worker_conn(w, id);
	struct conn_setup *setup = &w->setups[id];
	uint32_t tsval = pkt->opt.tsval + (from == SIDE_BACKEND ? conn->ts_delta : 0);
	bool was_silent = timer_step(w->now) - conn->last_seen >= PAWS_SILENCE_STEPS;

	if (!speaks(conn, setup, from))
		return true;
	if (pkt->opt.has_timestamp && (was_silent || !seq_before(tsval, *latest_of(setup, from)))) {
		/* RFC 7323 4.3: one ahead of what is missing may be newer than that. */
		if (!seq_after(seq, conn->leg[side_other(from)].rcv_nxt))
			note(w, id, pkt, from, tsval, was_silent);
		return true;
	}
	if (!matters(conn, pkt, from, seq))
		return true;
	remember(conn, setup, pkt, from, seq + pkt_seq_length(pkt));
	return false;
}

bool
paws_revise(struct worker *w, uint32_t id, const struct pkt *pkt, enum side from)
{
	const struct conn_setup *setup = &w->setups[id];
	struct conn *conn = worker_conn(w, id);
	enum side sender = side_other(from);
	struct leg *leg = &conn->leg[sender];
	uint32_t acked = pkt->ack - leg->snd_nxt, ahead = old_ahead(conn, setup, sender);

	if (!speaks(conn, setup, sender) || !(pkt->flags & TCP_ACK) || acked == 0 ||
			acked > ahead || ahead > window_ahead(conn, sender))
		return false;
	leg->snd_nxt = pkt->ack;
	if (setup->old_is_fin && acked == ahead)
		conn_move(w, id, sender == SIDE_CLIENT ? CLOSE_CLIENT_FIN : CLOSE_BACKEND_FIN);
	return true;
}
