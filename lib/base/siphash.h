/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SipHash-2-4 (Aumasson, Bernstein 2012): a keyed 64-bit MAC for short messages. Used for
 * cookies and for deriving their keys. Agrees with the published vectors.
 */
#ifndef SLUICE_BASE_SIPHASH_H
#define SLUICE_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

/** 128 bits, as the paper's k0 and k1. */
struct siphash_key {
	uint64_t k0;
	uint64_t k1;
};

/** The initial state is the key, twice, exclusive-or "somepseudorandomlygeneratedbytes". */
#define SIPHASH_START_0 0x736f6d6570736575 /**< k0 */
#define SIPHASH_START_1 0x646f72616e646f6d /**< k1 */
#define SIPHASH_START_2 0x6c7967656e657261 /**< k0 */
#define SIPHASH_START_3 0x7465646279746573 /**< k1 */

/** The key from 16 bytes, little endian, as the published vectors write it. */
struct siphash_key siphash_key_load(const uint8_t bytes[16]);

/** MAC over length bytes at data. */
uint64_t siphash(const struct siphash_key *key, const void *data, size_t length);

/**
 * MAC over a message given as count little-endian words, the last of which already carries the
 * length byte in its top 8 bits, as the paper's final block: equal to siphash() over
 * (count - 1) * 8 + (last >> 56) % 8 bytes. For fixed layouts on the fast path.
 */
uint64_t siphash_words(const struct siphash_key *key, const uint64_t *words, unsigned count);

#endif
