/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The flow table against a naive twin (an array searched from end to end), full to its last
 * record, with IPv4 and IPv6, VLANs, removal and reuse.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "packets.h"
#include "table/flow_table.h"

#define RECORD_SIZE 64

static const struct siphash_key seed = {0x0123456789abcdef, 0xfedcba9876543210};

struct fixture {
	struct flow_table table;
	void *mem;
};

static void
fixture_init(struct fixture *f, uint32_t capacity, uint32_t capacity_ip6)
{
	size_t size = flow_table_memsize(capacity, capacity_ip6, RECORD_SIZE);

	f->mem = aligned_alloc(CACHE_LINE_SIZE, cache_align(size));
	assert_non_null(f->mem);
	/* Whatever the memory held before must not matter. */
	memset(f->mem, 0xa5, size);
	flow_table_init(&f->table, f->mem, capacity, capacity_ip6, RECORD_SIZE, &seed);
}

static struct tuple
tuple_ip4(uint32_t client, uint16_t client_port)
{
	return (struct tuple){
			.client = ip_addr_from_ip4(client),
			.backend = ip_addr_from_ip4(0x0a000002),
			.client_port = client_port,
			.backend_port = 80,
			.family = FAMILY_IP4,
	};
}

static struct tuple
tuple_ip6(uint32_t client, uint16_t client_port)
{
	return (struct tuple){
			.client = {.words_be = {0xfd, 0, 0, client}},
			.backend = {.words_be = {0xfd, 0, 0, 2}},
			.client_port = client_port,
			.backend_port = 80,
			.family = FAMILY_IP6,
	};
}

static uint32_t
insert(struct flow_table *table, const struct tuple *tuple)
{
	return flow_table_insert(table, flow_table_hash(table, tuple), tuple);
}

static uint32_t
find(const struct flow_table *table, const struct tuple *tuple)
{
	return flow_table_find(table, flow_table_hash(table, tuple), tuple);
}

/* 1. Every field of the tuple tells flows apart; the record gives the tuple back. */
static void
test_fields(void **state)
{
	struct fixture f;
	struct tuple base[] = {tuple_ip4(0x01020304, 1000), tuple_ip6(0x01020304, 1000)};

	(void)state;
	fixture_init(&f, 64, 64);
	for (unsigned i = 0; i < ARRAY_COUNT(base); i++) {
		struct tuple others[6];

		for (unsigned o = 0; o < ARRAY_COUNT(others); o++)
			others[o] = base[i];
		others[0].client.words_be[3] ^= 1;
		others[1].backend.words_be[3] ^= 1;
		others[2].client_port ^= 1;
		others[3].backend_port ^= 1;
		others[4].vlan ^= 1;
		others[5].client.words_be[3] ^= UINT32_C(1) << 31;

		uint32_t id = insert(&f.table, &base[i]);
		struct tuple back = flow_table_tuple(&f.table, id);

		assert_int_not_equal(id, FLOW_NONE);
		assert_true(tuple_is_equal(&back, &base[i]));
		assert_int_equal(find(&f.table, &base[i]), id);
		for (unsigned o = 0; o < ARRAY_COUNT(others); o++)
			assert_int_equal(find(&f.table, &others[o]), FLOW_NONE);
	}
	free(f.mem);
}

/* 2. A table of any size takes exactly its capacity, then refuses, and takes again after a removal.
 */
static void
test_capacity(void **state)
{
	static const uint32_t capacities[] = {1, 2, 7, 10, 100, 1000, 65536, 300000};

	(void)state;
	for (unsigned c = 0; c < ARRAY_COUNT(capacities); c++) {
		uint32_t capacity = capacities[c];
		struct fixture f;
		struct tuple tuple, extra = tuple_ip4(0xffffffff, 1);

		fixture_init(&f, capacity, 0);
		for (uint32_t i = 0; i < capacity; i++) {
			tuple = tuple_ip4(i, 4000);
			assert_int_not_equal(insert(&f.table, &tuple), FLOW_NONE);
		}
		assert_int_equal(insert(&f.table, &extra), FLOW_NONE);
		assert_int_equal(f.table.count, capacity);
		for (uint32_t i = 0; i < capacity; i++) {
			tuple = tuple_ip4(i, 4000);
			assert_int_not_equal(find(&f.table, &tuple), FLOW_NONE);
		}

		tuple = tuple_ip4(capacity / 2, 4000);
		flow_table_remove(&f.table, find(&f.table, &tuple));
		assert_int_equal(find(&f.table, &tuple), FLOW_NONE);
		assert_int_not_equal(insert(&f.table, &extra), FLOW_NONE);
		free(f.mem);
	}
}

