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
 * Refuses and counts all of them, if none proves anything: count of them, 1..BURST_MAX, from
 * clients, with neither SYN nor RST, without connection. False: nothing is decided; perhaps they
 * have been looked at, as handshake_look() would.
 */
bool ack_flood_refuse(struct worker *w, struct task *tasks, unsigned count);

#endif
