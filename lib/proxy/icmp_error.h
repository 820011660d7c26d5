/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ICMP errors about segments of a connection, on their way to the end that sent the segment:
 * translated like the segment itself, the other way round.
 */
#ifndef SLUICE_PROXY_ICMP_ERROR_H
#define SLUICE_PROXY_ICMP_ERROR_H

#include "net/pkt.h"

struct worker;

/** Translates an error (PKT_ICMP_ERROR, pkt->conn looked up) or refuses it; returns the reason. */
enum reason icmp_error_take(struct worker *w, struct pkt *pkt);

#endif
