/* SPDX-License-Identifier: BSD-3-Clause */
/* Look-up tables of lists, in DPDK's memory, against the plain search of the list itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rte_eal.h>
#include <rte_malloc.h>
#include <rte_memory.h>

#include "base/mix.h"
#include "control/prefix_file.h"
#include "lists.h"

#define MB ((size_t)1 << 20)

static uint64_t state_of_random = 11;

static uint64_t
next_random(void)
{
	return mix_next(&state_of_random);
}

static union ip_addr
ip4(uint32_t address)
{
	return ip_addr_from_ip4(htobe32(address));
}

static union ip_addr
ip6(uint64_t first, uint64_t second)
{
	return (union ip_addr){.halves_be = {htobe64(first), htobe64(second)}};
}

/* Adds a prefix of an address; length of its own family's bits. */
static void
add(struct prefix_list *list, union ip_addr address, enum family family, unsigned length,
		enum source_verdict verdict)
{
	struct prefix prefix = {.family = (uint8_t)family, .verdict = (uint8_t)verdict};

	prefix.length = (uint8_t)(family == FAMILY_IP4 ? 96 + length : length);
	for (unsigned bit = prefix.length; bit < 128; bit++)
		address.bytes[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	prefix.address = address;
	prefix_list_add(list, &prefix);
}

/* Sorts it; of a prefix with both verdicts the denying one stays. */
static void
sort(struct prefix_list *list)
{
	struct config_report report = {.name = "test"};
	struct config_errors errors;

	prefix_list_join(&report, list, "deny", "allow");
	config_report_finish(&report, &errors);
	config_errors_free(&errors);
}

static size_t
heap_used(void)
{
	struct rte_malloc_socket_stats stats;

	assert_int_equal(rte_malloc_get_socket_stats(0, &stats), 0);
	return stats.heap_allocsz_bytes;
}

/* Makes tables that have to fit what lists_memsize() says of them. */
static struct source_lists *
make(const struct prefix_list *list)
{
	const size_t before = heap_used(), most = lists_memsize(list);
	char message[256];
	struct source_lists *lists = lists_make(list, message, sizeof(message));

	if (lists == NULL)
		fail_msg("%s", message);
	assert_int_equal(lists->holders, 1);
	assert_in_range(heap_used() - before, 0, most);
	/* Nor may it ask for twice of what they take. */
	assert_in_range(most, 0, 2 * (heap_used() - before));
	return lists;
}

static enum source_verdict
wanted(const struct prefix_list *list, const struct tuple *tuple)
{
	const struct prefix *prefix =
			prefix_list_find(list, &tuple->client, (enum family)tuple->family);

	return prefix != NULL ? prefix->verdict : SOURCE_UNLISTED;
}

/* An address in, or right beside, some prefix of the list; or any. */
static struct tuple
some_client(const struct prefix_list *list)
{
	const struct prefix *prefix = &list->prefixes[next_random() % list->count];
	struct tuple tuple = {.family = prefix->family, .client = prefix->address};
	const unsigned first = prefix->family == FAMILY_IP4 ? 96 : 0;
	const unsigned bits = 128 - first;

	switch (next_random() % 4) {
	case 0: /* its first address */
		break;
	case 1: /* its last one, or the one before it, or one of another length */
		for (unsigned bit = first + next_random() % bits; bit < 128; bit++)
			tuple.client.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
		break;
	case 2:
		for (unsigned bit = prefix->length; bit < 128; bit++)
			tuple.client.bytes[bit / 8] ^=
					(uint8_t)((next_random() & 1) << (7 - bit % 8));
		break;
	default: {
		const unsigned bit = first + (unsigned)(next_random() % bits);

		tuple.client.bytes[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
	}
	}
	return tuple;
}

/* Looks so many bursts up and compares. */
static void
compare(const struct prefix_list *list, const struct source_lists *lists, unsigned bursts)
{
	for (unsigned burst = 0; burst < bursts; burst++) {
		const unsigned count = 1 + (unsigned)(next_random() % SOURCE_LISTS_BURST_MAX);
		const struct tuple *pointers[SOURCE_LISTS_BURST_MAX];
		struct tuple tuples[SOURCE_LISTS_BURST_MAX];
		uint8_t verdicts[SOURCE_LISTS_BURST_MAX];

		for (unsigned i = 0; i < count; i++) {
			tuples[i] = some_client(list);
			pointers[i] = &tuples[i];
		}
		lists->find(lists, pointers, count, verdicts);
		for (unsigned i = 0; i < count; i++)
			assert_int_equal(verdicts[i], wanted(list, &tuples[i]));
	}
}

/* Compares, and gives all memory back. */
static void
check(struct prefix_list *list, unsigned bursts)
{
	const size_t before = heap_used();
	struct source_lists *lists;

	sort(list);
	lists = make(list);
	compare(list, lists, bursts);
	source_lists_drop(lists);
	assert_int_equal(heap_used(), before);
	prefix_list_free(list);
}

/* 1. Lists in which prefixes of all lengths lie in and beside each other. */
static void
test_random(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 12; round++) {
		struct prefix_list *list = prefix_list_new();
		const unsigned count = 1u << round;

		for (unsigned i = 0; i < count; i++) {
			/* Few different bits, so that they meet. */
			const uint32_t four = (uint32_t)next_random() & 0x81018183;
			const uint64_t first = next_random() & 0x2101000081010181;
			const uint64_t second = next_random() & 0x8100000000000083;
			const enum source_verdict verdict =
					next_random() & 1 ? SOURCE_DENIED : SOURCE_ALLOWED;

			if (round % 3 != 1)
				add(list, ip4(four), FAMILY_IP4, (unsigned)(next_random() % 33),
						verdict);
			if (round % 3 != 0)
				add(list, ip6(first, second), FAMILY_IP6,
						(unsigned)(next_random() % 129), verdict);
		}
		check(list, 500);
	}
}

/* 2. Every length at both ends of either address space, alone and all in each other. */
static void
test_lengths(void **state)
{
	struct prefix_list *nested = prefix_list_new();

	(void)state;
	for (unsigned length = 0; length <= 128; length++) {
		const enum source_verdict verdict =
				length % 2 == 0 ? SOURCE_DENIED : SOURCE_ALLOWED;

		if (length <= 32) {
			add(nested, ip4(UINT32_MAX), FAMILY_IP4, length, verdict);
			add(nested, ip4(0), FAMILY_IP4, length, verdict);
		}
		add(nested, ip6(UINT64_MAX, UINT64_MAX), FAMILY_IP6, length, verdict);
		add(nested, ip6(0, 0), FAMILY_IP6, length, verdict);
	}
	check(nested, 2000);
	for (unsigned length = 0; length <= 32; length += length == 0 || length > 22 ? 1 : 7) {
		struct prefix_list *one = prefix_list_new();

		add(one, ip4(UINT32_MAX), FAMILY_IP4, length, SOURCE_DENIED);
		add(one, ip6(UINT64_MAX, UINT64_MAX), FAMILY_IP6, 4 * length, SOURCE_ALLOWED);
		check(one, 50);
	}
}

/* 3. "All but these": what is found when nothing is, in one family only. */
static void
test_only_these(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct prefix_list *list = prefix_list_new();

		if (i != 1)
			add(list, ip4(0), FAMILY_IP4, 0, SOURCE_DENIED);
		if (i != 0)
			add(list, ip6(0, 0), FAMILY_IP6, 0, SOURCE_DENIED);
		if (i == 3) {
			add(list, ip4(0x0a010000), FAMILY_IP4, 16, SOURCE_ALLOWED);
			add(list, ip6(0x20010db800000000, 0), FAMILY_IP6, 32, SOURCE_ALLOWED);
		} else {
			/* Nothing but /0 takes no memory of DPDK's. */
			assert_int_equal(lists_memsize(list), 0);
		}
		check(list, 100);
	}
	assert_int_equal(lists_memsize(NULL), 0);
}

