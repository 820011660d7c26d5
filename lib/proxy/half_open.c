/* SPDX-License-Identifier: BSD-3-Clause */
/*
 *	SYN ──► entry ──ACK, room in the accept ring──► connection
 *	        │  ▲ │
 *	        │  │ ├─ ACK, ring full ──► stays, marked; or reset (tcp_abort_on_overflow)
 *	        │  │ ├─ RST in sequence ─► gone
 *	 timer ─┘  │ ├─ oldest of a full table ─► gone, its cookie lives on
 *	 SYN-ACK   │ └─ last repetition unanswered, or denied by then ─► gone
 *	 again ────┘
 *
 * An entry belongs to a backend of the snapshot: the control thread keeps a backend published as
 * long as its count of entries is not zero.
 */
#include "proxy/half_open.h"

#include "net/rewrite.h"
#include "net/syn_ack.h"
#include "proxy/early.h"
#include "proxy/egress.h"
#include "proxy/screen.h"
#include "proxy/worker_impl.h"

static uint32_t
seconds(ticks_t now)
{
	return (uint32_t)(now / TICKS_PER_S);
}

void
half_open_cookie_sent(struct worker *w, const struct backend_config *config)
{
	uint32_t now_s = seconds(w->now);

	shared_write(&w->env.shared[config->slot].cookie_s, now_s != 0 ? now_s : 1);
}

bool
half_open_cookie_is_out(const struct worker *w, const struct backend_config *config)
{
	return shared_cookie_is_out(&w->env.shared[config->slot], w->now);
}

bool
half_open_expects_cookies(const struct worker *w, const struct backend_config *config)
{
	return LIKELY(half_open_cookie_is_out(w, config)) ||
	       snapshot_has_foreign_cookies(w->snapshot);
}

static const struct backend_config *
entry_config(const struct worker *w, uint32_t id)
{
	struct tuple tuple = flow_table_tuple(&w->syns.flows, id);
	const struct backend_config *config =
			snapshot_find(w->snapshot, &tuple.backend, tuple.backend_port);

	ENSURE(config != NULL);
	return config;
}

static void
shared_uncount(struct worker *w, const struct syn_entry *entry, const struct backend_config *config)
{
	struct backend_shared *shared = &w->env.shared[config->slot];

	shared_leave(&shared->syn);
	if (entry->repeats == 0)
		shared_leave(&shared->young);
}

void
half_open_remove(struct worker *w, uint32_t id, const struct backend_config *config)
{
	shared_uncount(w, syn_queue_entry(&w->syns, id), config);
	syn_queue_remove(&w->syns, id);
	w->changes++;
}

/* Makes room for one entry; its client's cookie is still good. */
static bool
evict_oldest(struct worker *w)
{
	uint32_t id = syn_queue_oldest(&w->syns);
	const struct backend_config *config;

	if (id == SYN_QUEUE_NONE)
		return false;
	config = entry_config(w, id);
	half_open_cookie_sent(w, config);
	worker_count(w, config->slot, COUNTER_SynQueueEvicted, 1);
	half_open_remove(w, id, config);
	return true;
}

static void
entry_fill(struct syn_entry *entry, const struct pkt *syn, const struct tcp_opt_syn *announce)
{
	entry->isn = syn->seq;
	entry->client_tsval = syn->opt.tsval;
	entry->mss = syn->opt.mss;
	entry->wscale = (syn->opt.wscale == TCP_WSCALE_NONE ? SYN_WSCALE_NONE : syn->opt.wscale) &
			15u;
	entry->announced_wscale =
			(announce->wscale == TCP_WSCALE_NONE ? SYN_WSCALE_NONE : announce->wscale) &
			15u;
	entry->sack_permitted = announce->sack_permitted;
	entry->has_timestamp = announce->has_timestamp;
	entry->ecn = announce->ecn;
	memcpy(entry->backend_mac, syn->data, ETHER_ADDR_BYTES);
	memcpy(entry->client_mac, syn->data + ETHER_ADDR_BYTES, ETHER_ADDR_BYTES);
}

