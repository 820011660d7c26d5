/* SPDX-License-Identifier: BSD-3-Clause */
/* A sample is whole before filled says so, and read before read says so. */
#include "table/syn_samples.h"

uint32_t
syn_samples_draw(struct syn_samples *samples, ticks_t now)
{
	const uint32_t weight = samples->drawn > 0 ? samples->drawn : 1;
	const ticks_t since = now - samples->last;
	uint32_t gap = samples->gap > 0 ? samples->gap : 1;

	if (since < SYN_SAMPLES_EACH && gap < SYN_SAMPLES_GAP_MAX)
		gap *= 2;
	else if (since > 4 * SYN_SAMPLES_EACH && gap > 1)
		gap /= 2;
	samples->gap = gap;
	samples->last = now;
	/* Numerical Recipes' generator; its high bits are the good ones. */
	samples->random = samples->random * 1664525 + 1013904223;
	samples->drawn = gap / 2 + 1 + (uint32_t)((uint64_t)samples->random * gap >> 32);
	samples->left = samples->drawn;
	return weight;
}

void
syn_samples_put(struct syn_samples *samples, const struct syn_sample *sample)
{
	const uint32_t filled = samples->filled;
	struct syn_sample *place = &samples->ring[filled % SYN_SAMPLES_MAX];
	const uint32_t lost = samples->lost;

	/* Pairs with the release below in syn_samples_take(): the place is free to be written. */
	if (filled - __atomic_load_n(&samples->read, __ATOMIC_ACQUIRE) == SYN_SAMPLES_MAX) {
		samples->lost = lost + sample->weight > lost ? lost + sample->weight : lost;
		return;
	}
	*place = *sample;
	place->weight = lost + sample->weight > lost ? lost + sample->weight : lost;
	samples->lost = 0;
	/* Pairs with the acquire in syn_samples_take(): who sees the number sees the sample. */
	__atomic_store_n(&samples->filled, filled + 1, __ATOMIC_RELEASE);
}

bool
syn_samples_take(struct syn_samples *samples, struct syn_sample *sample)
{
	const uint32_t read = samples->read;

	if (read == __atomic_load_n(&samples->filled, __ATOMIC_ACQUIRE))
		return false;
	*sample = samples->ring[read % SYN_SAMPLES_MAX];
	__atomic_store_n(&samples->read, read + 1, __ATOMIC_RELEASE);
	return true;
}
