/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * As the syn queue (table/syn_queue.c), with a finer wheel: its time runs 64 times as fast, so that
 * its steps of 16 ms become 256 us. The oldest is found by a hand that goes round the records.
 */
#include "table/observed.h"

#define FINER_SHIFT 6
static_assert((UINT32_C(1) << TIMER_STEP_SHIFT) >> FINER_SHIFT == 256, "the header says so");

/* So many records before the hand reaches one, its bucket is loaded, and as many before that the
 * record, which names it. */
#define HAND_AHEAD 8
static_assert(2 * HAND_AHEAD <= OBSERVED_CLIENTS_LEAST / 2, "within the smallest set");

size_t
observed_memsize(uint32_t clients)
{
	return clients == 0 ? 0
			    : flow_table_memsize(clients, clients, sizeof(struct observed_client));
}

void
observed_init(struct observed_set *set, void *mem, uint32_t clients, const struct siphash_key *seed,
		ticks_t now)
{
	uint8_t *records;

	set->capacity = clients;
	set->hand = 0;
	if (clients == 0)
		return;
	flow_table_init(&set->flows, mem, clients, clients, sizeof(struct observed_client), seed);
	records = flow_table_record(&set->flows, 0);
	timer_wheel_init(&set->timers, records + offsetof(struct observed_client, timer),
			sizeof(struct observed_client), now << FINER_SHIFT);
}

uint32_t
observed_insert(struct observed_set *set, uint32_t hash, const struct tuple *tuple)
{
	uint32_t id = set->capacity == 0 ? OBSERVED_NONE
					 : flow_table_insert(&set->flows, hash, tuple);
	struct observed_client *client;

	if (id == OBSERVED_NONE)
		return OBSERVED_NONE;
	client = observed_client(set, id);
	*client = (struct observed_client){.flow = client->flow};
	return id;
}

static uint32_t
after(const struct observed_set *set, uint32_t id, uint32_t steps)
{
	return id + steps < set->capacity ? id + steps : id + steps - set->capacity;
}

/* The set is full, so that there is a record wherever the hand will come. */
uint32_t
observed_oldest(struct observed_set *set)
{
	uint32_t id = set->hand;

	if (set->capacity == 0 || set->flows.count < set->capacity)
		return OBSERVED_NONE;
	set->hand = after(set, id, 1);
	__builtin_prefetch(observed_client(set, after(set, id, 2 * HAND_AHEAD)), 1);
	flow_table_prefetch(
			&set->flows, observed_client(set, after(set, id, HAND_AHEAD))->flow.hash);
	return id;
}

static void
disarm(struct observed_set *set, uint32_t id)
{
	struct observed_client *client = observed_client(set, id);

	if (client->is_armed)
		timer_wheel_remove(&set->timers, id);
	client->is_armed = false;
}

void
observed_remove(struct observed_set *set, uint32_t id)
{
	disarm(set, id);
	flow_table_remove(&set->flows, id);
}

void
observed_arm(struct observed_set *set, uint32_t id, ticks_t when)
{
	disarm(set, id);
	timer_wheel_insert(&set->timers, id, when << FINER_SHIFT);
	observed_client(set, id)->is_armed = true;
}

uint32_t
observed_due(struct observed_set *set, ticks_t now, unsigned *budget)
{
	uint32_t id = set->capacity == 0
				      ? TIMER_NONE
				      : timer_wheel_next(&set->timers, now << FINER_SHIFT, budget);

	if (id == TIMER_NONE)
		return OBSERVED_NONE;
	observed_client(set, id)->is_armed = false;
	return id;
}

ticks_t
observed_when(const struct observed_set *set, ticks_t now)
{
	ticks_t when = set->capacity == 0 ? TICKS_NEVER
					  : timer_wheel_when(&set->timers, now << FINER_SHIFT);

	return when == TICKS_NEVER ? TICKS_NEVER : when >> FINER_SHIFT;
}
