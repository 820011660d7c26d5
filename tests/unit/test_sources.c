/* SPDX-License-Identifier: BSD-3-Clause */
/* Whose flood it is, by samples; and how often a log may say so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/event_limit.h"
#include "control/sources.h"

static struct syn_sample
ip4(uint32_t address, uint32_t weight)
{
	return (struct syn_sample){
			.client = ip_addr_from_ip4(htobe32(address)),
			.weight = weight,
			.slot = 3,
			.family = FAMILY_IP4,
	};
}

static struct syn_sample
ip6(uint16_t site, uint64_t host, uint32_t weight)
{
	struct syn_sample sample = {.weight = weight, .slot = 3, .family = FAMILY_IP6};

	sample.client.halves_be[0] = htobe64(
			UINT64_C(0x20010db800000000) | (uint64_t)site << 16 | (host & 0xffff));
	sample.client.halves_be[1] = htobe64(host);
	return sample;
}

static struct sources_pool *
pool_new(void)
{
	struct sources_pool *pool = calloc(1, sizeof(*pool));

	assert_non_null(pool);
	return pool;
}

static void
add(struct sources_pool *pool, struct syn_sample sample, ticks_t now)
{
	sources_add(pool, &sample, now);
}

static void
expect_text(const struct sources_pool *pool, uint32_t slot, const char *wanted)
{
	char text[SOURCES_TEXT_BYTES];

	sources_write(sources_find(pool, slot), text);
	assert_string_equal(text, wanted);
}

/* 1. Networks of both families, the largest first, at most three, none below a twentieth. */
static void
test_networks(void **state)
{
	struct sources_pool *pool = pool_new();

	(void)state;
	expect_text(pool, 3, "");
	for (uint32_t i = 0; i < 50; i++) {
		add(pool, ip4(0xc6120700 + i % 256, 10), 1); /* 198.18.7.0/24: 500 */
		add(pool, ip6(0x11, i * 77777, 6), 1);	     /* 300 */
		add(pool, ip4(0x01020300 + i, 2), 1);	     /* 100 */
		add(pool, ip4(0x05060700 + i, 1), 1);	     /* 50 */
		add(pool, ip4(0x08080800 + (i << 8), 1), 1); /* 50 networks */
	}
	expect_text(pool, 3, "198.18.7.0/24 50 %, 2001:db8:11::/48 30 %, 1.2.3.0/24 10 %");
	assert_null(sources_find(pool, 4));
	sources_forget(pool, 3);
	expect_text(pool, 3, "");
	free(pool);
}

/* 2. An IPv4 network and the IPv6 one with the same bytes are two. */
static void
test_families(void **state)
{
	struct sources_pool *pool = pool_new();
	struct syn_sample mapped = ip4(0x0a000001, 1);

	(void)state;
	mapped.family = FAMILY_IP6;
	add(pool, ip4(0x0a000001, 3), 1);
	add(pool, mapped, 1);
	expect_text(pool, 3, "10.0.0.0/24 75 %, ::/48 25 %");
	free(pool);
}

/* 3. Forged sources have no network; one network among them is found with the share it has, not
 * more, and at most 1/64 less. */
static void
test_forged(void **state)
{
	struct sources_pool *pool = pool_new();
	const struct sources *sources;
	uint64_t found = 0;
	uint32_t random = 1;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		random = random * 1664525 + 1013904223;
		add(pool, ip4(random, 1 + random % 7), 1);
	}
	expect_text(pool, 3, "");
	for (unsigned i = 0; i < 20000; i++) {
		random = random * 1664525 + 1013904223;
		add(pool, i % 4 == 0 ? ip4(0xc6120700, 4) : ip4(random, 4), 1);
	}
	sources = sources_find(pool, 3);
	for (unsigned i = 0; i < SOURCES_TRACKED; i++)
		if (be32toh(sources->tracked[i].network.words_be[3]) == 0xc6120700)
			found = sources->tracked[i].weight;
	assert_in_range(found, 5000 * 4 - sources->total / SOURCES_TRACKED, 5000 * 4);
	free(pool);
}

