/* SPDX-License-Identifier: BSD-3-Clause */
/* The SYN rate limit of client networks: to the number, and never at another one's expense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mix.h"
#include "table/source_limit.h"

#define START (UINT64_C(1700000000) * TICKS_PER_S)

static const struct siphash_key seed = {5, 6};

struct rig {
	struct source_limit limit;
	struct source_rule rule;
	void *memory;
	ticks_t now;
};

static struct rig
rig_new(uint32_t prefixes, const struct source_rates *rates, unsigned workers)
{
	struct rig rig = {.rule = source_rule_make(rates, workers), .now = START};

	rig.memory = aligned_alloc(CACHE_LINE_SIZE, cache_align(source_limit_memsize(prefixes)));
	assert_non_null(rig.memory);
	source_limit_init(&rig.limit, rig.memory, prefixes, &seed);
	return rig;
}

static struct tuple
ip4(uint32_t address)
{
	return (struct tuple){.client = ip_addr_from_ip4(htobe32(address)), .family = FAMILY_IP4};
}

static struct tuple
ip6(uint64_t first, uint64_t second)
{
	return (struct tuple){.client = {.halves_be = {htobe64(first), htobe64(second)}},
			.family = FAMILY_IP6};
}

static bool
take(struct rig *rig, const struct tuple *tuple)
{
	const struct source_place place = source_limit_place(&rig->limit, &rig->rule, tuple);

	return source_limit_take(&rig->rule, &place, rig->now);
}

/* Of count tries at once, how many get through. */
static unsigned
takes(struct rig *rig, const struct tuple *tuple, unsigned count)
{
	unsigned taken = 0;

	for (unsigned i = 0; i < count; i++)
		taken += take(rig, tuple);
	return taken;
}

/* 1. A burst, then the rate, to the number: 10 s of a source that never stops, at every rate that
 * divides a second of ticks, and with the rest of the division on the safe side else. */
static void
test_rate_is_exact(void **state)
{
	static const struct {
		uint32_t per_s, burst;
		unsigned workers;
		unsigned at_once, in_10_s; /* behind the burst */
	} cases[] = {
			{1, 1, 1, 1, 10},
			{10, 30, 1, 30, 100},
			{1000, 1, 1, 1, 10000},
			{1000, 1000, 4, 250, 2500},
			{10, 10, 4, 3, 29}, /* 2.5, rounded up, then as below */
			{1, 1, 128, 1, 10}, /* no less than one each */
			{3, 3, 1, 3, 29},   /* the 30th is due a moment later */
			{100000, 7, 1, 7, 1000000},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
		struct source_rates rates = {cases[i].per_s, cases[i].burst, 32, 64};
		struct rig rig = rig_new(64, &rates, cases[i].workers);
		const struct tuple clients[] = {ip4(0x0a000001), ip6(0x20010db800000000, 1)};
		const ticks_t step = cases[i].per_s > 10000 ? 10 : 500;

		for (unsigned c = 0; c < ARRAY_COUNT(clients); c++) {
			unsigned taken = 0;

			assert_int_equal(takes(&rig, &clients[c], 2 * cases[i].at_once + 5),
					cases[i].at_once);
			for (ticks_t passed = 0; passed < 10 * TICKS_PER_S; passed += step) {
				rig.now += step;
				taken += takes(&rig, &clients[c], 3);
			}
			assert_int_equal(taken, cases[i].in_10_s);
		}
		free(rig.memory);
	}
}

/* 2. A bucket that had the time to fill up gives its burst again, and not more than that. */
static void
test_burst_comes_back(void **state)
{
	struct source_rates rates = {10, 20, 32, 64};
	struct rig rig = rig_new(64, &rates, 1);
	const struct tuple client = ip4(0x0a000001);

	(void)state;
	assert_int_equal(takes(&rig, &client, 100), 20);
	rig.now += TICKS_PER_S;
	assert_int_equal(takes(&rig, &client, 100), 10);
	rig.now += 2 * TICKS_PER_S;
	assert_int_equal(takes(&rig, &client, 100), 20);
	rig.now += 3600 * TICKS_PER_S;
	assert_int_equal(takes(&rig, &client, 100), 20);
	free(rig.memory);
}

/* 3. What a prefix is: those bits and no others, in both families; and no IPv6 prefix is an IPv4
 * one, whatever its bits are. */