uint32_t
half_open_insert(struct worker *w, const struct pkt *syn, const struct backend_config *config,
		uint32_t most, const struct tcp_opt_syn *announce)
{
	struct backend_shared *shared = &w->env.shared[config->slot];
	ticks_t when = w->now + queue_rules_synack_timeout(0);
	uint32_t id;

	if (!shared_enter(&shared->syn, most))
		return SYN_QUEUE_NONE;
	id = syn_queue_insert(&w->syns, syn->hash, &syn->tuple, when);
	if (id == SYN_QUEUE_NONE && evict_oldest(w))
		id = syn_queue_insert(&w->syns, syn->hash, &syn->tuple, when);
	if (id == SYN_QUEUE_NONE) {
		shared_leave(&shared->syn);
		return SYN_QUEUE_NONE;
	}
	shared_enter(&shared->young, UINT32_MAX);
	egress_note_queued(w, config);
	entry_fill(syn_queue_entry(&w->syns, id), syn, announce);
	return id;
}

/* What the SYN-ACK of an entry offers. */
static struct tcp_opt_syn
entry_announce(const struct worker *w, const struct syn_entry *entry,
		const struct backend_config *config)
{
	return (struct tcp_opt_syn){
			.tsval = entry->tsval,
			.tsecr = entry->client_tsval,
			.mss = worker_mss(w, config->family,
					backend_profile_mss(&w->backends[config->slot].profile,
							config)),
			.wscale = entry->announced_wscale == SYN_WSCALE_NONE
						  ? TCP_WSCALE_NONE
						  : entry->announced_wscale,
			.sack_permitted = entry->sack_permitted,
			.has_timestamp = entry->has_timestamp,
	};
}

/* The SYN-ACK of an entry, but for its options. */
static struct syn_ack
entry_syn_ack(const struct worker *w, const struct syn_entry *entry,
		const struct backend_config *config, uint16_t announced_mss)
{
	return (struct syn_ack){
			.seq = entry->iss,
			.ack = entry->isn + 1,
			.window = early_window(
					early_is_welcome(w, config), announced_mss, entry->mss),
			.ecn = entry->ecn,
	};
}

bool
half_open_answer_again(
		struct worker *w, uint32_t id, struct pkt *syn, const struct backend_config *config)
{
	struct syn_entry *entry = syn_queue_entry(&w->syns, id);
	struct tcp_opt_syn announce;
	struct syn_ack syn_ack;

	if (entry->has_timestamp && syn->opt.has_timestamp)
		entry->client_tsval = syn->opt.tsval;
	announce = entry_announce(w, entry, config);
	syn_ack = entry_syn_ack(w, entry, config, announce.mss);
	if (UNLIKELY(!egress_admits(w, syn, &announce)))
		return false;
	pkt_turn_round(syn);
	syn_ack_build(syn, &syn_ack, &announce);
	return true;
}

bool
half_open_is_proof(const struct syn_entry *entry, const struct pkt *pkt)
{
	return pkt->ack == entry->iss + 1 && (pkt->seq == entry->isn + 1 || pkt->seq == entry->isn);
}

struct cookie_proof
half_open_proof(const struct syn_entry *entry)
{
	return (struct cookie_proof){
			.isn = entry->isn,
			.iss = entry->iss,
			.syn =
					{
							.isn = entry->isn,
							.mss = entry->mss,
							.wscale = entry->wscale == SYN_WSCALE_NONE
										  ? TCP_WSCALE_NONE
										  : entry->wscale,
							.sack_permitted = entry->sack_permitted,
							.has_timestamp = entry->has_timestamp,
							.ecn = entry->ecn,
					},
	};
}

