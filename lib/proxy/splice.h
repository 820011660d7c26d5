/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Established connections: every segment is checked against both windows, moves the connection's
 * state if it lies inside, and is translated in place.
 */
#ifndef SLUICE_PROXY_SPLICE_H
#define SLUICE_PROXY_SPLICE_H

#include "proxy/conn.h"

/**
 * True when a segment's acknowledgement is one its sender can mean: of bytes the other end has
 * sent, and at most a window behind the highest it sent before (RFC 5961 5.2). A client's ACK for
 * which this is false may prove a new connection.
 */
bool splice_is_plausible(const struct conn *conn, const struct pkt *pkt, enum side from);

/** Takes a segment other than a client's SYN through a spliced connection. Returns the reason. */
enum reason splice_segment(struct worker *w, uint32_t id, struct pkt *pkt, enum side from);

#endif
