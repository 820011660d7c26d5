/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Window tracking follows "Real Stateful TCP Packet Filtering in IP Filter" (van Rooij 2000), as
 * Linux nf_conntrack_proto_tcp.c does, with two differences: we saw every byte since the SYN, so
 * nothing is guessed; and a segment outside is translated all the same, since the ends know better
 * (RFC 9293 3.10.7.4 wants an answer to it). Only state is never moved by it.
 */
#include "proxy/splice.h"

#include "base/seq.h"
#include "proxy/ack_war.h"
#include "proxy/connect.h"
#include "proxy/ecn.h"
#include "proxy/paws.h"
#include "proxy/splice_impl.h"
#include "proxy/strays.h"
#include "proxy/worker_impl.h"

/* How far behind its RCV.NXT an end may still see duplicates: a window, as RFC 5961 5.2 has it. */
static inline uint32_t
leg_reach(const struct leg *leg)
{
	uint32_t window = leg->window_end - leg->rcv_nxt;

	return window > DUPLICATE_REACH ? window : DUPLICATE_REACH;
}

/* An acknowledgement that its sender can mean: of bytes the other end has sent. */
static bool
ack_is_plausible(const struct conn *conn, const struct pkt *pkt, enum side from)
{
	const struct leg *sender = &conn->leg[from];

	return seq_between(pkt->ack, sender->rcv_nxt - leg_reach(sender),
			conn->leg[side_other(from)].snd_nxt);
}

static bool
segment_is_inside(const struct conn *conn, const struct pkt *pkt, enum side from, uint32_t seq)
{
	const struct leg *receiver = &conn->leg[side_other(from)];
	uint32_t end = seq + pkt_seq_length(pkt);

	return !seq_after(end, receiver->window_end + PROBE_BYTES) &&
	       !seq_before(seq, receiver->rcv_nxt - leg_reach(receiver)) &&
	       ack_is_plausible(conn, pkt, from);
}

bool
splice_owns(const struct conn *conn, const struct pkt *pkt)
{
	uint32_t end = pkt->seq + pkt_seq_length(pkt);

	if (!segment_is_inside(conn, pkt, SIDE_CLIENT, pkt->seq))
		return false;
	return !close_is_finished(conn->state, SIDE_CLIENT) ||
	       !seq_after(end, conn->leg[SIDE_CLIENT].snd_nxt);
}

static inline enum close_event
event_of(enum side side, enum close_event client, enum close_event backend)
{
	return side == SIDE_CLIENT ? client : backend;
}

/* FINs and their acknowledgements, once the legs have taken the segment in. */
static void
splice_close(struct worker *w, uint32_t id, const struct pkt *pkt, enum side from, uint32_t end)
{
	const struct conn *conn = worker_conn(w, id);
	enum side other = side_other(from);

	if (conn->state == CONN_UNANSWERED)
		stray_note(w, id, pkt, from);
	/* A FIN counts at the end of all that was sent; one before it is old or forged. */
	if (pkt->flags & TCP_FIN && end == conn->leg[from].snd_nxt)
		conn_move(w, id, event_of(from, CLOSE_CLIENT_FIN, CLOSE_BACKEND_FIN));
	if (close_fin_pending(conn->state, other) &&
			conn->leg[from].rcv_nxt == conn->leg[other].snd_nxt)
		conn_move(w, id, event_of(other, CLOSE_CLIENT_FIN_ACKED, CLOSE_BACKEND_FIN_ACKED));
}

/* False when the segment says nothing that its sender has not said before. */
static bool
splice_track(struct worker *w, uint32_t id, const struct pkt *pkt, enum side from, uint32_t seq)
{
	struct conn *conn = worker_conn(w, id);
	struct leg *sender = &conn->leg[from];
	uint32_t end = seq + pkt_seq_length(pkt);
	uint32_t edge = pkt->ack + ((uint32_t)pkt->window << window_scale(conn, from));
	bool is_news = pkt_seq_length(pkt) > 0 || seq_after(pkt->ack, sender->rcv_nxt) ||
		       seq_after(edge, sender->window_end) || seq_after(end, sender->snd_nxt) ||
		       pkt->opt.sack_blocks > 0;

	/* A FIN at exactly what its receiver expects ends the stream there: what seemed to lie
	 * behind it was forged. */
	if (UNLIKELY(pkt->flags & TCP_FIN) && seq == conn->leg[side_other(from)].rcv_nxt &&
			seq_before(end, sender->snd_nxt))
		sender->snd_nxt = end;
	if (seq_after(end, sender->snd_nxt)) {
		/* Bytes behind a FIN: what looked like one was forged. */
		if (UNLIKELY(close_fin_pending(conn->state, from)))
			conn_move(w, id,
					event_of(from, CLOSE_CLIENT_FIN_VOID,
							CLOSE_BACKEND_FIN_VOID));
		sender->snd_nxt = end;
	}
	sender->rcv_nxt = seq_max(sender->rcv_nxt, pkt->ack);
	sender->window_end = seq_max(sender->window_end, edge);
	conn->last_seen = timer_step(w->now);
	if (UNLIKELY(pkt->flags & TCP_FIN || conn->state != CONN_ESTABLISHED))
		splice_close(w, id, pkt, from, end);
	return is_news;
}

