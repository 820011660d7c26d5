/* SPDX-License-Identifier: BSD-3-Clause */
/* The shared cache of next hops: what was not asked for is not believed, and cells are shared. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "table/hops.h"

static const uint8_t mac_a[ETHER_ADDR_BYTES] = {0x02, 1, 2, 3, 4, 0xff};
static const uint8_t mac_b[ETHER_ADDR_BYTES] = {0xfe, 9, 8, 7, 6, 5};

/* 1. Asked, answered, forgotten. */
static void
test_one_hop(void **state)
{
	struct hops hops = {{0}};
	const uint64_t place = UINT64_C(0x8123456789abcdef);
	uint8_t mac[ETHER_ADDR_BYTES];

	(void)state;
	assert_int_equal(hops_find(&hops, place, mac), HOP_UNKNOWN);
	assert_false(hops_answer(&hops, place, mac_a));
	assert_int_equal(hops_find(&hops, place, mac), HOP_UNKNOWN);
	hops_set(&hops, place, HOP_ASKED);
	assert_int_equal(hops_find(&hops, place, mac), HOP_ASKED);
	assert_true(hops_answer(&hops, place, mac_a));
	assert_int_equal(hops_find(&hops, place, mac), HOP_KNOWN);
	assert_memory_equal(mac, mac_a, sizeof(mac));
	assert_true(hops_answer(&hops, place, mac_b));
	assert_int_equal(hops_find(&hops, place, mac), HOP_KNOWN);
	assert_memory_equal(mac, mac_a, sizeof(mac));
	hops_set(&hops, place, HOP_UNKNOWN);
	assert_int_equal(hops_find(&hops, place, mac), HOP_UNKNOWN);
	assert_false(hops_answer(&hops, place, mac_b));
}

/* 2. Every tag bit tells two hops of one cell apart; the later one takes the cell. A tag of 0 is a
 * tag like others. */
static void
test_one_cell(void **state)
{
	(void)state;
	for (unsigned bit = 50; bit < 64; bit++) {
		struct hops hops = {{0}};
		const uint64_t a = 77, b = a | UINT64_C(1) << bit;
		uint8_t mac[ETHER_ADDR_BYTES];

		hops_set(&hops, a, HOP_ASKED);
		assert_int_equal(hops_find(&hops, b, mac), HOP_UNKNOWN);
		assert_false(hops_answer(&hops, b, mac_b));
		assert_true(hops_answer(&hops, a, mac_a));
		assert_int_equal(hops_find(&hops, b, mac), HOP_UNKNOWN);
		hops_set(&hops, b, HOP_ASKED);
		assert_int_equal(hops_find(&hops, a, mac), HOP_UNKNOWN);
		assert_true(hops_answer(&hops, b, mac_b));
		assert_int_equal(hops_find(&hops, b, mac), HOP_KNOWN);
		assert_memory_equal(mac, mac_b, sizeof(mac));
	}
}

/* 3. Places differ by address and by key. */
static void
test_places(void **state)
{
	const struct siphash_key one = {1, 2}, two = {1, 3};
	const union ip_addr a = ip_addr_from_ip4(0x0100000a), b = ip_addr_from_ip4(0x0200000a);

	(void)state;
	assert_true(hops_place(&one, &a) == hops_place(&one, &a));
	assert_true(hops_place(&one, &a) != hops_place(&one, &b));
	assert_true(hops_place(&one, &a) != hops_place(&two, &a));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_one_hop),
			cmocka_unit_test(test_one_cell),
			cmocka_unit_test(test_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
