/* SPDX-License-Identifier: BSD-3-Clause */
/* Leaves a few of the SYNs that no queue took for the control thread (table/syn_samples.h). */
#ifndef SLUICE_PROXY_SAMPLE_H
#define SLUICE_PROXY_SAMPLE_H

#include "proxy/handshake.h"
#include "proxy/worker_impl.h"

/** sample_syns() when one of them is drawn. */
void sample_drawn(struct worker *w, const struct task *syns, unsigned count);

/** Looks at a burst's SYNs, at least one, once their reasons stand; mostly only counts them. */
static inline void
sample_syns(struct worker *w, const struct task *syns, unsigned count)
{
	if (w->env.samples != NULL && UNLIKELY(syn_samples_see(w->env.samples, count)))
		sample_drawn(w, syns, count);
}

#endif
