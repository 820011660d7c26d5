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
#include "proxy/worker.h"

/** Takes a packet (PKT_TCP or PKT_ICMP_ERROR, parsed, not checked further) of a backend that is not
 * protected. True: it passes, and its reason is set. False: it belongs to what Sluice began. */
bool bypass_take(struct worker *w, const struct backend_config *config, struct pkt *pkt);

/** The reason of a segment that passes and is counted as nothing. */
enum reason bypass_reason(const struct backend_config *config);

/** Judges a TCP packet as pkt_check() would, into a copy of pkt; its bytes stay as they are. False
 * when a protected backend would be spared it. */
bool bypass_check(const struct worker *w, const struct pkt *pkt, struct pkt *copy);

#endif
