/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SipHash-2-4 after figure 2.1 of the paper: two rounds per message word, four to finish.
 * siphash() assembles its words from bytes; siphash_words() gets them ready made.
 */
#include "base/siphash.h"

#include <endian.h>
#include <string.h>

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

static inline uint64_t
load_le64(const uint8_t *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return le64toh(word);
}

struct siphash_key
siphash_key_load(const uint8_t bytes[16])
{
	return (struct siphash_key){.k0 = load_le64(bytes), .k1 = load_le64(bytes + 8)};
}

uint64_t
siphash(const struct siphash_key *key, const void *data, size_t length)
{
	struct sip_state s = sip_start(key);
	const uint8_t *at = data;
	size_t left = length;
	uint64_t last = (uint64_t)length << 56;

	for (; left >= 8; at += 8, left -= 8)
		sip_compress(&s, load_le64(at));
	for (size_t i = 0; i < left; i++)
		last |= (uint64_t)at[i] << (8 * i);
	sip_compress(&s, last);
	return sip_finish(&s);
}

uint64_t
siphash_words(const struct siphash_key *key, const uint64_t *words, unsigned count)
{
	struct sip_state s = sip_start(key);

	for (unsigned i = 0; i < count; i++)
		sip_compress(&s, words[i]);
	return sip_finish(&s);
}
