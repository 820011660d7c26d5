/* SPDX-License-Identifier: BSD-3-Clause */
/* The entry of a client is asked first, being more exact; what it says, its cookie says too. */
#include "proxy/handshake.h"

#include "base/seq.h"
#include "net/rewrite.h"
#include "proxy/connect.h"
#include "proxy/half_open.h"
#include "proxy/worker_impl.h"

/* Both proofs of a client that has an entry must agree, as long as its cookie lives. */
static void
check_both_proofs(const struct worker *w, const struct syn_entry *entry, const struct pkt *pkt)
{
	struct cookie_proof proof;
	bool is_cookie =
			cookie_check(&w->jar, &pkt->tuple, entry->isn + 1, entry->iss + 1,
					entry->has_timestamp, entry->tsval, &proof) == COOKIE_VALID;

	/* An entry whose first timer is still to come is younger than any cookie's life. */
	if (entry->repeats == 0 && seq_before(timer_step(w->now), entry->timer.expires))
		ENSURE(is_cookie);
	if (is_cookie)
		ENSURE(proof.isn == entry->isn &&
				proof.syn.sack_permitted == entry->sack_permitted &&
				(proof.syn.ecn == entry->ecn || !entry->has_timestamp));
}

static void
proof_from_entry(struct proof *proof, const struct syn_entry *entry, const struct pkt *pkt)
{
	proof->is_entry = true;
	proof->cookie = half_open_proof(entry);
	proof->announced_wscale = entry->announced_wscale == SYN_WSCALE_NONE
						  ? TCP_WSCALE_NONE
						  : entry->announced_wscale;
	proof->tsval = entry->tsval;
	proof->client_tsval = pkt->opt.has_timestamp ? pkt->opt.tsval : entry->client_tsval;
}

static void
proof_from_cookie(const struct worker *w, struct proof *proof, const struct task *task)
{
	const struct pkt *pkt = task->pkt;

	if (proof->cookie.syn.wscale != TCP_WSCALE_NONE)
		proof->announced_wscale =
				backend_config_wscale(task->config, snapshot_cookies(w->snapshot),
						jar_epoch_of(&w->jar, proof->cookie.iss));
	proof->tsval = pkt->opt.tsecr;
	proof->client_tsval = pkt->opt.tsval;
}

/* The entries of those without connection. */
static void
look_for_entries(const struct worker *w, struct task *tasks, unsigned count)
{
	struct flow_query queries[BURST_MAX];
	struct task *askers[BURST_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < count; i++) {
		const struct pkt *pkt = tasks[i].pkt;

		if (pkt->conn != FLOW_NONE)
			continue;
		queries[n].tuple = &pkt->tuple;
		queries[n].hash = pkt->hash;
		askers[n++] = &tasks[i];
	}
	flow_table_find_all(&w->syns.flows, queries, n);
	for (unsigned i = 0; i < n; i++)
		askers[i]->entry = queries[i].handle;
}

/* The cookies of ACKs that found no entry. */
static void
look_at_cookies(const struct worker *w, struct task *tasks, unsigned count)
{
	const bool has_entries = !syn_queue_is_empty(&w->syns);
	const struct backend_config *config = NULL;
	const struct pkt *acks[BURST_MAX];
	struct task *askers[BURST_MAX];
	enum task_cookie cookie = TASK_COOKIE_UNKNOWN;
	unsigned n = 0;
	uint32_t valid;

	for (unsigned i = 0; i < count; i++) {
		struct task *task = &tasks[i];

		if (task->pkt->conn != FLOW_NONE)
			continue;
		task->has_looked = true;
		if (!has_entries)
			task->entry = SYN_QUEUE_NONE;
		else if (task->entry != SYN_QUEUE_NONE)
			continue;
		if (task->pkt->flags & (TCP_SYN | TCP_RST))
			continue;
		if (task->config != config) {
			config = task->config;
			cookie = half_open_expects_cookies(w, config) ? TASK_COOKIE_INVALID
								      : TASK_COOKIE_NOT_ASKED;
		}
		task->cookie = (uint8_t)cookie;
		if (cookie == TASK_COOKIE_INVALID) {
			acks[n] = task->pkt;
			askers[n++] = task;
		}
	}
	if (n == 0)
		return;
	valid = cookie_check_burst(&w->jar, w->env.kernel, acks, n);
	for (; valid != 0; valid &= valid - 1)
		askers[__builtin_ctz(valid)]->cookie = TASK_COOKIE_VALID;
}
static_assert(BURST_MAX <= COOKIE_BURST_MAX, "ACKs of a burst are checked together");

