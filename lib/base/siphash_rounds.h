/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rounds of SipHash-2-4, after figure 2.1 of the paper: for siphash.c, and for where a message
 * of known length is at hand in registers.
 */
#ifndef SLUICE_BASE_SIPHASH_ROUNDS_H
#define SLUICE_BASE_SIPHASH_ROUNDS_H

#include "base/siphash.h"

struct sip_state {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t
rotate_left(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static inline void
sip_round(struct sip_state *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = rotate_left(s->v1, 13) ^ s->v0;
	s->v3 = rotate_left(s->v3, 16) ^ s->v2;
	s->v0 = rotate_left(s->v0, 32);
	s->v2 += s->v1;
	s->v0 += s->v3;
	s->v1 = rotate_left(s->v1, 17) ^ s->v2;
	s->v3 = rotate_left(s->v3, 21) ^ s->v0;
	s->v2 = rotate_left(s->v2, 32);
}

static inline struct sip_state
sip_start(const struct siphash_key *key)
{
	return (struct sip_state){
			.v0 = key->k0 ^ SIPHASH_START_0,
			.v1 = key->k1 ^ SIPHASH_START_1,
			.v2 = key->k0 ^ SIPHASH_START_2,
			.v3 = key->k1 ^ SIPHASH_START_3,
	};
}

static inline void
sip_compress(struct sip_state *s, uint64_t word)
{
	s->v3 ^= word;
	sip_round(s);
	sip_round(s);
	s->v0 ^= word;
}

static inline uint64_t
sip_finish(struct sip_state *s)
{
	s->v2 ^= 0xff;
	for (unsigned i = 0; i < 4; i++)
		sip_round(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

/** siphash_words(), inline: count should be a constant. */
static inline uint64_t
sip_words(const struct siphash_key *key, const uint64_t *words, unsigned count)
{
	struct sip_state s = sip_start(key);

	for (unsigned i = 0; i < count; i++)
		sip_compress(&s, words[i]);
	return sip_finish(&s);
}

#endif
