/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An error is believed only when it quotes a number that is in flight (RFC 5927 4.1), in the
 * client's numbers of both directions:
 *
 *	from the client's side, about a segment of the backend:  what the client has not
 *acknowledged from the backend's side, about a segment of the client:  what the backend has not
 *acknowledged
 *
 * A keep-alive probe lies one below, a pure acknowledgement at the end: both count.
 */
#include "proxy/icmp_error.h"

#include "base/seq.h"
#include "net/icmp.h"
#include "proxy/probe.h"
#include "proxy/worker_impl.h"

enum reason
icmp_error_take(struct worker *w, struct pkt *pkt)
{
	enum side from = (enum side)pkt->from;
	struct icmp_rewrite rewrite = {.seq_add = 0};
	const struct conn *conn;
	const struct leg *sender, *receiver;
	uint32_t seq = pkt->seq;

	if (pkt->conn == FLOW_NONE) {
		enum reason reason = probe_unreachable(w, pkt);

		return reason == REASON_NONE ? REASON_icmp_unknown : reason;
	}
	conn = worker_conn(w, pkt->conn);
	if (conn->state < CONN_ESTABLISHED)
		return REASON_icmp_early;
	receiver = &conn->leg[from];
	sender = &conn->leg[side_other(from)];
	if (!seq_between(seq, receiver->rcv_nxt - 1, sender->snd_nxt))
		return REASON_icmp_outside;

	if (from == SIDE_CLIENT) {
		rewrite.seq_add = -conn->seq_delta;
		rewrite.tsval_add = -conn->ts_delta;
	} else {
		rewrite.ack_add = conn->seq_delta;
		rewrite.tsecr_add = conn->ts_delta;
	}
	icmp_rewrite_quote(pkt, &rewrite);
	return REASON_icmp_translated;
}
