/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A SYN is answered whatever connection has its tuple: the answer costs no state, so a forged SYN
 * can't harm an old connection, and a client that reuses its tuple proves itself by its ACK (RFC
 * 9293 3.10.7.4 with RFC 5961 4 would challenge it; a cookie is a challenge that needs no memory).
 */
#include "proxy/handshake.h"

#include "proxy/connect.h"
#include "proxy/worker_impl.h"

/* A SYN that passed the limits: what it is told, and its cookie. */
struct syn_answer {
	struct task task;
	struct tcp_opt_syn announce;
	struct cookie_syn syn;
	struct cookie cookie;
};

/* Linux tcp_conn_request: a full accept queue refuses the SYN, whatever the cookie mode. */
static bool
syn_is_admitted(struct worker *w, const struct task *task)
{
	const struct backend_config *config = task->config;

	if (!accept_ring_is_full(
			    worker_occupancy(w, config->slot), backend_config_accept_limit(config)))
		return true;
	worker_count(w, config->slot, COUNTER_ListenOverflows, 1);
	worker_count(w, config->slot, COUNTER_ListenDrops, 1);
	task->pkt->reason = REASON_syn_accept_full;
	return false;
}

static void
syn_offer(const struct worker *w, struct syn_answer *answer, const struct task *task)
{
	const struct pkt *pkt = task->pkt;
	struct tcp_opt_syn announce = backend_profile_announce(
			&w->backends[task->config->slot].profile, task->config, &pkt->opt, w->now);

	announce.tsecr = pkt->opt.tsval;
	answer->task = *task;
	answer->announce = announce;
	/* The cookie keeps what was agreed, not what was offered. */
	answer->syn = (struct cookie_syn){
			.isn = pkt->seq,
			.mss = pkt->opt.mss,
			.wscale = pkt->opt.wscale,
			.sack_permitted = announce.sack_permitted,
			.has_timestamp = announce.has_timestamp,
	};
}

/* Window 0: no byte may come before the backend's leg exists to take it. */
static void
syn_build_answer(struct syn_answer *answer)
{
	struct pkt *pkt = answer->task.pkt;
	struct pkt_build build = {
			.to = SIDE_CLIENT,
			.seq = answer->cookie.iss,
			.ack = answer->syn.isn + 1,
			.flags = TCP_SYN | TCP_ACK,
			.ttl = PKT_TTL_DEFAULT,
	};

	answer->announce.tsval = answer->cookie.tsval;
	build.options_length = (uint8_t)tcp_opt_build_syn(build.options, &answer->announce);
	pkt_turn_round(pkt);
	pkt_build_tcp(pkt, &build);
}

void
handshake_answer_syns(struct worker *w, const struct task *syns, unsigned count)
{
	struct syn_answer answers[BURST_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < count; i++)
		if (syn_is_admitted(w, &syns[i]))
			syn_offer(w, &answers[n++], &syns[i]);
	for (unsigned i = 0; i < n; i++)
		answers[i].cookie = cookie_encode(
				&w->jar, &answers[i].task.pkt->tuple, &answers[i].syn);
	for (unsigned i = 0; i < n; i++) {
		syn_build_answer(&answers[i]);
		worker_count(w, answers[i].task.config->slot, COUNTER_SyncookiesSent, 1);
		answers[i].task.pkt->reason = REASON_syn_cookie_sent;
	}
}

bool
handshake_is_proof(const struct worker *w, const struct pkt *pkt, struct cookie_proof *proof)
{
	return cookie_check(&w->jar, &pkt->tuple, pkt->seq, pkt->ack, pkt->opt.has_timestamp,
			       pkt->opt.tsecr, proof) == COOKIE_VALID;
}

static enum reason
handshake_overflow(struct worker *w, const struct task *task)
{
	const struct backend_config *config = task->config;
	struct pkt *pkt = task->pkt;

	worker_count(w, config->slot, COUNTER_ListenOverflows, 1);
	worker_count(w, config->slot, COUNTER_ListenDrops, 1);
	if (!config->tcp_abort_on_overflow)
		return REASON_ack_overflow_dropped;

	struct pkt_build reset = {.to = SIDE_CLIENT,
			.seq = pkt->ack,
			.flags = TCP_RST,
			.ttl = PKT_TTL_DEFAULT};

	worker_count(w, config->slot, COUNTER_EmbryonicRsts, 1);
	pkt_turn_round(pkt);
	pkt_build_tcp(pkt, &reset);
	return REASON_ack_overflow_reset;
}

static void
ether_copy(uint8_t to[ETHER_ADDR_BYTES], const uint8_t *from)
{
	memcpy(to, from, ETHER_ADDR_BYTES);
}

/* Everything the proof and the ACK say, written down for the backend's leg. */
static void
handshake_record(struct worker *w, uint32_t id, const struct task *task,
		const struct cookie_proof *proof)
{
	const struct pkt *pkt = task->pkt;
	struct conn *conn = worker_conn(w, id);
	struct conn_setup *setup = &w->setups[id];
	uint8_t scale = proof->syn.wscale == TCP_WSCALE_NONE ? 0 : proof->syn.wscale;

	conn->leg[SIDE_CLIENT].snd_nxt = proof->isn + 1;
	conn->leg[SIDE_BACKEND].snd_nxt = proof->iss + 1;
	conn->scale_client = scale;
	conn->scale_to_client =
			proof->syn.wscale == TCP_WSCALE_NONE ? 0 : task->config->announced_wscale;
	conn->ts_delta = pkt->opt.has_timestamp ? pkt->opt.tsecr : 0;
	*setup = (struct conn_setup){
			.tsval = pkt->opt.has_timestamp ? pkt->opt.tsval : 0,
			.flow_label = pkt->flow_label,
			.iss = proof->iss,
			.mss = proof->syn.mss,
			.window = pkt->window,
			.ttl = pkt->ttl,
			.tos = (uint8_t)(pkt->tos & ~3u),
			.wscale = proof->syn.wscale,
			.sack_permitted = proof->syn.sack_permitted,
			.has_timestamp = proof->syn.has_timestamp,
	};
	ether_copy(setup->backend_mac, pkt->data);
	ether_copy(setup->client_mac, pkt->data + ETHER_ADDR_BYTES);
}

enum reason
handshake_admit(struct worker *w, const struct task *task, const struct cookie_proof *proof)
{
	const struct backend_config *config = task->config;

	worker_count(w, config->slot, COUNTER_SyncookiesRecv, 1);
	if (!accept_ring_enter(
			    worker_occupancy(w, config->slot), backend_config_accept_limit(config)))
		return handshake_overflow(w, task);

	uint32_t id = conn_insert(w, task->pkt, config->slot);

	if (id == FLOW_NONE) {
		accept_ring_leave(worker_occupancy(w, config->slot));
		worker_count(w, config->slot, COUNTER_ListenDrops, 1);
		return REASON_conn_table_full;
	}
	worker_count(w, config->slot, COUNTER_PassiveOpens, 1);
	handshake_record(w, id, task, proof);
	return connect_begin(w, id, task->pkt, config);
}
