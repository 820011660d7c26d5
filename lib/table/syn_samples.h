/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where a worker leaves a few of the SYNs it sees, for the control thread to find out whose flood
 * it is: a ring with one writer and one reader. Samples are drawn by counting, with gaps that vary,
 * so that each SYN is as likely as any other, however they come; the gaps grow with the rate, to
 * some 500 samples a second. A flood of any size so costs a comparison and a subtraction per burst.
 * When the reader is late the ring is full, and the next sample stands for more.
 */
#ifndef SLUICE_TABLE_SYN_SAMPLES_H
#define SLUICE_TABLE_SYN_SAMPLES_H

#include "base/base.h"
#include "base/ticks.h"
#include "net/tuple.h"

#define SYN_SAMPLES_EACH (2 * TICKS_PER_MS) /**< time between samples that is aimed at */
#define SYN_SAMPLES_MAX 1024		    /**< unread ones; a power of two */
#define SYN_SAMPLES_GAP_MAX (1u << 20)	    /**< SYNs that a sample stands for, on average */

struct syn_sample {
	union ip_addr client;
	uint32_t weight;  /**< SYNs that it stands for, at least 1 */
	uint16_t slot;	  /**< of the backend it was for */
	uint8_t family;	  /**< enum family */
	uint8_t reserved; /**< 0 */
};
static_assert(sizeof(struct syn_sample) == 24, "24 KiB per worker");

/** All zero is empty. */
struct syn_samples {
	/* The worker's. */
	uint32_t left;	 /**< SYNs up to the next sample, this one included; 0: as 1 */
	uint32_t gap;	 /**< average distance of samples; 0: as 1 */
	uint32_t drawn;	 /**< distance of the next sample from the one before */
	uint32_t lost;	 /**< SYNs that samples stood for which found the ring full */
	uint32_t random; /**< state of the generator that draws */
	uint32_t filled; /**< samples ever written; wraps. Released by the worker */
	ticks_t last;	 /**< when the last sample was drawn */
	/* The reader's, on a line of its own. */
	uint32_t read __attribute__((aligned(CACHE_LINE_SIZE))); /**< samples ever read; wraps */
	struct syn_sample ring[SYN_SAMPLES_MAX] __attribute__((aligned(CACHE_LINE_SIZE)));
};

/** Counts SYNs, count of them at least 1. True: one of them, the one numbered left, is drawn, and
 * nothing was counted. */
static inline bool
syn_samples_see(struct syn_samples *samples, unsigned count)
{
	if (UNLIKELY(count >= samples->left))
		return true;
	samples->left -= count;
	return false;
}

/** How many SYNs the one drawn stands for; draws how far the next is. Worker only. */
uint32_t syn_samples_draw(struct syn_samples *samples, ticks_t now);

/** Writes a sample; worker only. When the ring is full, what it stands for counts with the next. */
void syn_samples_put(struct syn_samples *samples, const struct syn_sample *sample);

/** Takes the oldest unread sample; reader only. False when there is none. */
bool syn_samples_take(struct syn_samples *samples, struct syn_sample *sample);

#endif