/* The same for one: what many are prepared for takes longer than its MAC. */
static void
look_at_one(const struct worker *w, struct task *task)
{
	const struct pkt *pkt = task->pkt;
	struct cookie_proof proof;

	task->has_looked = true;
	task->entry = syn_queue_find(&w->syns, pkt->hash, &pkt->tuple);
	if (task->entry != SYN_QUEUE_NONE || pkt->flags & (TCP_SYN | TCP_RST))
		return;
	if (!half_open_expects_cookies(w, task->config))
		task->cookie = TASK_COOKIE_NOT_ASKED;
	else if (cookie_check(&w->jar, &pkt->tuple, pkt->seq, pkt->ack, pkt->opt.has_timestamp,
				 pkt->opt.tsecr, &proof) == COOKIE_VALID)
		task->cookie = TASK_COOKIE_VALID;
	else
		task->cookie = TASK_COOKIE_INVALID;
}

void
handshake_look(const struct worker *w, struct task *tasks, unsigned count)
{
	if (count == 0 || tasks[0].has_looked)
		return;
	if (count == 1) {
		if (tasks[0].pkt->conn == FLOW_NONE)
			look_at_one(w, &tasks[0]);
		return;
	}
	if (!syn_queue_is_empty(&w->syns))
		look_for_entries(w, tasks, count);
	look_at_cookies(w, tasks, count);
}

/* One cookie by itself, where nobody has looked. */
static enum task_cookie
cookie_of(const struct worker *w, const struct task *task, struct proof *proof)
{
	const struct cookie_ack ack = cookie_ack_from(task->pkt);

	if (task->cookie == TASK_COOKIE_VALID)
		cookie_read(&ack, &proof->cookie);
	if (task->cookie != TASK_COOKIE_UNKNOWN)
		return (enum task_cookie)task->cookie;
	if (!half_open_expects_cookies(w, task->config))
		return TASK_COOKIE_NOT_ASKED;
	return cookie_check(&w->jar, ack.tuple, ack.seq, ack.ack, ack.has_timestamp, ack.tsecr,
			       &proof->cookie) == COOKIE_VALID
			       ? TASK_COOKIE_VALID
			       : TASK_COOKIE_INVALID;
}

enum proof_outcome
handshake_check(const struct worker *w, const struct task *task, struct proof *proof)
{
	const struct pkt *pkt = task->pkt;

	*proof = (struct proof){
			.entry = task->has_looked
						 ? task->entry
						 : syn_queue_find(&w->syns, pkt->hash, &pkt->tuple),
			.announced_wscale = TCP_WSCALE_NONE,
	};
	if (proof->entry != SYN_QUEUE_NONE) {
		const struct syn_entry *entry = syn_queue_entry(&w->syns, proof->entry);

		if (half_open_is_proof(entry, pkt)) {
			if (SLUICE_TEST_CHECKS)
				check_both_proofs(w, entry, pkt);
			proof_from_entry(proof, entry, pkt);
			return PROOF_VALID;
		}
	}
	switch (cookie_of(w, task, proof)) {
	case TASK_COOKIE_VALID:
		proof_from_cookie(w, proof, task);
		return PROOF_VALID;
	case TASK_COOKIE_NOT_ASKED:
		return PROOF_NOT_ASKED;
	default:
		return PROOF_INVALID;
	}
}

static enum reason
handshake_overflow(struct worker *w, const struct task *task, const struct proof *proof)
{
	const struct backend_config *config = task->config;
	struct pkt *pkt = task->pkt;

	worker_count_drop(w, config, COUNTER_ListenOverflows);
	if (!config->tcp_abort_on_overflow) {
		if (proof->is_entry)
			syn_queue_entry(&w->syns, proof->entry)->is_acked = true;
		return REASON_ack_overflow_dropped;
	}

	struct pkt_build reset = {.to = SIDE_CLIENT,
			.seq = pkt->ack,
			.flags = TCP_RST,
			.ttl = PKT_TTL_DEFAULT};

	worker_count(w, config->slot, COUNTER_EmbryonicRsts, 1);
	if (proof->is_entry)
		half_open_remove(w, proof->entry, config);
	pkt_turn_round(pkt);
	pkt_build_tcp(pkt, &reset);
	return REASON_ack_overflow_reset;
}

