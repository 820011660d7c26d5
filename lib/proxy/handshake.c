/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A SYN is answered whatever connection has its tuple: with a cookie, which costs no state, so a
 * forged SYN can't harm an old connection, and a client that reuses its tuple proves itself by its
 * ACK (RFC 9293 3.10.7.4 with RFC 5961 4 would challenge it; a cookie is a challenge that needs no
 * memory).
 *
 * The ISN is a cookie also when an entry is kept. So nothing that may happen to the entry
 * (eviction, another worker, a change of mode) ends the handshake.
 */
#include "proxy/handshake.h"

#include "base/seq.h"
#include "net/rewrite.h"
#include "net/syn_ack.h"
#include "proxy/connect.h"
#include "proxy/early.h"
#include "proxy/egress.h"
#include "proxy/half_open.h"
#include "proxy/worker_impl.h"

/* What a SYN of the burst ends as. */
enum answer_kind {
	ANSWER_COOKIE, /* a cookie alone */
	ANSWER_QUEUED, /* the cookie goes into a new entry too */
	ANSWER_AGAIN,  /* from the entry that is there */
};

/* What answers to all SYNs for one backend have in common within a burst. */
struct syn_offer {
	const struct backend_config *config;
	struct tcp_opt_syn announce; /* to a client that offers everything */
	bool is_early_data_welcome;
	/* The rules' word for one SYN that got a cookie alone goes for all of them: nothing is
	 * queued meanwhile. */
	bool is_cookie;
	bool is_queue_full;
};

/* A SYN on its way through the stages: what becomes of it, and what it is told. */
struct syn_answer {
	struct task task;
	enum answer_kind kind;
	uint32_t entry;
	struct tcp_opt_syn announce;
	uint16_t window;
};

/* Those of a burst that are answered, and what their cookies are made of and are. */
struct syn_batch {
	unsigned count;
	struct syn_answer answers[BURST_MAX];
	const struct tuple *tuples[BURST_MAX];
	struct cookie_syn syns[BURST_MAX];
	struct cookie cookies[BURST_MAX];
};
static_assert(BURST_MAX <= COOKIE_BURST_MAX, "all cookies of a burst at once");

static void
count_drop(struct worker *w, const struct backend_config *config, enum backend_counter why)
{
	worker_count(w, config->slot, why, 1);
	worker_count(w, config->slot, COUNTER_ListenDrops, 1);
}

static void
offer_make(struct worker *w, struct syn_offer *offer, const struct backend_config *config)
{
	struct tcp_opt_syn announce =
			backend_profile_offer(&worker_backend(w, config)->profile, config, w->now);

	announce.mss = worker_mss(w, config->family, announce.mss);
	announce.wscale =
			backend_config_wscale(config, snapshot_cookies(w->snapshot), w->jar.epoch);
	*offer = (struct syn_offer){
			.config = config,
			.announce = announce,
			.is_early_data_welcome = early_is_welcome(w, config),
	};
}

static void
syn_prepare(struct syn_batch *batch, const struct task *task, const struct syn_offer *offer)
{
	const struct pkt *pkt = task->pkt;
	struct syn_answer *answer = &batch->answers[batch->count];
	struct cookie_syn *syn = &batch->syns[batch->count];

	answer->task = *task;
	answer->kind = ANSWER_COOKIE;
	backend_offer_to(&answer->announce, &offer->announce, pkt);
	answer->window = early_window(
			offer->is_early_data_welcome, offer->announce.mss, pkt->opt.mss);
	batch->tuples[batch->count] = &pkt->tuple;
	/* The cookie keeps what was agreed, not what was offered. */
	syn->isn = pkt->seq;
	syn->mss = pkt->opt.mss;
	syn->wscale = pkt->opt.wscale;
	syn->sack_permitted = answer->announce.sack_permitted;
	syn->has_timestamp = answer->announce.has_timestamp;
	syn->ecn = answer->announce.ecn & answer->announce.has_timestamp;
}

