/* SPDX-License-Identifier: BSD-3-Clause */
/* The snapshot's look-up: exact for every backend, and for everything that is none. */
#include <endian.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/base.h"
#include "table/counters.h"
#include "table/snapshot.h"

static struct snapshot *
make_seeded(unsigned count, uint64_t seed)
{
	void *mem = aligned_alloc(CACHE_LINE_SIZE, snapshot_memsize(count));

	assert_non_null(mem);
	memset(mem, 0xa5, snapshot_memsize(count));
	return snapshot_init(mem, count, 42, seed);
}

static struct snapshot *
make(unsigned count)
{
	return make_seeded(count, 0x1122334455667788);
}

static struct backend_config
backend(uint32_t address, uint16_t port, uint16_t slot)
{
	return (struct backend_config){
			.address = ip_addr_from_ip4(address),
			.port = port,
			.slot = slot,
			.family = FAMILY_IP4,
	};
}

/* 1. Many ports of one address and many addresses of one port: all found, neighbours not. */
static void
test_find(void **state)
{
	enum { COUNT = 2000 };
	struct snapshot *snapshot = make(COUNT);

	(void)state;
	for (unsigned i = 0; i < COUNT; i++) {
		struct backend_config config = i % 2 ? backend(7, (uint16_t)(i + 1), (uint16_t)i)
						     : backend(1000 + i, 80, (uint16_t)i);

		assert_int_equal(snapshot_insert(snapshot, &config), 0);
	}
	assert_int_equal(snapshot_count(snapshot), COUNT);
	assert_int_equal(snapshot_generation(snapshot), 42);
	for (unsigned i = 0; i < COUNT; i++) {
		union ip_addr address = ip_addr_from_ip4(i % 2 ? 7 : 1000 + i);
		union ip_addr neighbour = ip_addr_from_ip4(100000 + i);
		uint16_t port = i % 2 ? (uint16_t)(i + 1) : 80;
		const struct backend_config *found = snapshot_find(snapshot, &address, port);

		assert_ptr_equal(found, snapshot_at(snapshot, i));
		assert_int_equal(found->slot, i);
		assert_null(snapshot_find(snapshot, &address, (uint16_t)(port ^ 0x8000)));
		assert_null(snapshot_find(snapshot, &neighbour, port));
		assert_int_equal(snapshot_address(snapshot, &address), ADDRESS_FRAGMENTS_DROP);
		assert_int_equal(snapshot_address(snapshot, &neighbour), ADDRESS_FOREIGN);
	}
	free(snapshot);
}

/* 2. The same address and port twice, and one backend too many, are refused; the rest stays. */
static void
test_refusals(void **state)
{
	struct snapshot *snapshot = make(2);
	struct backend_config a = backend(1, 80, 0), b = backend(1, 443, 1), c = backend(2, 80, 2);

	(void)state;
	assert_int_equal(snapshot_insert(snapshot, &a), 0);
	assert_int_equal(snapshot_insert(snapshot, &a), -EEXIST);
	assert_int_equal(snapshot_insert(snapshot, &b), 0);
	assert_int_equal(snapshot_insert(snapshot, &c), -ENOSPC);
	assert_int_equal(snapshot_count(snapshot), 2);
	assert_non_null(snapshot_find(snapshot, &a.address, 443));
	assert_null(snapshot_find(snapshot, &c.address, 80));
	free(snapshot);
}

/* 3. Port 0, which the index uses for bare addresses, is never a backend. */
static void
test_port_zero(void **state)
{
	struct snapshot *snapshot = make(1);
	struct backend_config a = backend(1, 80, 0);

	(void)state;
	assert_null(snapshot_find(snapshot, &a.address, 0));
	assert_int_equal(snapshot_insert(snapshot, &a), 0);
	assert_null(snapshot_find(snapshot, &a.address, 0));
	free(snapshot);
}

/* 4. No backends at all: nothing is protected. */
static void
test_empty(void **state)
{
	struct snapshot *snapshot = make(0);
	union ip_addr address = ip_addr_from_ip4(1);

	(void)state;
	assert_null(snapshot_find(snapshot, &address, 80));
	assert_int_equal(snapshot_address(snapshot, &address), ADDRESS_FOREIGN);
	free(snapshot);
}

/* 5. Counters have distinct names and a text each: they are what an operator reads. */
static void
test_counter_names(void **state)
{
	(void)state;
	for (unsigned i = 0; i < BACKEND_COUNTER_COUNT; i++) {
		assert_true(strlen(backend_counter_text(i)) > 10);
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(backend_counter_name(i), backend_counter_name(j));
	}
	for (unsigned i = 0; i < EMITTED_COUNT; i++)
		assert_true(strlen(emitted_name(i)) > 2);
}

static double
seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The time it takes to find each of count backends a few times; spread: addresses far apart. */
static double
time_to_find(unsigned count, uint64_t seed, bool spread)
{
	struct snapshot *snapshot = make_seeded(count, seed);
	double best = 1e9;

	for (unsigned i = 0; i < count; i++) {
		struct backend_config config = {.slot = (uint16_t)i, .port = 80};

		config.address = ip_addr_from_ip4(
				htobe32(0x0a010000 + (spread ? i * UINT32_C(2654435761) : i)));
		assert_int_equal(snapshot_insert(snapshot, &config), 0);
	}
	for (unsigned round = 0; round < 5; round++) {
		double begin = seconds(), took;

		for (unsigned i = 0; i < count; i++) {
			const struct backend_config *config = snapshot_at(snapshot, i);

			assert_ptr_equal(snapshot_find(snapshot, &config->address, 80), config);
		}
		took = seconds() - begin;
		best = took < best ? took : best;
	}
	free(snapshot);
	return best;
}

/* 6. Neighbouring addresses, as backends have them, are found as fast as scattered ones: the cells
 * they hash to don't cluster, whatever the seed. (They once did: 500 times slower with 20,000; and
 * again with seeds of few bits.) */
static void
test_neighbours(void **state)
{
	static const uint64_t seeds[] = {0, 1, UINT64_MAX, 0x1122334455667788};

	(void)state;
	for (unsigned i = 0; i < sizeof(seeds) / sizeof(*seeds); i++)
		assert_true(time_to_find(20000, seeds[i], false) <
				8 * time_to_find(20000, seeds[i], true));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_find),
			cmocka_unit_test(test_refusals),
			cmocka_unit_test(test_port_zero),
			cmocka_unit_test(test_empty),
			cmocka_unit_test(test_counter_names),
			cmocka_unit_test(test_neighbours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
