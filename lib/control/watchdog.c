/* SPDX-License-Identifier: BSD-3-Clause */
/* The worker measures its own gap, so that a stall's length does not depend on when one looks. */
#include "control/watchdog.h"

static void
stall_begin(struct watchdog *watchdog, ticks_t now)
{
	/* A worker that never began stands still since it was first looked at, about. */
	watchdog->since = watchdog->seen != 0 ? watchdog->seen : now - watchdog->watched;
	watchdog->paused = progress_paused(watchdog->progress);
	watchdog->stalls++;
}

static void
stall_end(struct watchdog *watchdog, ticks_t now)
{
	const ticks_t measured = progress_paused(watchdog->progress) - watchdog->paused;

	watchdog->lasted = measured != 0 ? measured : now - watchdog->since;
	watchdog->ended = now;
	watchdog->since = 0;
}

enum watchdog_news
watchdog_look(struct watchdog *watchdog, ticks_t limit, ticks_t now)
{
	const ticks_t at = progress_at(watchdog->progress);
	const ticks_t gap = watchdog->looked != 0 ? now - watchdog->looked : 0;

	watchdog->looked = now;
	if (at != watchdog->seen) {
		watchdog->seen = at;
		watchdog->watched = 0;
		if (!watchdog_is_stalled(watchdog))
			return WATCHDOG_NOTHING;
		stall_end(watchdog, now);
		return WATCHDOG_RESUMED;
	}
	watchdog->watched += gap < WATCHDOG_STEP_MAX ? gap : WATCHDOG_STEP_MAX;
	if (limit == 0 || watchdog_is_stalled(watchdog) || watchdog->watched < limit)
		return WATCHDOG_NOTHING;
	stall_begin(watchdog, now);
	return WATCHDOG_STALLED;
}
