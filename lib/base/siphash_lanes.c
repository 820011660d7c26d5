/* SPDX-License-Identifier: BSD-3-Clause */
/* Chooses the variant, and is the scalar one: one lane after the other. */
#include "base/siphash_lanes.h"

/* A vector's way takes as long for one lane as for eight, and that is as long as the scalar way
 * for two: shorter bursts don't gain. */
#define LANES_WORTH_A_VECTOR 3

static void
lanes_scalar(struct siphash_lanes *lanes, unsigned word_count, unsigned count)
{
	for (unsigned lane = 0; lane < count; lane++) {
		struct siphash_key key = {lanes->k0[lane], lanes->k1[lane]};
		uint64_t words[SIPHASH_LANE_WORDS_MAX];

		for (unsigned i = 0; i < word_count; i++)
			words[i] = lanes->words[i][lane];
		lanes->macs[lane] = siphash_words(&key, words, word_count);
	}
}

#if defined(__x86_64__)
static unsigned
lanes_fill_group(struct siphash_lanes *lanes, unsigned word_count, unsigned count)
{
	for (; count % SIPHASH_LANE_GROUP != 0; count++) {
		lanes->k0[count] = 0;
		lanes->k1[count] = 0;
		for (unsigned i = 0; i < word_count; i++)
			lanes->words[i][count] = 0;
	}
	return count;
}
#endif

void
siphash_lanes(enum kernel kernel, struct siphash_lanes *lanes, unsigned word_count, unsigned count)
{
	ENSURE(count <= SIPHASH_LANES && word_count <= SIPHASH_LANE_WORDS_MAX);
#if defined(__x86_64__)
	if (kernel != KERNEL_SCALAR && count >= LANES_WORTH_A_VECTOR) {
		count = lanes_fill_group(lanes, word_count, count);
		if (kernel == KERNEL_AVX512)
			siphash_lanes_avx512(lanes, word_count, count);
		else
			siphash_lanes_avx2(lanes, word_count, count);
		return;
	}
#endif
	lanes_scalar(lanes, word_count, count);
}