/* 4. As many small tables as each width of a next hop can tell apart, and one more. */
static void
test_widths(void **state)
{
	static const unsigned counts[] = {124, 125, 126, 127, 128, 129, 32764, 32766, 32768};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(counts); i++) {
		struct prefix_list *list = prefix_list_new();

		for (unsigned k = 0; k < counts[i]; k++)
			add(list, ip4(0x0b000080 + (k << 8)), FAMILY_IP4, 25 + k % 8,
					SOURCE_DENIED);
		check(list, 200);
	}
}

/* 5. A shorter prefix that says the same makes longer ones cost nothing. */
static void
test_covered(void **state)
{
	struct prefix_list *list = prefix_list_new(), *one = prefix_list_new();

	(void)state;
	add(one, ip6(0x20010db800000000, 0), FAMILY_IP6, 32, SOURCE_DENIED);
	add(list, ip6(0x20010db800000000, 0), FAMILY_IP6, 32, SOURCE_DENIED);
	for (unsigned i = 0; i < 10000; i++)
		add(list, ip6(0x20010db800000000, next_random()), FAMILY_IP6, 128, SOURCE_DENIED);
	sort(list);
	assert_int_equal(lists_memsize(list), lists_memsize(one));
	prefix_list_free(one);
	check(list, 100);
}

