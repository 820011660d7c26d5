/* SPDX-License-Identifier: BSD-3-Clause */
/* A binary heap in an array that grows; the order number makes the sort stable. */
#include "clock.h"

#include <stdlib.h>

#define ROOM_FIRST 1024

void
clock_init(struct clock *clock, ticks_t now)
{
	*clock = (struct clock){.now = now};
}

void
clock_fini(struct clock *clock)
{
	free(clock->heap);
}

static bool
event_is_before(const struct event *a, const struct event *b)
{
	return a->when != b->when ? a->when < b->when : a->order < b->order;
}

static void
event_swap(struct event *a, struct event *b)
{
	struct event kept = *a;

	*a = *b;
	*b = kept;
}

static void
heap_grow(struct clock *clock)
{
	clock->room = clock->room == 0 ? ROOM_FIRST : 2 * clock->room;
	clock->heap = realloc(clock->heap, clock->room * sizeof(clock->heap[0]));
	if (clock->heap == NULL)
		abort();
}

void
clock_at(struct clock *clock, ticks_t when, void (*fire)(void *context, void *subject),
		void *context, void *subject)
{
	unsigned at = clock->count;

	if (clock->count == clock->room)
		heap_grow(clock);
	clock->heap[clock->count++] = (struct event){
			.when = when < clock->now ? clock->now : when,
			.order = clock->order++,
			.fire = fire,
			.context = context,
			.subject = subject,
	};
	for (; at > 0 && event_is_before(&clock->heap[at], &clock->heap[(at - 1) / 2]);
			at = (at - 1) / 2)
		event_swap(&clock->heap[at], &clock->heap[(at - 1) / 2]);
}

ticks_t
clock_next(const struct clock *clock)
{
	return clock->count == 0 ? TICKS_NEVER : clock->heap[0].when;
}

static void
heap_sink(struct clock *clock)
{
	unsigned at = 0;

	for (;;) {
		unsigned child = 2 * at + 1;

		if (child >= clock->count)
			return;
		if (child + 1 < clock->count &&
				event_is_before(&clock->heap[child + 1], &clock->heap[child]))
			child++;
		if (!event_is_before(&clock->heap[child], &clock->heap[at]))
			return;
		event_swap(&clock->heap[at], &clock->heap[child]);
		at = child;
	}
}

void
clock_step(struct clock *clock)
{
	struct event event = clock->heap[0];

	clock->heap[0] = clock->heap[--clock->count];
	heap_sink(clock);
	clock->now = event.when;
	event.fire(event.context, event.subject);
}
