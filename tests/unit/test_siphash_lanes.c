/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every variant of siphash_lanes() that this CPU has against siphash_words(), which
 * test_siphash.c compares with the published vectors: ten million random lanes each, and every
 * count and length.
 */
#include "base/siphash_lanes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "packets.h"

#define TWINS 10000000u
#define UNTOUCHED UINT64_C(0x5555555555555555)

static void
fill(uint64_t *numbers, unsigned count, uint64_t *seed)
{
	for (unsigned i = 0; i < count; i++)
		numbers[i] = packet_random(seed);
}

static void
fill_lanes(struct siphash_lanes *lanes, uint64_t *seed)
{
	fill(&lanes->words[0][0], SIPHASH_LANE_WORDS_MAX * SIPHASH_LANES, seed);
	fill(lanes->k0, SIPHASH_LANES, seed);
	fill(lanes->k1, SIPHASH_LANES, seed);
	for (unsigned lane = 0; lane < SIPHASH_LANES; lane++)
		lanes->macs[lane] = UNTOUCHED;
}

static uint64_t
lane_mac(const struct siphash_lanes *lanes, unsigned word_count, unsigned lane)
{
	struct siphash_key key = {lanes->k0[lane], lanes->k1[lane]};
	uint64_t words[SIPHASH_LANE_WORDS_MAX];

	for (unsigned i = 0; i < word_count; i++)
		words[i] = lanes->words[i][lane];
	return siphash_words(&key, words, word_count);
}

static void
check(enum kernel kernel, unsigned word_count, unsigned count, uint64_t *seed)
{
	static struct siphash_lanes lanes, before;

	fill_lanes(&lanes, seed);
	before = lanes;
	siphash_lanes(kernel, &lanes, word_count, count);
	for (unsigned lane = 0; lane < count; lane++)
		assert_true(lanes.macs[lane] == lane_mac(&before, word_count, lane));
	/* What has no message is no more than its group's rest. */
	for (unsigned lane = (count + SIPHASH_LANE_GROUP - 1) / SIPHASH_LANE_GROUP *
			     SIPHASH_LANE_GROUP;
			lane < SIPHASH_LANES; lane++)
		assert_true(lanes.macs[lane] == UNTOUCHED);
}

static void
test_every_count_and_length(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (enum kernel kernel = 0; kernel < KERNEL_COUNT; kernel++) {
		if (!kernel_is_supported(kernel))
			continue;
		for (unsigned words = 1; words <= SIPHASH_LANE_WORDS_MAX; words++)
			for (unsigned count = 0; count <= SIPHASH_LANES; count++)
				check(kernel, words, count, &seed);
	}
}

/* Cookies' messages have 3 words, or 6. */
static void
test_ten_million_twins(void **state)
{
	uint64_t seed = 2;

	(void)state;
	for (enum kernel kernel = KERNEL_SCALAR + 1; kernel < KERNEL_COUNT; kernel++) {
		if (!kernel_is_supported(kernel)) {
			print_message("%s: not on this CPU\n", kernel_name(kernel));
			continue;
		}
		for (unsigned n = 0; n < TWINS; n += SIPHASH_LANES)
			check(kernel, n / SIPHASH_LANES % 2 ? 6 : 3, SIPHASH_LANES, &seed);
	}
}

static void
test_names(void **state)
{
	(void)state;
	for (enum kernel kernel = 0; kernel < KERNEL_COUNT; kernel++)
		assert_int_equal(kernel_from_name(kernel_name(kernel)), kernel);
	assert_int_equal(kernel_from_name("avx"), KERNEL_COUNT);
	assert_true(kernel_is_supported(KERNEL_SCALAR));
	assert_true(kernel_is_supported(kernel_best()));
	assert_false(kernel_is_supported(KERNEL_COUNT));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_every_count_and_length),
			cmocka_unit_test(test_ten_million_twins),
			cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
