/* SPDX-License-Identifier: BSD-3-Clause */
#include "proxy/lone.h"

#include "net/pkt_read.h"
#include "proxy/sample.h"
#include "proxy/syn.h"
#include "proxy/unknown.h"
#include "proxy/worker_impl.h"

static_assert(MODE_PROTECT == 0, "nothing special is 0");

/* The backend that it is for, and sound; else NULL. */
static const struct backend_config *
lone_config(struct worker *w, struct pkt *pkt)
{
	const struct backend_config *config;

	pkt_read_lone(w->env.kernel, pkt, SIDE_CLIENT);
	if (pkt->kind != PKT_TCP)
		return NULL;
	config = snapshot_find_again(
			w->snapshot, w->last_config, &pkt->tuple.backend, pkt->tuple.backend_port);
	if (config == NULL || (config->exempt_count | config->mode) != 0)
		return NULL;
	if (pkt_check(w->env.kernel, pkt) != REASON_NONE)
		return NULL;
	pkt->checked = PKT_SOUND; /* nobody need look again */
	w->last_config = config;
	return config;
}

/* One without connection. */
static enum reason
lone_segment(struct worker *w, struct task *task)
{
	handshake_look(w, task, 1);
	if (LIKELY(handshake_is_refused(task))) {
		worker_count(w, task->config->slot, COUNTER_SyncookiesFailed, 1);
		return REASON_ack_cookie_invalid;
	}
	return unknown_from_client(w, task);
}

bool
lone_take(struct worker *w, struct pkt *pkt)
{
	const struct backend_config *config;
	struct task task;

	if (UNLIKELY(w->screens))
		return false;
	config = lone_config(w, pkt);
	if (config == NULL)
		return false;
	pkt->hash = flow_table_hash(&w->flows, &pkt->tuple);
	task = (struct task){.pkt = pkt, .config = config};
	if ((pkt->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
		syn_answer_one(w, &task);
		sample_syns(w, &task, 1);
	} else {
		pkt->conn = flow_table_find(&w->flows, pkt->hash, &pkt->tuple);
		if (pkt->conn != FLOW_NONE)
			return false;
		pkt->reason = (uint8_t)lone_segment(w, &task);
	}
	recent_note(&w->recent, pkt->hash, (enum reason)pkt->reason, w->now);
	counter_add(&w->counters.received[SIDE_CLIENT], 1);
	counter_add(&w->counters.reasons[pkt->reason], 1);
	return true;
}
