/* SPDX-License-Identifier: BSD-3-Clause */
/* The fullest are found in one pass, with those found so far in a heap whose root is the least
 * full. */
#include "control/selection.h"

#include <stdlib.h>

#include "table/queue_rules.h"

struct ranked {
	uint64_t fullness;
	uint32_t slot;
};

struct heap {
	struct ranked *entries;
	uint32_t count, room;
};

/* A queue's share of its limit, in 2^-32; a full one counts the same whatever is beyond. */
static uint64_t
share(uint64_t used, uint64_t limit)
{
	return limit == 0 || used >= limit ? UINT64_C(1) << 32 : (used << 32) / limit;
}

static uint64_t
fullness(const struct request *request, const struct slot *slot)
{
	const struct queue_load load = request_load(request, slot);
	const uint64_t accept = share(load.accept, backend_config_accept_limit(&slot->config));
	const uint64_t syn = share(load.syn, queue_rules_syn_limit(&slot->config));

	return accept > syn ? accept : syn;
}

/* Of two as full the earlier one ranks higher. */
static bool
is_below(const struct ranked *a, const struct ranked *b)
{
	return a->fullness != b->fullness ? a->fullness < b->fullness : a->slot > b->slot;
}

static void
swap(struct ranked *a, struct ranked *b)
{
	const struct ranked before = *a;

	*a = *b;
	*b = before;
}

static void
sift_up(struct heap *heap, uint32_t i)
{
	for (; i > 0 && is_below(&heap->entries[i], &heap->entries[(i - 1) / 2]); i = (i - 1) / 2)
		swap(&heap->entries[i], &heap->entries[(i - 1) / 2]);
}

static void
sift_down(struct heap *heap)
{
	for (uint32_t i = 0, least = 0;; i = least) {
		for (uint32_t child = 2 * i + 1; child <= 2 * i + 2 && child < heap->count; child++)
			if (is_below(&heap->entries[child], &heap->entries[least]))
				least = child;
		if (least == i)
			return;
		swap(&heap->entries[i], &heap->entries[least]);
	}
}

static void
heap_offer(struct heap *heap, struct ranked entry)
{
	if (heap->count < heap->room) {
		heap->entries[heap->count] = entry;
		sift_up(heap, heap->count++);
	} else if (heap->room > 0 && is_below(&heap->entries[0], &entry)) {
		heap->entries[0] = entry;
		sift_down(heap);
	}
}

/* Marks the first ones in use, and the fullest of the others. */
static void
choose(const struct request *request, struct selection *selection, json_int_t first,
		struct heap *fullest)
{
	const struct registry *registry = request->env->registry;

	for (uint32_t i = 0; i < registry->slots_used; i++) {
		const struct slot *slot = &registry->slots[i];

		if (slot->use == SLOT_FREE)
			continue;
		if (first-- > 0)
			selection->chosen[i] = 1;
		else
			heap_offer(fullest, (struct ranked){fullness(request, slot), i});
	}
	for (uint32_t i = 0; i < fullest->count; i++)
		selection->chosen[fullest->entries[i].slot] = 1;
}

bool
selection_init(struct selection *selection, struct request *request)
{
	const bool is_narrow = json_object_get(request->object, "first") != NULL ||
			       json_object_get(request->object, "fullest") != NULL;
	struct heap heap = {0};
	json_int_t first, fullest;
	struct slot *only;

	*selection = (struct selection){0};
	if (!request_backend(request, false, &only) ||
			!request_integer(request, "first", 0, SELECTION_MAX, 0, &first) ||
			!request_integer(request, "fullest", 0, SELECTION_MAX, 0, &fullest))
		return false;
	selection->only = only;
	if (only != NULL || !is_narrow)
		return true;
	heap.room = (uint32_t)fullest;
	heap.entries = malloc((heap.room + 1) * sizeof(*heap.entries));
	selection->chosen = calloc(request->env->registry->slots_used + 1, 1);
	if (heap.entries != NULL && selection->chosen != NULL) {
		choose(request, selection, first, &heap);
		free(heap.entries);
		return true;
	}
	free(heap.entries);
	selection_fini(selection);
	return false;
}

void
selection_fini(struct selection *selection)
{
	free(selection->chosen);
	selection->chosen = NULL;
}

bool
selection_has(const struct selection *selection, const struct registry *registry,
		const struct slot *slot)
{
	if (slot->use == SLOT_FREE)
		return false;
	if (selection->only != NULL)
		return slot == selection->only;
	return selection->chosen == NULL || selection->chosen[registry_slot(registry, slot)] != 0;
}
