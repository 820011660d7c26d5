/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A frame on its way, with what only the simulator knows about it: who made it, and whether a
 * link has damaged it. Sluice edits the bytes in place, so the rest stays true behind it.
 */
#ifndef SLUICE_TESTS_SIM_FRAME_H
#define SLUICE_TESTS_SIM_FRAME_H

#include "packets.h"

/** The largest segment of 1460 bytes with two tags and all options, and room to build in. */
#define FRAME_ROOM 1664

enum origin { ORIGIN_HONEST, ORIGIN_HOSTILE, ORIGIN_SLUICE };

struct frame {
	uint32_t length;
	uint32_t life; /**< the connection it belongs to: its client's ISN; honest ones only */
	enum origin origin;
	bool is_corrupted;
	uint8_t bytes[FRAME_ROOM];
};

/** Frames live on the heap and have one owner at a time. */
struct frame *frame_new(enum origin origin);
struct frame *frame_of(const struct packet *packet, enum origin origin, uint32_t life);
struct frame *frame_copy(const struct frame *frame);

/** Takes it apart; false when it is no whole TCP packet with right checksums. */
bool frame_read(const struct frame *frame, struct packet *packet);

void frame_free(struct frame *frame);

#endif
