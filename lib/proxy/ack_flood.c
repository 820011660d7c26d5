/* SPDX-License-Identifier: BSD-3-Clause */
/* Nothing that one of the burst proves may come too late for the next one, so one proof is enough
 * for all of them to go the ordinary way, one by one. */
#include "proxy/ack_flood.h"

#include "proxy/half_open.h"
#include "proxy/worker_impl.h"

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
