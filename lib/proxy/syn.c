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
#include "proxy/syn.h"

#include "net/syn_ack_burst.h"
#include "proxy/early.h"
#include "proxy/egress.h"
#include "proxy/half_open.h"
#include "proxy/worker_impl.h"

/* What a lone SYN goes through, where gcc would rather call: each call is a tenth of the work. */
#define LONE_INLINE inline __attribute__((always_inline))

/* What answers to all SYNs for one backend have in common within a burst. */
struct syn_offer {
	const struct backend_config *config;
	struct tcp_opt_syn announce; /* to a client that offers everything */
	struct syn_terms terms;	     /* the same */
	/* The rules' word for one SYN that got a cookie alone goes for all of them: nothing is
	 * queued meanwhile. */
	bool is_cookie;
	bool is_queue_full;
	uint32_t uncounted; /* of those that met a full queue */
};

/* A SYN that is answered. */
struct syn_answer {
	const struct task *task;
	uint32_t entry; /* that it has in the syn queue, or SYN_QUEUE_NONE */
	bool is_queued; /* that entry is new, and gets the cookie too */
};

/* SYNs in a row for one backend: up to end, from the end of the run before. */
struct syn_run {
	const struct backend_config *config;
	unsigned end;
};

/* Those of a burst that get a cookie, and those that are answered again, from their entries. */
struct syn_batch {
	struct syn_ack_burst burst;
	struct syn_run runs[BURST_MAX];
	unsigned run_count;
	uint32_t entries[BURST_MAX]; /* new ones, which get the cookie too, of those in queued */
	uint32_t queued;
	bool has_looked; /* whether the rest of them has entries: none, if is_none_queued */
	bool is_none_queued;
	uint32_t changes; /* worker.changes before the first of them */
	unsigned again_count;
	struct syn_answer again[BURST_MAX];
	struct syn_terms again_terms[BURST_MAX];
};
static_assert(BURST_MAX <= SYN_ACK_BURST_MAX, "all SYNs of a burst at once");

static struct syn_terms
terms_make(const struct tcp_opt_syn *announce, bool is_early_data_welcome)
{
	return (struct syn_terms){
			.mss = announce->mss,
			.wscale = announce->wscale,
			.flags = (uint8_t)((announce->sack_permitted ? SYN_TERMS_SACK : 0) |
					   (announce->has_timestamp ? SYN_TERMS_TIMESTAMPS : 0) |
					   (announce->ecn ? SYN_TERMS_ECN : 0) |
					   (is_early_data_welcome ? SYN_TERMS_DATA : 0)),
	};
}

static LONE_INLINE void
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
			.terms = terms_make(&announce, early_is_welcome(w, config)),
	};
}

/* The run of SYNs that were given an offer ends; what was counted meanwhile. */
static void
offer_end(struct worker *w, const struct syn_offer *offer, struct syn_batch *batch)
{
	batch->runs[batch->run_count++] = (struct syn_run){offer->config, batch->burst.count};
	if (offer->uncounted > 0)
		worker_count(w, offer->config->slot, COUNTER_TCPReqQFullDoCookies,
				offer->uncounted);
}

static LONE_INLINE struct queue_load
load_read(struct worker *w, const struct backend_config *config, const struct tuple *tuple)
{
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
		load.is_proven = proven_has(&w->proven, &tuple->client, w->now);
	}
	if (load.syn >= queue_rules_syn_limit(config)) {
		/* A coarse clock: the line is shared, and a flood would write it all the time. */
		if (now_ms - shared_read(&shared->full_ms) > QUEUE_RULES_HOLD_MS / 8)
			shared_write(&shared->full_ms, now_ms);
	}
	return load;
}

