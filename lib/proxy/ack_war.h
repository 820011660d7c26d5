/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ACK wars: two ends that disagree about a number answer each other's acknowledgement for ever (RFC
 * 5961 5 limits challenge ACKs for that reason; not every stack does). Detected by segments that
 * say nothing, from both ends in turn, while nothing moves; ended by resetting both.
 *
 * A run counts at most one segment per timer step, so that it takes 0.8 s at least: bursts of
 * duplicate acknowledgements from both ends at once, which a loss in each direction makes, are over
 * long before. And it may not pause for longer than three steps, 49 ms, as keep-alives and window
 * probes do. A war over a longer path than that is too slow to harm anybody.
 *
 * Only segments inside both windows count: whoever forges some without seeing the connection
 * can't have it reset.
 */
#ifndef SLUICE_PROXY_ACK_WAR_H
#define SLUICE_PROXY_ACK_WAR_H

#include "proxy/conn.h"

#define ACK_WAR_SEGMENTS 50
#define ACK_WAR_PAUSE_STEPS 3

/**
 * Notes a segment inside the windows that moved nothing and carries neither bytes, flags nor SACK
 * blocks. True: it belongs to a war, and is ack_war_end()'s.
 */
bool ack_war_note(struct worker *w, uint32_t id, enum side from);

/** Turns the segment into a reset of its sender and, the first time, resets the other end too.
 * Returns the reason. */
enum reason ack_war_end(struct worker *w, uint32_t id, struct pkt *pkt);

#endif
