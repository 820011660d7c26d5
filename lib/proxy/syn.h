/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Clients' SYNs answered as the queues' rules say: with an entry in the syn queue or a cookie
 * alone, or again from the entry that is there. Called by the pipeline, last in a burst.
 */
#ifndef SLUICE_PROXY_SYN_H
#define SLUICE_PROXY_SYN_H

#include "proxy/handshake.h"
#include "table/queue_rules.h"

/** How full a backend's queues are for one SYN, of that tuple; settles whether mode 1 sends
 * cookies.
 */
struct queue_load syn_load(
		struct worker *w, const struct backend_config *config, const struct tuple *tuple);

/** Answers count SYNs (at most BURST_MAX) in place, their cookies made together; sets their
 * reasons. */
void syn_answer_all(struct worker *w, const struct task *syns, unsigned count);

/** syn_answer_all() of one, the shorter way for a cookie alone. */
void syn_answer_one(struct worker *w, const struct task *task);

#endif
