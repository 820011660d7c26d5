/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Timers of one worker: a hierarchical wheel (Varghese, Lauck 1987, scheme 7) of four levels of
 * 64 slots over steps of 16.384 ms. Arming, moving and disarming are O(1); what is due is pulled
 * one timer at a time, and every unit of work, also moving a timer one level down, is paid from a
 * budget. A timer never fires early; it fires late by up to one step, or as the budget allows.
 *
 * The nodes live inside the caller's records, base + id * stride; an id is armed at most once.
 */
#ifndef SLUICE_TABLE_TIMER_WHEEL_H
#define SLUICE_TABLE_TIMER_WHEEL_H

#include "base/base.h"
#include "base/ticks.h"

#define TIMER_NONE UINT32_MAX
#define TIMER_STEP_SHIFT 14 /**< a step is 2^14 ticks: 16.384 ms */
#define TIMER_LEVELS 4
#define TIMER_SLOT_BITS 6
#define TIMER_SLOTS (1u << TIMER_SLOT_BITS)

/** Longest time ahead, in steps (about 75 hours); a timer armed beyond fires then, and its owner
 * arms it again. */
#define TIMER_STEPS_MAX ((UINT32_C(1) << TIMER_LEVELS * TIMER_SLOT_BITS) - (UINT32_C(1) << 18) - 1)

/** Links of a list; the owner may use them for a list of its own while the timer is disarmed. */
struct timer_node {
	uint32_t next;
	uint32_t prev;
	uint32_t expires; /**< step; for the wheel only */
};

struct timer_wheel {
	uint8_t *base;
	uint32_t stride;
	uint32_t current; /**< the step being worked on; all before it are done */
	uint32_t armed;
	uint64_t occupied[TIMER_LEVELS]; /**< a bit per slot with timers */
	uint32_t heads[TIMER_LEVELS * TIMER_SLOTS];
};

/** An empty wheel whose node id is at nodes + id * stride. Nodes need no initialisation. */
void timer_wheel_init(struct timer_wheel *wheel, void *nodes, uint32_t stride, ticks_t now);

/** Arms a disarmed timer for the first step at or after when. */
void timer_wheel_insert(struct timer_wheel *wheel, uint32_t id, ticks_t when);

/** Disarms an armed timer. */
void timer_wheel_remove(struct timer_wheel *wheel, uint32_t id);

/**
 * Disarms and returns one timer that is due at now, or TIMER_NONE when there is none or *budget is
 * spent. Each timer returned or moved and each run of empty steps skipped takes one from *budget.
 */
uint32_t timer_wheel_next(struct timer_wheel *wheel, ticks_t now, unsigned *budget);

/** A time not later than the first due timer; TICKS_NEVER when none is armed. now: as of the last
 * call. */
ticks_t timer_wheel_when(const struct timer_wheel *wheel, ticks_t now);

/** Time in steps, modulo 2^32. */
static inline uint32_t
timer_step(ticks_t now)
{
	return (uint32_t)(now >> TIMER_STEP_SHIFT);
}

#endif
