/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A flow table whose records carry a timer. When all of them are taken, a hand that goes round the
 * handles finds the oldest without a list: the record it frees is the next one given out, so that
 * under a flood the handles behind the hand are the youngest.
 */
#include "table/syn_queue.h"

size_t
syn_queue_memsize(uint32_t entries)
{
	return entries == 0 ? 0 : flow_table_memsize(entries, entries, sizeof(struct syn_entry));
}

void
syn_queue_init(struct syn_queue *queue, void *mem, uint32_t entries, const struct siphash_key *seed,
		ticks_t now)
{
	uint8_t *records;

	queue->capacity = entries;
	queue->hand = 0;
	if (entries == 0)
		return;
	flow_table_init(&queue->flows, mem, entries, entries, sizeof(struct syn_entry), seed);
	records = flow_table_record(&queue->flows, 0);
	timer_wheel_init(&queue->timers, records + offsetof(struct syn_entry, timer),
			sizeof(struct syn_entry), now);
}

uint32_t
syn_queue_insert(struct syn_queue *queue, uint32_t hash, const struct tuple *tuple, ticks_t when)
{
	uint32_t id = queue->capacity == 0 ? SYN_QUEUE_NONE
					   : flow_table_insert(&queue->flows, hash, tuple);
	struct syn_entry *entry;
	struct flow flow;

	if (id == SYN_QUEUE_NONE)
		return SYN_QUEUE_NONE;
	entry = syn_queue_entry(queue, id);
	flow = entry->flow;
	*entry = (struct syn_entry){.flow = flow};
	timer_wheel_insert(&queue->timers, id, when);
	return id;
}

uint32_t
syn_queue_oldest(struct syn_queue *queue)
{
	uint32_t id = queue->hand;

	if (queue->capacity == 0 || queue->flows.count < queue->capacity)
		return SYN_QUEUE_NONE;
	queue->hand = id + 1 < queue->capacity ? id + 1 : 0;
	return id;
}

void
syn_queue_remove(struct syn_queue *queue, uint32_t id)
{
	timer_wheel_remove(&queue->timers, id);
	flow_table_remove(&queue->flows, id);
}

uint32_t
syn_queue_due(struct syn_queue *queue, ticks_t now, unsigned *budget)
{
	if (queue->capacity == 0)
		return SYN_QUEUE_NONE;
	return timer_wheel_next(&queue->timers, now, budget);
}

void
syn_queue_rearm(struct syn_queue *queue, uint32_t id, ticks_t when)
{
	timer_wheel_insert(&queue->timers, id, when);
}

void
syn_queue_remove_due(struct syn_queue *queue, uint32_t id)
{
	flow_table_remove(&queue->flows, id);
}