/* How many records a walk over all handles meets. */
static uint32_t
walk(const struct flow_table *table)
{
	uint32_t used = 0;

	for (uint32_t id = 0; id < table->touched; id++)
		used += flow_table_is_used(table, id);
	return used;
}

/* 3. IPv6 is refused beyond its own limit while IPv4 goes on, and pairs come back. */
static void
test_ip6_limit(void **state)
{
	struct fixture f;
	struct tuple tuple;

	(void)state;
	fixture_init(&f, 10, 3);
	for (uint32_t i = 0; i < 3; i++) {
		tuple = tuple_ip6(i, 1);
		assert_int_not_equal(insert(&f.table, &tuple), FLOW_NONE);
	}
	tuple = tuple_ip6(3, 1);
	assert_int_equal(insert(&f.table, &tuple), FLOW_NONE);
	assert_int_equal(f.table.count, 3);
	/* What was taken for the refused one is free again. */
	assert_int_equal(walk(&f.table), 3);
	for (uint32_t i = 0; i < 7; i++) {
		struct tuple ip4 = tuple_ip4(i, 1);

		assert_int_not_equal(insert(&f.table, &ip4), FLOW_NONE);
	}

	struct tuple gone = tuple_ip6(1, 1);

	flow_table_remove(&f.table, find(&f.table, &gone));
	assert_int_not_equal(insert(&f.table, &tuple), FLOW_NONE);
	free(f.mem);
}

#define TWIN_TUPLES 600
#define TWIN_CAPACITY 400
#define TWIN_ROUNDS 200000

/* 4. Random insertions and removals agree with the twin, at every step and in every look-up. */
static void
test_against_twin(void **state)
{
	struct fixture f;
	struct tuple tuples[TWIN_TUPLES];
	uint32_t twin[TWIN_TUPLES];
	uint64_t random = 4;
	uint32_t count = 0, count_ip6 = 0;

	(void)state;
	fixture_init(&f, TWIN_CAPACITY, TWIN_CAPACITY / 2);
	for (unsigned i = 0; i < TWIN_TUPLES; i++) {
		tuples[i] = i % 2 ? tuple_ip6(i / 8, (uint16_t)i) : tuple_ip4(i / 8, (uint16_t)i);
		tuples[i].vlan = i % 3;
		twin[i] = FLOW_NONE;
	}
	for (unsigned round = 0; round < TWIN_ROUNDS; round++) {
		unsigned i = (unsigned)(packet_random(&random) % TWIN_TUPLES);
		bool is_ip6 = tuples[i].family == FAMILY_IP6;

		assert_int_equal(find(&f.table, &tuples[i]), twin[i]);
		if (twin[i] != FLOW_NONE) {
			flow_table_remove(&f.table, twin[i]);
			twin[i] = FLOW_NONE;
			count--;
			count_ip6 -= is_ip6;
		} else {
			bool room = count < TWIN_CAPACITY &&
				    (!is_ip6 || count_ip6 < TWIN_CAPACITY / 2);

			twin[i] = insert(&f.table, &tuples[i]);
			assert_int_equal(twin[i] != FLOW_NONE, room);
			count += room;
			count_ip6 += room && is_ip6;
		}
		assert_int_equal(f.table.count, count);
	}
	for (unsigned i = 0; i < TWIN_TUPLES; i++) {
		assert_int_equal(find(&f.table, &tuples[i]), twin[i]);
		for (unsigned j = 0; j < i && twin[i] != FLOW_NONE; j++)
			assert_int_not_equal(twin[i], twin[j]);
		if (twin[i] != FLOW_NONE)
			flow_table_remove(&f.table, twin[i]);
	}
	/* Empty again: no bucket remembers a displaced entry, so a miss costs one line. */
	for (uint32_t b = 0; b < f.table.bucket_count; b++)
		assert_int_equal(f.table.buckets[b].displaced, 0);
	free(f.mem);
}