struct queue_load
syn_load(struct worker *w, const struct backend_config *config, const struct tuple *tuple)
{
	return load_read(w, config, tuple);
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
syn_queue_up(struct worker *w, struct syn_answer *answer, const struct syn_offer *offer,
		const struct queue_load *load)
{
	const struct backend_config *config = offer->config;
	const struct pkt *pkt = answer->task->pkt;
	uint32_t most = load->is_proven ? queue_rules_syn_limit(config)
					: queue_rules_syn_limit_unproven(config);
	struct tcp_opt_syn announce = {.tsval = 0};

	if (answer->entry != SYN_QUEUE_NONE || has_live_connection(w, pkt))
		return REASON_NONE;
	syn_ack_offer(&announce, &offer->announce, pkt);
	answer->entry = half_open_insert(w, pkt, config, most, &announce);
	if (answer->entry != SYN_QUEUE_NONE) {
		answer->is_queued = true;
		return REASON_NONE;
	}
	/* Another worker took the last place, or this one has no memory left for it. */
	if (config->tcp_syncookies != 0)
		return REASON_NONE;
	worker_count_drop(w, config, COUNTER_TCPReqQFullDrop);
	return REASON_syn_queue_full;
}

/* Linux tcp_conn_request. REASON_NONE: it is answered. */
static LONE_INLINE enum reason
syn_judge(struct worker *w, struct syn_answer *answer, struct syn_offer *offer)
{
	const struct backend_config *config = offer->config;

	/* It meets a living connection (bypass.h); the queues there are as if. */
	if (UNLIKELY(config->mode != MODE_PROTECT)) {
		offer->is_cookie = true;
		return REASON_NONE;
	}

	const struct queue_load load = load_read(w, config, &answer->task->pkt->tuple);

	if (config->is_draining) {
		worker_count(w, config->slot, COUNTER_ListenDrops, 1);
		return REASON_syn_draining;
	}
	offer->is_queue_full = load.syn >= queue_rules_syn_limit(config);
	if (config->tcp_syncookies != 0 && offer->is_queue_full)
		worker_count(w, config->slot, COUNTER_TCPReqQFullDoCookies, 1);

	switch (queue_rules_syn(config, &load)) {
	case SYN_DROP_QUEUE_FULL:
		worker_count_drop(w, config, COUNTER_TCPReqQFullDrop);
		return REASON_syn_queue_full;
	case SYN_DROP_ACCEPT_FULL:
		worker_count_drop(w, config, COUNTER_ListenOverflows);
		return REASON_syn_accept_full;
	case SYN_DROP_RESERVED:
		worker_count(w, config->slot, COUNTER_ListenDrops, 1);
		return REASON_syn_reserved;
	case SYN_QUEUE:
		return syn_queue_up(w, answer, offer, &load);
	case SYN_COOKIE:
	case SYN_COOKIE_QUEUE_FULL:
		break;
	}
	offer->is_cookie = true;
	return REASON_NONE;
}

static inline void
batch_add(struct syn_batch *batch, struct pkt *pkt, struct syn_terms terms)
{
	const unsigned i = batch->burst.count++;

	batch->burst.pkts[i] = pkt;
	batch->burst.terms[i] = terms;
	pkt->reason = REASON_syn_cookie_sent;
}

/* One that the rules have to be asked about. */
static __attribute__((noinline)) void
syn_admit_judged(struct worker *w, struct syn_batch *batch, struct syn_offer *offer,
		const struct task *task, uint32_t entry)
{
	struct syn_answer answer = {.task = task, .entry = entry};
	struct syn_terms terms = offer->terms;
	const unsigned i = batch->burst.count;

	task->pkt->reason = (uint8_t)syn_judge(w, &answer, offer);
	if (task->pkt->reason != REASON_NONE)
		return;
	/* ECN is promised only where it is remembered: in the cookie's TSval, or in the entry. */
	if (answer.is_queued) {
		terms.flags |= SYN_TERMS_ECN_KEPT;
		batch->queued |= UINT32_C(1) << i;
		batch->entries[i] = answer.entry;
	}
	batch_add(batch, task->pkt, terms);
}

/* One SYN through the rules, in its turn, since each one queued counts for the next. */
static inline void
syn_admit(struct worker *w, struct syn_batch *batch, struct syn_offer *offer,
		const struct task *task)
{
	struct pkt *pkt = task->pkt;
	const uint32_t entry = syn_queue_find(&w->syns, pkt->hash, &pkt->tuple);

	if (entry != SYN_QUEUE_NONE) {
		if (syn_queue_entry(&w->syns, entry)->isn == pkt->seq) {
			const unsigned i = batch->again_count++;

			batch->again[i] = (struct syn_answer){.task = task, .entry = entry};
			batch->again_terms[i] = offer->terms;
			return;
		}
		/* Another handshake of the same tuple, or a forgery: the entry stays as it is. */
	}
	if (LIKELY(offer->is_cookie)) {
		offer->uncounted += offer->is_queue_full;
		batch_add(batch, pkt, offer->terms);
	} else {
		syn_admit_judged(w, batch, offer, task, entry);
	}
}

/* True when none of these has an entry. */
static bool
none_is_queued(const struct worker *w, const struct task *syns, unsigned count)
{
	uint32_t hashes[BURST_MAX], suspects;

	if (syn_queue_is_empty(&w->syns))
		return true;
	for (unsigned i = 0; i < count; i++)
		hashes[i] = syns[i].pkt->hash;
	suspects = flow_table_suspects(&w->syns.flows, w->env.kernel, hashes, count);
	for (; suspects != 0; suspects &= suspects - 1) {
		const unsigned i = (unsigned)__builtin_ctz(suspects);

		if (flow_table_find(&w->syns.flows, hashes[i], &syns[i].pkt->tuple) != FLOW_NONE)
			return false;
	}
	return true;
}
static_assert(BURST_MAX <= FLOW_SUSPECTS_MAX, "a burst's at once");

/* As many from here on as get a cookie alone, since the rules have said so of one before them and
 * none of them is queued. */
static unsigned
syn_admit_cookies(const struct worker *w, struct syn_batch *batch, struct syn_offer *offer,
		const struct task *syns, unsigned count)
{
	const struct backend_config *config = offer->config;
	const struct syn_terms terms = offer->terms;
	const unsigned first = batch->burst.count;
	unsigned n = 0;

	if (!offer->is_cookie || w->changes != batch->changes)
		return 0;
	if (!batch->has_looked) {
		batch->has_looked = true;
		batch->is_none_queued = none_is_queued(w, syns, count);
	}
	if (!batch->is_none_queued)
		return 0;
	for (; n < count && syns[n].config == config; n++) {
		struct pkt *pkt = syns[n].pkt;

		batch->burst.pkts[first + n] = pkt;
		batch->burst.terms[first + n] = terms;
		pkt->reason = REASON_syn_cookie_sent;
	}
	batch->burst.count = first + n;
	offer->uncounted += offer->is_queue_full ? n : 0;
	return n;
}

/* One whose answer may be longer than the SYN. False: that is not paid for. */
static bool
syn_answer_longer(struct worker *w, struct syn_batch *batch, unsigned i)
{
	struct tcp_opt_syn announce = syn_ack_burst_announce(&batch->burst, i);

	if (!egress_admits(w, batch->burst.pkts[i], &announce))
		return false;
	syn_ack_burst_build(&batch->burst, i, &announce);
	return true;
}

/* Whether a SYN still has the entry it was given, or found: another of the burst may have taken its
 * place. */
static bool
has_entry(const struct worker *w, const struct syn_batch *batch, const struct pkt *pkt,
		uint32_t entry)
{
	return LIKELY(w->changes == batch->changes) ||
	       syn_queue_find(&w->syns, pkt->hash, &pkt->tuple) == entry;
}

/* A SYN that has its cookie, and its answer if is_answered. */
static enum reason
syn_finish(struct worker *w, struct syn_batch *batch, unsigned i,
		const struct backend_config *config, bool is_answered)
{
	const uint32_t id = batch->entries[i];
	bool is_queued = batch->queued >> i & 1 && has_entry(w, batch, batch->burst.pkts[i], id);

	if (is_queued) {
		struct syn_entry *entry = syn_queue_entry(&w->syns, id);

		entry->iss = batch->burst.iss[i];
		entry->tsval = batch->burst.tsval[i];
	}
	if (UNLIKELY(!is_answered) && !syn_answer_longer(w, batch, i)) {
		if (is_queued)
			half_open_remove(w, id, config);
		return REASON_syn_egress_limited;
	}
	return is_queued ? REASON_syn_queued : REASON_syn_cookie_sent;
}

static void
count_cookies(struct worker *w, const struct backend_config *config, unsigned n)
{
	if (n == 0)
		return;
	worker_count(w, config->slot, COUNTER_SyncookiesSent, n);
	half_open_cookie_sent(w, config);
}

/* A repeated SYN, once all entries are filled and the others are done with the batch. Without
 * its entry it gets a cookie. */
static enum reason
syn_finish_again(struct worker *w, struct syn_batch *batch, const struct syn_answer *answer,
		struct syn_terms terms)
{
	const struct task *task = answer->task;
	enum reason reason;

	if (LIKELY(has_entry(w, batch, task->pkt, answer->entry)))
		return half_open_answer_again(w, answer->entry, task->pkt, task->config)
				       ? REASON_syn_again
				       : REASON_syn_egress_limited;
	batch->burst.count = 0;
	batch->queued = 0;
	batch_add(batch, task->pkt, terms);
	reason = syn_finish(w, batch, 0, task->config,
			syn_ack_burst_answer(&w->jar, w->env.kernel, &batch->burst) != 0);
	count_cookies(w, task->config, reason == REASON_syn_cookie_sent);
	return reason;
}

/* Of a run that has cookies alone, all of them answered, which is the common case, nothing has to
 * be said but their count. */
static unsigned
run_finish(struct worker *w, struct syn_batch *batch, unsigned first, const struct syn_run *run,
		uint32_t answered)
{
	const uint64_t others = batch->queued | (uint32_t)~answered;
	const uint64_t here = (UINT64_C(1) << run->end) - (UINT64_C(1) << first);
	unsigned cookies = run->end - first;

	if (LIKELY((others & here) == 0))
		return cookies;
	for (unsigned i = first; i < run->end; i++) {
		enum reason reason = syn_finish(w, batch, i, run->config, answered >> i & 1);

		batch->burst.pkts[i]->reason = (uint8_t)reason;
		cookies -= reason != REASON_syn_cookie_sent;
	}
	return cookies;
}

static void
batch_finish(struct worker *w, struct syn_batch *batch)
{
	const uint32_t answered = syn_ack_burst_answer(&w->jar, w->env.kernel, &batch->burst);
	unsigned first = 0;

	for (unsigned i = 0; i < batch->run_count; i++) {
		const struct syn_run *run = &batch->runs[i];

		count_cookies(w, run->config, run_finish(w, batch, first, run, answered));
		first = run->end;
	}
	for (unsigned i = 0; i < batch->again_count; i++)
		batch->again[i].task->pkt->reason = (uint8_t)syn_finish_again(
				w, batch, &batch->again[i], batch->again_terms[i]);
}

static void
batch_init(const struct worker *w, struct syn_batch *batch)
{
	batch->burst.count = 0;
	batch->queued = 0;
	batch->run_count = 0;
	batch->has_looked = false;
	batch->changes = w->changes;
	batch->again_count = 0;
}

void
syn_answer_all(struct worker *w, const struct task *syns, unsigned count)
{
	struct syn_offer offer;
	struct syn_batch batch;

	if (count == 0)
		return;
	offer_make(w, &offer, syns[0].config);
	batch_init(w, &batch);
	for (unsigned i = 0; i < count;) {
		if (syns[i].config != offer.config) {
			offer_end(w, &offer, &batch);
			offer_make(w, &offer, syns[i].config);
			batch.has_looked = false; /* some may have been queued since */
		}
		syn_admit(w, &batch, &offer, &syns[i++]);
		i += syn_admit_cookies(w, &batch, &offer, &syns[i], count - i);
	}
	offer_end(w, &offer, &batch);
	batch_finish(w, &batch);
}

/* One that was given an entry, and gets its cookie too. */
static __attribute__((noinline)) void
answer_queued(struct worker *w, const struct syn_answer *answer, const struct syn_offer *offer)
{
	struct syn_terms terms = offer->terms;
	struct syn_batch batch;

	batch_init(w, &batch);
	terms.flags |= SYN_TERMS_ECN_KEPT;
	batch.queued = 1;
	batch.entries[0] = answer->entry;
	batch_add(&batch, answer->task->pkt, terms);
	offer_end(w, offer, &batch);
	batch_finish(w, &batch);
}

/* One that gets a cookie alone: as syn_ack_burst_answer() and syn_finish() would. */
static enum reason
answer_cookie(struct worker *w, struct pkt *pkt, const struct syn_offer *offer)
{
	struct tcp_opt_syn announce;
	struct cookie_syn syn;
	struct syn_ack syn_ack;
	struct cookie cookie;

	syn_ack_offer(&announce, &offer->announce, pkt);
	syn = (struct cookie_syn){
			.isn = pkt->seq,
			.mss = pkt->opt.mss,
			.wscale = pkt->opt.wscale,
			.sack_permitted = announce.sack_permitted,
			.has_timestamp = announce.has_timestamp,
			.ecn = announce.has_timestamp & announce.ecn,
	};
	cookie = cookie_encode(&w->jar, &pkt->tuple, &syn);
	announce.tsval = cookie.tsval;
	if (UNLIKELY(!egress_admits(w, pkt, &announce)))
		return REASON_syn_egress_limited;
	syn_ack = (struct syn_ack){
			.seq = cookie.iss,
			.ack = pkt->seq + 1,
			.window = early_window(offer->terms.flags & SYN_TERMS_DATA,
					offer->terms.mss, pkt->opt.mss),
			.ecn = syn.ecn,
	};
	pkt_turn_round(pkt);
	syn_ack_build(pkt, &syn_ack, &announce);
	count_cookies(w, offer->config, 1);
	return REASON_syn_cookie_sent;
}

void
syn_answer_one(struct worker *w, const struct task *task)
{
	struct pkt *pkt = task->pkt;
	struct syn_answer answer = {
			.task = task, .entry = syn_queue_find(&w->syns, pkt->hash, &pkt->tuple)};
	struct syn_offer offer;

	if (answer.entry != SYN_QUEUE_NONE) {
		syn_answer_all(w, task, 1);
		return;
	}
	offer_make(w, &offer, task->config);
	pkt->reason = (uint8_t)syn_judge(w, &answer, &offer);
	if (pkt->reason != REASON_NONE)
		return;
	if (answer.is_queued)
		answer_queued(w, &answer, &offer);
	else
		pkt->reason = (uint8_t)answer_cookie(w, pkt, &offer);
}
