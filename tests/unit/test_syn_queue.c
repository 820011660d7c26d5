/* SPDX-License-Identifier: BSD-3-Clause */
/* The memory behind half-open clients: found again, evicted in order, timers of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "table/proven.h"
#include "table/syn_queue.h"

enum { ENTRIES = 64 };

static const struct siphash_key seed = {11, 12};
static const ticks_t start = UINT64_C(1700000000) * TICKS_PER_S;

static struct tuple
tuple_of(unsigned n, enum family family)
{
	struct tuple tuple = {.client_port = (uint16_t)n, .backend_port = 80, .family = family};

	tuple.client = ip_addr_from_ip4(n);
	tuple.backend = ip_addr_from_ip4(7);
	if (family == FAMILY_IP6)
		tuple.client.bytes[0] = tuple.backend.bytes[0] = 0xfd;
	return tuple;
}

static void *
queue_new(struct syn_queue *queue, uint32_t entries)
{
	void *mem = entries == 0 ? NULL
				 : aligned_alloc(CACHE_LINE_SIZE,
						   cache_align(syn_queue_memsize(entries)));

	memset(queue, 0, sizeof(*queue));
	syn_queue_init(queue, mem, entries, &seed, start);
	return mem;
}

static uint32_t
insert(struct syn_queue *queue, unsigned n, enum family family, ticks_t when)
{
	struct tuple tuple = tuple_of(n, family);

	return syn_queue_insert(queue, flow_table_hash(&queue->flows, &tuple), &tuple, when);
}

static uint32_t
find(struct syn_queue *queue, unsigned n, enum family family)
{
	struct tuple tuple = tuple_of(n, family);

	return syn_queue_find(queue, flow_table_hash(&queue->flows, &tuple), &tuple);
}

/* 1. No queue at all: nothing is found, nothing fits, nothing is due. */
static void
test_none(void **state)
{
	struct syn_queue queue;
	unsigned budget = 10;

	(void)state;
	assert_int_equal(syn_queue_memsize(0), 0);
	assert_null(queue_new(&queue, 0));
	assert_true(syn_queue_is_empty(&queue));
	struct tuple tuple = tuple_of(1, FAMILY_IP4);
	assert_int_equal(syn_queue_insert(&queue, 1, &tuple, start), SYN_QUEUE_NONE);
	assert_int_equal(syn_queue_find(&queue, 1, &tuple), SYN_QUEUE_NONE);
	assert_int_equal(syn_queue_oldest(&queue), SYN_QUEUE_NONE);
	assert_int_equal(syn_queue_due(&queue, start + TICKS_PER_S, &budget), SYN_QUEUE_NONE);
}

/* 2. Memory per half-open client: one line and its share of a bucket for IPv4; the addresses of
 * IPv6 take half a line more. */
static void
test_memory(void **state)
{
	size_t each = (syn_queue_memsize(2000000) - syn_queue_memsize(1000000)) / 1000000;

	(void)state;
	assert_in_range(each, CACHE_LINE_SIZE, 2 * CACHE_LINE_SIZE);
}

/* 3. A flood of ten times the queue's size: memory is what it was, the one put in first makes way
 * each time, and the newest are all there. Both families. */
static void
test_flood(void **state)
{
	struct syn_queue queue;
	void *mem = queue_new(&queue, ENTRIES);
	unsigned evicted = 0;

	(void)state;
	for (unsigned n = 0; n < 10 * ENTRIES; n++) {
		enum family family = n % 2 ? FAMILY_IP6 : FAMILY_IP4;
		uint32_t id = insert(&queue, n, family, start + TICKS_PER_S);

		if (id == SYN_QUEUE_NONE) {
			uint32_t oldest = syn_queue_oldest(&queue);

			assert_int_equal(queue.flows.count, ENTRIES);
			assert_int_equal(find(&queue, n - ENTRIES, n % 2 ? FAMILY_IP6 : FAMILY_IP4),
					oldest);
			syn_queue_remove(&queue, oldest);
			evicted++;
			id = insert(&queue, n, family, start + TICKS_PER_S);
		}
		assert_int_not_equal(id, SYN_QUEUE_NONE);
		assert_int_equal(find(&queue, n, family), id);
		/* Its twin of the other family is somebody else. */
		assert_int_equal(find(&queue, n, n % 2 ? FAMILY_IP4 : FAMILY_IP6), SYN_QUEUE_NONE);
	}
	assert_int_equal(evicted, 9 * ENTRIES);
	for (unsigned n = 9 * ENTRIES; n < 10 * ENTRIES; n++)
		assert_int_not_equal(
				find(&queue, n, n % 2 ? FAMILY_IP6 : FAMILY_IP4), SYN_QUEUE_NONE);
	free(mem);
}