/* 5. Another seed sends tuples elsewhere: collisions can't be prepared without it. */
static void
test_seed(void **state)
{
	struct flow_table a = {.seed = seed};
	struct flow_table b = {.seed = {seed.k0 ^ 1, seed.k1}};
	unsigned same = 0;

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		struct tuple tuples[] = {tuple_ip4(i, 1), tuple_ip6(i, 1)};

		for (unsigned t = 0; t < ARRAY_COUNT(tuples); t++)
			same += flow_table_hash(&a, &tuples[t]) == flow_table_hash(&b, &tuples[t]);
	}
	assert_in_range(same, 0, 1);
}

/* 6. Flows whose hashes are all the same share two buckets: twenty of them are found, one more is
 * refused however much room there is elsewhere, and a refusal keeps neither record nor pair. */
static void
test_full_buckets(void **state)
{
	enum { CAPACITY = 64, FIT = 20, HASH = 12345 };
	struct fixture f;
	struct tuple tuple;

	(void)state;
	fixture_init(&f, CAPACITY, CAPACITY);
	for (uint16_t i = 0; i < FIT; i++) {
		tuple = i % 2 == 0 ? tuple_ip4(1, i) : tuple_ip6(1, i);
		assert_int_not_equal(flow_table_insert(&f.table, HASH, &tuple), FLOW_NONE);
	}
	for (uint16_t i = 0; i < 2 * CAPACITY; i++) {
		tuple = i % 2 == 0 ? tuple_ip4(2, i) : tuple_ip6(2, i);
		assert_int_equal(flow_table_insert(&f.table, HASH, &tuple), FLOW_NONE);
		assert_int_equal(flow_table_find(&f.table, HASH, &tuple), FLOW_NONE);
	}
	assert_int_equal(f.table.count, FIT);
	for (uint16_t i = 0; i < FIT; i++) {
		tuple = i % 2 == 0 ? tuple_ip4(1, i) : tuple_ip6(1, i);
		assert_int_not_equal(flow_table_find(&f.table, HASH, &tuple), FLOW_NONE);
	}
	/* All records, and as many pairs, are still to be had by those with room elsewhere. */
	for (uint16_t i = 0; i < 1000 && f.table.count < CAPACITY; i++) {
		tuple = tuple_ip6(3, i);
		insert(&f.table, &tuple);
	}
	assert_int_equal(f.table.count, CAPACITY);
	free(f.mem);
}

/* 7. Tags in one bucket that are next to each other, or 0 as an empty entry's, are told apart; many
 * look-ups together answer as each alone, also for what lies in its second bucket. */
static void
test_tags_and_find_all(void **state)
{
	static const uint32_t hashes[] = {0, 1, 2, 3, 0x7fff, 0x8000, 0x8001, 0xfffe, 0xffff, 0x100,
			0x101, 0x10000, 0x10001, 0x20000};
	enum { FLOWS = ARRAY_COUNT(hashes), QUERIES = 3 * FLOWS };
	struct fixture f;
	struct tuple tuples[FLOWS];
	struct flow_query queries[QUERIES];
	uint32_t ids[FLOWS];

	(void)state;
	fixture_init(&f, 64, 64);
	for (unsigned i = 0; i <= FLOWS; i++) {
		for (unsigned q = 0; q < QUERIES; q++) {
			unsigned t = q % FLOWS, h = q < FLOWS ? t : (t + q / FLOWS) % FLOWS;

			tuples[t] = t % 2 ? tuple_ip6(t, 1) : tuple_ip4(t, 1);
			queries[q] = (struct flow_query){&tuples[t], hashes[h], 0};
		}
		flow_table_find_all(&f.table, queries, QUERIES);
		for (unsigned q = 0; q < QUERIES; q++)
			assert_int_equal(
					queries[q].handle, q < i && q < FLOWS ? ids[q] : FLOW_NONE);
		for (unsigned q = 0; q < QUERIES; q++)
			assert_int_equal(queries[q].handle,
					flow_table_find(&f.table, queries[q].hash,
							queries[q].tuple));
		if (i < FLOWS)
			ids[i] = flow_table_insert(&f.table, hashes[i], &tuples[i]);
	}
	/* The first bucket of all of them was full after ten. */
	assert_int_equal(f.table.buckets[0].displaced, FLOWS - FLOW_BUCKET_ENTRIES);
	free(f.mem);
}

