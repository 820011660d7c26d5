/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The probe of backends (profile "probe"): a connection of our own that is begun to learn a
 * backend's profile from its SYN-ACK before the first client comes, and reset at once. It needs
 * an address of its own (table/probe_config.h), for which questions on the servers' side are
 * answered, and the MAC of the next hop, which is asked for.
 *
 * Every worker probes for itself, since every worker has profiles of its own, and does so from
 * ports whose answers come to it. A backend is probed when it is configured so, until something is
 * learned of it, from a probe or from clients: after 1, 2, 4, 8, 16 and 32 s again, and then every
 * 300 s. All of it is slow path: nothing here runs for a packet of a connection or a SYN.
 */
#ifndef SLUICE_PROXY_PROBE_H
#define SLUICE_PROXY_PROBE_H

#include "proxy/worker_impl.h"

/** How long a series keeps trying at first, and its pace afterwards. */
#define PROBE_QUICK_ATTEMPTS 6
#define PROBE_SLOW_S 300

/** Source ports of probes: all from here up. */
#define PROBE_PORT_FIRST 49152

/** For a worker's start; includes probe_plan(). */
void probe_init(struct worker *w);

/** For each new snapshot: has the backends looked at again. */
void probe_plan(struct worker *w);

/** Does what is due, a bounded amount of it. From the tick, when w->prober.due has come. */
void probe_work(struct worker *w);

/** Looks at a packet from the servers' side that is not TCP: a question for our address is answered
 * in place, an answer to a question of ours taken in. Anything else keeps its reason. */
void probe_neighbour(struct worker *w, struct pkt *pkt);

/** A backend's sound segment without a connection: the reason if it answers a probe (then it is
 * edited in place where that says so), else REASON_NONE. */
enum reason probe_answer(struct worker *w, const struct backend_config *config, struct pkt *pkt);

/** True when a packet from the servers' side, TCP or an ICMP error about it, bears the number of a
 * probe that may be out. */
bool probe_expects(const struct worker *w, const struct pkt *pkt);

/** An ICMP error about a segment of no connection: the reason if it quotes a probe's SYN, else
 * REASON_NONE. */
enum reason probe_unreachable(struct worker *w, const struct pkt *pkt);

#endif
