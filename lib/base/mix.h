/* SPDX-License-Identifier: BSD-3-Clause */
/* The step that the tables' hashes are made of: not a MAC, but cheap, and secret with a secret key.
 */
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

/** A key for mix_fold() from any seed, 0 included: the finalizer of splitmix64 (Steele, Lea, Flood
 * 2014), for a factor with few bits set folds next to nothing. */
static inline uint64_t
mix_key(uint64_t seed)
{
	seed += UINT64_C(0x9e3779b97f4a7c15);
	seed = (seed ^ seed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	seed = (seed ^ seed >> 27) * UINT64_C(0x94d049bb133111eb);
	return seed ^ seed >> 31;
}

#endif
