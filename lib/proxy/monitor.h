/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Monitor mode: what passes between clients and a backend is read, and told to the queues that
 * would have been there (proxy/as_if.h). No packet is changed, held up or made by it.
 */
#ifndef SLUICE_PROXY_MONITOR_H
#define SLUICE_PROXY_MONITOR_H

#include "net/pkt.h"
#include "proxy/worker.h"

/** Takes note of a packet (PKT_TCP or PKT_ICMP_ERROR, parsed, hash set) that passes between a
 * monitored backend and a client. Returns its reason, which says what would have become of it. */
enum reason monitor_see(
		struct worker *w, const struct backend_config *config, const struct pkt *pkt);

/** Lets a client's SYN that passed, its reason set, be drawn as a sample of a flood's (sample.h).
 */
void monitor_sample(struct worker *w, const struct backend_config *config, struct pkt *pkt);

#endif
