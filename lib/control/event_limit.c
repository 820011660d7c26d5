/* SPDX-License-Identifier: BSD-3-Clause */
/* A token bucket per kind; telling what was suppressed costs a token, too. */
#include "control/event_limit.h"

static const struct token_rate rate = {.each = EVENT_LIMIT_EACH, .burst = EVENT_LIMIT_BURST};

bool
event_limit_admits(struct event_limit *limit, enum event_kind kind, ticks_t now, uint64_t *before)
{
	if (!token_bucket_take(&limit->buckets[kind], &rate, now)) {
		limit->suppressed[kind]++;
		return false;
	}
	*before = limit->suppressed[kind];
	limit->suppressed[kind] = 0;
	return true;
}

enum event_kind
event_limit_due(struct event_limit *limit, ticks_t now, uint64_t *count)
{
	for (unsigned kind = 0; kind < EVENT_KIND_COUNT; kind++) {
		if (limit->suppressed[kind] == 0 ||
				!token_bucket_take(&limit->buckets[kind], &rate, now))
			continue;
		*count = limit->suppressed[kind];
		limit->suppressed[kind] = 0;
		return (enum event_kind)kind;
	}
	return EVENT_KIND_COUNT;
}