enum reason
handshake_reset(struct worker *w, const struct task *task)
{
	const struct pkt *pkt = task->pkt;
	uint32_t id = syn_queue_find(&w->syns, pkt->hash, &pkt->tuple);

	if (id == SYN_QUEUE_NONE || pkt->seq != syn_queue_entry(&w->syns, id)->isn + 1)
		return REASON_stray_client;
	worker_count(w, task->config->slot, COUNTER_EmbryonicRsts, 1);
	half_open_remove(w, id, task->config);
	return REASON_syn_queue_reset;
}

static void
ether_copy(uint8_t to[ETHER_ADDR_BYTES], const uint8_t *from)
{
	memcpy(to, from, ETHER_ADDR_BYTES);
}

/* Everything the proof and the ACK say, written down for the backend's leg. */
static void
handshake_record(struct worker *w, uint32_t id, const struct task *task, const struct proof *proof)
{
	const struct pkt *pkt = task->pkt;
	const struct cookie_syn *syn = &proof->cookie.syn;
	struct conn *conn = worker_conn(w, id);
	struct conn_setup *setup = &w->setups[id];

	conn->leg[SIDE_CLIENT].snd_nxt = proof->cookie.isn + 1;
	conn->leg[SIDE_BACKEND].snd_nxt = proof->cookie.iss + 1;
	conn->scale_client = syn->wscale == TCP_WSCALE_NONE ? 0 : syn->wscale;
	conn->scale_to_client =
			proof->announced_wscale == TCP_WSCALE_NONE ? 0 : proof->announced_wscale;
	conn->ts_delta = syn->has_timestamp ? proof->tsval : 0;
	/* An entry that is gone may have promised what its cookie had no room for. */
	if (!proof->is_entry && !syn->has_timestamp)
		conn->flags |= CONN_ECN_ALONE;
	*setup = (struct conn_setup){
			.tsval = syn->has_timestamp ? proof->client_tsval : 0,
			.flow_label = pkt->flow_label,
			.iss = proof->cookie.iss,
			.mss = worker_mss(w, pkt->tuple.family, syn->mss),
			.window = pkt->window,
			.ttl = pkt->ttl,
			.tos = pkt->tos,
			.wscale = syn->wscale,
			.sack_permitted = syn->sack_permitted,
			.has_timestamp = syn->has_timestamp,
			.ecn = syn->ecn,
	};
	ether_copy(setup->backend_mac, pkt->data);
	ether_copy(setup->client_mac, pkt->data + ETHER_ADDR_BYTES);
}

enum reason
handshake_admit(struct worker *w, const struct task *task, const struct proof *proof)
{
	const struct backend_config *config = task->config;
	/* Who was answered before the backend's mode changed is let in whatever the ring is like.
	 */
	const uint32_t most = LIKELY(config->mode == MODE_PROTECT)
					      ? backend_config_accept_limit(config)
					      : UINT32_MAX - 1;

	if (!proof->is_entry)
		worker_count(w, config->slot, COUNTER_SyncookiesRecv, 1);
	if (!accept_ring_enter(worker_occupancy(w, config->slot), most))
		return handshake_overflow(w, task, proof);

	uint32_t id = conn_insert(w, task->pkt, config->slot);

	if (id == FLOW_NONE) {
		accept_ring_leave(worker_occupancy(w, config->slot));
		worker_count(w, config->slot, COUNTER_ListenDrops, 1);
		return REASON_conn_table_full;
	}
	worker_count(w, config->slot, COUNTER_PassiveOpens, 1);
	handshake_record(w, id, task, proof);
	if (proof->entry != SYN_QUEUE_NONE)
		half_open_remove(w, proof->entry, config);
	return connect_begin(w, id, task->pkt, config);
}
