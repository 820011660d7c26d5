/* SPDX-License-Identifier: BSD-3-Clause */
#include "tables.h"

#include "proxy/worker_impl.h"

uint32_t
tables_count(const struct worker *w, struct half_open_count *counts)
{
	const struct flow_table *flows = &w->syns.flows;
	/* The one of its last call may be gone. */
	const struct snapshot *snapshot = *w->env.snapshot;

	if (syn_queue_is_empty(&w->syns))
		return 0;
	for (uint32_t id = 0; id < flows->touched; id++) {
		struct tuple tuple;
		uint16_t slot;

		if (!flow_table_is_used(flows, id))
			continue;
		tuple = flow_table_tuple(flows, id);
		slot = snapshot_find(snapshot, &tuple.backend, tuple.backend_port)->slot;
		counts[slot].entries++;
		counts[slot].young += syn_queue_entry(&w->syns, id)->repeats == 0;
	}
	return flows->count;
}

bool
tables_know(const struct worker *w, const struct pkt *pkt)
{
	return flow_table_find(&w->flows, pkt->hash, &pkt->tuple) != FLOW_NONE ||
	       syn_queue_find(&w->syns, pkt->hash, &pkt->tuple) != SYN_QUEUE_NONE;
}
