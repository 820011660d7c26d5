/* SPDX-License-Identifier: BSD-3-Clause */
/* The step that the tables' hashes are made of: not a MAC, but cheap, and secret with a secret key;
 * and numbers that look random where they need not be. */
#ifndef SLUICE_BASE_MIX_H
#define SLUICE_BASE_MIX_H

#include <stdint.h>

/** 64x64 -> 128 multiply, folded: every bit of the result depends on both halves of the key. */
static inline uint64_t
mix_fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/** The next number of a sequence that looks random and is repeatable, from any state (splitmix64,
 * Steele, Lea, Flood 2014). */
static inline uint64_t
mix_next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/** A key for mix_fold() from any seed, 0 included: a factor with few bits set folds next to
 * nothing. */
static inline uint64_t
mix_key(uint64_t seed)
{
	return mix_next(&seed);
}

#endif
