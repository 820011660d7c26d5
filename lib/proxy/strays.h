/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Strays: segments for a backend that belong to no connection and no handshake. By the backend's
 * policy they are dropped, answered by the reset that a host without the connection would send, or
 * passed on untranslated: then their flow is tracked like a connection whose translation changes
 * nothing, so that counters, timeouts and states work for connections that are older than Sluice.
 * A client's SYN is never a stray.
 */
#ifndef SLUICE_PROXY_STRAYS_H
#define SLUICE_PROXY_STRAYS_H

#include "proxy/handshake.h"

/** Most tracked flows that only their client has spoken in: this part of a worker's connections. So
 * forged segments fill no table; what is beyond passes without being tracked. */
#define STRAYS_UNANSWERED_SHARE 8

/** Takes a segment without connection that proves nothing. Returns the reason; dropped is the one
 * for a segment that nothing is done about. */
enum reason stray_take(struct worker *w, const struct task *task, enum reason dropped);

/** Notes a segment, inside the windows, of a tracked flow in CONN_UNANSWERED. The backend's first
 * establishes it. */
void stray_note(struct worker *w, uint32_t id, const struct pkt *pkt, enum side from);

/** Learns a tracked flow's numbers anew from a backend's segment that lies outside what they were
 * thought to be; the backend's side doesn't forge. */
void stray_learn_again(struct worker *w, uint32_t id, const struct pkt *pkt);

#endif
