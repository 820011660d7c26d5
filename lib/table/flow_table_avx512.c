/* SPDX-License-Identifier: BSD-3-Clause */
/* A bucket's ten tags and its count of displaced entries are compared at once: what can't have a
 * record costs one load and no branch but the loop's. */
#include <immintrin.h>

#include "table/flow_table.h"

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl")))

#define TAGS ((1u << FLOW_BUCKET_ENTRIES) - 1)
#define DISPLACED (1u << FLOW_BUCKET_ENTRIES)
static_assert(offsetof(struct flow_bucket, displaced) == FLOW_BUCKET_ENTRIES * sizeof(uint16_t),
		"a word behind the tags");

TARGET uint32_t
flow_table_suspects_avx512(const struct flow_table *table, const uint32_t *hashes, unsigned count)
{
	const uint64_t bucket_count = table->bucket_count;
	const struct flow_bucket *const buckets = table->buckets;
	uint32_t suspects = 0;

	for (unsigned i = 0; i < count; i++) {
		const uint64_t hash = hashes[i];
		const struct flow_bucket *bucket = &buckets[hash * bucket_count >> 32];
		/* Zero behind the tags: where the count is the same, nothing is displaced. */
		const __m256i wanted = _mm256_maskz_set1_epi16(TAGS, (short)hash);
		const __mmask16 same = _mm256_mask_cmpeq_epi16_mask(
				TAGS | DISPLACED, wanted, _mm256_load_si256((const void *)bucket));

		if (UNLIKELY(same != DISPLACED))
			suspects |= UINT32_C(1) << i;
	}
	return suspects;
}
