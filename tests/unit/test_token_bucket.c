/* SPDX-License-Identifier: BSD-3-Clause */
/* The token bucket against a naive one, and the budgets for resets made of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/token_bucket.h"
#include "packets.h"
#include "table/reset_budget.h"

#define START (UINT64_C(1700000000) * TICKS_PER_S)

/* 1. At random times a bucket gives what counting says: burst at once, then one per interval. */
static void
test_naive_twin(void **state)
{
	static const struct token_rate rates[] = {{1, 1}, {1000, 1}, {10000, 100}, {7, 13}};
	uint64_t random = 1;

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(rates); i++) {
		const struct token_rate *rate = &rates[i];
		struct token_bucket bucket = {0};
		uint64_t whole = rate->each * rate->burst, level = whole;
		ticks_t now = START;

		for (unsigned n = 0; n < 100000; n++) {
			ticks_t pause = packet_random(&random) % (2 * rate->each);
			bool expected;

			if (packet_random(&random) % 1000 == 0)
				pause = whole;
			now += pause;
			level = level + pause < whole ? level + pause : whole;
			expected = level >= rate->each;
			level -= expected ? rate->each : 0;
			assert_int_equal(token_bucket_take(&bucket, rate, now), expected);
		}
	}
}

static unsigned
taken(struct reset_budget *budget, struct tuple tuple, enum side to, ticks_t now, unsigned tries)
{
	unsigned count = 0;

	for (unsigned i = 0; i < tries; i++) {
		tuple.client.bytes[15] = (uint8_t)i;
		tuple.client_port = (uint16_t)(1024 + i);
		count += reset_budget_take(budget, &tuple, to, now);
	}
	return count;
}

static struct tuple
tuple_of(const char *client, enum family family)
{
	struct packet p = family == FAMILY_IP4 ? packet_ip4(client, 1, "10.0.0.2", 80)
					       : packet_ip6(client, 1, "fd00::2", 80);
	struct tuple tuple = {.family = family};

	if (family == FAMILY_IP4) {
		uint32_t raw;

		memcpy(&raw, p.source, sizeof(raw));
		tuple.client = ip_addr_from_ip4(raw);
	} else {
		memcpy(tuple.client.bytes, p.source, sizeof(p.source));
	}
	return tuple;
}

/* 2. PITFALLS 11: 100 per client network and second, whichever of its addresses are named;
 * neighbours have their own. */
static void
test_pitfall_11_budget_per_prefix(void **state)
{
	static const struct {
		const char *client, *same, *other;
		enum family family;
	} cases[] = {
			{"192.0.2.1", "192.0.2.255", "192.0.3.1", FAMILY_IP4},
			{"2001:db8:0:1100::1", "2001:db8:0:11ff:ffff::1", "2001:db8:0:1200::1",
					FAMILY_IP6},
	};
	struct reset_budget *budget = malloc(sizeof(*budget));

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
		struct tuple client = tuple_of(cases[i].client, cases[i].family);
		struct tuple same = tuple_of(cases[i].same, cases[i].family);
		struct tuple other = tuple_of(cases[i].other, cases[i].family);

		reset_budget_init(budget, &(struct siphash_key){5, 6});
		assert_int_equal(taken(budget, client, SIDE_CLIENT, START, 150), 100);
		assert_int_equal(taken(budget, same, SIDE_CLIENT, START, 150), 0);
		assert_int_equal(taken(budget, other, SIDE_CLIENT, START, 50), 50);
		assert_int_equal(
				taken(budget, same, SIDE_CLIENT, START + TICKS_PER_S / 2, 150), 50);
		assert_int_equal(taken(budget, client, SIDE_BACKEND, START, 150), 150);
	}
	free(budget);
}

/* 3. 1,000 per side and second, wherever the sources are; a side's flood leaves the other alone. */
static void
test_pitfall_11_budget_per_side(void **state)
{
	struct reset_budget *budget = malloc(sizeof(*budget));
	struct tuple tuple = tuple_of("192.0.2.1", FAMILY_IP4);
	unsigned count = 0;

	(void)state;
	reset_budget_init(budget, &(struct siphash_key){5, 6});
	for (unsigned i = 0; i < 100000; i++) {
		tuple.client.words_be[3] = i * 0x9e3779b1u;
		count += reset_budget_take(budget, &tuple, SIDE_CLIENT, START);
	}
	assert_int_equal(count, 1000);
	assert_int_equal(taken(budget, tuple, SIDE_BACKEND, START, 1500), 1000);
	free(budget);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_naive_twin),
			cmocka_unit_test(test_pitfall_11_budget_per_prefix),
			cmocka_unit_test(test_pitfall_11_budget_per_side),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
