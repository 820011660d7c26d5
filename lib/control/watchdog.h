/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sees a worker stand still: looked at a few times a second, its progress has not moved for
 * control.watchdog_s. Control thread only.
 *
 * Only time counts in which looks were frequent: when the whole process was stopped, the first look
 * afterwards must not blame a worker that just had no turn yet.
 */
#ifndef SLUICE_CONTROL_WATCHDOG_H
#define SLUICE_CONTROL_WATCHDOG_H

#include <stdbool.h>

#include "table/progress.h"

/** A look counts as this much time at most, however long ago the one before was. */
#define WATCHDOG_STEP_MAX (500 * TICKS_PER_MS)

/** One worker, watched. Set progress, leave the rest 0. */
struct watchdog {
	const struct progress *progress;
	ticks_t looked;	 /**< last look; 0: none yet */
	ticks_t seen;	 /**< its progress then */
	ticks_t watched; /**< for so long it has been looked at without any */
	uint64_t stalls; /**< how often it stood still for the limit */
	ticks_t since;	 /**< it stands still since then; 0: it does not */
	ticks_t ended;	 /**< when its last stall was seen to be over; 0: there was none */
	ticks_t lasted;	 /**< how long that took */
	ticks_t paused;	 /**< progress_paused() when the stall was seen */
};

enum watchdog_news {
	WATCHDOG_NOTHING,
	WATCHDOG_STALLED, /**< it has made no progress for the limit; since is set */
	WATCHDOG_RESUMED, /**< it works again; lasted is set */
};

/** Looks at it now; limit 0: nothing counts as a stall, but one may end. */
enum watchdog_news watchdog_look(struct watchdog *watchdog, ticks_t limit, ticks_t now);

static inline bool
watchdog_is_stalled(const struct watchdog *watchdog)
{
	return watchdog->since != 0;
}

#endif
