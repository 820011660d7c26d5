/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The short way for a packet that comes alone where a flood, or calm, makes most of them begin
 * something: what lists and lanes prepare for many is left out. It ends as the pipeline's long way
 * would end it.
 */
#ifndef SLUICE_PROXY_LONE_H
#define SLUICE_PROXY_LONE_H

#include "proxy/worker.h"

/** Takes a client's packet, perhaps read already, if it is a SYN, or a segment without connection,
 * for a backend that protects and screens nobody: gives it its reason, and counts it. False:
 * nothing is decided.
 */
bool lone_take(struct worker *w, struct pkt *pkt);

#endif