/* 6. More than there is memory for says so, with how much it would be; those that serve go on. */
static void
test_no_memory(void **state)
{
	struct prefix_list *list = prefix_list_new(), *large = prefix_list_new();
	struct source_lists *lists;
	const size_t before = heap_used();
	char message[256];

	(void)state;
	add(list, ip4(0x0a000000), FAMILY_IP4, 8, SOURCE_DENIED);
	sort(list);
	lists = make(list);
	for (unsigned i = 0; i < 100000; i++)
		add(large, ip6(next_random() | UINT64_C(1) << 61, 0), FAMILY_IP6, 64,
				SOURCE_DENIED);
	sort(large);
	assert_null(lists_make(large, message, sizeof(message)));
	assert_non_null(strstr(message, "no memory for 100000 prefixes: their tables take about "));
	assert_true(lists_memsize(large) > 400 * MB);
	compare(list, lists, 100);
	source_lists_drop(lists);
	assert_int_equal(heap_used(), before);
	prefix_list_free(list);
	prefix_list_free(large);
}

/* 7. More tables than rte_lpm6 can number are refused as such, whatever memory there is. */
static void
test_too_scattered(void **state)
{
	/* Each has its own, one for every byte behind the first three. */
	const unsigned hosts = (1u << 21) / 13 + 1;
	struct prefix_list *list = prefix_list_new();
	const size_t before = heap_used();
	char message[256];

	(void)state;
	for (unsigned i = 0; i < hosts; i++)
		add(list, ip6((UINT64_C(0x200000) + i) << 40, 1), FAMILY_IP6, 128, SOURCE_DENIED);
	sort(list);
	assert_null(lists_make(list, message, sizeof(message)));
	assert_non_null(strstr(message, "too many scattered IPv6 prefixes"));
	prefix_list_free(list);

	/* As many as there may be lack only the memory. */
	list = prefix_list_new();
	for (unsigned i = 0; i < hosts - 1; i++)
		add(list, ip6((UINT64_C(0x200000) + i) << 40, 1), FAMILY_IP6, 128, SOURCE_DENIED);
	sort(list);
	assert_null(lists_make(list, message, sizeof(message)));
	assert_non_null(strstr(message, "no memory for "));
	assert_int_equal(heap_used(), before);
	prefix_list_free(list);
}

/* 8. The last one that holds them ends them. */
static void
test_holders(void **state)
{
	struct prefix_list *list = prefix_list_new();
	const size_t before = heap_used();
	struct source_lists *lists;

	(void)state;
	add(list, ip4(0x0a000000), FAMILY_IP4, 8, SOURCE_DENIED);
	sort(list);
	lists = make(list);
	assert_ptr_equal(source_lists_hold(lists), lists);
	source_lists_drop(lists);
	compare(list, lists, 10);
	source_lists_drop(lists);
	assert_int_equal(heap_used(), before);
	source_lists_drop(source_lists_hold(NULL));
	prefix_list_free(list);
}

static int
eal_up(void **state)
{
	static char *arguments[] = {"test_lists", "--no-huge", "--no-pci", "--no-shconf",
			"--no-telemetry", "-m", "384", "--log-level=critical", "-l", "0"};

	(void)state;
	return rte_eal_init(ARRAY_COUNT(arguments), arguments) < 0;
}

static int
eal_down(void **state)
{
	(void)state;
	return rte_eal_cleanup();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_random),
			cmocka_unit_test(test_lengths),
			cmocka_unit_test(test_only_these),
			cmocka_unit_test(test_widths),
			cmocka_unit_test(test_covered),
			cmocka_unit_test(test_no_memory),
			cmocka_unit_test(test_too_scattered),
			cmocka_unit_test(test_holders),
	};

	return cmocka_run_group_tests(tests, eal_up, eal_down);
}