/* 4. Against a naive twin: random insertions, removals and time; each entry fires once, not
 * early. */
static void
test_naive_twin(void **state)
{
	enum { CLIENTS = 200 };
	struct syn_queue queue;
	void *mem = queue_new(&queue, ENTRIES);
	ticks_t due[CLIENTS] = {0}, now = start; /* 0: not queued */
	unsigned count = 0, fired = 0;

	(void)state;
	srand(5);
	for (unsigned step = 0; step < 200000; step++) {
		unsigned n = (unsigned)rand() % CLIENTS, budget = 4;
		uint32_t id = find(&queue, n, FAMILY_IP4);

		assert_int_equal(id != SYN_QUEUE_NONE, due[n] != 0);
		if (id != SYN_QUEUE_NONE) {
			assert_int_equal(syn_queue_entry(&queue, id)->isn, n);
			syn_queue_remove(&queue, id);
			due[n] = 0;
			count--;
		} else if (count < ENTRIES) {
			due[n] = now + (ticks_t)(rand() % 4000) * TICKS_PER_MS;
			id = insert(&queue, n, FAMILY_IP4, due[n]);
			if (id == SYN_QUEUE_NONE) { /* a crowded bucket */
				due[n] = 0;
				continue;
			}
			syn_queue_entry(&queue, id)->isn = n;
			count++;
		}
		now += (ticks_t)(rand() % 100) * TICKS_PER_MS;
		while ((id = syn_queue_due(&queue, now, &budget)) != SYN_QUEUE_NONE) {
			n = syn_queue_entry(&queue, id)->isn;
			assert_true(due[n] != 0 && due[n] <= now);
			fired++;
			if (rand() % 2) {
				due[n] = now + TICKS_PER_S;
				syn_queue_rearm(&queue, id, due[n]);
			} else {
				due[n] = 0;
				syn_queue_remove_due(&queue, id);
				count--;
			}
		}
		assert_int_equal(queue.flows.count, count);
	}
	assert_true(fired > 10000);
	free(mem);
}

/* 5. Clients that completed a connection are known for an hour, others are not. */
static void
test_proven(void **state)
{
	static struct proven proven;
	unsigned known = 0;

	(void)state;
	proven_init(&proven, &seed);
	for (unsigned n = 0; n < 1000; n++) {
		struct tuple tuple = tuple_of(n, n % 2 ? FAMILY_IP6 : FAMILY_IP4);

		assert_false(proven_has(&proven, &tuple.client, start));
		proven_note(&proven, &tuple.client, start);
		assert_true(proven_has(&proven, &tuple.client, start));
		assert_true(proven_has(&proven, &tuple.client, start + 3599 * TICKS_PER_S));
		assert_false(proven_has(&proven, &tuple.client, start + 3600 * TICKS_PER_S));
	}
	for (unsigned n = 0; n < 1000; n++) {
		struct tuple tuple = tuple_of(n, n % 2 ? FAMILY_IP6 : FAMILY_IP4);

		known += proven_has(&proven, &tuple.client, start);
	}
	/* 1,000 in 4,096 cells: about one in nine was pushed out by a later one. */
	assert_in_range(known, 800, 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_none),
			cmocka_unit_test(test_memory),
			cmocka_unit_test(test_flood),
			cmocka_unit_test(test_naive_twin),
			cmocka_unit_test(test_proven),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
