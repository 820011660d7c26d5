/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A SYN that reuses the tuple of a connection that is over ends the memory of it: its answer would
 * be taken for a late segment of the old one. One that meets a living connection takes the common
 * way, where it is answered by a cookie and harms nobody, forged or not.
 */
#include "proxy/exempt.h"

#include "proxy/worker_impl.h"

static bool
is_over(enum conn_state state)
{
	return state == CONN_TIME_WAIT || state == CONN_RESET || state == CONN_UNANSWERED;
}

static bool
is_syn(const struct pkt *pkt)
{
	return pkt->kind == PKT_TCP && pkt->from == SIDE_CLIENT &&
	       (pkt->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

/* True when Sluice itself has a part in this flow. */
static bool
has_state(struct worker *w, const struct pkt *pkt)
{
	uint32_t id = flow_table_find(&w->flows, pkt->hash, &pkt->tuple);

	if (syn_queue_find(&w->syns, pkt->hash, &pkt->tuple) != SYN_QUEUE_NONE)
		return true;
	if (id == FLOW_NONE)
		return false;
	if (!is_syn(pkt) || !is_over((enum conn_state)worker_conn(w, id)->state))
		return true;
	conn_abandon(w, id);
	return false;
}

bool
exempt_take(struct worker *w, const struct backend_config *config, struct pkt *pkt)
{
	if (!exempt_list_has(&config->exempt, config->exempt_count, &pkt->tuple.client))
		return false;
	pkt->hash = flow_table_hash(&w->flows, &pkt->tuple);
	if (has_state(w, pkt))
		return false;
	recent_note(&w->recent, pkt->hash, REASON_pass_exempt, w->now);
	worker_count(w, config->slot, COUNTER_ExemptPassed, 1);
	return true;
}

bool
exempt_take_fragment(struct worker *w, const struct pkt *pkt)
{
	const struct backend_config *config =
			snapshot_address_exempt(w->snapshot, &pkt->tuple.backend);

	if (config == NULL ||
			!exempt_list_has(&config->exempt, config->exempt_count, &pkt->tuple.client))
		return false;
	worker_count(w, config->slot, COUNTER_ExemptPassed, 1);
	return true;
}
