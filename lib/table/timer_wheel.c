/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A timer sits at the lowest level whose slot numbers, counted in that level's width, tell it
 * from the current step: distance in slots 0..63 at level 0, 1..63 above. So the slot being
 * emptied at a level never receives a timer of that level, and emptying ends.
 */
#include "table/timer_wheel.h"

#include <assert.h>

static_assert(TIMER_LEVELS * TIMER_SLOT_BITS == 24,
		"a level's slot is taken from 24 bits of the step");

/* Marks, in a first node's prev, the slot whose head points to it. */
#define HEAD_MARK (UINT32_C(1) << 31)

static inline struct timer_node *
node_at(const struct timer_wheel *wheel, uint32_t id)
{
	return (struct timer_node *)(void *)(wheel->base + (size_t)id * wheel->stride);
}

void
timer_wheel_init(struct timer_wheel *wheel, void *nodes, uint32_t stride, ticks_t now)
{
	*wheel = (struct timer_wheel){.base = nodes, .stride = stride, .current = timer_step(now)};
	for (unsigned i = 0; i < ARRAY_COUNT(wheel->heads); i++)
		wheel->heads[i] = TIMER_NONE;
}

static inline unsigned
slot_at(uint32_t step, unsigned level)
{
	return step >> level * TIMER_SLOT_BITS & (TIMER_SLOTS - 1);
}

static unsigned
level_for(const struct timer_wheel *wheel, uint32_t expires)
{
	unsigned level = 0;

	while (level < TIMER_LEVELS - 1) {
		unsigned shift = level * TIMER_SLOT_BITS;
		/* Counted modulo the step's 32 bits: the wheel goes on across their wrap. */
		uint32_t slots = ((expires >> shift) - (wheel->current >> shift)) &
				 (UINT32_MAX >> shift);

		if (slots < TIMER_SLOTS)
			break;
		level++;
	}
	return level;
}

static void
node_link(struct timer_wheel *wheel, uint32_t id)
{
	struct timer_node *node = node_at(wheel, id);
	unsigned level = level_for(wheel, node->expires);
	unsigned slot = slot_at(node->expires, level);
	unsigned head = level * TIMER_SLOTS + slot;

	node->next = wheel->heads[head];
	node->prev = HEAD_MARK | head;
	if (node->next != TIMER_NONE)
		node_at(wheel, node->next)->prev = id;
	wheel->heads[head] = id;
	wheel->occupied[level] |= UINT64_C(1) << slot;
}

static void
node_unlink(struct timer_wheel *wheel, uint32_t id)
{
	struct timer_node *node = node_at(wheel, id);

	if (node->next != TIMER_NONE)
		node_at(wheel, node->next)->prev = node->prev;
	if (!(node->prev & HEAD_MARK)) {
		node_at(wheel, node->prev)->next = node->next;
		return;
	}

	unsigned head = node->prev & ~HEAD_MARK;

	wheel->heads[head] = node->next;
	if (node->next == TIMER_NONE)
		wheel->occupied[head / TIMER_SLOTS] &= ~(UINT64_C(1) << head % TIMER_SLOTS);
}

void
timer_wheel_insert(struct timer_wheel *wheel, uint32_t id, ticks_t when)
{
	uint32_t expires = timer_step(when + (UINT64_C(1) << TIMER_STEP_SHIFT) - 1);
	int32_t ahead = (int32_t)(expires - wheel->current);

	if (ahead < 0)
		expires = wheel->current;
	else if (ahead > (int32_t)TIMER_STEPS_MAX)
		expires = wheel->current + TIMER_STEPS_MAX;
	node_at(wheel, id)->expires = expires;
	node_link(wheel, id);
	wheel->armed++;
}

void
timer_wheel_remove(struct timer_wheel *wheel, uint32_t id)
{
	node_unlink(wheel, id);
	wheel->armed--;
}

/* A timer of an upper slot that begins at the current step: it belongs below now. */
static uint32_t
wheel_misplaced(const struct timer_wheel *wheel)
{
	for (unsigned level = TIMER_LEVELS - 1; level > 0; level--) {
		uint32_t within = (UINT32_C(1) << level * TIMER_SLOT_BITS) - 1;
		uint32_t id = wheel->heads[level * TIMER_SLOTS + slot_at(wheel->current, level)];

		if ((wheel->current & within) == 0 && id != TIMER_NONE)
			return id;
	}
	return TIMER_NONE;
}

/* Steps from the current one to the next that may hold work: an occupied slot, or a new round. */
static uint32_t
wheel_gap(const struct timer_wheel *wheel)
{
	unsigned slot = slot_at(wheel->current, 0);
	uint64_t later = slot == TIMER_SLOTS - 1 ? 0
						 : wheel->occupied[0] >> (slot + 1) << (slot + 1);

	return (later != 0 ? (unsigned)__builtin_ctzll(later) : TIMER_SLOTS) - slot;
}

uint32_t
timer_wheel_next(struct timer_wheel *wheel, ticks_t now, unsigned *budget)
{
	uint32_t target = timer_step(now);

	if (wheel->armed == 0) {
		wheel->current = target;
		return TIMER_NONE;
	}
	while (*budget > 0) {
		uint32_t id = wheel_misplaced(wheel);

		if (id != TIMER_NONE) {
			node_unlink(wheel, id);
			node_link(wheel, id);
			--*budget;
			continue;
		}
		id = wheel->heads[slot_at(wheel->current, 0)];
		if (id != TIMER_NONE) {
			timer_wheel_remove(wheel, id);
			--*budget;
			return id;
		}

		uint32_t left = target - wheel->current;
		uint32_t gap = wheel_gap(wheel);

		if ((int32_t)left <= 0)
			break;
		wheel->current += gap < left ? gap : left;
		--*budget;
	}
	return TIMER_NONE;
}

ticks_t
timer_wheel_when(const struct timer_wheel *wheel, ticks_t now)
{
	uint32_t steps = 0;

	if (wheel->armed == 0)
		return TICKS_NEVER;
	/* While timers wait to be moved down, level 0 doesn't show the earliest. */
	if (wheel->heads[slot_at(wheel->current, 0)] == TIMER_NONE &&
			wheel_misplaced(wheel) == TIMER_NONE)
		steps = wheel_gap(wheel);

	/* Upper levels are only known to within their slot: its begin is early enough. */
	int32_t ahead = (int32_t)(wheel->current + steps - timer_step(now));

	if (ahead <= 0)
		return now;
	return ((now >> TIMER_STEP_SHIFT) + (ticks_t)ahead) << TIMER_STEP_SHIFT;
}