/* RFC 5961 3.2: only a RST at the edge ends a connection; one inside the window is for its receiver
 * to challenge. */
static enum reason
splice_reset(struct worker *w, uint32_t id, enum side from, uint32_t seq)
{
	const struct conn *conn = worker_conn(w, id);
	const struct leg *receiver = &conn->leg[side_other(from)];

	if (seq == receiver->rcv_nxt || seq == conn->leg[from].snd_nxt) {
		conn_move(w, id, CLOSE_RESET);
		return REASON_spliced_reset;
	}
	return seq_between(seq, receiver->rcv_nxt, receiver->window_end) ? REASON_reset_inexact
									 : REASON_reset_outside;
}

/* The translation of the numbers alone: nothing is stripped. */
static inline struct rewrite
splice_numbers(const struct conn *conn, const struct pkt *pkt, enum side from)
{
	if (from == SIDE_CLIENT)
		return (struct rewrite){
				.ack_add = -conn->seq_delta,
				.tsecr_add = -conn->ts_delta,
				.window = window_rescale(pkt->window, conn->scale_client,
						conn->scale_to_backend),
		};
	return (struct rewrite){
			.seq_add = conn->seq_delta,
			.tsval_add = conn->ts_delta,
			.window = window_rescale(
					pkt->window, conn->scale_backend, conn->scale_to_client),
	};
}

/* Of connections whose ends agreed on different things. Out of the way, so that what the others
 * need stays in registers. */
static __attribute__((noinline)) void
rewrite_uneven(struct conn *conn, struct pkt *pkt, enum side from, bool is_inside)
{
	struct rewrite rewrite = splice_numbers(conn, pkt, from);

	if (from == SIDE_CLIENT) {
		rewrite.strip_timestamp = conn->flags & CONN_STRIP_TIMESTAMP;
		rewrite.strip_sack = conn->flags & CONN_STRIP_SACK;
	}
	rewrite_segment(pkt, &rewrite);
	if (conn->flags & CONN_ECN_ALONE)
		ecn_translate(conn, pkt, from, is_inside);
}

static inline void
splice_rewrite(struct conn *conn, struct pkt *pkt, enum side from, bool is_inside)
{
	const struct rewrite rewrite = splice_numbers(conn, pkt, from);

	if (LIKELY((conn->flags & FLAGS_UNEVEN) == 0) && LIKELY(rewrite_is_even(pkt, &rewrite))) {
		rewrite_even(pkt, &rewrite);
	} else {
		rewrite_uneven(conn, pkt, from, is_inside);
	}
}

enum reason
splice_segment(struct worker *w, uint32_t id, struct pkt *pkt, enum side from)
{
	struct conn *conn = worker_conn(w, id);
	uint32_t seq = from == SIDE_CLIENT ? pkt->seq : pkt->seq + conn->seq_delta;
	enum reason reason = REASON_spliced;

	if (UNLIKELY(pkt->flags & TCP_SYN)) {
		if (from == SIDE_BACKEND && pkt->flags & TCP_ACK && !(conn->flags & CONN_TRACKED))
			return connect_answer_again(w, id, pkt);
		return from == SIDE_BACKEND && !(pkt->flags & TCP_ACK) ? REASON_stray_backend
								       : REASON_syn_ack_outside;
	}
	if (UNLIKELY(pkt->flags & TCP_RST)) {
		reason = splice_reset(w, id, from, seq);
		if (reason == REASON_reset_outside)
			return reason;
	} else if (LIKELY(segment_is_inside(conn, pkt, from, seq)) ||
			(paws_revise(w, id, pkt, from) &&
					segment_is_inside(conn, pkt, from, seq))) {
		if (UNLIKELY(paws_is_due(conn, pkt, from, seq, timer_step(w->now))) &&
				!paws_take(w, id, pkt, from, seq))
			reason = REASON_spliced_old;
		else if (UNLIKELY(!splice_track(w, id, pkt, from, seq)) &&
				ack_war_note(w, id, from))
			return ack_war_end(w, id, pkt);
	} else {
		reason = REASON_spliced_outside;
		if (from == SIDE_BACKEND && conn->flags & CONN_TRACKED)
			stray_learn_again(w, id, pkt);
	}
	splice_rewrite(conn, pkt, from, reason == REASON_spliced);
	return reason;
}

