/* SPDX-License-Identifier: BSD-3-Clause */
/*
 *	        ┌──────── counted: in the syn queue ─┐
 *	SYN ────┤                                    ├─proof─► in the ring ─► connected, forgotten
 *	        └──────── cookies: occupies nothing ─┘            │
 *	                          │                               └─ silence ─► over: remembered a
 *	                          └─ oldest makes way                           while, counts
 *nothing
 *
 * What a record counts for is written in it, with the slot, so that it is given back whatever
 * becomes of the configuration: a slot is not taken again while its counts are not zero.
 */
#include "proxy/as_if.h"

#include "proxy/egress.h"
#include "proxy/half_open.h"
#include "proxy/syn.h"
#include "proxy/worker_impl.h"

/* How long one that was turned away is remembered: its SYN comes again at 63 s for the last time.
 */
#define OVER_TIME (64 * TICKS_PER_S)

/* Records looked at per tick of the walk: some cache misses each, so many that a burst of packets
 * doesn't wait longer for them than for another one. */
#define WALK_STEP 128

size_t
as_if_memsize(uint32_t clients)
{
	return 2 * cache_align(observed_memsize(clients / 2));
}

void
as_if_init(struct as_if *as_if, void *mem, uint32_t clients, const struct siphash_key *seed,
		ticks_t now)
{
	uint8_t *half = mem;

	observed_init(&as_if->counted, half, clients / 2, seed, now);
	half += cache_align(observed_memsize(clients / 2));
	observed_init(&as_if->cookies, half, clients / 2, seed, now);
	as_if->cursor = AS_IF_NO_WALK;
}

static struct observed_record
record_at(struct observed_set *set, uint32_t id)
{
	return (struct observed_record){set, observed_client(set, id), id};
}

static void
leave_queue(struct worker *w, struct observed_client *client)
{
	struct backend_shared *shared = &w->env.shared[client->slot];

	if (!client->in_queue)
		return;
	client->in_queue = false;
	shared_leave(&shared->syn);
	if (client->repeats == 0)
		shared_leave(&shared->young);
}

static void
leave_ring(struct worker *w, struct observed_client *client)
{
	if (client->in_ring)
		accept_ring_leave(worker_occupancy(w, client->slot));
	client->in_ring = false;
}

void
as_if_forget(struct worker *w, const struct observed_record *record)
{
	leave_queue(w, record->client);
	leave_ring(w, record->client);
	observed_remove(record->set, record->id);
}

bool
as_if_find(struct worker *w, const struct backend_config *config, const struct pkt *pkt,
		struct observed_record *record)
{
	struct observed_set *set = &w->as_if.counted;
	uint32_t id = observed_find(set, pkt->hash, &pkt->tuple);

	if (id == OBSERVED_NONE) {
		set = &w->as_if.cookies;
		id = observed_find(set, pkt->hash, &pkt->tuple);
	}
	if (LIKELY(id == OBSERVED_NONE))
		return false;
	*record = record_at(set, id);
	if (LIKELY(record->client->slot == config->slot))
		return true;
	/* From before the backend left and came back. */
	as_if_forget(w, record);
	return false;
}

/* A new record for the tuple; the oldest makes way. */
static uint32_t
insert(struct worker *w, struct observed_set *set, uint32_t hash, const struct tuple *tuple)
{
	uint32_t oldest = observed_oldest(set);

	if (oldest != OBSERVED_NONE) {
		const struct observed_record record = record_at(set, oldest);

		if (record.client->in_queue)
			worker_count(w, record.client->slot, COUNTER_SynQueueEvicted, 1);
		as_if_forget(w, &record);
	}
	return observed_insert(set, hash, tuple);
}

static void
note_syn(struct observed_client *client, const struct backend_config *config, const struct pkt *syn,
		ticks_t now)
{
	client->since = now;
	client->isn = syn->seq;
	client->slot = config->slot;
	client->state = OBSERVED_SYN;
	client->data_length = (uint16_t)pkt_payload_length(syn);
	client->wscale = syn->opt.wscale;
	client->sack_permitted = syn->opt.sack_permitted;
	client->has_timestamp = syn->opt.has_timestamp;
	client->ecn = pkt_offers_ecn(syn);
}