/* 4. More backends than summaries: the one that got no sample for longest makes way. */
static void
test_pool(void **state)
{
	struct sources_pool *pool = pool_new();

	(void)state;
	for (uint16_t slot = 0; slot < SOURCES_BACKENDS; slot++) {
		struct syn_sample sample = ip4(0x0a000000, 1);

		sample.slot = slot;
		sources_add(pool, &sample, 100 + slot);
	}
	add(pool, ip4(0x0a000000, 1), 500); /* slot 3 goes on */
	for (uint16_t slot = 1000; slot < 1003; slot++) {
		struct syn_sample sample = ip4(0x0b000000, 1);

		sample.slot = slot;
		sources_add(pool, &sample, 600);
	}
	for (uint32_t slot = 0; slot < SOURCES_BACKENDS; slot++)
		assert_int_equal(sources_find(pool, slot) == NULL, slot < 3);
	expect_text(pool, 1002, "11.0.0.0/24 100 %");
	free(pool);
}

/* 5. The text holds the longest names. */
static void
test_longest(void **state)
{
	struct sources_pool *pool = pool_new();
	char text[SOURCES_TEXT_BYTES];

	(void)state;
	for (uint16_t i = 0; i < 3; i++) {
		struct syn_sample sample = ip6((uint16_t)(0xaaa0 + i), 1, UINT32_MAX);

		memset(sample.client.bytes, 0xab, 5);
		sources_add(pool, &sample, 1);
	}
	assert_int_equal(sources_write(sources_find(pool, 3), text), 3);
	assert_string_equal(text, "abab:abab:aba0::/48 33 %, abab:abab:aba1::/48 33 %, "
				  "abab:abab:aba2::/48 33 %");
	free(pool);
}

/* 6. A summary that got no sample for a minute begins anew; one that goes on adds up. */
static void
test_quiet(void **state)
{
	const ticks_t quiet = SOURCES_QUIET_S * TICKS_PER_S;
	struct sources_pool *pool = pool_new();

	(void)state;
	add(pool, ip4(0x0a000001, 1000), 1);
	add(pool, ip4(0x0b000001, 1000), quiet);
	expect_text(pool, 3, "10.0.0.0/24 50 %, 11.0.0.0/24 50 %");
	assert_int_equal(sources_find(pool, 3)->began, 1);
	add(pool, ip4(0x0c000001, 1), 2 * quiet);
	expect_text(pool, 3, "12.0.0.0/24 100 %");
	assert_int_equal(sources_find(pool, 3)->total, 1);
	assert_int_equal(sources_find(pool, 3)->began, 2 * quiet);
	free(pool);
}

/* 7. Ten events of a kind at once, then one in six seconds; the rest is counted and told, and
 * another kind is not touched. */
static void
test_limit(void **state)
{
	struct event_limit limit = {0};
	ticks_t now = 1000 * TICKS_PER_S;
	uint64_t before = 99, count = 0;

	(void)state;
	for (unsigned i = 0; i < EVENT_LIMIT_BURST; i++) {
		assert_true(event_limit_admits(&limit, EVENT_MODE, now, &before));
		assert_int_equal(before, 0);
	}
	for (unsigned i = 0; i < 25; i++)
		assert_false(event_limit_admits(&limit, EVENT_MODE, now, &before));
	assert_true(event_limit_admits(&limit, EVENT_BACKEND_UP, now, &before));
	assert_int_equal(event_limit_due(&limit, now, &count), EVENT_KIND_COUNT);

	now += EVENT_LIMIT_EACH;
	assert_true(event_limit_admits(&limit, EVENT_MODE, now, &before));
	assert_int_equal(before, 25);
	assert_false(event_limit_admits(&limit, EVENT_MODE, now, &before));
	now += EVENT_LIMIT_EACH;
	assert_int_equal(event_limit_due(&limit, now, &count), EVENT_MODE);
	assert_int_equal(count, 1);
	assert_int_equal(event_limit_due(&limit, now, &count), EVENT_KIND_COUNT);
	now += 100 * EVENT_LIMIT_EACH;
	assert_int_equal(event_limit_due(&limit, now, &count), EVENT_KIND_COUNT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_networks),
			cmocka_unit_test(test_families),
			cmocka_unit_test(test_forged),
			cmocka_unit_test(test_pool),
			cmocka_unit_test(test_longest),
			cmocka_unit_test(test_quiet),
			cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
