/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a packet shows, from the wire of somebody else's handshake:
 *
 *	client                      what would be                           backend
 *	  | SYN ────────────────────► judged by the rules ────────────────────► |
 *	  | ◄──────────────────────── how long the backend takes ◄──── SYN-ACK  |
 *	  | ACK of it ──────────────► proved; in the accept ring for that long  |
 *	  | SYN again, unanswered ──► proved: who waits is real                 |
 *	  | ◄──────────────────────── proved, and its attempt failed ◄───── RST |
 *	  | RST of it ──────────────► half-open client gone                     |
 *
 * Segments behind a handshake are looked up and pass.
 */
#include "proxy/monitor.h"

#include "base/seq.h"
#include "proxy/as_if.h"
#include "proxy/bypass.h"
#include "proxy/sample.h"
#include "proxy/screen.h"
#include "proxy/worker_impl.h"

/* A SYN comes again after a second (RFC 6298 2.1), or three; what comes sooner is a copy. */
#define SYN_AGAIN_LEAST (TICKS_PER_S / 2)

/* The ACK of a handshake may be lost: what follows it proves as much. */
#define PROOF_AHEAD_MOST 65535u

/* True for one that changes nothing, or tells that its client is real; one that got a cookie alone
 * would be judged anew. */
static bool
see_syn_again(struct worker *w, const struct backend_config *config,
		const struct observed_record *record)
{
	const struct observed_client *client = record->client;

	if (client->state != OBSERVED_SYN || client->is_acked)
		return true;
	if (!client->is_answered && w->now - client->since >= SYN_AGAIN_LEAST) {
		as_if_prove(w, config, record);
		return true;
	}
	return !client->is_cookie;
}

static enum reason
see_syn(struct worker *w, const struct backend_config *config, const struct pkt *pkt)
{
	struct observed_record record;
	enum reason reason;
	struct pkt syn;

	if (!bypass_check(w, pkt, &syn))
		return REASON_monitor_passed;
	reason = screen_as_if(w, pkt);
	if (UNLIKELY(reason != REASON_NONE))
		return reason;
	if (as_if_find(w, config, pkt, &record)) {
		if (record.client->isn == pkt->seq && see_syn_again(w, config, &record))
			return REASON_monitor_syn_again;
		as_if_forget(w, &record);
	}
	return as_if_syn(w, config, &syn);
}

/* The backend's SYN-ACK. */
static void
see_answer(struct worker *w, const struct backend_config *config, const struct pkt *pkt,
		const struct observed_record *record)
{
	struct pkt answer;

	if (record->client->is_answered || !bypass_check(w, pkt, &answer))
		return;
	as_if_answer(w, config, record, &answer);
}

/* True for a number that acknowledges the client's SYN, maybe with what it brought (RFC
 * 7413 4.2.2), or is the next it sends after that. */
static bool
is_behind_syn(const struct observed_client *client, uint32_t seq)
{
	return seq - client->isn - 1 <= client->data_length;
}

static enum reason
see_backend(struct worker *w, const struct backend_config *config, const struct pkt *pkt)
{
	struct observed_record record;

	if (LIKELY(!(pkt->flags & (TCP_SYN | TCP_RST))) || !(pkt->flags & TCP_ACK) ||
			!as_if_find(w, config, pkt, &record) ||
			!is_behind_syn(record.client, pkt->ack))
		return REASON_monitor_passed;
	if (pkt->flags & TCP_SYN)
		see_answer(w, config, pkt, &record);
	else
		as_if_refuse(w, config, &record);
	return REASON_monitor_passed;
}

static bool
is_proof(const struct observed_client *client, const struct pkt *pkt)
{
	return client->state == OBSERVED_SYN && client->is_answered && !client->is_acked &&
	       pkt->ack - client->backend_isn - 1 <= PROOF_AHEAD_MOST &&
	       pkt->seq - client->isn - 1 <= PROOF_AHEAD_MOST;
}

static enum reason
see_client(struct worker *w, const struct backend_config *config, const struct pkt *pkt)
{
	struct observed_record record;
	struct pkt copy;

	if (LIKELY(!as_if_find(w, config, pkt, &record)))
		return REASON_monitor_passed;
	if (pkt->flags & TCP_RST) {
		if (is_behind_syn(record.client, pkt->seq) && bypass_check(w, pkt, &copy))
			as_if_reset(w, &record);
		return REASON_monitor_passed;
	}
	if (!(pkt->flags & TCP_ACK) || !is_proof(record.client, pkt) ||
			!bypass_check(w, pkt, &copy))
		return REASON_monitor_passed;
	return as_if_prove(w, config, &record) ? REASON_monitor_proved
					       : REASON_monitor_ack_accept_full;
}

enum reason
monitor_see(struct worker *w, const struct backend_config *config, const struct pkt *pkt)
{
	if (pkt->kind != PKT_TCP)
		return REASON_monitor_passed;
	if (pkt->from == SIDE_BACKEND)
		return see_backend(w, config, pkt);
	if (pkt->flags & TCP_SYN)
		return pkt->flags & TCP_ACK ? REASON_monitor_passed : see_syn(w, config, pkt);
	return see_client(w, config, pkt);
}

void
monitor_sample(struct worker *w, const struct backend_config *config, struct pkt *pkt)
{
	const struct task task = {.pkt = pkt, .config = config};

	sample_syns(w, &task, 1);
}
