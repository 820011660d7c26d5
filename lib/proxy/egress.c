/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A SYN-ACK's options take no more room than the SYN's, but for the MSS: a client may name none.
 * Of the others ours are those that the client offered, in the tightest layout of words that there
 * is. So leaving out the MSS always suffices (tests/unit/test_egress.c tries every combination).
 */
#include "proxy/egress.h"

bool
egress_take(struct worker *w, const struct tuple *tuple, enum side to)
{
	return egress_budget_take(&w->egress, snapshot_egress(w->snapshot), tuple, to, w->now);
}

static uint16_t
mss_unnamed(const struct pkt *syn)
{
	return syn->tuple.family == FAMILY_IP4 ? 536 : 1220;
}

bool
egress_admits_longer(struct worker *w, const struct pkt *syn, struct tcp_opt_syn *announce)
{
	if (announce->mss >= mss_unnamed(syn)) {
		announce->mss = 0;
		if (egress_fits(syn, tcp_opt_syn_length(announce)))
			return true;
	}
	return egress_take(w, &syn->tuple, SIDE_CLIENT);
}

bool
egress_is_flooded(struct worker *w, const struct backend_config *config)
{
	const struct backend_counters *counters = &w->backend_counters[config->slot];

	return egress_flood_watch(&worker_backend(w, config)->flood,
			counter_read(&counters->values[COUNTER_SyncookiesSent]), w->now);
}