/* A SYN-ACK for the client of an entry, made from nothing. */
static void
entry_emit(struct worker *w, uint32_t id, const struct syn_ack *syn_ack,
		const struct tcp_opt_syn *announce)
{
	const struct syn_entry *entry = syn_queue_entry(&w->syns, id);
	struct pkt pkt;

	pkt_clear(&pkt);
	if (!w->env.packet_get(w->env.context, &pkt)) {
		counter_add(&w->counters.emit_failed, 1);
		return;
	}
	pkt.tuple = flow_table_tuple(&w->syns.flows, id);
	pkt_build_ether(&pkt, entry->client_mac, entry->backend_mac);
	syn_ack_build(&pkt, syn_ack, announce);
	w->env.packet_emit(w->env.context, SIDE_CLIENT, &pkt);
	counter_add(&w->counters.emitted[EMITTED_SYN_ACK_AGAIN], 1);
}

ticks_t
half_open_came(ticks_t now, unsigned repeats)
{
	for (unsigned i = 0; i <= repeats; i++)
		now -= queue_rules_synack_timeout(i);
	return now;
}

/* The SYN-ACK of an entry once more. Who has proved itself, but met a full accept ring, is real. */
static void
entry_repeat(struct worker *w, uint32_t id, const struct backend_config *config, bool is_doubted)
{
	const struct syn_entry *entry = syn_queue_entry(&w->syns, id);
	struct tuple tuple = flow_table_tuple(&w->syns.flows, id);
	struct tcp_opt_syn announce = entry_announce(w, entry, config);
	struct syn_ack syn_ack = entry_syn_ack(w, entry, config, announce.mss);

	worker_count(w, config->slot, COUNTER_TCPTimeouts, 1);
	if (!entry->is_acked && is_doubted)
		worker_count(w, config->slot, COUNTER_SynAcksDoubted, 1);
	else if (!entry->is_acked && !egress_take(w, &tuple, SIDE_CLIENT))
		worker_count(w, config->slot, COUNTER_SynAcksWithheld, 1);
	else
		entry_emit(w, id, &syn_ack, &announce);
}

/* An entry whose SYN-ACKs are not repeated anyway is no use beyond its cookie; the first time it
 * stays, or a flood would empty the queue every second, and so change the mode. */
bool
half_open_is_over(const struct worker *w, const struct backend_config *config, unsigned repeats,
		bool is_acked, bool is_flooded)
{
	const struct backend_shared *shared = &w->env.shared[config->slot];

	if (UNLIKELY(is_flooded) && repeats > 0 && !is_acked)
		return true;
	return repeats >= queue_rules_synack_retries(config, shared_read(&shared->syn),
					  shared_read(&shared->young));
}

/* Who was denied meanwhile: nothing it sends would end the entry, not even a reset. */
static bool
entry_is_denied(const struct worker *w, uint32_t id, const struct backend_config *config)
{
	struct tuple tuple;

	if (LIKELY(!w->denies))
		return false;
	tuple = flow_table_tuple(&w->syns.flows, id);
	return screen_denies(w, config, &tuple);
}

/* Linux reqsk_timer_handler. */
void
half_open_expire(struct worker *w, uint32_t id)
{
	struct syn_entry *entry = syn_queue_entry(&w->syns, id);
	const struct backend_config *config = entry_config(w, id);
	struct backend_shared *shared = &w->env.shared[config->slot];
	bool is_flooded = egress_is_flooded(w, config);
	bool is_doubted = egress_is_doubted(w, config, half_open_came(w->now, entry->repeats));

	if (half_open_is_over(w, config, entry->repeats, entry->is_acked, is_flooded) ||
			entry_is_denied(w, id, config)) {
		worker_count(w, config->slot, COUNTER_SynQueueExpired, 1);
		shared_uncount(w, entry, config);
		syn_queue_remove_due(&w->syns, id);
		w->changes++;
		return;
	}
	if (entry->repeats == 0)
		shared_leave(&shared->young);
	/* Without a buffer it counts all the same, so that no entry lives for ever. */
	entry->repeats = (entry->repeats + 1u) & 15u;
	syn_queue_rearm(&w->syns, id, w->now + queue_rules_synack_timeout(entry->repeats));
	entry_repeat(w, id, config, is_flooded || is_doubted);
}
