/* SPDX-License-Identifier: BSD-3-Clause */
/* Leaves a few of the SYNs that no queue took for the control thread (table/syn_samples.h). */
#ifndef SLUICE_PROXY_SAMPLE_H
#define SLUICE_PROXY_SAMPLE_H

#include "proxy/handshake.h"

/** Looks at a burst's SYNs once their reasons stand; mostly only counts them. */
void sample_syns(struct worker *w, const struct task *syns, unsigned count);

#endif
