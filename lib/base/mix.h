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

#endif