/*
 * What is looked at of a segment that may be common, once for all questions. seq, end and edge are
 * in the client's numbers.
 */
struct segment {
	uint32_t seq;
	uint32_t end;
	uint32_t edge; /* of the window it announces */
	uint32_t step; /* the time */
};

/*
 * Everything a segment needs to be spliced without a look at the connection's cold part: it belongs
 * inside, says something new, and moves nothing but the edges. The reach is the least there is.
 * Where both ends of a range are numbers like seq, a difference of two must not be negative
 * (base/seq.h), and one branch asks for all. paws_is_due() is false for what this is true for.
 */
static inline bool
is_common(const struct conn *conn, const struct pkt *pkt, enum side from, const struct segment *s)
{
	const struct leg *sender = &conn->leg[from], *receiver = &conn->leg[side_other(from)];
	uint32_t lowest_ack = sender->rcv_nxt - DUPLICATE_REACH;
	uint32_t outside = (receiver->window_end + PROBE_BYTES - s->end) |
			   (s->seq - (receiver->rcv_nxt - DUPLICATE_REACH)) |
			   (sender->snd_nxt - s->seq);

	if ((pkt->flags & (TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK)) != TCP_ACK ||
			conn->state != CONN_ESTABLISHED)
		return false;
	if ((int32_t)outside < 0 || !seq_between(pkt->ack, lowest_ack, receiver->snd_nxt) ||
			(s->step ^ conn->last_seen) >> PAWS_SPAN_SHIFT != 0)
		return false;
	return s->end != s->seq || seq_after(pkt->ack, sender->rcv_nxt) ||
	       seq_after(s->edge, sender->window_end) || pkt->opt.sack_blocks > 0;
}

/* Writes the line only if something moved. */
static inline void
common_track(struct conn *conn, const struct pkt *pkt, enum side from, const struct segment *s)
{
	struct leg *sender = &conn->leg[from];
	struct leg moved = {
			.snd_nxt = seq_max(sender->snd_nxt, s->end),
			.rcv_nxt = seq_max(sender->rcv_nxt, pkt->ack),
			.window_end = seq_max(sender->window_end, s->edge),
	};

	if ((moved.snd_nxt ^ sender->snd_nxt) | (moved.rcv_nxt ^ sender->rcv_nxt) |
			(moved.window_end ^ sender->window_end))
		*sender = moved;
	if (conn->last_seen != s->step)
		conn->last_seen = s->step;
}

/* One copy of everything for each side: then the side is a constant in it. */
static inline __attribute__((always_inline)) unsigned
common_run(struct worker *w, const struct task *tasks, unsigned count, enum side from)
{
	struct conn *conns = flow_table_record(&w->flows, 0);
	uint32_t step = timer_step(w->now);
	unsigned i;

	for (i = 0; i < count; i++) {
		struct pkt *pkt = tasks[i].pkt;
		struct conn *conn = &conns[pkt->conn];
		uint32_t seq = from == SIDE_CLIENT ? pkt->seq : pkt->seq + conn->seq_delta;
		const struct segment segment = {
				.seq = seq,
				.end = seq + pkt_payload_length(pkt),
				.edge = pkt->ack +
					((uint32_t)pkt->window << window_scale(conn, from)),
				.step = step,
		};

		if (UNLIKELY(!is_common(conn, pkt, from, &segment)))
			break;
		worker_load_ahead(w);
		common_track(conn, pkt, from, &segment);
		splice_rewrite(conn, pkt, from, true);
		pkt->reason = REASON_spliced;
	}
	return i;
}

static unsigned
common_plain(struct worker *w, const struct task *tasks, unsigned count, enum side from)
{
	return from == SIDE_CLIENT ? common_run(w, tasks, count, SIDE_CLIENT)
				   : common_run(w, tasks, count, SIDE_BACKEND);
}

unsigned
splice_common(struct worker *w, const struct task *tasks, unsigned count, enum side from)
{
	unsigned done;

	if (w->env.kernel != KERNEL_AVX512)
		return common_plain(w, tasks, count, from);
	done = splice_common_avx512(w, tasks, count, from);
	/* What that doesn't know goes one by one. */
	while (done < count && common_plain(w, tasks + done, 1, from) == 1) {
		done++;
		done += splice_common_avx512(w, tasks + done, count - done, from);
	}
	return done;
}

unsigned
splice_guessed(struct worker *w, const struct task *tasks, unsigned count, enum side from)
{
	return w->env.kernel == KERNEL_AVX512 ? splice_common_avx512(w, tasks, count, from) : 0;
}
