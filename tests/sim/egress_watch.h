/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sluice is no reflector: what it sends to an address that has proved nothing is bounded by what it
 * got from there. Bytes are counted as they pass the clients' port.
 */
#ifndef SLUICE_TESTS_SIM_EGRESS_WATCH_H
#define SLUICE_TESTS_SIM_EGRESS_WATCH_H

#include "frame.h"

/** One address, as long as it has proved nothing. */
struct egress {
	uint8_t address[16];
	unsigned ip_version; /**< 0: a free place */
	bool is_proved;
	uint64_t got_bytes;
	uint64_t got_packets;
	uint64_t sent_bytes;
};

/** A hash table that grows: room is a power of two. */
struct egress_watch {
	unsigned count;
	unsigned room;
	struct egress *places;
};

void egress_watch_fini(struct egress_watch *watch);

/** A packet came from a client's address; proves: and proved it. */
void egress_watch_got(struct egress_watch *watch, const struct packet *packet, uint32_t bytes,
		bool proves);

/** One goes to a client's address. repeats: how often an answer may be repeated unasked. False when
 * it is more than there may be. */
bool egress_watch_sent(struct egress_watch *watch, const struct packet *packet, uint32_t bytes,
		unsigned repeats);

#endif