/* False: there is no place, or no memory for it. */
static bool
enter_queue(struct worker *w, const struct backend_config *config, const struct pkt *syn,
		uint32_t most)
{
	struct backend_shared *shared = &w->env.shared[config->slot];
	struct observed_client *client;
	uint32_t id;

	if (!shared_enter(&shared->syn, most))
		return false;
	id = insert(w, &w->as_if.counted, syn->hash, &syn->tuple);
	if (id == OBSERVED_NONE) {
		shared_leave(&shared->syn);
		return false;
	}
	shared_enter(&shared->young, UINT32_MAX);
	egress_note_queued(w, config);
	client = observed_client(&w->as_if.counted, id);
	note_syn(client, config, syn, w->now);
	client->in_queue = true;
	observed_arm(&w->as_if.counted, id, w->now + queue_rules_synack_timeout(0));
	return true;
}

static enum reason
send_cookie(struct worker *w, const struct backend_config *config, const struct pkt *syn)
{
	uint32_t id = insert(w, &w->as_if.cookies, syn->hash, &syn->tuple);

	worker_count(w, config->slot, COUNTER_SyncookiesSent, 1);
	if (id != OBSERVED_NONE) {
		struct observed_client *client = observed_client(&w->as_if.cookies, id);

		note_syn(client, config, syn, w->now);
		client->is_cookie = true;
	}
	return REASON_monitor_syn_cookie;
}

/* The rules want an entry. Without memory for any, none counts. */
static enum reason
queue_up(struct worker *w, const struct backend_config *config, const struct pkt *syn,
		const struct queue_load *load)
{
	uint32_t most = load->is_proven ? queue_rules_syn_limit(config)
					: queue_rules_syn_limit_unproven(config);

	if (w->as_if.counted.capacity == 0 || enter_queue(w, config, syn, most))
		return REASON_monitor_syn_queued;
	if (config->tcp_syncookies != 0)
		return send_cookie(w, config, syn);
	worker_count_drop(w, config, COUNTER_TCPReqQFullDrop);
	return REASON_monitor_syn_queue_full;
}

/* As syn_judge() has it. */
enum reason
as_if_syn(struct worker *w, const struct backend_config *config, const struct pkt *syn)
{
	const struct queue_load load = syn_load(w, config, &syn->tuple);

	if (config->tcp_syncookies != 0 && load.syn >= queue_rules_syn_limit(config))
		worker_count(w, config->slot, COUNTER_TCPReqQFullDoCookies, 1);
	switch (queue_rules_syn(config, &load)) {
	case SYN_DROP_QUEUE_FULL:
		worker_count_drop(w, config, COUNTER_TCPReqQFullDrop);
		return REASON_monitor_syn_queue_full;
	case SYN_DROP_ACCEPT_FULL:
		worker_count_drop(w, config, COUNTER_ListenOverflows);
		return REASON_monitor_syn_accept_full;
	case SYN_DROP_RESERVED:
		worker_count(w, config->slot, COUNTER_ListenDrops, 1);
		return REASON_monitor_syn_reserved;
	case SYN_QUEUE:
		return queue_up(w, config, syn, &load);
	case SYN_COOKIE:
	case SYN_COOKIE_QUEUE_FULL:
		break;
	}
	return send_cookie(w, config, syn);
}

/* A wait in the ring ends with the backend's answer. */
static void
connected(struct worker *w, struct observed_client *client, uint64_t us)
{
	struct backend_counters *counters = &w->backend_counters[client->slot];

	leave_ring(w, client);
	worker_count(w, client->slot, COUNTER_Established, 1);
	counter_add(&counters->wait[wait_bucket(us)], 1);
	counter_add(&counters->wait_us, us);
}

void
as_if_answer(struct worker *w, const struct backend_config *config,
		const struct observed_record *record, const struct pkt *answer)
{
	struct observed_client *client = record->client;
	const struct tcp_opt_syn asked = {
			.wscale = client->wscale,
			.sack_permitted = client->sack_permitted,
			.has_timestamp = client->has_timestamp,
			.ecn = client->ecn,
	};
	const ticks_t took = w->now - client->since;

	backend_profile_learn(&worker_backend(w, config)->profile, config, &asked, answer, w->now);
	if (client->state == OBSERVED_WAITING) {
		/* It counts, but no ACK showed that its address is its own. */
		connected(w, client, took);
		as_if_forget(w, record);
		return;
	}
	client->is_answered = true;
	client->backend_isn = answer->seq;
	client->took_us = took < UINT32_MAX ? (uint32_t)took : UINT32_MAX;
}

