/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random traffic of both sides for workers of world.h: clients and backends whose numbers mostly
 * fit, floods among them, now and then a packet that is damaged, or comes as hardware hands it
 * over. The same packets for the same seed and the same answers.
 */
#ifndef SLUICE_TESTS_TRAFFIC_H
#define SLUICE_TESTS_TRAFFIC_H

#include "world.h"

#define TRAFFIC_FLOWS 24
#define TRAFFIC_FRAME_BYTES 2048

struct traffic_frame {
	size_t length; /**< bytes at hand */
	size_t rest;   /**< and elsewhere; they stand in bytes, too */
	uint8_t csum;  /**< enum pkt_csum */
	uint8_t bytes[TRAFFIC_FRAME_BYTES];
};

struct traffic_flow {
	struct flow_script script;
	uint32_t sent, returned; /**< bytes of the client's and of the backend's data so far */
};

struct traffic {
	uint64_t random;
	/** Each client keeps to one set of options, and names its MSS: so no answer is longer than
	 * its SYN. */
	bool is_paid;
	unsigned strangers;
	struct traffic_flow flows[TRAFFIC_FLOWS];
};

void traffic_init(struct traffic *t, uint64_t seed, bool is_paid);

uint32_t traffic_draw(struct traffic *t);

/** True once in n times. */
bool traffic_once_in(struct traffic *t, unsigned n);

/** Makes a burst of one side's packets. */
void traffic_fill(struct traffic *t, enum side from, struct traffic_frame *frames, unsigned count);

/** Reads what a client was answered: flows go on from a SYN-ACK of theirs. */
void traffic_learn(struct traffic *t, const uint8_t *frame, size_t length);

#endif
