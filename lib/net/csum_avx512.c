/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Words are summed by signed multiplication, two to a 32-bit lane, with the highest bit of each
 * turned over: then the sum is too small by 0x8000 for every word.
 */
#include <immintrin.h>

#include "base/base.h"
#include "net/csum.h"

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,bmi2")))
#define TARGET_INLINE                                                                              \
	__attribute__((target("avx512f,avx512bw,avx512vl,bmi2"), always_inline)) inline

#define STEP_BYTES 64
#define STEP_BIAS (STEP_BYTES / 2 * UINT64_C(0x8000))
/* Each takes at most 2^20 off the sum of all lanes, which has 32 bits. */
static_assert(CSUM_AVX512_BYTES_MAX / STEP_BYTES < 1 << 11, "the lanes hold their sum");

static TARGET_INLINE __m512i
add_step(__m512i sum, __m512i bytes)
{
	const __m512i biased = _mm512_xor_si512(bytes, _mm512_set1_epi16(INT16_MIN));

	return _mm512_add_epi32(sum, _mm512_madd_epi16(biased, _mm512_set1_epi16(1)));
}

TARGET uint64_t
csum_add_avx512(uint64_t sum, const void *data, size_t length)
{
	const uint8_t *at = data;
	__m512i a = _mm512_setzero_si512(), b = a;
	uint64_t steps = 0;

	ENSURE(length <= CSUM_AVX512_BYTES_MAX);
	for (; length >= 2 * STEP_BYTES; length -= 2 * STEP_BYTES) {
		a = add_step(a, _mm512_loadu_si512(at));
		b = add_step(b, _mm512_loadu_si512(at + STEP_BYTES));
		at += 2 * STEP_BYTES;
		steps += 2;
	}
	if (length >= STEP_BYTES) {
		a = add_step(a, _mm512_loadu_si512(at));
		at += STEP_BYTES;
		length -= STEP_BYTES;
		steps++;
	}
	if (length > 0) {
		b = add_step(b, _mm512_maskz_loadu_epi8(
						_bzhi_u64(UINT64_MAX, (unsigned)length), at));
		steps++;
	}
	return sum + steps * STEP_BIAS +
	       (uint64_t)(int64_t)_mm512_reduce_add_epi32(_mm512_add_epi32(a, b));
}
