/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Eight lanes to a register. Each step of a round waits for the one before, so two groups go
 * through it together where there are two.
 */
#include <immintrin.h>

#include "base/siphash_lanes.h"

#define TARGET __attribute__((target("avx512f")))
#define TARGET_INLINE __attribute__((target("avx512f"), always_inline)) inline

struct state {
	__m512i v0, v1, v2, v3;
};

static TARGET_INLINE void
state_round(struct state *s)
{
	s->v0 = _mm512_add_epi64(s->v0, s->v1);
	s->v2 = _mm512_add_epi64(s->v2, s->v3);
	s->v1 = _mm512_xor_si512(_mm512_rol_epi64(s->v1, 13), s->v0);
	s->v3 = _mm512_xor_si512(_mm512_rol_epi64(s->v3, 16), s->v2);
	s->v0 = _mm512_rol_epi64(s->v0, 32);
	s->v2 = _mm512_add_epi64(s->v2, s->v1);
	s->v0 = _mm512_add_epi64(s->v0, s->v3);
	s->v1 = _mm512_xor_si512(_mm512_rol_epi64(s->v1, 17), s->v2);
	s->v3 = _mm512_xor_si512(_mm512_rol_epi64(s->v3, 21), s->v0);
	s->v2 = _mm512_rol_epi64(s->v2, 32);
}

static TARGET_INLINE struct state
state_start(const struct siphash_lanes *lanes, unsigned lane)
{
	const __m512i k0 = _mm512_load_si512(&lanes->k0[lane]);
	const __m512i k1 = _mm512_load_si512(&lanes->k1[lane]);

	return (struct state){
			.v0 = _mm512_xor_si512(k0, _mm512_set1_epi64(SIPHASH_START_0)),
			.v1 = _mm512_xor_si512(k1, _mm512_set1_epi64(SIPHASH_START_1)),
			.v2 = _mm512_xor_si512(k0, _mm512_set1_epi64(SIPHASH_START_2)),
			.v3 = _mm512_xor_si512(k1, _mm512_set1_epi64(SIPHASH_START_3)),
	};
}

static TARGET_INLINE void
state_store(const struct state *s, uint64_t *macs)
{
	_mm512_store_si512(macs, _mm512_xor_si512(_mm512_xor_si512(s->v0, s->v1),
						 _mm512_xor_si512(s->v2, s->v3)));
}

static TARGET_INLINE void
groups(struct siphash_lanes *lanes, unsigned word_count, unsigned lane, unsigned group_count)
{
	struct state s[2];

	for (unsigned g = 0; g < group_count; g++)
		s[g] = state_start(lanes, lane + g * SIPHASH_LANE_GROUP);
	for (unsigned i = 0; i < word_count; i++) {
		__m512i word[2];

		for (unsigned g = 0; g < group_count; g++) {
			word[g] = _mm512_load_si512(
					&lanes->words[i][lane + g * SIPHASH_LANE_GROUP]);
			s[g].v3 = _mm512_xor_si512(s[g].v3, word[g]);
		}
		for (unsigned n = 0; n < 2; n++)
			for (unsigned g = 0; g < group_count; g++)
				state_round(&s[g]);
		for (unsigned g = 0; g < group_count; g++)
			s[g].v0 = _mm512_xor_si512(s[g].v0, word[g]);
	}
	for (unsigned g = 0; g < group_count; g++)
		s[g].v2 = _mm512_xor_si512(s[g].v2, _mm512_set1_epi64(0xff));
	for (unsigned n = 0; n < 4; n++)
		for (unsigned g = 0; g < group_count; g++)
			state_round(&s[g]);
	for (unsigned g = 0; g < group_count; g++)
		state_store(&s[g], &lanes->macs[lane + g * SIPHASH_LANE_GROUP]);
}

TARGET void
siphash_lanes_avx512(struct siphash_lanes *lanes, unsigned word_count, unsigned count)
{
	unsigned lane = 0;

	for (; lane + 2 * SIPHASH_LANE_GROUP <= count; lane += 2 * SIPHASH_LANE_GROUP)
		groups(lanes, word_count, lane, 2);
	if (lane < count)
		groups(lanes, word_count, lane, 1);
}
