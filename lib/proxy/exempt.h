/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sources that are exempt from the proxy (table/exempt.h): what they and their backend send each
 * other passes untouched, both ways, and nothing is kept of it. A connection or half-open client
 * that Sluice has of such a source, from before a reload, goes on as it began.
 */
#ifndef SLUICE_PROXY_EXEMPT_H
#define SLUICE_PROXY_EXEMPT_H

#include "net/pkt.h"
#include "proxy/worker.h"

/** True when a packet of a backend with exempt sources is to pass untouched; it is counted then.
 * pkt: PKT_TCP or PKT_ICMP_ERROR, parsed, not checked further. */
bool exempt_take(struct worker *w, const struct backend_config *config, struct pkt *pkt);

/** The same for a fragment (PKT_FRAGMENT) to or from the address of a backend. It names no port:
 * all backends with this address must have the same list. */
bool exempt_take_fragment(struct worker *w, const struct pkt *pkt);

#endif