/* Makes one that would have got a cookie alone one that counts. False: there is no room. */
static bool
keep(struct worker *w, struct observed_record *record)
{
	const struct tuple tuple = flow_table_tuple(&record->set->flows, record->id);
	const struct observed_client was = *record->client;
	struct observed_set *counted = &w->as_if.counted;
	struct flow flow;
	uint32_t id;

	if (record->set == counted)
		return true;
	id = insert(w, counted, was.flow.hash, &tuple);
	if (id == OBSERVED_NONE)
		return false;
	observed_remove(record->set, record->id);
	*record = record_at(counted, id);
	flow = record->client->flow;
	*record->client = was;
	record->client->flow = flow;
	return true;
}

/* Turned away for good. */
static void
turn_away(struct worker *w, const struct observed_record *record)
{
	leave_queue(w, record->client);
	leave_ring(w, record->client);
	record->client->state = OBSERVED_OVER;
	if (record->set == &w->as_if.counted)
		observed_arm(record->set, record->id, w->now + OVER_TIME);
}

static void
overflow(struct worker *w, const struct backend_config *config, struct observed_record *record)
{
	worker_count_drop(w, config, COUNTER_ListenOverflows);
	if (config->tcp_abort_on_overflow) {
		worker_count(w, config->slot, COUNTER_EmbryonicRsts, 1);
		turn_away(w, record);
		return;
	}
	if (!keep(w, record) || record->client->is_acked)
		return;
	record->client->is_acked = true;
	/* Its data, repeated, would be its next try. */
	if (!record->client->in_queue)
		observed_arm(record->set, record->id, w->now + queue_rules_synack_timeout(0));
}

/* How long a backend has to answer before its client is given up: see connect_expire(). */
static ticks_t
silence(const struct backend_config *config)
{
	return ((UINT64_C(1) << config->tcp_syn_retries) - 1) * TICKS_PER_S;
}

bool
as_if_prove(struct worker *w, const struct backend_config *config,
		const struct observed_record *proved)
{
	struct observed_record record = *proved;

	if (record.client->is_cookie)
		worker_count(w, config->slot, COUNTER_SyncookiesRecv, 1);
	if (!accept_ring_enter(worker_occupancy(w, config->slot),
			    backend_config_accept_limit(config))) {
		overflow(w, config, &record);
		return false;
	}
	worker_count(w, config->slot, COUNTER_PassiveOpens, 1);
	worker_count(w, config->slot, COUNTER_ActiveOpens, 1);
	record.client->in_ring = true;
	leave_queue(w, record.client);
	if (!keep(w, &record)) {
		as_if_forget(w, &record);
		return true;
	}
	if (record.client->is_answered) {
		record.client->state = OBSERVED_ANSWERED;
		observed_arm(record.set, record.id, w->now + record.client->took_us);
	} else {
		record.client->state = OBSERVED_WAITING;
		record.client->since = w->now;
		observed_arm(record.set, record.id, w->now + silence(config));
	}
	return true;
}

/* Whether its client is real is not known; it counts as that, or a server that is down would fill
 * the queue with clients that have gone. */
void
as_if_refuse(struct worker *w, const struct backend_config *config,
		const struct observed_record *record)
{
	const struct observed_client *client = record->client;

	if (client->state == OBSERVED_SYN && !client->is_answered) {
		if (client->is_cookie)
			worker_count(w, config->slot, COUNTER_SyncookiesRecv, 1);
		worker_count(w, config->slot, COUNTER_PassiveOpens, 1);
		worker_count(w, config->slot, COUNTER_ActiveOpens, 1);
	}
	if (client->state == OBSERVED_WAITING ||
			(client->state == OBSERVED_SYN && !client->is_answered))
		worker_count(w, config->slot, COUNTER_AttemptFails, 1);
	as_if_forget(w, record);
}

void
as_if_reset(struct worker *w, const struct observed_record *record)
{
	if (record->client->in_queue)
		worker_count(w, record->client->slot, COUNTER_EmbryonicRsts, 1);
	as_if_forget(w, record);
}

/* The SYN-ACK of a half-open client would be due again; or that of one which got a cookie alone and
 * met a full ring, its data. As half_open_expire(). */
