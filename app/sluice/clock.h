/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From the CPU's time stamp counter to ticks_t: microseconds, Unix time at start, never
 * backwards (the TSC doesn't step as the wall clock may). Pure: the counter's value is given,
 * so that a worker reads it once per iteration and a test needs none.
 */
#ifndef SLUICE_APP_CLOCK_H
#define SLUICE_APP_CLOCK_H

#include "base/base.h"
#include "base/ticks.h"

/** Fraction bits of the multiplier: at 5 GHz its rounding costs less than 3 ms in 100 days. */
#define CLOCK_SHIFT 44

struct clock {
	uint64_t tsc_start;
	ticks_t start;
	uint64_t multiplier; /**< ticks per TSC cycle, times 2^CLOCK_SHIFT */
};

/** A clock that shows start when the counter stands at tsc_start; hz from 1 MHz to 1 THz. */
static inline struct clock
clock_make(uint64_t tsc_start, uint64_t hz, ticks_t start)
{
	/* 10^6 * 2^44 is just below 2^64. */
	return (struct clock){tsc_start, start, (TICKS_PER_S << CLOCK_SHIFT) / hz};
}

/** The time when the counter stands at tsc; the start for anything before. */
static inline ticks_t
clock_at(const struct clock *clock, uint64_t tsc)
{
	const uint64_t cycles = tsc > clock->tsc_start ? tsc - clock->tsc_start : 0;

	/* 128 bits: no wrap as long as the counter itself has none. */
	return clock->start +
	       (ticks_t)((unsigned __int128)cycles * clock->multiplier >> CLOCK_SHIFT);
}

#endif
