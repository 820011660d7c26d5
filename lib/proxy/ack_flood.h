/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The short way for bursts that a flood of forged ACKs is made of: told by their cookies alone, all
 * at once. Whatever else a burst holds goes the ordinary way (proxy/handshake.h), which would end
 * with the same reasons here.
 */
#ifndef SLUICE_PROXY_ACK_FLOOD_H
#define SLUICE_PROXY_ACK_FLOOD_H

#include "proxy/handshake.h"

/**
 * Looks at a whole burst of clients' ACKs, all for one backend that protects (struct pkt_alike),
 * before anything else is done with them; where they are such a flood, refuses and counts all of
 * them: then the burst is over. False: nothing is decided.
 */
bool ack_flood_take(struct worker *w, struct burst *burst, const struct backend_config *config);

/**
 * Refuses and counts all of them, if none proves anything: count of them, 1..BURST_MAX, from
 * clients, with neither SYN nor RST, without connection. False: nothing is decided; perhaps they
 * have been looked at, as handshake_look() would.
 */
bool ack_flood_refuse(struct worker *w, struct task *tasks, unsigned count);

#endif
