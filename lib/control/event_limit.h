/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How many events of each kind may be written: so many at once, then one now and then. What is
 * suppressed is counted and told with the next one that may be written, or as soon as one may. So a
 * thousand backends under one flood, or one that flaps all night, fill no disk, and each kind has
 * room of its own. Control thread only.
 */
#ifndef SLUICE_CONTROL_EVENT_LIMIT_H
#define SLUICE_CONTROL_EVENT_LIMIT_H

#include "base/token_bucket.h"
#include "control/event.h"

#define EVENT_LIMIT_BURST 10
#define EVENT_LIMIT_EACH (6 * TICKS_PER_S)

/** All zero: nothing was written yet. */
struct event_limit {
	struct token_bucket buckets[EVENT_KIND_COUNT];
	uint64_t suppressed[EVENT_KIND_COUNT];
};

/** True when an event of the kind may be written now; else it is counted. *before: how many of its
 * kind were suppressed since the last one written, to be told with it. */
bool event_limit_admits(
		struct event_limit *limit, enum event_kind kind, ticks_t now, uint64_t *before);

/** A kind of which some were suppressed and one line may be written now; *count of them is to be
 * told. EVENT_KIND_COUNT: none. Call it again until then. */
enum event_kind event_limit_due(struct event_limit *limit, ticks_t now, uint64_t *count);

#endif
