/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One direction of a cable: frames go in, and come out later, in another order, twice, with a
 * wrong byte, or never.
 */
#ifndef SLUICE_TESTS_SIM_LINK_H
#define SLUICE_TESTS_SIM_LINK_H

#include "clock.h"
#include "dice.h"
#include "frame.h"
#include "trace.h"

struct link_quality {
	ticks_t delay;
	ticks_t jitter; /**< added at random: above 0 frames overtake each other */
	uint32_t loss;	/**< these three in a thousand */
	uint32_t duplication;
	uint32_t corruption;
	uint32_t bytes_per_ms; /**< capacity; 0: any */
	uint32_t queue_bytes;  /**< before the bottleneck; what doesn't fit is lost */
};

struct link {
	struct clock *clock;
	struct dice *dice;
	struct trace *trace;
	struct link_quality quality;
	ticks_t busy_until; /**< the bottleneck, with all that waits before it */
	enum place from;
	enum place to;
	void (*deliver)(void *context, struct frame *frame); /**< takes the frame */
	void *context;
	/** Sees every frame that is sent, if set. */
	void (*tap)(void *context, const struct frame *frame);
	void *tap_context;
};

/** The longest that a frame can be under way. */
ticks_t link_life(const struct link_quality *quality);

/** Takes the frame. note: what the trace shall say of it. */
void link_send(struct link *link, struct frame *frame, const char *note);

#endif