/* How full the backend's queues are for one SYN; settles whether mode 1 sends cookies. */
static struct queue_load
syn_load(struct worker *w, const struct task *task)
{
	const struct backend_config *config = task->config;
	struct backend_shared *shared = &w->env.shared[config->slot];
	struct queue_load load = {
			.accept = shared_read(&shared->accept),
			.syn = shared_read(&shared->syn),
			.young = shared_read(&shared->young),
	};
	uint32_t now_ms = queue_rules_ms(w->now);

	if (config->tcp_syncookies == 1) {
		load.cookies = queue_rules_cookies(config, load.syn, shared_read(&shared->cookies),
				shared_read(&shared->full_ms), now_ms);
		shared_write(&shared->cookies, load.cookies);
	} else if (config->tcp_syncookies == 0) {
		load.is_proven = proven_has(&w->proven, &task->pkt->tuple.client, w->now);
	}
	if (load.syn >= queue_rules_syn_limit(config)) {
		/* A coarse clock: the line is shared, and a flood would write it all the time. */
		if (now_ms - shared_read(&shared->full_ms) > QUEUE_RULES_HOLD_MS / 8)
			shared_write(&shared->full_ms, now_ms);
	}
	return load;
}

/* A connection of that tuple that is not over: its client is answered by a cookie, which disturbs
 * nobody, but not again and again. */
static bool
has_live_connection(const struct worker *w, const struct pkt *pkt)
{
	uint32_t id = flow_table_find(&w->flows, pkt->hash, &pkt->tuple);

	return id != FLOW_NONE && worker_conn(w, id)->state != CONN_TIME_WAIT &&
	       worker_conn(w, id)->state != CONN_RESET &&
	       worker_conn(w, id)->state != CONN_UNANSWERED;
}

/* Gives the SYN an entry if the rules want one and there is room; REASON_NONE: it is answered. */
static enum reason
syn_queue_up(struct worker *w, struct syn_answer *answer, const struct queue_load *load)
{
	const struct backend_config *config = answer->task.config;
	const struct pkt *pkt = answer->task.pkt;
	uint32_t most = load->is_proven ? queue_rules_syn_limit(config)
					: queue_rules_syn_limit_unproven(config);

	if (answer->entry != SYN_QUEUE_NONE || has_live_connection(w, pkt))
		return REASON_NONE;
	answer->entry = half_open_insert(w, pkt, config, most, &answer->announce);
	if (answer->entry != SYN_QUEUE_NONE) {
		answer->kind = ANSWER_QUEUED;
		return REASON_NONE;
	}
	/* Another worker took the last place, or this one has no memory left for it. */
	if (config->tcp_syncookies != 0)
		return REASON_NONE;
	count_drop(w, config, COUNTER_TCPReqQFullDrop);
	return REASON_syn_queue_full;
}

/* Linux tcp_conn_request. REASON_NONE: it is answered. */
static enum reason
syn_judge(struct worker *w, struct syn_answer *answer, struct syn_offer *offer)
{
	const struct backend_config *config = answer->task.config;
	const struct queue_load load = syn_load(w, &answer->task);

	if (config->is_draining) {
		worker_count(w, config->slot, COUNTER_ListenDrops, 1);
		return REASON_syn_draining;
	}
	offer->is_queue_full = load.syn >= queue_rules_syn_limit(config);
	if (config->tcp_syncookies != 0 && offer->is_queue_full)
		worker_count(w, config->slot, COUNTER_TCPReqQFullDoCookies, 1);

	switch (queue_rules_syn(config, &load)) {
	case SYN_DROP_QUEUE_FULL:
		count_drop(w, config, COUNTER_TCPReqQFullDrop);
		return REASON_syn_queue_full;
	case SYN_DROP_ACCEPT_FULL:
		count_drop(w, config, COUNTER_ListenOverflows);
		return REASON_syn_accept_full;
	case SYN_DROP_RESERVED:
		worker_count(w, config->slot, COUNTER_ListenDrops, 1);
		return REASON_syn_reserved;
	case SYN_QUEUE:
		return syn_queue_up(w, answer, &load);
	case SYN_COOKIE:
	case SYN_COOKIE_QUEUE_FULL:
		break;
	}
	offer->is_cookie = true;
	return REASON_NONE;
}

/* One SYN through the rules, in its turn, since each one queued counts for the next. True when it
 * is to be answered. */
static inline bool
syn_admit(struct worker *w, struct syn_answer *answer, struct syn_offer *offer)
{
	struct pkt *pkt = answer->task.pkt;

	answer->entry = syn_queue_find(&w->syns, pkt->hash, &pkt->tuple);
	if (answer->entry != SYN_QUEUE_NONE) {
		if (syn_queue_entry(&w->syns, answer->entry)->isn == pkt->seq) {
			answer->kind = ANSWER_AGAIN;
			return true;
		}
		/* Another handshake of the same tuple, or a forgery: the entry stays as it is. */
	}
	if (LIKELY(offer->is_cookie)) {
		if (offer->is_queue_full)
			worker_count(w, offer->config->slot, COUNTER_TCPReqQFullDoCookies, 1);
		return true;
	}
	pkt->reason = (uint8_t)syn_judge(w, answer, offer);
	return pkt->reason == REASON_NONE;
}