static void
test_prefixes(void **state)
{
	(void)state;
	for (unsigned bits = 1; bits <= 64; bits++) {
		struct source_rates rates = {1, 1, (uint8_t)(bits < 32 ? bits : 32), (uint8_t)bits};

		for (unsigned bit = 0; bit < 128; bit++) {
			struct rig rig = rig_new(64, &rates, 1);
			const struct tuple one = ip6(0x20010db812345678, 1);
			struct tuple other = one;

			other.client.bytes[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
			assert_true(take(&rig, &one));
			assert_int_equal(take(&rig, &other), bit < bits);
			if (bit < 32 && bits <= 32) {
				const struct tuple four = ip4(0x0a0b0c0d);
				const struct tuple its =
						ip4(0x0a0b0c0d ^ UINT32_C(1) << (31 - bit));

				assert_true(take(&rig, &four));
				assert_int_equal(take(&rig, &its), bit < bits);
			}
			free(rig.memory);
		}
	}

	struct source_rates rates = {1, 1, 32, 64};
	struct rig rig = rig_new(64, &rates, 1);
	const struct tuple four = ip4(0x0a0b0c0d);

	assert_true(take(&rig, &four));
	for (unsigned i = 0; i < 2; i++) {
		const struct tuple alike = ip6(i == 0 ? 0x0a0b0c0d : UINT64_C(0x0a0b0c0d) << 32, 1);

		assert_true(take(&rig, &alike));
	}
	assert_false(take(&rig, &four));
	free(rig.memory);
}

/* 4. A hundred times as many prefixes as there is room for, each with one SYN a second: all get
 * through, since none is above the rate; and whoever hammers among them stays limited. */
static void
test_eviction_is_fair(void **state)
{
	struct source_rates rates = {2, 2, 32, 64};
	struct rig rig = rig_new(64, &rates, 1);
	const struct tuple greedy = ip4(0xc0000201);
	unsigned through = 0;
	uint64_t random = 1;

	(void)state;
	for (unsigned second = 0; second < 20; second++) {
		for (unsigned i = 0; i < 6400; i++) {
			const struct tuple other = ip4(0x0a000000 + i);

			/* In another order each time. */
			rig.now += 1 + mix_next(&random) % 255;
			assert_true(take(&rig, &other));
			through += takes(&rig, &greedy, 3);
		}
	}
	/* 6,400 steps of 128 us on the mean are 0.82 s. */
	assert_in_range(through, 30, 36);
	free(rig.memory);
}

/* 5. Four prefixes over their rate fill a set; a fifth one gets through for ever, unlimited, rather
 * than be punished for them. */
static void
test_full_set_lets_through(void **state)
{
	struct source_rates rates = {1, 10, 32, 64};
	struct rig rig = rig_new(4, &rates, 1); /* one set */
	unsigned taken = 0;

	(void)state;
	for (uint32_t i = 1; i <= 4; i++) {
		const struct tuple busy = ip4(i);

		assert_int_equal(takes(&rig, &busy, 50), 10);
	}
	for (unsigned i = 0; i < 100; i++) {
		const struct tuple fifth = ip4(5), sixth = ip4(6);

		taken += take(&rig, &fifth) + take(&rig, &sixth);
	}
	assert_int_equal(taken, 200);
	for (uint32_t i = 1, limited = 0; i <= 4; i++) {
		const struct tuple busy = ip4(i);

		/* One of the four lost its cell to the newcomers. */
		limited += !take(&rig, &busy);
		if (i == 4)
			assert_in_range(limited, 3, 4);
	}
	free(rig.memory);
}

/* 6. After a reload: a bucket that owes more than the new rule lets it is soon right again, and
 * does not keep its cell from others. */
static void
test_rule_changes(void **state)
{
	struct source_rates slow = {1, 1000000, 32, 64}, fast = {1000, 10, 32, 64};
	struct rig rig = rig_new(4, &slow, 1);
	const struct tuple client = ip4(1);

	(void)state;
	assert_int_equal(takes(&rig, &client, 1000001), 1000000); /* eleven days to fill up again */
	rig.rule = source_rule_make(&fast, 1);
	assert_false(take(&rig, &client));
	rig.now += 10 * TICKS_PER_MS;
	assert_int_equal(takes(&rig, &client, 100), 10);

	/* The cells of four that nobody asks for any more are not in the way. */
	rig.rule = source_rule_make(&slow, 1);
	for (uint32_t i = 10; i < 14; i++) {
		const struct tuple gone = ip4(i);

		assert_int_equal(takes(&rig, &gone, 1000), 1000);
	}
	rig.rule = source_rule_make(&fast, 1);
	for (unsigned i = 0; i < 4; i++) {
		const struct tuple next = ip4(20);

		assert_int_equal(takes(&rig, &next, 100), i == 0 ? 10 : 1);
		rig.now += TICKS_PER_MS;
	}
	free(rig.memory);
}

/* 7. No rate is no rule. */
static void
test_off(void **state)
{
	struct source_rates rates = {0, 1, 32, 64};
	struct source_rule rule = source_rule_make(&rates, 4);

	(void)state;
	assert_false(source_rule_is_on(&rule));
	rates.syn_per_s = 1;
	rule = source_rule_make(&rates, 4);
	assert_true(source_rule_is_on(&rule));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_rate_is_exact),
			cmocka_unit_test(test_burst_comes_back),
			cmocka_unit_test(test_prefixes),
			cmocka_unit_test(test_eviction_is_fair),
			cmocka_unit_test(test_full_set_lets_through),
			cmocka_unit_test(test_rule_changes),
			cmocka_unit_test(test_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
