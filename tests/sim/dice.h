/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Chance, owned by the run: the same seed rolls the same numbers in the same order. Nothing in
 * the simulator asks anybody else for a random number.
 */
#ifndef SLUICE_TESTS_SIM_DICE_H
#define SLUICE_TESTS_SIM_DICE_H

#include "packets.h"

struct dice {
	uint64_t state;
};

static inline uint64_t
dice_roll(struct dice *dice)
{
	return packet_random(&dice->state);
}

/** 0 <= result < count; count is at least 1. */
static inline uint32_t
dice_below(struct dice *dice, uint32_t count)
{
	return (uint32_t)(dice_roll(dice) % count);
}

/** first <= result <= last. */
static inline uint32_t
dice_between(struct dice *dice, uint32_t first, uint32_t last)
{
	return first + dice_below(dice, last - first + 1);
}

/** True so many times in a thousand. */
static inline bool
dice_chance(struct dice *dice, uint32_t per_mille)
{
	return dice_below(dice, 1000) < per_mille;
}

#endif