#define SUSPECT_BURSTS 62500 /* of 32 at each fill: ten million hashes in all */

/* The same for each kernel, with a bit for each hash that has a record. */
static uint32_t
suspects(const struct flow_table *table, const uint32_t *hashes, unsigned count, uint32_t records)
{
	const uint32_t found = flow_table_suspects(table, KERNEL_SCALAR, hashes, count);

	for (enum kernel kernel = 0; kernel < KERNEL_COUNT; kernel++)
		if (kernel_is_supported(kernel))
			assert_int_equal(found, flow_table_suspects(table, kernel, hashes, count));
	assert_int_equal(found & records, records);
	assert_int_equal((uint64_t)found >> count, 0);
	return found;
}

/* 8. No record is overlooked by its hash, by any kernel, however full the table; and strangers are
 * hardly ever suspected until it is. */
static void
test_suspects(void **state)
{
	enum { CAPACITY = 4096, FILLS = 5 };
	static uint32_t stored[CAPACITY];
	struct fixture f;
	uint64_t random = 8;
	uint32_t n = 0;

	(void)state;
	fixture_init(&f, CAPACITY, 0);
	for (unsigned fill = 0; fill < FILLS; fill++) {
		uint64_t suspected = 0, strangers = 0;

		for (; n < fill * CAPACITY / (FILLS - 1); n++) {
			const struct tuple tuple = tuple_ip4(n, 1);

			stored[n] = (uint32_t)packet_random(&random);
			assert_int_not_equal(
					flow_table_insert(&f.table, stored[n], &tuple), FLOW_NONE);
		}
		for (unsigned i = 0; i < SUSPECT_BURSTS; i++) {
			const unsigned count = i % 4 ? FLOW_SUSPECTS_MAX : i / 4 % 32;
			uint32_t hashes[FLOW_SUSPECTS_MAX], records = 0;

			for (unsigned j = 0; j < count; j++) {
				const uint64_t bits = packet_random(&random);
				const bool is_record = n > 0 && (bits >> 32) % 16 == 0;

				hashes[j] = is_record ? stored[bits % n] : (uint32_t)bits;
				records |= (uint32_t)is_record << j;
			}
			suspected += (unsigned)__builtin_popcount(
					suspects(&f.table, hashes, count, records) & ~records);
			strangers += count - (unsigned)__builtin_popcount(records);
		}
		if (fill <= FILLS / 2)
			assert_in_range(suspected, 0, strangers / 100);
	}
	/* Without what is displaced, no more than tags tell would have been checked. */
	assert_int_equal(f.table.count, CAPACITY);
	n = 0;
	for (uint32_t b = 0; b < f.table.bucket_count; b++)
		n += f.table.buckets[b].displaced;
	assert_in_range(n, 1, CAPACITY);
	free(f.mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_fields),
			cmocka_unit_test(test_capacity),
			cmocka_unit_test(test_ip6_limit),
			cmocka_unit_test(test_against_twin),
			cmocka_unit_test(test_seed),
			cmocka_unit_test(test_full_buckets),
			cmocka_unit_test(test_tags_and_find_all),
			cmocka_unit_test(test_suspects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
