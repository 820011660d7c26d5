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
};

struct link {
	struct clock *clock;
	struct dice *dice;
	struct trace *trace;
	struct link_quality quality;
	enum place from;
	enum place to;
	void (*deliver)(void *context, struct frame *frame); /**< takes the frame */
	void *context;
};

/** Takes the frame. note: what the trace shall say of it. */
void link_send(struct link *link, struct frame *frame, const char *note);

#endif