/* False: the answer would be longer than the SYN, and is not paid for. */
static inline bool
syn_build_answer(struct worker *w, struct syn_answer *answer, const struct cookie_syn *syn,
		const struct cookie *cookie)
{
	struct pkt *pkt = answer->task.pkt;
	struct syn_ack syn_ack = {
			.seq = cookie->iss,
			.ack = syn->isn + 1,
			.window = answer->window,
			/* Promised only where it is remembered: in the cookie's TSval, or in the
			 * entry. */
			.ecn = syn->ecn || (answer->kind == ANSWER_QUEUED && answer->announce.ecn),
	};

	/* cookie_encode_burst() has filled it. */
	/* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign) */
	answer->announce.tsval = cookie->tsval;
	if (UNLIKELY(!egress_admits(w, pkt, &answer->announce)))
		return false;
	pkt_turn_round(pkt);
	syn_ack_build(pkt, &syn_ack, &answer->announce);
	return true;
}

static inline enum reason
syn_finish(struct worker *w, struct syn_answer *answer, const struct cookie_syn *syn,
		const struct cookie *cookie)
{
	const struct backend_config *config = answer->task.config;
	struct syn_entry *entry;

	/* A later SYN of the burst may have taken the entry's place. */
	if (answer->kind != ANSWER_COOKIE &&
			UNLIKELY(syn_queue_find(&w->syns, answer->task.pkt->hash,
						 &answer->task.pkt->tuple) != answer->entry))
		answer->kind = ANSWER_COOKIE;
	switch (answer->kind) {
	case ANSWER_AGAIN:
		return half_open_answer_again(w, answer->entry, answer->task.pkt, config)
				       ? REASON_syn_again
				       : REASON_syn_egress_limited;
	case ANSWER_QUEUED:
		entry = syn_queue_entry(&w->syns, answer->entry);
		/* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign) */
		entry->iss = cookie->iss;
		entry->tsval = cookie->tsval;
		if (LIKELY(syn_build_answer(w, answer, syn, cookie)))
			return REASON_syn_queued;
		half_open_remove(w, answer->entry, config);
		return REASON_syn_egress_limited;
	case ANSWER_COOKIE:
		break;
	}
	if (UNLIKELY(!syn_build_answer(w, answer, syn, cookie)))
		return REASON_syn_egress_limited;
	worker_count(w, config->slot, COUNTER_SyncookiesSent, 1);
	return REASON_syn_cookie_sent;
}

static void
batch_finish(struct worker *w, struct syn_batch *batch)
{
	const struct backend_config *noted = NULL;

	for (unsigned i = 0; i < batch->count; i++) {
		struct syn_answer *answer = &batch->answers[i];
		enum reason reason = syn_finish(w, answer, &batch->syns[i], &batch->cookies[i]);

		answer->task.pkt->reason = (uint8_t)reason;
		if (reason == REASON_syn_cookie_sent && answer->task.config != noted) {
			noted = answer->task.config;
			half_open_cookie_sent(w, noted);
		}
	}
}

void
handshake_answer_syns(struct worker *w, const struct task *syns, unsigned count)
{
	struct syn_offer offer;
	struct syn_batch batch;

	if (count == 0)
		return;
	batch.count = 0;
	for (unsigned i = 0; i < count; i++) {
		if (i == 0 || syns[i].config != offer.config)
			offer_make(w, &offer, syns[i].config);
		syn_prepare(&batch, &syns[i], &offer);
		batch.count += syn_admit(w, &batch.answers[batch.count], &offer);
	}
	cookie_encode_burst(&w->jar, w->env.kernel, batch.tuples, batch.syns, batch.cookies,
			batch.count);
	batch_finish(w, &batch);
}

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

void
handshake_look(const struct worker *w, struct task *tasks, unsigned count)
{
	if (count == 0)
		return;
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

	count_drop(w, config, COUNTER_ListenOverflows);
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

	if (!proof->is_entry)
		worker_count(w, config->slot, COUNTER_SyncookiesRecv, 1);
	if (!accept_ring_enter(
			    worker_occupancy(w, config->slot), backend_config_accept_limit(config)))
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
