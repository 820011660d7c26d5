/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What happened, packet by packet: always as a hash, which tells two runs apart, and when asked as
 * a diagram, one line per packet sent:
 *
 *	time      client   client                Sluice                backend
 *	0.000100  c0:40000 |- SYN 0 win 64240 ---->|                     |
 *	0.000250  c0:40000 |< SYN-ACK 0 ack 1 win 0|                     | syn_cookie_sent
 *	0.000400  c0:40000 |- ACK 1 ack 1 --------x|                     | lost
 *
 * Numbers are relative to the ISNs of their leg, as far as they are known. The note is Sluice's
 * reason and what the link did to the packet.
 */
#ifndef SLUICE_TESTS_SIM_TRACE_H
#define SLUICE_TESTS_SIM_TRACE_H

#include <stdio.h>

#include "address.h"
#include "base/ticks.h"
#include "frame.h"

enum place { PLACE_CLIENT, PLACE_SLUICE, PLACE_BACKEND };

/** The ISNs of a client's latest connection: its own, Sluice's, the backend's. */
struct trace_base {
	uint32_t client;
	uint32_t sluice;
	uint32_t backend;
};

struct trace {
	FILE *out; /**< NULL: only the hash */
	ticks_t start;
	uint64_t hash;
	uint64_t packets;
	struct trace_base bases[CLIENTS_MAX];
};

void trace_init(struct trace *trace, FILE *out, ticks_t start);

/** A packet starts from one place to another; note and fate may be empty. */
void trace_packet(struct trace *trace, ticks_t now, enum place from, enum place to,
		const struct frame *frame, const char *note, const char *fate);

/** Something else worth a line. */
void trace_note(struct trace *trace, ticks_t now, const char *text);

#endif
