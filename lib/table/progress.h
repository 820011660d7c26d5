/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a worker tells of its own progress, so that another thread can see it stand still. Each is
 * written by its worker only; any thread may read. Counting costs nothing: a worker keeps the time
 * of its latest iteration anyway, and looks for gaps in it (PITFALLS 28). Nor does telling busy
 * iterations from idle ones: a core that polls is never at rest, so this alone shows its load.
 */
#ifndef SLUICE_TABLE_PROGRESS_H
#define SLUICE_TABLE_PROGRESS_H

#include <stdbool.h>

#include "base/base.h"
#include "base/ticks.h"

struct progress {
	ticks_t at;	 /**< when its latest iteration began; 0: none yet */
	uint64_t pauses; /**< iterations that took too long: by its own measure, or its CPU's loss
			  */
	ticks_t paused;	 /**< what those took, added up */
	/* Cycles of the CPU's time stamp counter in all other iterations. */
	uint64_t idle; /**< that found nothing to do */
	uint64_t busy; /**< that found packets, or timers that were due */
};

struct spent {
	uint64_t idle, busy;
};

/** A new iteration begins at now. */
static inline void
progress_go(struct progress *progress, ticks_t now)
{
	/* Pairs with the acquire in progress_at(): who sees the time sees the pause before it. */
	__atomic_store_n(&progress->at, now, __ATOMIC_RELEASE);
}

/** The iteration before took that long. Before progress_go(). */
static inline void
progress_pause(struct progress *progress, ticks_t time)
{
	__atomic_store_n(&progress->pauses, progress->pauses + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&progress->paused, progress->paused + time, __ATOMIC_RELAXED);
}

/** The iteration before took so many cycles, and had something to do. */
static inline void
progress_spend(struct progress *progress, uint64_t cycles, bool is_busy)
{
	uint64_t *sum = is_busy ? &progress->busy : &progress->idle;

	__atomic_store_n(sum, *sum + cycles, __ATOMIC_RELAXED);
}

static inline struct spent
progress_spent(const struct progress *progress)
{
	return (struct spent){
			.idle = __atomic_load_n(&progress->idle, __ATOMIC_RELAXED),
			.busy = __atomic_load_n(&progress->busy, __ATOMIC_RELAXED),
	};
}

static inline ticks_t
progress_at(const struct progress *progress)
{
	return __atomic_load_n(&progress->at, __ATOMIC_ACQUIRE);
}

static inline uint64_t
progress_pauses(const struct progress *progress)
{
	return __atomic_load_n(&progress->pauses, __ATOMIC_RELAXED);
}

static inline ticks_t
progress_paused(const struct progress *progress)
{
	return __atomic_load_n(&progress->paused, __ATOMIC_RELAXED);
}

#endif