static void
syn_due(struct worker *w, const struct observed_record *record, const struct backend_config *config)
{
	struct observed_client *client = record->client;
	const bool is_flooded = egress_is_flooded(w, config);
	const bool is_doubted =
			egress_is_doubted(w, config, half_open_came(w->now, client->repeats));

	if (client->is_acked && (as_if_prove(w, config, record) || client->state == OBSERVED_OVER))
		return;
	if (half_open_is_over(w, config, client->repeats, client->is_acked, is_flooded)) {
		if (client->in_queue)
			worker_count(w, client->slot, COUNTER_SynQueueExpired, 1);
		as_if_forget(w, record);
		return;
	}
	if (client->in_queue && client->repeats == 0)
		shared_leave(&w->env.shared[client->slot].young);
	client->repeats = (client->repeats + 1u) & 15u;
	observed_arm(record->set, record->id, w->now + queue_rules_synack_timeout(client->repeats));
	if (!client->in_queue)
		return;
	worker_count(w, client->slot, COUNTER_TCPTimeouts, 1);
	if (!client->is_acked && (is_flooded || is_doubted))
		worker_count(w, client->slot, COUNTER_SynAcksDoubted, 1);
}

/* Monitored still; NULL for one that is not, or is gone. */
static const struct backend_config *
record_config(const struct worker *w, const struct observed_record *record)
{
	const struct tuple tuple = flow_table_tuple(&record->set->flows, record->id);
	const struct backend_config *config =
			snapshot_find(w->snapshot, &tuple.backend, tuple.backend_port);

	if (config == NULL || !backend_config_is_monitored(config) ||
			config->slot != record->client->slot)
		return NULL;
	return config;
}

static void
expire(struct worker *w, uint32_t id)
{
	const struct observed_record record = record_at(&w->as_if.counted, id);
	const struct backend_config *config = record_config(w, &record);
	const struct tuple tuple = flow_table_tuple(&record.set->flows, id);

	if (config == NULL) {
		as_if_forget(w, &record);
		return;
	}
	switch ((enum observed_state)record.client->state) {
	case OBSERVED_SYN:
		syn_due(w, &record, config);
		return;
	case OBSERVED_WAITING:
		worker_count(w, config->slot, COUNTER_AttemptFails, 1);
		turn_away(w, &record);
		return;
	case OBSERVED_ANSWERED:
		connected(w, record.client, record.client->took_us);
		proven_note(&w->proven, &tuple.client, w->now);
		break;
	case OBSERVED_OVER:
		break;
	}
	as_if_forget(w, &record);
}

void
as_if_plan(struct worker *w)
{
	if (!observed_is_empty(&w->as_if.counted))
		w->as_if.cursor = 0;
}

static void
walk(struct worker *w)
{
	struct as_if *as_if = &w->as_if;

	for (unsigned n = 0; n < WALK_STEP; n++) {
		const uint32_t id = as_if->cursor++;
		struct observed_record record;

		if (id >= as_if->counted.flows.touched) {
			as_if->cursor = AS_IF_NO_WALK;
			return;
		}
		if (!flow_table_is_used(&as_if->counted.flows, id))
			continue;
		record = record_at(&as_if->counted, id);
		if (record_config(w, &record) == NULL)
			as_if_forget(w, &record);
	}
}

unsigned
as_if_tick(struct worker *w, unsigned budget)
{
	uint32_t id;

	if (UNLIKELY(w->as_if.cursor != AS_IF_NO_WALK))
		walk(w);
	while ((id = observed_due(&w->as_if.counted, w->now, &budget)) != OBSERVED_NONE)
		expire(w, id);
	return budget;
}

ticks_t
as_if_when(const struct worker *w)
{
	return w->as_if.cursor != AS_IF_NO_WALK ? w->now : observed_when(&w->as_if.counted, w->now);
}

bool
as_if_flush(struct worker *w, uint32_t id, uint16_t slot)
{
	struct observed_set *counted = &w->as_if.counted;

	if (counted->capacity == 0 || id >= counted->flows.touched)
		return false;
	if (flow_table_is_used(&counted->flows, id) && observed_client(counted, id)->slot == slot) {
		const struct observed_record record = record_at(counted, id);

		as_if_forget(w, &record);
	}
	return true;
}
