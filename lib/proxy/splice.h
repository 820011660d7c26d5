/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Established connections: every segment is checked against both windows, moves the connection's
 * state if it lies inside, and is translated in place.
 */
#ifndef SLUICE_PROXY_SPLICE_H
#define SLUICE_PROXY_SPLICE_H

#include "proxy/handshake.h"

/**
 * True when a client's segment can be this connection's: its bytes lie in the backend's window or
 * just behind it (and add none after the client's FIN once that is acknowledged), and it
 * acknowledges what the backend sent, at most a window behind the highest before (RFC 5961 5.2).
 * One for which this is false may prove a new connection.
 */
bool splice_owns(const struct conn *conn, const struct pkt *pkt);

/**
 * Takes the segments that nearly all are: those of an established connection, pkt->conn, that lie
 * well inside, say something new and end nothing. Returns how many of count tasks, from the first
 * on, are such. They were spliced as splice_segment() would have, splice_owns() holds for them, and
 * their reason is set. To the one after them nothing was done: the others must have a look.
 */
unsigned splice_common(struct worker *w, const struct task *tasks, unsigned count, enum side from);

/** The same where pkt->conn is a guess: a record that may be another tuple's. Of all whose guess is
 * right it may take fewer, or none. */
unsigned splice_guessed(struct worker *w, const struct task *tasks, unsigned count, enum side from);

/** Takes a segment other than a client's SYN through a spliced connection. Returns the reason. */
enum reason splice_segment(struct worker *w, uint32_t id, struct pkt *pkt, enum side from);

#endif
