/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Virtual time and what happens when: a heap of events. Events of the same moment happen in the
 * order they were set. An event can't be taken back; who sets one checks when it fires whether
 * it still has a reason.
 */
#ifndef SLUICE_TESTS_SIM_CLOCK_H
#define SLUICE_TESTS_SIM_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ticks.h"

struct event {
	ticks_t when;
	uint64_t order;
	void (*fire)(void *context, void *subject);
	void *context;
	void *subject;
};

struct clock {
	ticks_t now;
	uint64_t order; /**< of the next event set */
	unsigned count;
	unsigned room;
	struct event *heap;
};

void clock_init(struct clock *clock, ticks_t now);
void clock_fini(struct clock *clock);

/** Sets an event; a moment that is past counts as now. */
void clock_at(struct clock *clock, ticks_t when, void (*fire)(void *context, void *subject),
		void *context, void *subject);

/** The time of the next event, or TICKS_NEVER. */
ticks_t clock_next(const struct clock *clock);

/** Lets time go on to the next event, which happens. There must be one. */
void clock_step(struct clock *clock);

#endif
