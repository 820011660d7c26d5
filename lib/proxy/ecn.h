/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A client that was promised ECN (RFC 3168) by our SYN-ACK, and a backend that refused it. Towards
 * the client we are the end that speaks it then: the backend sees nothing of it, and what routers
 * mark before us we echo in the backend's segments, until the client says that it has slowed down.
 * Connections whose ends agree need none of this: their marks and flags pass as a router would let
 * them.
 */
#ifndef SLUICE_PROXY_ECN_H
#define SLUICE_PROXY_ECN_H

#include "proxy/conn.h"

/** Takes a segment of a connection with CONN_ECN_ALONE, whose other fields are translated already.
 * is_inside: it lies inside the windows; only such a one's marks count. */
void ecn_translate(struct conn *conn, struct pkt *pkt, enum side from, bool is_inside);

#endif
