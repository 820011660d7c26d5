/* SPDX-License-Identifier: BSD-3-Clause */
/* The token bucket against a naive one, and the egress budgets made of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/token_bucket.h"
#include "packets.h"
#include "table/egress_budget.h"

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

static const struct egress_rates rates = {100, 1000};

static unsigned
taken(struct egress_budget *budget, struct tuple tuple, enum side to, ticks_t now, unsigned tries)
{
	unsigned count = 0;

	for (unsigned i = 0; i < tries; i++) {
		tuple.client.bytes[15] = (uint8_t)i;
		tuple.client_port = (uint16_t)(1024 + i);
		count += egress_budget_take(budget, &rates, &tuple, to, now);
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
	struct egress_budget *budget = malloc(sizeof(*budget));

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
		struct tuple client = tuple_of(cases[i].client, cases[i].family);
		struct tuple same = tuple_of(cases[i].same, cases[i].family);
		struct tuple other = tuple_of(cases[i].other, cases[i].family);

		egress_budget_init(budget, &(struct siphash_key){5, 6});
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
	struct egress_budget *budget = malloc(sizeof(*budget));
	struct tuple tuple = tuple_of("192.0.2.1", FAMILY_IP4);
	unsigned count = 0;

	(void)state;
	egress_budget_init(budget, &(struct siphash_key){5, 6});
	for (unsigned i = 0; i < 100000; i++) {
		tuple.client.words_be[3] = i * 0x9e3779b1u;
		count += egress_budget_take(budget, &rates, &tuple, SIDE_CLIENT, START);
	}
	assert_int_equal(count, 1000);
	assert_int_equal(taken(budget, tuple, SIDE_BACKEND, START, 1500), 1000);
	free(budget);
}

/* 4. A rate of 0 gives nothing; the highest is kept. */
static void
test_extreme_rates(void **state)
{
	static const struct {
		struct egress_rates rates;
		enum side to;
		unsigned count;
	} cases[] = {
			{{0, 1000}, SIDE_CLIENT, 0},
			{{100, 0}, SIDE_CLIENT, 0},
			{{0, 1000}, SIDE_BACKEND, 1000},
			{{1, 1}, SIDE_CLIENT, 1},
			{{EGRESS_PER_S_MAX, EGRESS_PER_S_MAX}, SIDE_CLIENT, 1500},
	};
	struct egress_budget *budget = malloc(sizeof(*budget));
	struct tuple tuple = tuple_of("192.0.2.1", FAMILY_IP4);

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
		unsigned count = 0;

		egress_budget_init(budget, &(struct siphash_key){5, 6});
		for (unsigned n = 0; n < 1500; n++)
			count += egress_budget_take(
					budget, &cases[i].rates, &tuple, cases[i].to, START);
		assert_int_equal(count, cases[i].count);
	}
	free(budget);
}

/* 5. A flood is seen within its first second, a calm or a long slow stream never is, and it is over
 * four seconds after it was last seen. */
static void
test_flood_watch(void **state)
{
	struct egress_flood flood = {.since = 0};
	uint64_t cookies = 0;
	ticks_t now = START;

	(void)state;
	assert_false(egress_flood_watch(&flood, 0, now));
	assert_false(egress_flood_watch(&flood, cookies = EGRESS_FLOOD_COOKIES_PER_S, now + 1000));
	assert_true(egress_flood_watch(&flood, ++cookies, now + 1000));
	assert_true(egress_flood_watch(&flood, cookies, now + 4 * TICKS_PER_S));
	assert_false(egress_flood_watch(&flood, cookies, now + 5 * TICKS_PER_S));
	for (unsigned i = 1; i <= 100; i++) {
		cookies += 10 * EGRESS_FLOOD_COOKIES_PER_S;
		assert_false(egress_flood_watch(
				&flood, cookies, now + (5 + 10 * (ticks_t)i) * TICKS_PER_S));
	}
}

/* 6. Doubt: who fails is forgiven at a pace, who proves himself speaks for nine eighths, and what
 * happened long before counts for nothing. Each row goes on where the one above it ended. */
static void
test_doubt(void **state)
{
	static const struct {
		ticks_t after;
		unsigned asked, cookies, proved; /* meanwhile */
		bool is_doubted;		 /* a client of that moment */
	} rows[] = {
			{0, 1, 0, 0, false}, /* the first one ever */
			{0, 60, 40, 0, false},
			{0, 0, 1, 0, true},
			{TICKS_PER_S, 0, 0, 0, true}, /* HOLD */
			{TICKS_PER_S, 0, 0, 0, false},
			{0, 20, 0, 0, false}, /* 2 s have forgiven as many */
			{0, 0, 1, 0, true},
			{5 * TICKS_PER_S, 0, 30000, 0, true},
			{2 * TICKS_PER_S, 0, 0, 0, false}, /* ends soon, however large */
			{TICKS_PER_S, 0, 800, 711, false}, /* an eighth */
			{0, 0, 800, 650, true},		   /* more than that */
			{3600 * TICKS_PER_S, 0, 1000000, 0, false},
	};
	struct egress_doubt doubt = {.asked = 0};
	uint64_t cookies = 0, proved = 0;
	ticks_t now = START;

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
		now += rows[i].after;
		doubt.asked += rows[i].asked;
		cookies += rows[i].cookies;
		proved += rows[i].proved;
		egress_doubt_note(&doubt, cookies, proved, now);
		assert_int_equal(egress_doubt_covers(&doubt, now, now), rows[i].is_doubted);
		/* Who came before is doubted longer. */
		if (rows[i].is_doubted)
			assert_true(egress_doubt_covers(&doubt, now, now + 3600 * TICKS_PER_S));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_naive_twin),
			cmocka_unit_test(test_pitfall_11_budget_per_prefix),
			cmocka_unit_test(test_pitfall_11_budget_per_side),
			cmocka_unit_test(test_extreme_rates),
			cmocka_unit_test(test_flood_watch),
			cmocka_unit_test(test_doubt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
