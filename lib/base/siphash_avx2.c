/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Four lanes to a register, two registers side by side, since each step of a round waits for the
 * one before. Rotations by whole bytes are shuffles.
 */
#include <immintrin.h>

#include "base/siphash_lanes.h"

#define TARGET __attribute__((target("avx2")))
#define TARGET_INLINE __attribute__((target("avx2"), always_inline)) inline

#define HALF (SIPHASH_LANE_GROUP / 2)

struct state {
	__m256i v0, v1, v2, v3;
};

static TARGET_INLINE __m256i
rotate_left(__m256i x, int bits)
{
	return _mm256_or_si256(_mm256_slli_epi64(x, bits), _mm256_srli_epi64(x, 64 - bits));
}

static TARGET_INLINE __m256i
rotate_left_16(__m256i x)
{
	const __m256i order = _mm256_set_epi64x(0x0d0c0b0a09080f0e, 0x0504030201000706,
			0x0d0c0b0a09080f0e, 0x0504030201000706);

	return _mm256_shuffle_epi8(x, order);
}

static TARGET_INLINE __m256i
rotate_left_32(__m256i x)
{
	return _mm256_shuffle_epi32(x, 0xb1);
}

static TARGET_INLINE void
state_round(struct state *s)
{
	s->v0 = _mm256_add_epi64(s->v0, s->v1);
	s->v2 = _mm256_add_epi64(s->v2, s->v3);
	s->v1 = _mm256_xor_si256(rotate_left(s->v1, 13), s->v0);
	s->v3 = _mm256_xor_si256(rotate_left_16(s->v3), s->v2);
	s->v0 = rotate_left_32(s->v0);
	s->v2 = _mm256_add_epi64(s->v2, s->v1);
	s->v0 = _mm256_add_epi64(s->v0, s->v3);
	s->v1 = _mm256_xor_si256(rotate_left(s->v1, 17), s->v2);
	s->v3 = _mm256_xor_si256(rotate_left(s->v3, 21), s->v0);
	s->v2 = rotate_left_32(s->v2);
}

static TARGET_INLINE __m256i
load(const uint64_t *at)
{
	return _mm256_load_si256((const __m256i *)(const void *)at);
}

static TARGET_INLINE struct state
state_start(const struct siphash_lanes *lanes, unsigned lane)
{
	const __m256i k0 = load(&lanes->k0[lane]);
	const __m256i k1 = load(&lanes->k1[lane]);

	return (struct state){
			.v0 = _mm256_xor_si256(k0, _mm256_set1_epi64x(SIPHASH_START_0)),
			.v1 = _mm256_xor_si256(k1, _mm256_set1_epi64x(SIPHASH_START_1)),
			.v2 = _mm256_xor_si256(k0, _mm256_set1_epi64x(SIPHASH_START_2)),
			.v3 = _mm256_xor_si256(k1, _mm256_set1_epi64x(SIPHASH_START_3)),
	};
}

static TARGET_INLINE void
state_store(const struct state *s, uint64_t *macs)
{
	_mm256_store_si256(
			(__m256i *)(void *)macs, _mm256_xor_si256(_mm256_xor_si256(s->v0, s->v1),
								 _mm256_xor_si256(s->v2, s->v3)));
}

TARGET void
siphash_lanes_avx2(struct siphash_lanes *lanes, unsigned word_count, unsigned count)
{
	for (unsigned lane = 0; lane < count; lane += SIPHASH_LANE_GROUP) {
		struct state a = state_start(lanes, lane), b = state_start(lanes, lane + HALF);

		for (unsigned i = 0; i < word_count; i++) {
			const __m256i word_a = load(&lanes->words[i][lane]);
			const __m256i word_b = load(&lanes->words[i][lane + HALF]);

			a.v3 = _mm256_xor_si256(a.v3, word_a);
			b.v3 = _mm256_xor_si256(b.v3, word_b);
			for (unsigned n = 0; n < 2; n++) {
				state_round(&a);
				state_round(&b);
			}
			a.v0 = _mm256_xor_si256(a.v0, word_a);
			b.v0 = _mm256_xor_si256(b.v0, word_b);
		}
		a.v2 = _mm256_xor_si256(a.v2, _mm256_set1_epi64x(0xff));
		b.v2 = _mm256_xor_si256(b.v2, _mm256_set1_epi64x(0xff));
		for (unsigned n = 0; n < 4; n++) {
			state_round(&a);
			state_round(&b);
		}
		state_store(&a, &lanes->macs[lane]);
		state_store(&b, &lanes->macs[lane + HALF]);
	}
}
