/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SipHash-2-4 of several messages of the same length at once, side by side: one burst's cookies.
 * Every variant gives what siphash_words() gives for each lane.
 */
#ifndef SLUICE_BASE_SIPHASH_LANES_H
#define SLUICE_BASE_SIPHASH_LANES_H

#include "base/base.h"
#include "base/kernel.h"
#include "base/siphash.h"

#define SIPHASH_LANES 32
#define SIPHASH_LANE_WORDS_MAX 6

/** Lanes that every variant takes together; the rest of the last such group is set to zero. */
#define SIPHASH_LANE_GROUP 8

struct siphash_lanes {
	uint64_t words[SIPHASH_LANE_WORDS_MAX][SIPHASH_LANES]; /**< as siphash_words() has them */
	uint64_t k0[SIPHASH_LANES];			       /**< each lane's key */
	uint64_t k1[SIPHASH_LANES];
	uint64_t macs[SIPHASH_LANES]; /**< the results */
} __attribute__((aligned(CACHE_LINE_SIZE)));

/** Gives a lane its key. */
static inline void
siphash_lanes_key(struct siphash_lanes *lanes, unsigned lane, const struct siphash_key *key)
{
	lanes->k0[lane] = key->k0;
	lanes->k1[lane] = key->k1;
}

/** The MACs of the first count lanes, 0..SIPHASH_LANES, over word_count words each,
 * 1..SIPHASH_LANE_WORDS_MAX. */
void siphash_lanes(enum kernel kernel, struct siphash_lanes *lanes, unsigned word_count,
		unsigned count);

/** The variants, for siphash_lanes(): count is a multiple of SIPHASH_LANE_GROUP. */
void siphash_lanes_avx2(struct siphash_lanes *lanes, unsigned word_count, unsigned count);
void siphash_lanes_avx512(struct siphash_lanes *lanes, unsigned word_count, unsigned count);

#endif
