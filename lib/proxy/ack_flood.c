/* SPDX-License-Identifier: BSD-3-Clause */
/* Nothing that one of the burst proves may come too late for the next one, so one proof is enough
 * for all of them to go the ordinary way, one by one. */
#include "proxy/ack_flood.h"

#include "proxy/half_open.h"
#include "proxy/worker_impl.h"

#define TRIES_FAILED_MAX 4 /* in a row that count: 15 bursts are not tried then */

static bool
has_entries(const struct worker *w, const struct task *tasks, unsigned count)
{
	struct flow_query queries[BURST_MAX];

	if (syn_queue_is_empty(&w->syns))
		return false;
	for (unsigned i = 0; i < count; i++) {
		queries[i].tuple = &tasks[i].pkt->tuple;
		queries[i].hash = tasks[i].pkt->hash;
		flow_table_prefetch(&w->syns.flows, queries[i].hash);
	}
	return flow_table_find_all(&w->syns.flows, queries, count) > 0;
}

/* Whether one of the packets has a record in the table. */
static bool
has_record(const struct worker *w, const struct flow_table *table, const struct pkt *pkts,
		const uint32_t *hashes, unsigned count)
{
	uint32_t suspects = flow_table_suspects(table, w->env.kernel, hashes, count);

	for (; suspects != 0; suspects &= suspects - 1) {
		const unsigned i = (unsigned)__builtin_ctz(suspects);

		if (flow_table_find(table, hashes[i], &pkts[i].tuple) != FLOW_NONE)
			return true;
	}
	return false;
}
static_assert(BURST_MAX <= FLOW_SUSPECTS_MAX, "a burst's at once");

/* Gives each its hash, and starts loading what that leads to. */
static void
hash_all(const struct worker *w, struct pkt *pkts, uint32_t *hashes, unsigned count)
{
	const bool is_queue_empty = syn_queue_is_empty(&w->syns);

	for (unsigned i = 0; i < count; i++) {
		const uint32_t hash = flow_table_hash(&w->flows, &pkts[i].tuple);

		pkts[i].hash = hashes[i] = hash;
		flow_table_prefetch(&w->flows, hash);
		if (!is_queue_empty)
			flow_table_prefetch(&w->syns.flows, hash);
	}
}

/* All of a burst, none of which proves anything. */
static void
refuse_all(struct worker *w, struct burst *burst, enum reason reason)
{
	const ticks_t now = w->now;

	for (unsigned i = 0; i < burst->count; i++) {
		burst->pkts[i].reason = (uint8_t)reason;
		recent_note(&w->recent, burst->pkts[i].hash, reason, now);
	}
	counter_add(&w->counters.received[burst->from], burst->count);
	counter_add(&w->counters.reasons[reason], burst->count);
}

/* True where none of them has a connection or an entry, or proves anything: may_prove says whether
 * one can. */
static bool
is_flood(const struct worker *w, struct pkt *pkts, unsigned count, bool may_prove)
{
	uint32_t hashes[BURST_MAX];
	const struct pkt *acks[BURST_MAX];

	hash_all(w, pkts, hashes, count);
	for (unsigned i = 0; i < count; i++)
		acks[i] = &pkts[i];
	if (has_record(w, &w->flows, pkts, hashes, count))
		return false;
	if (!syn_queue_is_empty(&w->syns) && has_record(w, &w->syns.flows, pkts, hashes, count))
		return false;
	return !may_prove || cookie_check_burst(&w->jar, w->env.kernel, acks, count) == 0;
}

/* A try that fails was for nothing: where users' packets are in most bursts, hardly any is tried.
 */
static void
note_failure(struct worker *w)
{
	if (w->ack_tries_failed < TRIES_FAILED_MAX)
		w->ack_tries_failed++;
	w->ack_tries_skipped = (uint8_t)((1u << w->ack_tries_failed) - 1);
}

bool
ack_flood_take(struct worker *w, struct burst *burst, const struct backend_config *config)
{
	bool may_prove;

	if (w->ack_tries_skipped > 0) {
		w->ack_tries_skipped--;
		return false;
	}
	if (w->denies || config->stray != STRAY_DROP)
		return false;
	may_prove = half_open_expects_cookies(w, config);
	if (!is_flood(w, burst->pkts, burst->count, may_prove)) {
		note_failure(w);
		return false;
	}
	w->ack_tries_failed = 0;
	if (LIKELY(may_prove))
		worker_count(w, config->slot, COUNTER_SyncookiesFailed, burst->count);
	refuse_all(w, burst, may_prove ? REASON_ack_cookie_invalid : REASON_stray_client);
	return true;
}

/* Leaves what is known to the ordinary way. */
static void
note_cookies(struct task *tasks, unsigned count, uint32_t valid)
{
	for (unsigned i = 0; i < count; i++) {
		tasks[i].entry = SYN_QUEUE_NONE;
		tasks[i].cookie = valid >> i & 1 ? TASK_COOKIE_VALID : TASK_COOKIE_INVALID;
		tasks[i].has_looked = true;
	}
}

bool
ack_flood_refuse(struct worker *w, struct task *tasks, unsigned count)
{
	const struct backend_config *config = tasks[0].config;
	const struct pkt *acks[BURST_MAX];
	uint32_t valid;

	if (config->stray != STRAY_DROP || !half_open_expects_cookies(w, config))
		return false;
	for (unsigned i = 0; i < count; i++) {
		if (tasks[i].config != config)
			return false;
		acks[i] = tasks[i].pkt;
	}
	if (has_entries(w, tasks, count))
		return false;
	valid = cookie_check_burst(&w->jar, w->env.kernel, acks, count);
	if (valid != 0) {
		note_cookies(tasks, count, valid);
		return false;
	}
	for (unsigned i = 0; i < count; i++)
		tasks[i].pkt->reason = REASON_ack_cookie_invalid;
	worker_count(w, config->slot, COUNTER_SyncookiesFailed, count);
	return true;
}
