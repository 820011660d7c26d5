/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the operator's lists and the SYN rate limit take out of a burst from the client side, before
 * anything is answered. Only what has no connection is asked about, or opens another in its place:
 * who is denied loses none that he has. Called by the pipeline where the snapshot has lists or a
 * limit.
 */
#ifndef SLUICE_PROXY_SCREEN_H
#define SLUICE_PROXY_SCREEN_H

#include "proxy/handshake.h"

/** Takes in whether a snapshot has anything to ask about; once per generation. */
void screen_plan(struct worker *w);

/** Of count SYNs (at most BURST_MAX), gives a reason to those of denied clients and those above
 * their network's rate, and closes the gaps. Returns how many are left, in order. */
unsigned screen_syns(struct worker *w, struct task *tasks, unsigned count);

/** Whether a client may begin nothing at a backend. One look-up where there are lists; for the rare
 * packet or timer that those above leave out. */
bool screen_denies(const struct worker *w, const struct backend_config *config,
		const struct tuple *tuple);

/** What would have become of a SYN in monitor mode: the reason that says so, or REASON_NONE where
 * it would have gone on. */
enum reason screen_as_if(struct worker *w, const struct pkt *syn);

/** The same as screen_syns() for other segments, looked up already: those of denied clients without
 * a connection. */
unsigned screen_strays(struct worker *w, struct task *tasks, unsigned count);

#endif
