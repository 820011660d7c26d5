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

static struct egress_doubt *
doubt_look(struct worker *w, const struct backend_config *config)
{
	const struct backend_counters *counters = &w->backend_counters[config->slot];
	struct egress_doubt *doubt = &worker_backend(w, config)->doubt;

	egress_doubt_note(doubt, counter_read(&counters->values[COUNTER_SyncookiesSent]),
			counter_read(&counters->values[COUNTER_PassiveOpens]), w->now);
	return doubt;
}

bool
egress_is_doubted(struct worker *w, const struct backend_config *config, ticks_t came)
{
	return egress_doubt_covers(doubt_look(w, config), came, w->now);
}

bool
egress_admits_longer(struct worker *w, const struct pkt *syn, struct tcp_opt_syn *announce)
{
	const struct tuple *tuple = &syn->tuple;
	const struct backend_config *config;

	if (announce->mss >= mss_unnamed(syn)) {
		announce->mss = 0;
		if (syn_ack_fits(syn, tcp_opt_syn_length(announce)))
			return true;
	}
	config = snapshot_find(w->snapshot, &tuple->backend, tuple->backend_port);
	if (config == NULL || egress_doubt_is_on(doubt_look(w, config), w->now))
		return false;
	return egress_take(w, tuple, SIDE_CLIENT);
}

bool
egress_is_flooded(struct worker *w, const struct backend_config *config)
{
	const struct backend_counters *counters = &w->backend_counters[config->slot];

	return egress_flood_watch(&worker_backend(w, config)->flood,
			counter_read(&counters->values[COUNTER_SyncookiesSent]), w->now);
}

void
egress_note_queued(struct worker *w, const struct backend_config *config)
{
	struct egress_doubt *doubt = &worker_backend(w, config)->doubt;

	doubt->asked++;
	if (LIKELY(doubt->at == w->now))
		return;
	/* A flood begins by that, and is measured from its beginning. */
	egress_is_flooded(w, config);
	doubt_look(w, config);
}
