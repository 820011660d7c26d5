/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Backends that are not protected: their mode is "off", or "monitor", where what passes is counted
 * as if it were enforced (proxy/monitor.h). What belongs to nothing that Sluice began passes
 * untouched, whatever it is. What Sluice began while the backend was protected goes on: connections
 * are spliced, and clients that were answered are let in by their entry or their cookie.
 */
#ifndef SLUICE_PROXY_BYPASS_H
#define SLUICE_PROXY_BYPASS_H

#include "net/pkt.h"
#include "proxy/handshake.h"
#include "proxy/worker.h"

/** Hashes the tuple of a packet of a backend that is not protected, and starts loading what
 * bypass_take() will look up. */
void bypass_prepare(const struct worker *w, const struct backend_config *config, struct pkt *pkt);

/** Takes a burst's packets, at most BURST_MAX, of backends that are not protected, each PKT_TCP or
 * PKT_ICMP_ERROR, prepared, not checked further. Those that pass have their reason then; the tasks
 * of the others, which belong to what Sluice began, are moved to the front, in their order. Returns
 * how many these are. */
unsigned bypass_take(struct worker *w, struct task *tasks, unsigned count);

/** The reason of a segment that passes and is counted as nothing. */
enum reason bypass_reason(const struct backend_config *config);

/** Judges a TCP packet as pkt_check() would, into a copy of pkt; its bytes stay as they are. False
 * when a protected backend would be spared it. */
bool bypass_check(const struct worker *w, const struct pkt *pkt, struct pkt *copy);

#endif
