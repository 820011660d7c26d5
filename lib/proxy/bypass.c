/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A packet costs a look-up among the worker's connections, which are those of all its backends, and
 * one among half-open clients while there are any; in monitor mode two more. What they read is
 * loaded for the whole burst before the first of them. For a cookie's lifetime after the last one
 * was sent each ACK of a client may be a proof; a running connection's are not looked at, as far as
 * is known, since one in 2^24 without timestamps would look like one: who heard from the backend by
 * that tuple was not answered by us.
 *
 * A SYN that reuses the tuple of a half-open client is most likely its own: it gets the backend,
 * and the one before keeps its cookie. One that meets a living connection gets a cookie, as ever.
 */
#include "proxy/bypass.h"

#include "net/bytes.h"
#include "net/pkt_read.h"
#include "proxy/burst.h"
#include "proxy/half_open.h"
#include "proxy/monitor.h"
#include "proxy/probe.h"
#include "proxy/worker_impl.h"

/* Clients of this burst that were proved by their cookies: what follows in it is theirs, too,
 * though they have no connection yet. */
struct proved {
	unsigned count;
	uint32_t hashes[BURST_MAX];
};

bool
bypass_check(const struct worker *w, const struct pkt *pkt, struct pkt *copy)
{
	uint8_t *checksum = pkt->data + pkt->l4_offset + TCP_CHECKSUM_AT;
	const uint16_t before = load_raw16(checksum);
	bool is_sound;

	*copy = *pkt;
	is_sound = pkt_check(w->env.kernel, copy) == REASON_NONE;
	/* One that was left open has been completed. */
	if (load_raw16(checksum) != before)
		store_raw16(checksum, before);
	return is_sound;
}

static bool
is_over(enum conn_state state)
{
	return state == CONN_TIME_WAIT || state == CONN_RESET || state == CONN_UNANSWERED;
}

static bool
is_client_syn(const struct pkt *pkt)
{
	return pkt->kind == PKT_TCP && pkt->from == SIDE_CLIENT &&
	       (pkt->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

static bool
has_connection(struct worker *w, const struct pkt *pkt)
{
	uint32_t id = flow_table_find(&w->flows, pkt->hash, &pkt->tuple);

	if (LIKELY(id == FLOW_NONE))
		return false;
	if (!is_client_syn(pkt) || !is_over((enum conn_state)worker_conn(w, id)->state))
		return true;
	/* The memory of one that is over would take the new one's segments. */
	conn_abandon(w, id);
	return false;
}

/* Of a client that has an entry: its SYN again, or another one. */
static bool
is_queued_syn(struct worker *w, const struct backend_config *config, const struct pkt *pkt,
		uint32_t entry)
{
	if (entry == SYN_QUEUE_NONE)
		return false;
	if (syn_queue_entry(&w->syns, entry)->isn == pkt->seq)
		return true;
	half_open_cookie_sent(w, config);
	half_open_remove(w, entry, config);
	return false;
}

static bool
is_passing(const struct worker *w, const struct pkt *pkt)
{
	return w->passing[pkt->hash % WORKER_PASSING_CELLS] == pkt->hash;
}

static bool
is_proved(const struct proved *proved, uint32_t hash)
{
	for (unsigned i = 0; i < proved->count; i++)
		if (proved->hashes[i] == hash)
			return true;
	return false;
}

/* A client's ACK: the numbers of its entry, or a valid cookie. */
static bool
is_proof(const struct worker *w, const struct backend_config *config, const struct pkt *pkt,
		uint32_t entry, struct proved *proved)
{
	struct pkt copy;
	struct task task = {.pkt = &copy, .config = config};
	struct proof proof;

	if (entry != SYN_QUEUE_NONE && pkt->ack == syn_queue_entry(&w->syns, entry)->iss + 1)
		return true;
	if (LIKELY(!half_open_cookie_is_out(w, config)) || is_passing(w, pkt))
		return false;
	if (!bypass_check(w, pkt, &copy) || handshake_check(w, &task, &proof) != PROOF_VALID)
		return false;
	proved->hashes[proved->count++] = pkt->hash;
	return true;
}

/* True for what Sluice has a part in. */
static bool
is_ours(struct worker *w, const struct backend_config *config, const struct pkt *pkt,
		struct proved *proved)
{
	uint32_t entry;

	if (has_connection(w, pkt) || is_proved(proved, pkt->hash))
		return true;
	if (pkt->from == SIDE_BACKEND)
		return probe_expects(w, pkt);
	if (pkt->kind != PKT_TCP)
		return false;
	entry = syn_queue_find(&w->syns, pkt->hash, &pkt->tuple);
	if (is_client_syn(pkt))
		return is_queued_syn(w, config, pkt, entry);
	if (pkt->flags & TCP_RST)
		return entry != SYN_QUEUE_NONE &&
		       pkt->seq == syn_queue_entry(&w->syns, entry)->isn + 1;
	return (pkt->flags & (TCP_SYN | TCP_ACK)) == TCP_ACK &&
	       is_proof(w, config, pkt, entry, proved);
}

enum reason
bypass_reason(const struct backend_config *config)
{
	return config->mode == MODE_OFF ? REASON_pass_off : REASON_monitor_passed;
}

void
bypass_prepare(const struct worker *w, const struct backend_config *config, struct pkt *pkt)
{
	pkt->hash = flow_table_hash(&w->flows, &pkt->tuple);
	flow_table_prefetch(&w->flows, pkt->hash);
	if (UNLIKELY(!syn_queue_is_empty(&w->syns)))
		flow_table_prefetch(&w->syns.flows, pkt->hash);
	if (config->mode == MODE_MONITOR)
		as_if_prefetch(&w->as_if, pkt->hash);
}

/* A SYN-ACK or RST may be about a SYN that was repeated after the switch, while its client holds
 * our cookie; what else the backend says is said in a connection of its own. */
static bool
is_of_running(const struct pkt *pkt)
{
	return pkt->from == SIDE_BACKEND && pkt->kind == PKT_TCP &&
	       !(pkt->flags & (TCP_SYN | TCP_RST));
}

static void
pass(struct worker *w, const struct backend_config *config, struct pkt *pkt)
{
	enum reason reason;

	if (is_of_running(pkt))
		w->passing[pkt->hash % WORKER_PASSING_CELLS] = pkt->hash;
	reason = backend_config_is_monitored(config) ? monitor_see(w, config, pkt)
						     : bypass_reason(config);
	pkt->reason = (uint8_t)reason;
	recent_note(&w->recent, pkt->hash, reason, w->now);
	if (config->mode == MODE_MONITOR && is_client_syn(pkt))
		monitor_sample(w, config, pkt);
}

unsigned
bypass_take(struct worker *w, struct task *tasks, unsigned count)
{
	struct proved proved;
	unsigned kept = 0;

	proved.count = 0;
	for (unsigned i = 0; i < count; i++) {
		const struct task task = tasks[i];

		if (is_ours(w, task.config, task.pkt, &proved))
			tasks[kept++] = task;
		else
			pass(w, task.config, task.pkt);
	}
	return kept;
}
